// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IMoney} from "./IMoney.sol";
import {IOrders} from "./IOrders.sol";
import {CountingReceiver} from "./test/Receivers.t.sol";
import {TokenFixture} from "./test/TokenFixture.t.sol";

/// @dev Orders of plans that are priced in a token, paid out of an allowance.
contract OrdersTokensTest is TokenFixture {
    function test_Buy_Streamed_HoldsTheToken() public {
        bytes32 orderId = payments.orderIdOf(vendorId, tokenStreamedPlan, KEY);
        approve(3 * PRICE);
        vm.expectEmit(address(payments));
        emit IOrders.OrderPaid(
            orderId,
            vendorId,
            KEY,
            tokenStreamedPlan,
            3,
            START,
            START + 3 * PERIOD,
            3 * PRICE,
            STRANGER
        );
        vm.prank(BUYER);
        (bytes32 given, uint40 endsAt) = payments.buy(vendorId, tokenStreamedPlan, KEY, 3, STRANGER);

        vm.assertEq(given, orderId, "orderId");
        vm.assertEq(endsAt, START + 3 * PERIOD, "endsAt");
        vm.assertEq(token.balanceOf(address(payments)), 3 * PRICE, "held");
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max - 3 * PRICE, "paid");
        vm.assertEq(token.allowance(BUYER, address(payments)), 0, "allowance");
        vm.assertEq(orderOf(tokenStreamedPlan).refundable, 3 * PRICE, "refundable");
        vm.assertEq(orderOf(tokenStreamedPlan).controller, STRANGER, "controller");
    }

    function test_Buy_Streamed_ExtendsARunningRun() public {
        buyInToken(tokenStreamedPlan, 2);
        skip(PERIOD);
        buyInToken(tokenStreamedPlan, 1);
        IOrders.Order memory given = orderOf(tokenStreamedPlan);
        vm.assertEq(given.startedAt, START, "startedAt");
        vm.assertEq(given.endsAt, START + 3 * PERIOD, "endsAt");
        vm.assertEq(given.earned, PRICE, "earned");
        vm.assertEq(given.refundable, 2 * PRICE, "refundable");
        vm.assertEq(token.balanceOf(address(payments)), 3 * PRICE, "held");
    }

    function test_Buy_Instant_MovesTheTokenFromPayerToPayout() public {
        approve(2 * PRICE);
        vm.recordLogs();
        vm.prank(BUYER);
        (, uint40 endsAt) = payments.buy(vendorId, tokenInstantPlan, KEY, 2, BUYER);
        vm.assertEq(countTransfers(address(token)), 1, "transfers");
        vm.assertEq(endsAt, START + 2 * PERIOD, "endsAt");
        vm.assertEq(token.balanceOf(PAYOUT), 2 * PRICE, "paid out");
        vm.assertEq(token.balanceOf(address(payments)), 0, "held");

        buyInToken(tokenInstantPlan, 1);
        vm.assertEq(orderOf(tokenInstantPlan).endsAt, START + 3 * PERIOD, "extended");
        vm.assertEq(token.balanceOf(PAYOUT), 3 * PRICE, "paid out for both");
    }

    function test_Buy_Instant_AllowsThePayoutToPayItself() public {
        setPayout(BUYER);
        buyInToken(tokenInstantPlan, 1);
        vm.assertEq(orderOf(tokenInstantPlan).endsAt, START + PERIOD, "endsAt");
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max, "balance");
        vm.assertEq(token.allowance(BUYER, address(payments)), 0, "the token was asked to move");
    }

    function test_Buy_Streamed_AllowsThePayoutToPay() public {
        setPayout(BUYER);
        bytes32 orderId = buyInToken(tokenStreamedPlan, 1);
        vm.assertEq(token.balanceOf(address(payments)), PRICE, "held");
        skip(PERIOD);
        withdraw(orderId);
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max, "balance");
    }

    function test_RevertWhen_ValueIsSentWithAToken() public {
        approve(PRICE);
        for (uint32 planId = tokenStreamedPlan; planId <= tokenInstantPlan; ++planId) {
            vm.prank(BUYER);
            vm.expectRevert(isWrongValue(1, 0));
            payments.buy{value: 1}(vendorId, planId, KEY, 1, BUYER);
            vm.prank(BUYER);
            vm.expectRevert(isWrongValue(PRICE, 0));
            payments.buy{value: PRICE}(vendorId, planId, KEY, 1, BUYER);
        }
    }

    function test_RevertWhen_AllowanceIsTooLow() public {
        approve(PRICE - 1);
        bytes memory refusal = abi.encodeWithSelector(
            IERC20Errors.ERC20InsufficientAllowance.selector,
            payments,
            PRICE - 1,
            PRICE
        );
        for (uint32 planId = tokenStreamedPlan; planId <= tokenInstantPlan; ++planId) {
            vm.prank(BUYER);
            vm.expectRevert(refusal);
            payments.buy(vendorId, planId, KEY, 1, BUYER);
            vm.assertEq(orderOf(planId).startedAt, 0, "an order");
        }
    }

    function test_RevertWhen_BalanceIsTooLow() public {
        vm.startPrank(STRANGER);
        token.approve(address(payments), PRICE);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, STRANGER, 0, PRICE));
        payments.buy(vendorId, tokenStreamedPlan, KEY, 1, STRANGER);
    }

    function test_Buy_TakesTheCallersMoneyOnly() public {
        approve(PRICE);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, payments, 0, PRICE));
        payments.buy(vendorId, tokenStreamedPlan, KEY, 1, BUYER);
    }

    function test_Cancel_ReturnsTheToken() public {
        bytes32 orderId = buyInToken(tokenStreamedPlan, 2);
        skip(PERIOD + 1);
        uint128 refund = uint128((uint256(PRICE) * (PERIOD - 1)) / PERIOD);
        vm.expectEmit(address(payments));
        emit IOrders.OrderCancelled(orderId, vendorId, REFUND_TO, refund, START + PERIOD + 1);
        vm.assertEq(cancel(orderId), refund, "refunded");
        vm.assertEq(token.balanceOf(REFUND_TO), refund, "balance of refundTo");
        withdraw(orderId);
        vm.assertEq(token.balanceOf(PAYOUT), 2 * PRICE - refund, "balance of payout");
        vm.assertEq(token.balanceOf(address(payments)), 0, "nothing is left behind");
    }

    function test_Withdraw_MakesOneTransferForEachVendorAndToken() public {
        CountingReceiver ours = new CountingReceiver();
        CountingReceiver theirs = new CountingReceiver();
        setPayout(address(ours));
        uint64 other = registerOther(address(theirs));
        approve(100 * PRICE);
        bytes32[] memory orderIds = new bytes32[](7);
        vm.startPrank(BUYER);
        (orderIds[0], ) = payments.buy{value: 1 * PRICE}(vendorId, streamedPlan, KEY, 1, BUYER);
        (orderIds[1], ) = payments.buy(vendorId, tokenStreamedPlan, KEY, 2, BUYER);
        (orderIds[2], ) = payments.buy(other, tokenStreamedPlan, KEY, 3, BUYER);
        (orderIds[3], ) = payments.buy(vendorId, tokenStreamedPlan, keccak256("2"), 4, BUYER);
        (orderIds[4], ) = payments.buy{value: 5 * PRICE}(vendorId, streamedPlan, keccak256("2"), 5, BUYER);
        (orderIds[5], ) = payments.buy(other, tokenStreamedPlan, keccak256("2"), 6, BUYER);
        (orderIds[6], ) = payments.buy(vendorId, tokenInstantPlan, KEY, 7, BUYER);
        vm.stopPrank();
        skip(7 * PERIOD);

        vm.recordLogs();
        payments.withdraw(orderIds);
        vm.assertEq(countTransfers(address(token)), 2, "transfers of the token");
        vm.assertEq(ours.payments(), 1, "transfers of the native coin");
        vm.assertEq(theirs.payments(), 0, "transfers of the native coin to the other");
        vm.assertEq(address(ours).balance, (1 + 5) * PRICE, "native coin");
        vm.assertEq(token.balanceOf(address(ours)), (2 + 4 + 7) * PRICE, "token");
        vm.assertEq(token.balanceOf(address(theirs)), (3 + 6) * PRICE, "token of the other");
        vm.assertEq(token.balanceOf(address(payments)), 0, "held");
        vm.assertEq(address(payments).balance, 0, "held in the native coin");
    }

    function test_Withdraw_KeepsVendorsOfOnePayoutApart() public {
        uint64 other = registerOther(PAYOUT);
        approve(2 * PRICE);
        bytes32[] memory orderIds = new bytes32[](2);
        vm.startPrank(BUYER);
        (orderIds[0], ) = payments.buy(vendorId, tokenStreamedPlan, KEY, 1, BUYER);
        (orderIds[1], ) = payments.buy(other, tokenStreamedPlan, KEY, 1, BUYER);
        vm.stopPrank();
        skip(PERIOD);
        vm.recordLogs();
        payments.withdraw(orderIds);
        vm.assertEq(countTransfers(address(token)), 2, "transfers");
        vm.assertEq(token.balanceOf(PAYOUT), 2 * PRICE, "paid out");
    }

    function test_Orders_TellsEachInTheSameSequence() public {
        bytes32[] memory orderIds = new bytes32[](4);
        orderIds[0] = buyInToken(tokenInstantPlan, 3);
        orderIds[1] = keccak256("never bought");
        orderIds[2] = buyInToken(tokenStreamedPlan, 2);
        orderIds[3] = orderIds[0];
        skip(PERIOD / 2);
        IOrders.Order[] memory given = payments.orders(orderIds);
        IOrders.Order memory none;
        vm.assertEq(given.length, 4, "length");
        vm.assertEq(abi.encode(given[0]), abi.encode(orderOf(tokenInstantPlan)), "instant");
        vm.assertEq(abi.encode(given[1]), abi.encode(none), "unknown");
        vm.assertEq(abi.encode(given[2]), abi.encode(orderOf(tokenStreamedPlan)), "streamed");
        vm.assertEq(abi.encode(given[3]), abi.encode(given[0]), "again");
        vm.assertEq(given[2].earned, PRICE / 2, "earned");
        vm.assertEq(payments.orders(new bytes32[](0)).length, 0, "none");
    }

    function testFuzz_Buy_ChargesThePriceOfThePeriods(uint16 periods, bool streamed) public {
        periods = uint16(within(periods, 1, PERIODS_MAX));
        uint256 due = uint256(PRICE) * periods;
        vm.startPrank(BUYER);
        token.approve(address(payments), type(uint128).max);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(BUYER, streamed ? address(payments) : PAYOUT, due);
        payments.buy(vendorId, streamed ? tokenStreamedPlan : tokenInstantPlan, KEY, periods, BUYER);
        vm.assertEq(token.balanceOf(streamed ? address(payments) : PAYOUT), due, "received");
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max - due, "left");
    }
}
