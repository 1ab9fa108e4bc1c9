// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IMoney} from "./IMoney.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {ChannelFixture} from "./test/ChannelFixture.t.sol";
import {RefusingReceiver} from "./test/Receivers.t.sol";
import {TypedData} from "./test/TypedData.t.sol";

/// @dev Refunds by agreement, where the vendor itself calls.
contract PaymentChannelsRefundTest is ChannelFixture {
    function test_Refund_GoesToAnyAccountThatTheSignerNames() public {
        checkRefund(NATIVE, OWNER);
        checkRefund(address(token), OPERATOR);
    }

    function test_Refund_GoesToThePayerWithoutASignature() public {
        checkRefundOfPayer(NATIVE);
        checkRefundOfPayer(address(token));
    }

    function test_RevertWhen_CallerIsNotTheVendor() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        uint64 other = registerOther(PAYOUT); // of the stranger, who speaks for that vendor only
        bytes memory signature = signRefundRequest(settings, REFUND_TO);
        address[4] memory callers = [STRANGER, BUYER, SIGNER, PAYOUT];
        for (uint256 i = 0; i < callers.length; ++i) {
            refuses(callers[i], settings, REFUND_TO, 1, signature, isNotVendor(vendorId, callers[i]));
        }
        // The settings name the vendor, so none of one's own gets at this money.
        settings.vendorId = other;
        refuses(STRANGER, settings, BUYER, 1, "", isOverBalance(settings, 1, 0));
        settings.vendorId = 9;
        refuses(OWNER, settings, BUYER, 1, "", isNotVendor(9, OWNER));
    }

    function test_RevertWhen_AnotherAccountIsNamedWithoutASignature() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes memory refusal = isInvalid(SIGNER);
        refuses(OWNER, settings, OWNER, 1, "", refusal);
        refuses(OWNER, settings, SIGNER, 1, "", refusal);
        refuses(OWNER, settings, STRANGER, 1, signRefundRequest(settings, REFUND_TO), refusal);
        // A signature that is given has to be good, even where none is needed.
        refuses(OWNER, settings, BUYER, 1, signRefundRequest(settings, REFUND_TO), refusal);
        refuses(OWNER, settings, BUYER, 1, new bytes(1), refusal);
        bytes memory signature = signRefundRequest(settings, BUYER);
        vm.prank(OWNER);
        payments.refund(settings, BUYER, 1, signature);
        assertFunds(settings, 99, 0, 1);
    }

    function test_RevertWhen_SomebodyElseSigned() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes32 structHash = TypedData.refundRequest(idOf(settings), REFUND_TO, 0);
        refuses(OWNER, settings, REFUND_TO, 1, signed(BUYER_KEY, structHash), isInvalid(SIGNER));
        refuses(OWNER, settings, REFUND_TO, 1, signed(OWNER_KEY, structHash), isInvalid(SIGNER));
        IPaymentChannels.ChannelSettings memory other = settingsOf(NATIVE);
        other.salt = 0;
        refuses(OWNER, settings, REFUND_TO, 1, signRefundRequest(other, REFUND_TO), isInvalid(SIGNER));
    }

    function test_RevertWhen_ASignatureIsUsedAgain() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes memory first = signRefundRequest(settings, REFUND_TO);
        bytes memory third = signed(SIGNER_KEY, TypedData.refundRequest(idOf(settings), REFUND_TO, 2));
        refuses(OWNER, settings, REFUND_TO, 1, third, isInvalid(SIGNER));
        vm.prank(OWNER);
        payments.refund(settings, REFUND_TO, 1, first);
        refuses(OWNER, settings, REFUND_TO, 1, first, isInvalid(SIGNER));
        refundPayer(settings, 1); // counts too
        refuses(OWNER, settings, REFUND_TO, 1, first, isInvalid(SIGNER));
        vm.prank(OWNER);
        payments.refund(settings, REFUND_TO, 1, third);
        assertFunds(settings, 97, 0, 3);
        vm.assertEq(REFUND_TO.balance, 2, "balance of the receiver");
    }

    function test_RevertWhen_AccountOrAmountIsZero() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes memory signature = signRefundRequest(settings, address(0));
        refuses(OWNER, settings, address(0), 1, signature, isZeroRefundTo());
        refuses(OWNER, settings, BUYER, 0, "", isZeroAmount());
    }

    function test_RevertWhen_AmountIsMoreThanIsLeft() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        refuses(OWNER, settings, BUYER, 101, "", isOverBalance(settings, 101, 100));
        claim(settings, 30);
        refuses(OWNER, settings, BUYER, 71, "", isOverBalance(settings, 71, 70));
        uint128 wrapping = (uint128(1) << 120) + 1; // 120 bits of it would be good
        refuses(OWNER, settings, BUYER, wrapping, "", isOverBalance(settings, wrapping, 70));
        refundPayer(settings, 70);
        assertFunds(settings, 30, 30, 1);
        refuses(OWNER, settings, BUYER, 1, "", isOverBalance(settings, 1, 0));
        vm.assertEq(address(payments).balance, 0, "held");
    }

    function test_Refund_ThenClaim_LeavesLessForVouchers() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        IPaymentChannels.Claim[] memory claims = only(voucherOf(settings, 61));
        refundPayer(settings, 40);
        vm.expectRevert(isOverBalance(settings, 61, 60));
        payments.claim(claims);
        claim(settings, 60);
        vm.assertEq(PAYOUT.balance, 60, "paid out");
        vm.assertEq(address(payments).balance, 0, "held");
    }

    function test_Claim_ThenRefund_ThenClaim() public {
        IPaymentChannels.ChannelSettings memory settings = open(address(token), 100);
        claim(settings, 20);
        refundPayer(settings, 50);
        claim(settings, 50);
        assertFunds(settings, 50, 50, 1);
        vm.assertEq(token.balanceOf(PAYOUT), 50, "paid out");
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max - 50, "balance of the payer");
        vm.assertEq(token.balanceOf(address(payments)), 0, "held");
    }

    function test_RevertGiven_AccountRefusesMoney() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        address refusing = address(new RefusingReceiver());
        refuses(
            OWNER,
            settings,
            refusing,
            7,
            signRefundRequest(settings, refusing),
            isTransferFailed(NATIVE, refusing, 7)
        );
        assertFunds(settings, 100, 0, 0);
    }

    /// @dev 65,535 refunds are more than a channel sees; after them, what is left goes by claim and withdrawal.
    function test_RevertGiven_RefundsCannotBeCounted() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        setRefunds(settings, type(uint16).max - 1);
        refundPayer(settings, 1);
        assertFunds(settings, 99, 0, type(uint16).max);
        refuses(OWNER, settings, BUYER, 1, "", abi.encodeWithSignature("Panic(uint256)", 0x11));
        claim(settings, 9);
        requestWithdrawal(settings, REFUND_TO);
        skip(DELAY);
        vm.assertEq(payments.finalizeWithdrawal(settings), 90, "withdrawn");
    }

    function testFuzz_Refund_BothSidesHaveTheDeposit(uint120 amount, uint120 claimed, uint120 refunded) public {
        amount = uint120(within(amount, 2, type(uint120).max));
        claimed = uint120(within(claimed, 1, amount - 1));
        refunded = uint120(within(refunded, 1, amount - claimed));
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, amount);
        claim(settings, claimed);
        refundPayer(settings, refunded);
        assertFunds(settings, amount - refunded, claimed, 1);
        if (amount - refunded > claimed) claim(settings, amount - refunded);
        vm.assertEq(PAYOUT.balance, amount - refunded, "balance of payout");
        vm.assertEq(BUYER.balance, type(uint128).max - amount + refunded, "balance of the payer");
        vm.assertEq(address(payments).balance, 0, "held");
    }

    function checkRefund(address token_, address caller) private {
        IPaymentChannels.ChannelSettings memory settings = open(token_, 100);
        claim(settings, 30);
        bytes memory signature = signRefundRequest(settings, REFUND_TO);
        bytes32 id = idOf(settings);
        vm.expectEmit(address(payments));
        emit IPaymentChannels.ChannelRefunded(id, vendorId, REFUND_TO, 50);
        vm.prank(caller);
        payments.refund(settings, REFUND_TO, 50, signature);
        assertFunds(settings, 50, 30, 1);
        vm.assertEq(balanceOf(token_, REFUND_TO), 50, "balance of the receiver");
        vm.assertEq(balanceOf(token_, address(payments)), 20, "held");
    }

    function checkRefundOfPayer(address token_) private {
        IPaymentChannels.ChannelSettings memory settings = open(token_, 100);
        bytes32 id = idOf(settings);
        vm.expectEmit(address(payments));
        emit IPaymentChannels.ChannelRefunded(id, vendorId, BUYER, 100);
        vm.prank(OPERATOR);
        payments.refund(settings, BUYER, 100, "");
        assertFunds(settings, 0, 0, 1);
        vm.assertEq(balanceOf(token_, BUYER), type(uint128).max, "balance of the payer");
    }

    function refuses(
        address caller,
        IPaymentChannels.ChannelSettings memory settings,
        address to,
        uint128 amount,
        bytes memory signature,
        bytes memory refusal
    ) private {
        vm.prank(caller);
        vm.expectRevert(refusal);
        payments.refund(settings, to, amount, signature);
    }

    /// @dev Finds the slot of a channel by what is in it.
    function setRefunds(IPaymentChannels.ChannelSettings memory settings, uint16 refunds) private {
        bytes32 id = idOf(settings);
        for (uint256 slot = 0; slot < 16; ++slot) {
            bytes32 place = keccak256(abi.encode(id, slot));
            uint256 word = uint256(vm.load(address(payments), place));
            if (word == 0) continue;
            vm.store(address(payments), place, bytes32(word | (uint256(refunds) << 240)));
            vm.assertEq(channelOf(settings).refunds, refunds, "refunds");
            return;
        }
        vm.assertTrue(false, "the channel's slot was not found");
    }
}
