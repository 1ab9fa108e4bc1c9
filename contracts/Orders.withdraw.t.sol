// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ChroveFixture} from "./test/ChroveFixture.t.sol";
import {IMoney} from "./IMoney.sol";
import {IOrders} from "./IOrders.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {LongWindedReceiver, ReenteringReceiver, RefusingReceiver} from "./test/Receivers.t.sol";

contract PaymentsWithdrawTest is ChroveFixture {
    function test_RevertGiven_AnOrderIsUnknown() public {
        bytes32[] memory orderIds = new bytes32[](2);
        orderIds[0] = buyStreamed(1);
        orderIds[1] = KEY;
        skip(PERIOD);
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_UnknownOrder.selector, KEY));
        payments.withdraw(orderIds);
    }

    function test_Withdraw_AllowsNoOrders() public {
        payments.withdraw(new bytes32[](0));
    }

    function test_Withdraw_PaysWhatIsEarnedSoFar() public {
        bytes32 orderId = buyStreamed(2);
        skip(PERIOD + 1);
        uint128 earned = uint128((uint256(PRICE) * (PERIOD + 1)) / PERIOD);
        vm.assertEq(streamedOrder().earned, earned, "earned");
        vm.expectEmit(address(payments));
        emit IOrders.OrderWithdrawn(orderId, vendorId, PAYOUT, earned);
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, earned, "paid out");
        vm.assertEq(streamedOrder().earned, 0, "earned after");

        skip(PERIOD - 1);
        vm.expectEmit(address(payments));
        emit IOrders.OrderWithdrawn(orderId, vendorId, PAYOUT, 2 * PRICE - earned);
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 2 * PRICE, "all of it");
    }

    function test_Withdraw_DoesNothingGivenNothingIsDue() public {
        // Not even an empty transfer is made: this payout would refuse it.
        setPayout(address(new RefusingReceiver()));
        bytes32 orderId = buyStreamed(1);
        vm.recordLogs();
        withdraw(orderId);
        vm.assertEq(vm.getRecordedLogs().length, 0, "events");
        vm.assertEq(address(payments).balance, PRICE, "held");
    }

    function test_Withdraw_PaysAnOrderNamedTwiceOnce() public {
        bytes32[] memory orderIds = new bytes32[](2);
        orderIds[0] = buyStreamed(1);
        orderIds[1] = orderIds[0];
        skip(PERIOD);
        payments.withdraw(orderIds);
        vm.assertEq(PAYOUT.balance, PRICE, "paid out");
    }

    function test_Withdraw_PaysTheCurrentPayout() public {
        bytes32 orderId = buyStreamed(1);
        skip(PERIOD);
        setPayout(STRANGER);
        withdraw(orderId);
        vm.assertEq(STRANGER.balance, PRICE, "new payout");
        vm.assertEq(PAYOUT.balance, 0, "old payout");
    }

    function test_Withdraw_PaysEachVendorItsOwn() public {
        IVendorRegistry.VendorInput memory input = vendorInput();
        input.payout = address(0xBEEF);
        vm.startPrank(STRANGER);
        uint64 other = registry.register(input);
        registry.addPlan(other, planInput(IVendorRegistry.Settlement.Streamed));
        vm.stopPrank();

        // Ours, theirs, theirs, one with nothing due, ours: payouts change in between.
        bytes32[] memory orderIds = new bytes32[](5);
        orderIds[0] = buyStreamed(1);
        vm.startPrank(BUYER);
        (orderIds[1], ) = payments.buy{value: 2 * PRICE}(other, 1, KEY, 2, BUYER);
        (orderIds[2], ) = payments.buy{value: 3 * PRICE}(other, 1, keccak256("k2"), 3, BUYER);
        (orderIds[3], ) = payments.buy{value: PRICE}(vendorId, instantPlan, KEY, 1, BUYER);
        (orderIds[4], ) = payments.buy{value: 4 * PRICE}(vendorId, streamedPlan, keccak256("k3"), 4, BUYER);
        vm.stopPrank();
        skip(4 * PERIOD);
        payments.withdraw(orderIds);
        vm.assertEq(PAYOUT.balance, (1 + 1 + 4) * PRICE, "ours");
        vm.assertEq(input.payout.balance, (2 + 3) * PRICE, "theirs");
        vm.assertEq(address(payments).balance, 0, "held");
    }

    function test_Withdraw_KeepsWhatThePayoutRefuses() public {
        bytes32 orderId = buyStreamed(1);
        skip(PERIOD);
        address refusing = address(new RefusingReceiver());
        setPayout(refusing);
        vm.expectEmit(address(payments));
        emit IMoney.PayoutKept(vendorId, address(0), refusing, PRICE);
        withdraw(orderId);
        vm.assertEq(payments.kept(vendorId, address(0)), PRICE, "kept");

        vm.expectRevert(abi.encodeWithSelector(IMoney.Payments_TransferFailed.selector, address(0), refusing, PRICE));
        payments.redeliver(vendorId, address(0));
        setPayout(PAYOUT);
        vm.expectEmit(address(payments));
        emit IMoney.PayoutRedelivered(vendorId, address(0), PAYOUT, PRICE);
        payments.redeliver(vendorId, address(0));
        vm.assertEq(PAYOUT.balance, PRICE, "nothing was lost");
        vm.expectRevert(abi.encodeWithSelector(IMoney.Payments_ZeroAmount.selector));
        payments.redeliver(vendorId, address(0));
    }

    function test_Withdraw_DoesNotBlockABuyerGivenPayoutRefusesMoney() public {
        setPayout(address(new RefusingReceiver()));
        bytes32 orderId = buyStreamed(2);
        skip(PERIOD);
        vm.assertEq(cancel(orderId), PRICE, "refunded");
        buyStreamed(1);
        skip(PERIOD);
        setPayout(PAYOUT);
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 2 * PRICE, "both runs");
    }

    function test_Withdraw_CannotBeReentered() public {
        bytes32 orderId = buyStreamed(1);
        skip(PERIOD);
        ReenteringReceiver receiver = new ReenteringReceiver(address(payments));
        receiver.callBackWith(abi.encodeCall(payments.cancel, (orderId, address(receiver))));
        setPayout(address(receiver));
        withdraw(orderId);
        vm.assertEq(receiver.answer(), abi.encodeWithSelector(IMoney.Payments_Reentered.selector), "answer");
        vm.assertEq(address(receiver).balance, PRICE, "paid once");
    }

    function test_Withdraw_StateIsFinalBeforeMoneyMoves() public {
        bytes32 orderId = buyStreamed(2);
        skip(PERIOD);
        ReenteringReceiver receiver = new ReenteringReceiver(address(payments));
        receiver.callBackWith(abi.encodeCall(payments.order, (vendorId, streamedPlan, KEY)));
        setPayout(address(receiver));
        withdraw(orderId);
        vm.assertEq(receiver.answer(), abi.encode(streamedOrder()), "what the receiver saw");
        vm.assertEq(streamedOrder().earned, 0, "earned");
    }

    function test_Withdraw_CopiesNoAnswerOfThePayout() public {
        bytes32 orderId = buyStreamed(1);
        skip(PERIOD);
        setPayout(address(new LongWindedReceiver()));
        uint256 before = gasleft();
        withdraw(orderId);
        // The answer costs the receiver over 500,000 gas; copying it would cost as much again.
        vm.assertTrue(before - gasleft() < 750_000, "the answer was copied");
    }

    /// @dev However often and whenever strangers withdraw, the vendor ends with the same amount.
    function testFuzz_Withdraw_OftenOrOnceComesToTheSame(
        uint128 price,
        uint32 periodSeconds,
        uint256[8] memory pauses
    ) public {
        periodSeconds = uint32(within(periodSeconds, 1, 366 days));
        price = uint128(within(price, 1, type(uint64).max));
        uint32 planId = addStreamedPlan(price, periodSeconds, 3);
        vm.prank(BUYER);
        (bytes32 orderId, ) = payments.buy{value: 3 * uint256(price)}(vendorId, planId, KEY, 3, BUYER);
        uint256 elapsed = 0;
        for (uint256 i = 0; i < pauses.length; ++i) {
            uint256 pause = within(pauses[i], 0, periodSeconds);
            skip(pause);
            withdraw(orderId);
            elapsed += pause;
            uint256 counted = elapsed < 3 * uint256(periodSeconds) ? elapsed : 3 * uint256(periodSeconds);
            vm.assertEq(PAYOUT.balance, (price * counted) / periodSeconds, "paid out");
        }
        skip(3 * uint256(periodSeconds));
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 3 * uint256(price), "in the end");
    }

    /// @dev An extension changes nothing about what is already earned.
    function testFuzz_Withdraw_EarningsAreContinuousAcrossAnExtension(uint32 first, uint32 second) public {
        bytes32 orderId = buyStreamed(2);
        skip(within(first, 0, 2 * PERIOD - 1));
        uint128 earned = streamedOrder().earned;
        buyStreamed(3);
        vm.assertEq(streamedOrder().earned, earned, "earned");
        skip(within(second, 0, 2 * PERIOD));
        withdraw(orderId);
        uint256 elapsed = block.timestamp - START;
        vm.assertEq(PAYOUT.balance, (uint256(PRICE) * elapsed) / PERIOD, "paid out");
    }
}
