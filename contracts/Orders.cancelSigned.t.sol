// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IMoney} from "./IMoney.sol";
import {IOrders} from "./IOrders.sol";
import {RefusingReceiver} from "./test/Receivers.t.sol";
import {TokenFixture} from "./test/TokenFixture.t.sol";
import {TypedData} from "./test/TypedData.t.sol";
import {Wallet} from "./test/Wallets.t.sol";

/// @dev Cancellations by the controller's signature.
contract OrdersCancelSignedTest is TokenFixture {
    function test_CancelWithSignature_ByAnyone() public {
        bytes32 orderId = buyStreamed(2);
        skip(PERIOD + 1);
        uint128 refund = uint128((uint256(PRICE) * (PERIOD - 1)) / PERIOD);
        bytes memory signature = signCancellation(orderId);
        vm.expectEmit(address(payments));
        emit IOrders.OrderCancelled(orderId, vendorId, REFUND_TO, refund, START + PERIOD + 1);
        vm.prank(STRANGER);
        uint128 refunded = payments.cancelWithSignature(orderId, START, REFUND_TO, DEADLINE + PERIOD, signature);

        vm.assertEq(refunded, refund, "refunded");
        vm.assertEq(REFUND_TO.balance, refund, "balance of refundTo");
        vm.assertTrue(streamedOrder().cancelled, "cancelled");
        vm.assertEq(streamedOrder().endsAt, START + PERIOD + 1, "endsAt");
        vm.assertTrue(payments.isUsed(digestOf(cancellation(orderId))), "isUsed");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 2 * PRICE - refund, "balance of payout");
    }

    function test_CancelWithSignature_ReturnsTheToken() public {
        bytes32 orderId = buyInToken(tokenStreamedPlan, 2);
        skip(PERIOD);
        bytes memory signature = signCancellation(orderId);
        payments.cancelWithSignature(orderId, START, REFUND_TO, DEADLINE + PERIOD, signature);
        vm.assertEq(token.balanceOf(REFUND_TO), PRICE, "balance of refundTo");
    }

    function test_CancelWithSignature_ByAContractWallet() public {
        Wallet wallet = new Wallet(BUYER);
        vm.prank(BUYER);
        (bytes32 orderId, ) = payments.buy{value: PRICE}(vendorId, streamedPlan, KEY, 1, address(wallet));
        bytes memory signature = abi.encodePacked(signCancellation(orderId), uint8(0));
        wallet.changeMind();
        refuses(orderId, START, REFUND_TO, signature, isInvalid(address(wallet)));
        wallet.changeMind();
        payments.cancelWithSignature(orderId, START, REFUND_TO, DEADLINE + PERIOD, signature);
        vm.assertEq(REFUND_TO.balance, PRICE, "balance of refundTo");
    }

    function test_CancelWithSignature_WorksUpToTheDeadline() public {
        bytes32 orderId = buyStreamed(2);
        bytes memory signature = signCancellation(orderId);
        vm.warp(DEADLINE + PERIOD + 1);
        refuses(orderId, START, REFUND_TO, signature, isExpired(DEADLINE + PERIOD));
        vm.warp(DEADLINE + PERIOD);
        payments.cancelWithSignature(orderId, START, REFUND_TO, DEADLINE + PERIOD, signature);
    }

    function test_RevertWhen_AnotherSigned() public {
        bytes32 orderId = buyStreamed(1);
        bytes memory signature = signed(STRANGER_KEY, cancellation(orderId));
        refuses(orderId, START, REFUND_TO, signature, isInvalid(BUYER));
    }

    function test_RevertWhen_TheSenderChangesAnyMember() public {
        bytes32 orderId = buyStreamed(2);
        vm.prank(BUYER);
        (bytes32 other, ) = payments.buy{value: PRICE}(vendorId, streamedPlan, keccak256("2"), 1, BUYER);
        bytes memory signature = signCancellation(orderId);
        refuses(other, START, REFUND_TO, signature, isInvalid(BUYER));
        refuses(orderId, START, STRANGER, signature, isInvalid(BUYER));
        vm.expectRevert(isInvalid(BUYER));
        payments.cancelWithSignature(orderId, START, REFUND_TO, DEADLINE + PERIOD + 1, signature);
        refuses(orderId, START + 1, REFUND_TO, signature, isOfAnotherRun(orderId, START + 1, START));
        payments.cancelWithSignature(orderId, START, REFUND_TO, DEADLINE + PERIOD, signature);
    }

    /// @dev A cancellation that was never sent ends no later run, even one by the same controller.
    function test_RevertGiven_AnotherRunHasBegun() public {
        bytes32 orderId = buyStreamed(1);
        bytes memory signature = signCancellation(orderId);
        skip(PERIOD);
        buyStreamed(1);
        refuses(orderId, START, REFUND_TO, signature, isOfAnotherRun(orderId, START, START + PERIOD));
        refuses(orderId, START + PERIOD, REFUND_TO, signature, isInvalid(BUYER));
    }

    function test_RevertWhen_SentTwice() public {
        bytes32 orderId = buyStreamed(2);
        bytes memory signature = signCancellation(orderId);
        payments.cancelWithSignature(orderId, START, REFUND_TO, DEADLINE + PERIOD, signature);
        buyStreamed(1); // in the same second, so that the run begins when the one before did
        bytes32 digest = digestOf(cancellation(orderId));
        refuses(orderId, START, REFUND_TO, signature, isReplay(digest));
    }

    function test_RevertGiven_RunIsOver() public {
        bytes32 orderId = buyStreamed(1);
        bytes memory signature = signCancellation(orderId);
        skip(PERIOD);
        refuses(
            orderId,
            START,
            REFUND_TO,
            signature,
            abi.encodeWithSelector(IOrders.Payments_OrderOver.selector, orderId, START + PERIOD)
        );
    }

    function test_RevertWhen_RefundToIsZero() public {
        bytes32 orderId = buyStreamed(1);
        bytes32 structHash = TypedData.cancellation(orderId, START, address(0), DEADLINE + PERIOD);
        refuses(orderId, START, address(0), signed(BUYER_KEY, structHash), isZeroRefundTo());
    }

    /// @dev Nobody controls these, and nobody's signature is that of the zero account.
    function test_RevertGiven_OrderIsInstantOrUnknown() public {
        bytes32 orderId = buyInstant(1);
        refuses(orderId, START, REFUND_TO, signCancellation(orderId), isInvalid(address(0)));
        refuses(orderId, START, REFUND_TO, new bytes(65), isInvalid(address(0)));
        refuses(KEY, 0, REFUND_TO, new bytes(65), isInvalid(address(0)));
        refuses(KEY, 0, REFUND_TO, "", isInvalid(address(0)));
        refuses(KEY, START, REFUND_TO, "", isOfAnotherRun(KEY, START, 0));
    }

    function test_RevertGiven_RefundToRefusesMoney_AndTheSignatureStaysGood() public {
        bytes32 orderId = buyStreamed(1);
        address refusing = address(new RefusingReceiver());
        bytes32 structHash = TypedData.cancellation(orderId, START, refusing, DEADLINE + PERIOD);
        refuses(orderId, START, refusing, signed(BUYER_KEY, structHash), isTransferFailed(NATIVE, refusing, PRICE));
        vm.assertTrue(!payments.isUsed(digestOf(structHash)), "isUsed");
    }

    function signCancellation(bytes32 orderId) private view returns (bytes memory) {
        return signed(BUYER_KEY, cancellation(orderId));
    }

    function cancellation(bytes32 orderId) private pure returns (bytes32) {
        return TypedData.cancellation(orderId, START, REFUND_TO, DEADLINE + PERIOD);
    }

    function refuses(
        bytes32 orderId,
        uint40 startedAt,
        address refundTo,
        bytes memory signature,
        bytes memory refusal
    ) private {
        vm.prank(STRANGER);
        vm.expectRevert(refusal);
        payments.cancelWithSignature(orderId, startedAt, refundTo, DEADLINE + PERIOD, signature);
    }

    function isOfAnotherRun(bytes32 orderId, uint40 given, uint40 startedAt) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IOrders.Payments_AnotherRun.selector, orderId, given, startedAt);
    }
}
