// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IMoney} from "./IMoney.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {ChannelFixture} from "./test/ChannelFixture.t.sol";
import {TypedData} from "./test/TypedData.t.sol";
import {Wallet} from "./test/Wallets.t.sol";

/// @dev Refunds by agreement, where the vendor signs and anyone sends.
contract PaymentChannelsRefundSignedTest is ChannelFixture {
    function test_RefundWithSignature_ByAnyone() public {
        checkRefund(NATIVE, OWNER, OWNER_KEY);
        checkRefund(address(token), OPERATOR, OPERATOR_KEY);
    }

    function test_RefundWithSignature_GoesToThePayerWithoutItsSignature() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        IPaymentChannels.Refund memory terms = termsOf(OPERATOR);
        terms.to = BUYER;
        refund(settings, terms, "", approve(settings, terms, OPERATOR_KEY));
        assertFunds(settings, 60, 0, 1);
        vm.assertEq(BUYER.balance, type(uint128).max - 60, "balance of the payer");
    }

    function test_RefundWithSignature_ByAVendorThatIsAContractWallet() public {
        Wallet wallet = new Wallet(OPERATOR);
        vm.prank(OWNER);
        registry.setOperator(vendorId, address(wallet));
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        IPaymentChannels.Refund memory terms = termsOf(address(wallet));
        bytes memory approval = abi.encodePacked(approve(settings, terms, OPERATOR_KEY), uint8(0));
        wallet.changeMind();
        refuses(settings, terms, approval, isInvalid(address(wallet)));
        wallet.changeMind();
        refund(settings, terms, signRefundRequest(settings, REFUND_TO), approval);
        assertFunds(settings, 60, 0, 1);
    }

    function test_RefundWithSignature_ForASignerThatIsAContractWallet() public {
        Wallet wallet = new Wallet(SIGNER);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        settings.signer = address(wallet);
        deposit(settings, 100);
        IPaymentChannels.Refund memory terms = termsOf(OWNER);
        bytes memory approval = approve(settings, terms, OWNER_KEY);
        refuses(settings, terms, approval, isInvalid(address(wallet))); // by its key alone
        refund(settings, terms, abi.encodePacked(signRefundRequest(settings, REFUND_TO), uint8(0)), approval);
        assertFunds(settings, 60, 0, 1);
    }

    function test_RefundWithSignature_WorksUpToTheDeadline() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        IPaymentChannels.Refund memory terms = termsOf(OWNER);
        bytes memory approval = approve(settings, terms, OWNER_KEY);
        vm.warp(DEADLINE + 1);
        refuses(settings, terms, approval, isExpired(DEADLINE));
        vm.warp(DEADLINE);
        refund(settings, terms, signRefundRequest(settings, REFUND_TO), approval);
    }

    function test_RevertWhen_ApproverIsNotTheVendor() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        registerOther(PAYOUT); // of the stranger, who speaks for that vendor only
        address[4] memory approvers = [STRANGER, BUYER, PAYOUT, address(0)];
        for (uint256 i = 0; i < approvers.length; ++i) {
            IPaymentChannels.Refund memory terms = termsOf(approvers[i]);
            refuses(
                settings,
                terms,
                approve(settings, terms, i == 0 ? STRANGER_KEY : BUYER_KEY),
                isNotVendor(vendorId, approvers[i])
            );
        }
        IPaymentChannels.Refund memory given = termsOf(OPERATOR);
        refuses(settings, given, approve(settings, given, STRANGER_KEY), isInvalid(OPERATOR));
        refuses(settings, given, "", isInvalid(OPERATOR));
        // The sender is nobody, even if it is the vendor.
        vm.prank(OPERATOR);
        vm.expectRevert(isInvalid(OPERATOR));
        payments.refundWithSignature(settings, given, "", "");
    }

    function test_RevertGiven_ApproverIsTheVendorNoMore() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        IPaymentChannels.Refund memory terms = termsOf(OPERATOR);
        bytes memory approval = approve(settings, terms, OPERATOR_KEY);
        vm.prank(OWNER);
        registry.setOperator(vendorId, address(0));
        refuses(settings, terms, approval, isNotVendor(vendorId, OPERATOR));
        terms.approver = address(0); // which the vendor has for an operator now
        refuses(settings, terms, approval, isNotVendor(vendorId, address(0)));
    }

    function test_RevertWhen_TheSenderChangesAnyMember() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        IPaymentChannels.Refund memory terms = termsOf(OWNER);
        bytes memory approval = approve(settings, terms, OWNER_KEY);
        for (uint256 member = 0; member < 4; ++member) {
            IPaymentChannels.Refund memory changed = termsOf(OWNER);
            if (member == 0) changed.to = STRANGER;
            if (member == 1) changed.amount = 41;
            if (member == 2) changed.deadline = DEADLINE + 1;
            if (member == 3) changed.approver = OPERATOR;
            refuses(settings, changed, approval, isInvalid(changed.approver));
        }
        IPaymentChannels.ChannelSettings memory other = settingsOf(NATIVE);
        other.salt = 0;
        deposit(other, 100);
        refuses(other, terms, approval, isInvalid(OWNER));
        refund(settings, terms, signRefundRequest(settings, REFUND_TO), approval);
    }

    function test_RevertWhen_OnlyOneSideSigned() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        IPaymentChannels.Refund memory terms = termsOf(OWNER);
        bytes memory approval = approve(settings, terms, OWNER_KEY);
        vm.expectRevert(isInvalid(SIGNER));
        payments.refundWithSignature(settings, terms, "", approval);
        bytes memory bySomebodyElse = signed(BUYER_KEY, TypedData.refundRequest(idOf(settings), REFUND_TO, 0));
        vm.expectRevert(isInvalid(SIGNER));
        payments.refundWithSignature(settings, terms, bySomebodyElse, approval);
        refuses(settings, terms, "", isInvalid(OWNER));
    }

    function test_RevertWhen_SentTwice() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        IPaymentChannels.Refund memory terms = termsOf(OWNER);
        terms.to = BUYER; // needs no signature, so that only the approval counts the refunds
        bytes memory approval = approve(settings, terms, OWNER_KEY);
        refund(settings, terms, "", approval);
        vm.expectRevert(isInvalid(OWNER));
        payments.refundWithSignature(settings, terms, "", approval);
        refundPayer(settings, 1);
        vm.expectRevert(isInvalid(OWNER));
        payments.refundWithSignature(settings, terms, "", approval);
        refund(settings, terms, "", approve(settings, terms, OWNER_KEY));
        assertFunds(settings, 19, 0, 3);
    }

    function test_RevertWhen_AmountIsZeroOrMoreThanIsLeft() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        claim(settings, 70);
        IPaymentChannels.Refund memory terms = termsOf(OWNER);
        refuses(settings, terms, approve(settings, terms, OWNER_KEY), isOverBalance(settings, 40, 30));
        terms.amount = 0;
        refuses(settings, terms, approve(settings, terms, OWNER_KEY), isZeroAmount());
        (terms.amount, terms.to) = (1, address(0));
        refuses(settings, terms, approve(settings, terms, OWNER_KEY), isZeroRefundTo());
    }

    function checkRefund(address token_, address approver, uint256 key) private {
        IPaymentChannels.ChannelSettings memory settings = open(token_, 100);
        claim(settings, 30);
        IPaymentChannels.Refund memory terms = termsOf(approver);
        bytes memory approval = approve(settings, terms, key);
        bytes memory signature = signRefundRequest(settings, REFUND_TO);
        bytes32 id = idOf(settings);
        vm.expectEmit(address(payments));
        emit IPaymentChannels.ChannelRefunded(id, vendorId, REFUND_TO, 40);
        refund(settings, terms, signature, approval);
        assertFunds(settings, 60, 30, 1);
        vm.assertEq(balanceOf(token_, REFUND_TO), 40, "balance of the receiver");
        vm.assertEq(balanceOf(token_, address(payments)), 30, "held");
    }

    function refund(
        IPaymentChannels.ChannelSettings memory settings,
        IPaymentChannels.Refund memory terms,
        bytes memory signature,
        bytes memory approval
    ) private {
        vm.prank(STRANGER);
        payments.refundWithSignature(settings, terms, signature, approval);
    }

    /// @dev With a good signature of the channel's signer.
    function refuses(
        IPaymentChannels.ChannelSettings memory settings,
        IPaymentChannels.Refund memory terms,
        bytes memory approval,
        bytes memory refusal
    ) private {
        bytes memory signature = signRefundRequest(settings, terms.to);
        vm.prank(STRANGER);
        vm.expectRevert(refusal);
        payments.refundWithSignature(settings, terms, signature, approval);
    }

    function termsOf(address approver) private pure returns (IPaymentChannels.Refund memory) {
        return IPaymentChannels.Refund({to: REFUND_TO, amount: 40, deadline: DEADLINE, approver: approver});
    }

    function approve(
        IPaymentChannels.ChannelSettings memory settings,
        IPaymentChannels.Refund memory terms,
        uint256 key
    ) private view returns (bytes memory) {
        return signed(key, TypedData.refundApproval(idOf(settings), terms, channelOf(settings).refunds));
    }
}
