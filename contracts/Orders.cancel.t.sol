// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ChroveFixture} from "./test/ChroveFixture.t.sol";
import {IMoney} from "./IMoney.sol";
import {IOrders} from "./IOrders.sol";
import {ReenteringReceiver, RefusingReceiver} from "./test/Receivers.t.sol";

contract PaymentsCancelTest is ChroveFixture {
    function test_RevertWhen_RefundToIsZero() public {
        bytes32 orderId = buyStreamed(1);
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IMoney.Payments_ZeroRefundTo.selector));
        payments.cancel(orderId, address(0));
    }

    function test_RevertGiven_OrderIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_UnknownOrder.selector, KEY));
        payments.cancel(KEY, REFUND_TO);
    }

    function testFuzz_RevertWhen_CallerIsNotTheController(address caller) public {
        vm.assume(caller != BUYER);
        bytes32 orderId = buyStreamed(1);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_NotController.selector, orderId, caller));
        payments.cancel(orderId, REFUND_TO);
    }

    function test_RevertGiven_OrderIsInstant() public {
        bytes32 orderId = buyInstant(1);
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_NotController.selector, orderId, BUYER));
        payments.cancel(orderId, REFUND_TO);
    }

    function test_RevertGiven_RunHasLapsed() public {
        bytes32 orderId = buyStreamed(1);
        skip(PERIOD);
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_OrderOver.selector, orderId, START + PERIOD));
        payments.cancel(orderId, REFUND_TO);
    }

    function test_RevertGiven_RunIsCancelled() public {
        bytes32 orderId = buyStreamed(2);
        skip(10);
        cancel(orderId);
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_OrderOver.selector, orderId, START + 10));
        payments.cancel(orderId, REFUND_TO);
    }

    function test_RevertGiven_RefundToRefusesMoney() public {
        bytes32 orderId = buyStreamed(1);
        address refusing = address(new RefusingReceiver());
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IMoney.Payments_TransferFailed.selector, address(0), refusing, PRICE));
        payments.cancel(orderId, refusing);
        vm.assertEq(cancel(orderId), PRICE, "another account can be named");
    }

    function test_Cancel_ReturnsTheUnearnedRest() public {
        bytes32 orderId = buyStreamed(2);
        skip(PERIOD + 1);
        // 1 second of 3600 earns 277.7…; the buyer is left with the rest of the second period, rounded down.
        uint128 refund = uint128((uint256(PRICE) * (PERIOD - 1)) / PERIOD);
        vm.assertEq(streamedOrder().refundable, refund, "refundable");
        vm.expectEmit(address(payments));
        emit IOrders.OrderCancelled(orderId, vendorId, REFUND_TO, refund, START + PERIOD + 1);
        vm.assertEq(cancel(orderId), refund, "refunded");
        vm.assertEq(REFUND_TO.balance, refund, "balance of refundTo");

        IOrders.Order memory given = streamedOrder();
        vm.assertTrue(given.cancelled, "cancelled");
        vm.assertEq(given.controller, BUYER, "controller");
        vm.assertEq(given.startedAt, START, "startedAt");
        vm.assertEq(given.endsAt, START + PERIOD + 1, "endsAt");
        vm.assertEq(given.periods, 2, "periods");
        vm.assertEq(given.earned, 2 * PRICE - refund, "earned");
        vm.assertEq(given.refundable, 0, "refundable after");
        skip(10 * PERIOD);
        vm.assertEq(streamedOrder().earned, 2 * PRICE - refund, "a cancelled order earns no more");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 2 * PRICE - refund, "balance of payout");
        vm.assertEq(address(payments).balance, 0, "nothing is left behind");
    }

    function test_Cancel_ReturnsAllWithinTheSecondOfPurchase() public {
        bytes32 orderId = buyStreamed(3);
        vm.assertEq(cancel(orderId), 3 * PRICE, "refunded");
        vm.assertEq(streamedOrder().earned, 0, "earned");
        vm.assertEq(streamedOrder().endsAt, START, "endsAt");
    }

    function test_Cancel_EndsTheOrderEvenGivenNothingIsRefundable() public {
        uint32 planId = addStreamedPlan(1, 10, 1);
        vm.prank(BUYER);
        (bytes32 orderId, ) = payments.buy{value: 1}(vendorId, planId, KEY, 1, BUYER);
        skip(1);
        // Nothing is sent, so an account that refuses money is no obstacle.
        address refusing = address(new RefusingReceiver());
        vm.expectEmit(address(payments));
        emit IOrders.OrderCancelled(orderId, vendorId, refusing, 0, START + 1);
        vm.prank(BUYER);
        vm.assertEq(payments.cancel(orderId, refusing), 0, "refunded");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 1, "the indivisible unit is the vendor's");
    }

    function test_Cancel_CannotBeReentered() public {
        bytes32 orderId = buyStreamed(2);
        skip(PERIOD);
        ReenteringReceiver receiver = new ReenteringReceiver(address(payments));
        bytes32[] memory orderIds = new bytes32[](1);
        orderIds[0] = orderId;
        receiver.callBackWith(abi.encodeCall(payments.withdraw, (orderIds)));
        vm.prank(BUYER);
        payments.cancel(orderId, address(receiver));
        vm.assertTrue(!receiver.succeeded(), "the call back");
        vm.assertEq(receiver.answer(), abi.encodeWithSelector(IMoney.Payments_Reentered.selector), "answer");
        vm.assertEq(address(receiver).balance, PRICE, "refund");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, PRICE, "earned");
    }

    function test_Cancel_StateIsFinalBeforeMoneyMoves() public {
        bytes32 orderId = buyStreamed(2);
        skip(PERIOD);
        ReenteringReceiver receiver = new ReenteringReceiver(address(payments));
        receiver.callBackWith(abi.encodeCall(payments.order, (vendorId, streamedPlan, KEY)));
        vm.prank(BUYER);
        payments.cancel(orderId, address(receiver));
        vm.assertEq(receiver.answer(), abi.encode(streamedOrder()), "what the receiver saw");
    }

    function testFuzz_Cancel_SplitsTheDepositToTheUnit(
        uint128 price,
        uint32 periodSeconds,
        uint16 periods,
        uint256 elapsed,
        uint256 withdrawnAfter
    ) public {
        periodSeconds = uint32(within(periodSeconds, 1, 366 days));
        periods = uint16(within(periods, 1, 1000));
        price = uint128(within(price, 1, type(uint128).max / periods));
        uint256 deposit = uint256(price) * periods;
        elapsed = within(elapsed, 0, uint256(periods) * periodSeconds - 1);
        uint32 planId = addStreamedPlan(price, periodSeconds, 1000);
        vm.prank(BUYER);
        (bytes32 orderId, ) = payments.buy{value: deposit}(vendorId, planId, KEY, periods, BUYER);

        uint256 pause = within(withdrawnAfter, 0, elapsed);
        skip(pause);
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, (price * pause) / periodSeconds, "earned, rounded down");
        skip(elapsed - pause);

        uint256 earnedRoundedUp = (price * elapsed + periodSeconds - 1) / periodSeconds;
        vm.assertEq(cancel(orderId), deposit - earnedRoundedUp, "refunded");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, earnedRoundedUp, "earned, rounded up");
        vm.assertEq(address(payments).balance, 0, "nothing is left behind");
    }
}
