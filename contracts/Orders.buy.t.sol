// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ChroveFixture} from "./test/ChroveFixture.t.sol";
import {IMoney} from "./IMoney.sol";
import {IOrders} from "./IOrders.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {ReenteringReceiver, RefusingReceiver} from "./test/Receivers.t.sol";

contract PaymentsBuyTest is ChroveFixture {
    function test_RevertWhen_KeyIsZero() public {
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_ZeroKey.selector));
        payments.buy(vendorId, streamedPlan, 0, 1, BUYER);
    }

    function test_RevertWhen_PeriodsAreZero() public {
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_ZeroPeriods.selector));
        payments.buy(vendorId, streamedPlan, KEY, 0, BUYER);
    }

    function test_RevertGiven_VendorOrPlanIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_UnknownVendor.selector, 2));
        payments.buy(2, streamedPlan, KEY, 1, BUYER);
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_UnknownPlan.selector, vendorId, 3));
        payments.buy(vendorId, 3, KEY, 1, BUYER);
    }

    function test_RevertGiven_VendorIsInactive() public {
        bytes32 orderId = buyStreamed(1);
        vm.prank(OWNER);
        registry.setActive(vendorId, false);
        assertNothingIsForSale();
        skip(PERIOD / 2);
        cancel(orderId);
        withdraw(orderId);
        vm.assertEq(address(payments).balance, 0, "running orders still settle");
    }

    function test_RevertGiven_PlanIsOffSale() public {
        bytes32 orderId = buyStreamed(1);
        vm.prank(OWNER);
        registry.setPlanOnSale(vendorId, streamedPlan, false);
        assertNothingIsForSale();
        skip(PERIOD);
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, PRICE, "running orders still settle");
    }

    function test_RevertWhen_ControllerIsZero() public {
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_ZeroController.selector));
        payments.buy{value: PRICE}(vendorId, streamedPlan, KEY, 1, address(0));
    }

    function testFuzz_RevertWhen_ValueIsNotTheExactPrice(uint128 value, uint16 periods) public {
        periods = uint16(within(periods, 1, PERIODS_MAX));
        uint256 due = uint256(PRICE) * periods;
        vm.assume(value != due);
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IMoney.Payments_WrongValue.selector, value, due));
        payments.buy{value: value}(vendorId, streamedPlan, KEY, periods, BUYER);
    }

    function test_RevertWhen_MoneyIsSentWithoutAPurchase() public {
        vm.prank(BUYER);
        (bool accepted, ) = address(payments).call{value: 1}("");
        vm.assertTrue(!accepted, "no receive function");
        vm.prank(BUYER);
        (accepted, ) = address(payments).call{value: 1}(hex"12345678");
        vm.assertTrue(!accepted, "no fallback function");
    }

    function test_RevertWhen_TimeIsPaidTooFarAhead() public {
        buyStreamed(PERIODS_MAX - 1);
        uint256 latest = uint256(START) + PERIODS_MAX * PERIOD;
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_TooFarAhead.selector, latest + PERIOD, latest));
        payments.buy{value: PRICE * 2}(vendorId, streamedPlan, KEY, 2, BUYER);

        buyStreamed(1);
        skip(PERIOD - 1);
        vm.prank(BUYER);
        vm.expectRevert(
            abi.encodeWithSelector(IOrders.Payments_TooFarAhead.selector, latest + PERIOD, latest + PERIOD - 1)
        );
        payments.buy{value: PRICE}(vendorId, streamedPlan, KEY, 1, BUYER);
        skip(1);
        buyStreamed(1);
        vm.assertEq(streamedOrder().endsAt, latest + PERIOD, "a period later there is room for one more");
    }

    function test_RevertWhen_TimeDoesNotFitItsField() public {
        uint32 planId = addStreamedPlan(1, type(uint32).max, type(uint16).max);
        uint256 endsAt = START + 256 * uint256(type(uint32).max);
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_TooFarAhead.selector, endsAt, type(uint40).max));
        payments.buy{value: 256}(vendorId, planId, KEY, 256, BUYER);
        vm.prank(BUYER);
        (, uint40 given) = payments.buy{value: 255}(vendorId, planId, KEY, 255, BUYER);
        vm.assertEq(given, START + 255 * uint256(type(uint32).max), "the largest that fits");
    }

    function test_RevertWhen_MoneyOfARunDoesNotFitItsField() public {
        uint128 price = type(uint128).max / 2 + 1;
        uint32 planId = addStreamedPlan(price, PERIOD, PERIODS_MAX);
        bytes memory refusal = abi.encodeWithSelector(
            IOrders.Payments_AmountTooLarge.selector,
            uint256(type(uint128).max) + 1
        );
        vm.deal(BUYER, 4 * uint256(price));
        vm.prank(BUYER);
        vm.expectRevert(refusal);
        payments.buy{value: 2 * uint256(price)}(vendorId, planId, KEY, 2, BUYER);
        vm.prank(BUYER);
        payments.buy{value: price}(vendorId, planId, KEY, 1, BUYER);
        vm.prank(BUYER);
        vm.expectRevert(refusal);
        payments.buy{value: price}(vendorId, planId, KEY, 1, BUYER);
        skip(PERIOD);
        vm.prank(BUYER);
        vm.expectRevert(refusal); // what the lapsed run still owes counts too
        payments.buy{value: price}(vendorId, planId, KEY, 1, BUYER);
        withdraw(payments.orderIdOf(vendorId, planId, KEY));
        vm.prank(BUYER);
        payments.buy{value: price}(vendorId, planId, KEY, 1, BUYER);
    }

    function test_Buy_Streamed_StartsARunNow() public {
        bytes32 orderId = keccak256(abi.encode(vendorId, streamedPlan, KEY));
        expectPaid(orderId, streamedPlan, 3, START, START + 3 * PERIOD, BUYER);
        vm.prank(STRANGER);
        vm.deal(STRANGER, 3 * PRICE);
        (bytes32 given, uint40 endsAt) = payments.buy{value: 3 * PRICE}(vendorId, streamedPlan, KEY, 3, BUYER);

        vm.assertEq(given, orderId, "orderId");
        vm.assertEq(payments.orderIdOf(vendorId, streamedPlan, KEY), orderId, "orderIdOf");
        vm.assertEq(endsAt, START + 3 * PERIOD, "endsAt");
        vm.assertEq(address(payments).balance, 3 * PRICE, "held");
        vm.assertEq(PAYOUT.balance, 0, "paid out");
        assertOrder(
            streamedOrder(),
            IOrders.Order({
                controller: BUYER,
                startedAt: START,
                endsAt: START + 3 * PERIOD,
                periods: 3,
                cancelled: false,
                earned: 0,
                refundable: 3 * PRICE
            })
        );
    }

    function test_Buy_Streamed_ExtendsARunningRun() public {
        bytes32 orderId = buyStreamed(2);
        skip(2 * PERIOD - 1);
        expectPaid(orderId, streamedPlan, 1, START, START + 3 * PERIOD, BUYER);
        buyStreamed(1);
        assertOrder(
            streamedOrder(),
            IOrders.Order({
                controller: BUYER,
                startedAt: START,
                endsAt: START + 3 * PERIOD,
                periods: 3,
                cancelled: false,
                earned: uint128((uint256(PRICE) * (2 * PERIOD - 1)) / PERIOD),
                refundable: uint128((uint256(PRICE) * (PERIOD + 1)) / PERIOD)
            })
        );
    }

    function test_RevertGiven_AnotherControlsTheRun() public {
        bytes32 orderId = buyStreamed(1);
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_ControllerMismatch.selector, orderId, STRANGER, BUYER));
        payments.buy{value: PRICE}(vendorId, streamedPlan, KEY, 1, STRANGER);
    }

    function test_Buy_Streamed_StartsANewRunAfterALapse() public {
        bytes32 orderId = buyStreamed(1);
        skip(PERIOD);
        expectPaid(orderId, streamedPlan, 2, START + PERIOD, START + 3 * PERIOD, STRANGER);
        vm.prank(BUYER);
        payments.buy{value: 2 * PRICE}(vendorId, streamedPlan, KEY, 2, STRANGER);
        assertOrder(
            streamedOrder(),
            IOrders.Order({
                controller: STRANGER,
                startedAt: START + PERIOD,
                endsAt: START + 3 * PERIOD,
                periods: 2,
                cancelled: false,
                earned: PRICE, // of the first run
                refundable: 2 * PRICE
            })
        );
        skip(2 * PERIOD);
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 3 * PRICE, "both runs are paid");
        vm.assertEq(streamedOrder().earned, 0, "nothing is left");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 3 * PRICE, "and nothing twice");
    }

    function test_Buy_Streamed_StartsANewRunAfterACancellation() public {
        bytes32 orderId = buyStreamed(2);
        skip(1);
        uint128 refunded = cancel(orderId);
        uint128 kept = 2 * PRICE - refunded;
        expectPaid(orderId, streamedPlan, 1, START + 1, START + 1 + PERIOD, BUYER);
        buyStreamed(1);
        assertOrder(
            streamedOrder(),
            IOrders.Order({
                controller: BUYER,
                startedAt: START + 1,
                endsAt: START + 1 + PERIOD,
                periods: 1,
                cancelled: false,
                earned: kept,
                refundable: PRICE
            })
        );
    }

    function test_Buy_Streamed_CarriesArrearsOverSeveralRuns() public {
        bytes32 orderId;
        for (uint256 i = 0; i < 3; ++i) {
            orderId = buyStreamed(1);
            skip(PERIOD);
        }
        vm.assertEq(streamedOrder().earned, 3 * PRICE, "earned");
        withdraw(orderId);
        buyStreamed(1);
        vm.assertEq(streamedOrder().earned, 0, "a withdrawn run leaves no arrears");
        vm.assertEq(address(payments).balance, PRICE, "held");
    }

    function test_Buy_Streamed_KeepsArrearsAcrossARunThatOwesNothing() public {
        bytes32 orderId = buyStreamed(1);
        skip(PERIOD);
        buyStreamed(1);
        cancel(orderId); // in the second of its purchase
        buyStreamed(1);
        vm.assertEq(streamedOrder().earned, PRICE, "the first run is still owed");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, PRICE, "paid out");
    }

    function test_Buy_Streamed_KeepsTheUnitThatACancellationRoundsUp() public {
        bytes32 orderId = buyStreamed(1);
        skip(1);
        withdraw(orderId);
        cancel(orderId);
        buyStreamed(1);
        vm.assertEq(streamedOrder().earned, 1, "earned");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, PRICE / PERIOD + 1, "paid out");
    }

    function test_Buy_Instant_OwesNothingFromEarlierRuns() public {
        IVendorRegistry.PlanInput memory input = planInput(IVendorRegistry.Settlement.Instant);
        input.price = type(uint128).max;
        vm.prank(OWNER);
        uint32 planId = registry.addPlan(vendorId, input);
        for (uint256 i = 0; i < 2; ++i) {
            vm.deal(BUYER, input.price);
            vm.prank(BUYER);
            payments.buy{value: input.price}(vendorId, planId, KEY, 1, BUYER);
            skip(PERIOD);
        }
        vm.assertEq(PAYOUT.balance, 2 * uint256(input.price), "both were paid at once");
    }

    function test_Buy_Instant_PaysAtOnce() public {
        bytes32 orderId = payments.orderIdOf(vendorId, instantPlan, KEY);
        expectPaid(orderId, instantPlan, 2, START, START + 2 * PERIOD, address(0));
        buyInstant(2);
        vm.assertEq(PAYOUT.balance, 2 * PRICE, "paid out");
        vm.assertEq(address(payments).balance, 0, "held");
        assertInstantOrder(START, START + 2 * PERIOD, 2);

        skip(PERIOD);
        expectPaid(orderId, instantPlan, 1, START, START + 3 * PERIOD, address(0));
        vm.deal(STRANGER, PRICE);
        vm.prank(STRANGER);
        payments.buy{value: PRICE}(vendorId, instantPlan, KEY, 1, address(0));
        assertInstantOrder(START, START + 3 * PERIOD, 3);

        skip(2 * PERIOD);
        buyInstant(1);
        assertInstantOrder(START + 3 * PERIOD, START + 4 * PERIOD, 1);
        vm.assertEq(PAYOUT.balance, 4 * PRICE, "paid out for all");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 4 * PRICE, "there is nothing to withdraw");
    }

    function test_RevertGiven_InstantPayoutRefusesMoney() public {
        address refusing = address(new RefusingReceiver());
        setPayout(refusing);
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IMoney.Payments_TransferFailed.selector, address(0), refusing, PRICE));
        payments.buy{value: PRICE}(vendorId, instantPlan, KEY, 1, BUYER);
        setPayout(PAYOUT);
        buyInstant(1);
        assertInstantOrder(START, START + PERIOD, 1);
    }

    function test_Buy_Instant_CannotBeReentered() public {
        ReenteringReceiver receiver = new ReenteringReceiver(address(payments));
        receiver.callBackWith(abi.encodeCall(payments.buy, (vendorId, instantPlan, KEY, 1, BUYER)));
        setPayout(address(receiver));
        buyInstant(1);
        vm.assertTrue(!receiver.succeeded(), "the call back");
        vm.assertEq(receiver.answer(), abi.encodeWithSelector(IMoney.Payments_Reentered.selector), "answer");
        buyInstant(1);
        assertInstantOrder(START, START + 2 * PERIOD, 2);
    }

    function test_Order_IsAllZeroGivenItWasNeverBought() public view {
        IOrders.Order memory none;
        assertOrder(streamedOrder(), none);
        assertOrder(payments.order(99, 99, KEY), none);
    }

    function test_Orders_OfOtherKeysPlansAndVendorsAreApart() public {
        bytes32 orderId = buyStreamed(1);
        vm.assertTrue(orderId != payments.orderIdOf(vendorId, streamedPlan, keccak256("another")), "key");
        vm.assertTrue(orderId != payments.orderIdOf(vendorId, instantPlan, KEY), "plan");
        vm.assertTrue(orderId != payments.orderIdOf(vendorId + 1, streamedPlan, KEY), "vendor");
        vm.assertEq(payments.order(vendorId, streamedPlan, keccak256("another")).startedAt, 0, "another key's order");
        vm.assertEq(payments.order(vendorId, instantPlan, KEY).startedAt, 0, "another plan's order");
    }

    function assertNothingIsForSale() private {
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_NotForSale.selector, vendorId, streamedPlan));
        payments.buy{value: PRICE}(vendorId, streamedPlan, keccak256("a new key"), 1, BUYER);
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IOrders.Payments_NotForSale.selector, vendorId, streamedPlan));
        payments.buy{value: PRICE}(vendorId, streamedPlan, KEY, 1, BUYER);
    }

    function expectPaid(
        bytes32 orderId,
        uint32 planId,
        uint16 periods,
        uint40 startedAt,
        uint40 endsAt,
        address controller
    ) private {
        vm.expectEmit(address(payments));
        emit IOrders.OrderPaid(orderId, vendorId, KEY, planId, periods, startedAt, endsAt, PRICE * periods, controller);
    }

    function assertInstantOrder(uint40 startedAt, uint40 endsAt, uint32 periods) private view {
        assertOrder(
            payments.order(vendorId, instantPlan, KEY),
            IOrders.Order({
                controller: address(0),
                startedAt: startedAt,
                endsAt: endsAt,
                periods: periods,
                cancelled: false,
                earned: 0,
                refundable: 0
            })
        );
    }

    function assertOrder(IOrders.Order memory given, IOrders.Order memory expected) private pure {
        vm.assertEq(abi.encode(given), abi.encode(expected), "order");
    }
}
