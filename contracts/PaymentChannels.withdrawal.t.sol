// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IMoney} from "./IMoney.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {ChannelFixture} from "./test/ChannelFixture.t.sol";
import {RefusingReceiver} from "./test/Receivers.t.sol";
import {TypedData} from "./test/TypedData.t.sol";
import {Wallet} from "./test/Wallets.t.sol";

/// @dev How a payer gets its money back when the vendor does not answer.
contract PaymentChannelsWithdrawalTest is ChannelFixture {
    function test_Withdrawal_ReturnsWhatIsLeftAfterTheDelay() public {
        checkWithdrawal(NATIVE);
        checkWithdrawal(address(token));
    }

    function test_RequestWithdrawal_BySignature() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes memory signature = signRequest(settings);
        expectRequested(settings, START + DELAY);
        vm.prank(STRANGER);
        payments.requestWithdrawalWithSignature(settings, REFUND_TO, DEADLINE, signature);
        assertWithdrawal(settings, REFUND_TO, START + DELAY);
        vm.assertTrue(payments.isUsed(digestOf(requestOf(settings))), "isUsed");
    }

    function test_RequestWithdrawal_BySignatureOfAContractWallet() public {
        Wallet wallet = new Wallet(BUYER);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        settings.payer = address(wallet);
        deposit(settings, 100);
        bytes memory signature = signRequest(settings);
        refusesSigned(settings, REFUND_TO, DEADLINE, signature, isInvalid(address(wallet)));
        payments.requestWithdrawalWithSignature(settings, REFUND_TO, DEADLINE, abi.encodePacked(signature, uint8(0)));
        assertWithdrawal(settings, REFUND_TO, START + DELAY);
    }

    function test_RequestWithdrawal_BySignatureUpToTheDeadline() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes memory signature = signRequest(settings);
        vm.warp(DEADLINE + 1);
        refusesSigned(settings, REFUND_TO, DEADLINE, signature, isExpired(DEADLINE));
        vm.warp(DEADLINE);
        payments.requestWithdrawalWithSignature(settings, REFUND_TO, DEADLINE, signature);
        assertWithdrawal(settings, REFUND_TO, uint40(DEADLINE) + DELAY);
    }

    function test_RevertWhen_TheSenderChangesAnyMember() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes memory signature = signRequest(settings);
        IPaymentChannels.ChannelSettings memory other = settingsOf(NATIVE);
        other.salt = 0;
        deposit(other, 100);
        refusesSigned(other, REFUND_TO, DEADLINE, signature, isInvalid(BUYER));
        refusesSigned(settings, STRANGER, DEADLINE, signature, isInvalid(BUYER));
        refusesSigned(settings, REFUND_TO, DEADLINE + 1, signature, isInvalid(BUYER));
        refusesSigned(settings, REFUND_TO, DEADLINE, signed(SIGNER_KEY, requestOf(settings)), isInvalid(BUYER));
        refusesSigned(settings, REFUND_TO, DEADLINE, "", isInvalid(BUYER));
        payments.requestWithdrawalWithSignature(settings, REFUND_TO, DEADLINE, signature);
    }

    /// @dev Else anyone could start the delay anew for ever, or close a channel that was opened again.
    function test_RevertWhen_ASignatureIsUsedAgain() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes memory signature = signed(BUYER_KEY, TypedData.withdrawalRequest(idOf(settings), REFUND_TO, START * 2));
        bytes32 digest = digestOf(TypedData.withdrawalRequest(idOf(settings), REFUND_TO, START * 2));
        payments.requestWithdrawalWithSignature(settings, REFUND_TO, START * 2, signature);
        skip(1);
        bytes memory refusal = isReplay(digest);
        refusesSigned(settings, REFUND_TO, START * 2, signature, refusal);
        assertWithdrawal(settings, REFUND_TO, START + DELAY);
        skip(DELAY);
        payments.finalizeWithdrawal(settings);
        deposit(settings, 100);
        refusesSigned(settings, REFUND_TO, START * 2, signature, refusal);
        assertNoWithdrawal(settings);
    }

    function test_RevertWhen_CallerIsNotThePayer() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        address[4] memory callers = [STRANGER, SIGNER, OWNER, REFUND_TO];
        for (uint256 i = 0; i < callers.length; ++i) {
            bytes memory refusal = abi.encodeWithSelector(
                IPaymentChannels.Payments_NotPayer.selector,
                idOf(settings),
                callers[i]
            );
            refuses(callers[i], settings, REFUND_TO, refusal);
        }
        settings.payer = STRANGER; // is another channel, without money
        refuses(STRANGER, settings, REFUND_TO, isZeroAmount());
    }

    function test_RevertWhen_AccountIsZero() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes memory refusal = isZeroRefundTo();
        refuses(BUYER, settings, address(0), refusal);
        bytes32 structHash = TypedData.withdrawalRequest(idOf(settings), address(0), DEADLINE);
        refusesSigned(settings, address(0), DEADLINE, signed(BUYER_KEY, structHash), refusal);
    }

    function test_RevertGiven_NothingIsLeft() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        refuses(BUYER, settings, REFUND_TO, isZeroAmount());
        deposit(settings, 100);
        claim(settings, 100);
        refuses(BUYER, settings, REFUND_TO, isZeroAmount());
        refusesSigned(settings, REFUND_TO, DEADLINE, signRequest(settings), isZeroAmount());
        vm.assertTrue(!payments.isUsed(digestOf(requestOf(settings))), "isUsed");
    }

    function test_RequestWithdrawal_AgainStartsTheDelayAnew() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        requestWithdrawal(settings, STRANGER);
        skip(DELAY - 1);
        requestWithdrawal(settings, REFUND_TO);
        assertWithdrawal(settings, REFUND_TO, START + 2 * DELAY - 1);
        skip(DELAY - 1);
        refusesToFinalize(settings, isTooEarly(settings, START + 2 * DELAY - 1));
        skip(1);
        payments.finalizeWithdrawal(settings);
        vm.assertEq(REFUND_TO.balance, 100, "balance of the receiver");
        vm.assertEq(STRANGER.balance, 0, "balance of who was named first");
    }

    function testFuzz_RequestWithdrawal_LastsAsLongAsTheChannelSays(uint32 delay, uint32 early) public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        settings.withdrawDelay = uint32(within(delay, 15 minutes, 30 days));
        deposit(settings, 100);
        requestWithdrawal(settings, REFUND_TO);
        uint40 end = START + settings.withdrawDelay;
        vm.warp(within(early, START, end - 1));
        refusesToFinalize(settings, isTooEarly(settings, end));
        vm.warp(end);
        payments.finalizeWithdrawal(settings);
        vm.assertEq(REFUND_TO.balance, 100, "balance of the receiver");
    }

    function test_RevertGiven_NoWithdrawalIsRequested() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        skip(400 days);
        bytes memory refusal = abi.encodeWithSelector(IPaymentChannels.Payments_NotRequested.selector, idOf(settings));
        refusesToFinalize(settings, refusal);
        requestWithdrawal(settings, REFUND_TO);
        skip(DELAY);
        payments.finalizeWithdrawal(settings);
        deposit(settings, 100);
        refusesToFinalize(settings, refusal); // one request closes once
    }

    function test_Withdrawal_ClosesAnUnusedChannel() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        requestWithdrawal(settings, BUYER);
        skip(DELAY);
        vm.assertEq(payments.finalizeWithdrawal(settings), 100, "amount");
        assertFunds(settings, 0, 0, 0);
        vm.assertEq(BUYER.balance, type(uint128).max, "balance of the payer");
    }

    function test_Withdrawal_LetsTheVendorClaimUntilItsEnd() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        claim(settings, 10);
        requestWithdrawal(settings, REFUND_TO);
        claim(settings, 30);
        skip(10 * DELAY); // nobody finalized
        claim(settings, 60);
        assertWithdrawal(settings, REFUND_TO, START + DELAY);
        vm.assertEq(payments.finalizeWithdrawal(settings), 40, "amount");
        assertFunds(settings, 60, 60, 0);
        vm.assertEq(PAYOUT.balance, 60, "balance of payout");
        vm.assertEq(REFUND_TO.balance, 40, "balance of the receiver");
    }

    function test_Withdrawal_TakesWhatWasDepositedMeanwhile() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        requestWithdrawal(settings, REFUND_TO);
        deposit(settings, 11);
        assertWithdrawal(settings, REFUND_TO, START + DELAY);
        refundPayer(settings, 1);
        skip(DELAY);
        vm.assertEq(payments.finalizeWithdrawal(settings), 110, "amount");
        assertFunds(settings, 0, 0, 1);
    }

    /// @dev Nothing is sent, so that an account that refuses money is no obstacle.
    function test_Withdrawal_EndsEvenGivenAllWasClaimed() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        address refusing = address(new RefusingReceiver());
        requestWithdrawal(settings, refusing);
        claim(settings, 100);
        skip(DELAY);
        bytes32 id = idOf(settings);
        vm.expectEmit(address(payments));
        emit IPaymentChannels.ChannelWithdrawn(id, vendorId, refusing, 0);
        vm.assertEq(payments.finalizeWithdrawal(settings), 0, "amount");
        assertNoWithdrawal(settings);
    }

    function test_RevertGiven_AccountRefusesMoney_AndThePayerCanNameAnother() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        address refusing = address(new RefusingReceiver());
        requestWithdrawal(settings, refusing);
        skip(DELAY);
        refusesToFinalize(settings, isTransferFailed(NATIVE, refusing, 100));
        requestWithdrawal(settings, REFUND_TO);
        skip(DELAY);
        payments.finalizeWithdrawal(settings);
        vm.assertEq(REFUND_TO.balance, 100, "balance of the receiver");
    }

    /// @dev What was claimed counts for good: no voucher is worth anything twice.
    function test_Voucher_StaysStaleAfterTheChannelWasClosedAndOpenedAgain() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        claim(settings, 60);
        requestWithdrawal(settings, REFUND_TO);
        skip(DELAY);
        payments.finalizeWithdrawal(settings);
        deposit(settings, 40);
        assertFunds(settings, 100, 60, 0);
        IPaymentChannels.Claim[] memory claims = only(voucherOf(settings, 60));
        vm.expectRevert(isStale(settings, 60, 60));
        payments.claim(claims);
        claim(settings, 61);
        vm.assertEq(PAYOUT.balance, 61, "balance of payout");
    }

    function checkWithdrawal(address token_) private {
        uint40 end = nowSeconds() + DELAY;
        IPaymentChannels.ChannelSettings memory settings = open(token_, 100);
        claim(settings, 30);
        expectRequested(settings, end);
        requestWithdrawal(settings, REFUND_TO);
        assertWithdrawal(settings, REFUND_TO, end);
        skip(DELAY - 1);
        refusesToFinalize(settings, isTooEarly(settings, end));
        skip(1);
        bytes32 id = idOf(settings);
        vm.expectEmit(address(payments));
        emit IPaymentChannels.ChannelWithdrawn(id, vendorId, REFUND_TO, 70);
        vm.prank(STRANGER);
        vm.assertEq(payments.finalizeWithdrawal(settings), 70, "amount");
        vm.assertEq(balanceOf(token_, REFUND_TO), 70, "balance of the receiver");
        vm.assertEq(balanceOf(token_, address(payments)), 0, "held");
        assertFunds(settings, 30, 30, 0);
        assertNoWithdrawal(settings);
    }

    function assertWithdrawal(
        IPaymentChannels.ChannelSettings memory settings,
        address to,
        uint40 withdrawableAt
    ) private view {
        vm.assertEq(channelOf(settings).withdrawTo, to, "withdrawTo");
        vm.assertEq(channelOf(settings).withdrawableAt, withdrawableAt, "withdrawableAt");
    }

    function requestOf(IPaymentChannels.ChannelSettings memory settings) private view returns (bytes32) {
        return TypedData.withdrawalRequest(idOf(settings), REFUND_TO, DEADLINE);
    }

    function signRequest(IPaymentChannels.ChannelSettings memory settings) private view returns (bytes memory) {
        return signed(BUYER_KEY, requestOf(settings));
    }

    function expectRequested(IPaymentChannels.ChannelSettings memory settings, uint40 withdrawableAt) private {
        bytes32 id = idOf(settings);
        vm.expectEmit(address(payments));
        emit IPaymentChannels.WithdrawalRequested(id, vendorId, REFUND_TO, withdrawableAt);
    }

    function refuses(
        address caller,
        IPaymentChannels.ChannelSettings memory settings,
        address to,
        bytes memory refusal
    ) private {
        vm.prank(caller);
        vm.expectRevert(refusal);
        payments.requestWithdrawal(settings, to);
    }

    function refusesSigned(
        IPaymentChannels.ChannelSettings memory settings,
        address to,
        uint256 deadline,
        bytes memory signature,
        bytes memory refusal
    ) private {
        vm.prank(BUYER); // whoever sends it, the signature counts
        vm.expectRevert(refusal);
        payments.requestWithdrawalWithSignature(settings, to, deadline, signature);
    }

    function refusesToFinalize(IPaymentChannels.ChannelSettings memory settings, bytes memory refusal) private {
        vm.prank(BUYER);
        vm.expectRevert(refusal);
        payments.finalizeWithdrawal(settings);
    }

    function isTooEarly(
        IPaymentChannels.ChannelSettings memory settings,
        uint40 withdrawableAt
    ) private view returns (bytes memory) {
        return abi.encodeWithSelector(IPaymentChannels.Payments_TooEarly.selector, idOf(settings), withdrawableAt);
    }
}
