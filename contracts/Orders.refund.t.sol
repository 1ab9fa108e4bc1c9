// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IMoney} from "./IMoney.sol";
import {IOrders} from "./IOrders.sol";
import {RefusingReceiver} from "./test/Receivers.t.sol";
import {TokenFixture} from "./test/TokenFixture.t.sol";

/// @dev Refunds of orders by their vendor.
contract OrdersRefundTest is TokenFixture {
    function test_VendorRefund_EndsARunningOrder() public {
        bytes32 orderId = buyStreamed(2);
        skip(PERIOD + 1);
        uint128 refund = uint128((uint256(PRICE) * (PERIOD - 1)) / PERIOD);
        expectRefunded(orderId, refund, START + PERIOD + 1);
        vm.assertEq(vendorRefund(orderId, 0), refund, "refunded");

        vm.assertEq(BUYER.balance, type(uint128).max - 2 * PRICE + refund, "balance of the controller");
        IOrders.Order memory given = streamedOrder();
        vm.assertTrue(given.cancelled, "cancelled");
        vm.assertEq(given.endsAt, START + PERIOD + 1, "endsAt");
        vm.assertEq(given.earned, 2 * PRICE - refund, "earned");
        vm.assertEq(given.refundable, 0, "refundable");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 2 * PRICE - refund, "balance of payout");
        vm.assertEq(address(payments).balance, 0, "nothing is left behind");
    }

    function test_VendorRefund_GivesBackEarningsToo() public {
        bytes32 orderId = buyInToken(tokenStreamedPlan, 2);
        skip(PERIOD + 1);
        uint128 unearned = uint128((uint256(PRICE) * (PERIOD - 1)) / PERIOD);
        expectRefunded(orderId, unearned + 1000, START + PERIOD + 1);
        vm.assertEq(vendorRefund(orderId, 1000), unearned + 1000, "refunded");
        vm.assertEq(orderOf(tokenStreamedPlan).earned, 2 * PRICE - unearned - 1000, "earned");

        // More of what is left, of an order that is over by now.
        skip(PERIOD);
        expectRefunded(orderId, 500, START + PERIOD + 1);
        vm.assertEq(vendorRefund(orderId, 500), 500, "refunded again");
        withdraw(orderId);
        vm.assertEq(token.balanceOf(PAYOUT), 2 * PRICE - unearned - 1500, "balance of payout");
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max - 2 * PRICE + unearned + 1500, "balance of buyer");
        vm.assertEq(token.balanceOf(address(payments)), 0, "nothing is left behind");
    }

    function test_VendorRefund_GivesBackAllOfAnOrder() public {
        bytes32 orderId = buyStreamed(3);
        skip(PERIOD + 1);
        uint128 earned = 3 * PRICE - uint128((uint256(PRICE) * (2 * PERIOD - 1)) / PERIOD);
        vm.assertEq(vendorRefund(orderId, earned), 3 * PRICE, "refunded");
        vm.assertEq(BUYER.balance, type(uint128).max, "balance of the controller");
        vm.assertEq(streamedOrder().earned, 0, "earned");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 0, "balance of payout");
    }

    function test_VendorRefund_GivesBackALapsedOrder() public {
        bytes32 orderId = buyStreamed(1);
        skip(2 * PERIOD);
        expectRefunded(orderId, PRICE, START + PERIOD);
        vm.assertEq(vendorRefund(orderId, PRICE), PRICE, "refunded");
        vm.assertTrue(!streamedOrder().cancelled, "cancelled");
        vm.assertEq(streamedOrder().endsAt, START + PERIOD, "endsAt");
        vm.assertEq(streamedOrder().earned, 0, "earned");
    }

    function test_VendorRefund_GivesBackWhatACancelledOrderEarned() public {
        bytes32 orderId = buyStreamed(1);
        skip(1);
        uint128 earned = PRICE - cancel(orderId);
        refuses(OWNER, orderId, earned + 1, isTooLarge(earned + 1, earned));
        vm.assertEq(vendorRefund(orderId, earned), earned, "refunded");
        vm.assertEq(address(payments).balance, 0, "nothing is left behind");
    }

    function test_VendorRefund_PaysTheController() public {
        vm.prank(BUYER);
        (bytes32 orderId, ) = payments.buy{value: PRICE}(vendorId, streamedPlan, KEY, 1, REFUND_TO);
        vendorRefund(orderId, 0);
        vm.assertEq(REFUND_TO.balance, PRICE, "balance of the controller");
    }

    function test_VendorRefund_ByOwnerOrOperatorOnly() public {
        bytes32 orderId = buyStreamed(1);
        address[3] memory strangers = [STRANGER, BUYER, PAYOUT];
        for (uint256 i = 0; i < strangers.length; ++i) {
            refuses(strangers[i], orderId, 0, isNotVendor(vendorId, strangers[i]));
        }
        uint64 other = registerOther(PAYOUT); // of the stranger, who speaks for that vendor only
        refuses(STRANGER, orderId, 0, isNotVendor(vendorId, STRANGER));
        vm.assertTrue(registry.isAuthority(other, STRANGER), "the stranger has a vendor");
        vm.prank(OWNER);
        payments.vendorRefund(orderId, 0);
        buyStreamed(1);
        vm.prank(OPERATOR);
        payments.vendorRefund(orderId, 0);
    }

    function testFuzz_RevertWhen_MoreIsGivenThanWasEarned(uint32 elapsed, uint32 withdrawnAfter, uint128 extra) public {
        bytes32 orderId = buyStreamed(3);
        uint256 seconds_ = within(elapsed, 0, 4 * PERIOD);
        uint256 pause = within(withdrawnAfter, 0, seconds_);
        skip(pause);
        withdraw(orderId);
        skip(seconds_ - pause);
        // The run ends by the refund, and what an ended run has earned is rounded up.
        uint256 counted = seconds_ < 3 * PERIOD ? seconds_ : 3 * PERIOD;
        uint256 earned = (PRICE * counted + PERIOD - 1) / PERIOD - PAYOUT.balance;
        vm.assume(extra > earned);
        refuses(OWNER, orderId, extra, isTooLarge(extra, earned));
    }

    /// @dev Both sides together have the deposit, whatever is given back and whenever.
    function testFuzz_VendorRefund_SplitsTheDepositToTheUnit(uint32 elapsed, uint32 withdrawnAfter, uint128 x) public {
        bytes32 orderId = buyInToken(tokenStreamedPlan, 3);
        uint256 seconds_ = within(elapsed, 1, 4 * PERIOD);
        uint256 pause = within(withdrawnAfter, 0, seconds_ - 1);
        skip(pause);
        withdraw(orderId);
        skip(seconds_ - pause);
        bool runs = seconds_ < 3 * PERIOD;
        uint256 unearned = runs ? (PRICE * (3 * PERIOD - seconds_)) / PERIOD : 0;
        uint256 withdrawn = token.balanceOf(PAYOUT);
        uint256 owed = 3 * PRICE - unearned - withdrawn;
        uint256 extra = within(x, owed == 0 ? 0 : 1, owed);
        vm.assume(extra + unearned != 0);
        vm.assertEq(vendorRefund(orderId, uint128(extra)), unearned + extra, "refunded");
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max - 3 * PRICE + unearned + extra, "balance of buyer");
        vm.assertEq(orderOf(tokenStreamedPlan).earned, owed - extra, "earned");
        withdraw(orderId);
        vm.assertEq(token.balanceOf(PAYOUT), 3 * PRICE - unearned - extra, "balance of payout");
        vm.assertEq(token.balanceOf(address(payments)), 0, "nothing is left behind");
    }

    /// @dev Earnings of earlier runs are the vendor's for good.
    function test_RevertWhen_ArrearsWouldBeGivenBack() public {
        bytes32 orderId = buyStreamed(2);
        skip(2 * PERIOD);
        buyStreamed(1);
        skip(PERIOD);
        refuses(OWNER, orderId, PRICE + 1, isTooLarge(PRICE + 1, PRICE));
        vendorRefund(orderId, PRICE);
        vm.assertEq(streamedOrder().earned, 2 * PRICE, "arrears");
        withdraw(orderId);
        vm.assertEq(PAYOUT.balance, 2 * PRICE, "balance of payout");
    }

    function test_RevertGiven_NothingIsLeft() public {
        bytes32 orderId = buyStreamed(1);
        skip(PERIOD);
        bytes memory refusal = isZeroAmount();
        refuses(OWNER, orderId, 0, refusal);
        withdraw(orderId);
        refuses(OWNER, orderId, 0, refusal);
        refuses(OWNER, orderId, 1, isTooLarge(1, 0));
    }

    function test_RevertGiven_OrderIsUnknownOrInstant() public {
        refuses(OWNER, KEY, 0, abi.encodeWithSelector(IOrders.Payments_UnknownOrder.selector, KEY));
        bytes32 orderId = buyInstant(1);
        refuses(OWNER, orderId, 0, abi.encodeWithSelector(IOrders.Payments_UnknownOrder.selector, orderId));
    }

    function test_RevertGiven_ControllerRefusesMoney() public {
        address refusing = address(new RefusingReceiver());
        vm.prank(BUYER);
        (bytes32 orderId, ) = payments.buy{value: PRICE}(vendorId, streamedPlan, KEY, 1, refusing);
        refuses(OWNER, orderId, 0, isTransferFailed(NATIVE, refusing, PRICE));
        vm.prank(refusing);
        vm.assertEq(payments.cancel(orderId, REFUND_TO), PRICE, "the controller can name another account");
    }

    function test_VendorRefund_LeavesRoomForANewRun() public {
        bytes32 orderId = buyStreamed(2);
        skip(PERIOD);
        vendorRefund(orderId, PRICE - 7);
        buyStreamed(1);
        IOrders.Order memory given = streamedOrder();
        vm.assertEq(given.startedAt, START + PERIOD, "startedAt");
        vm.assertEq(given.earned, 7, "earned");
        vm.assertEq(given.refundable, PRICE, "refundable");
        vm.assertTrue(!given.cancelled, "cancelled");
    }

    function vendorRefund(bytes32 orderId, uint128 extra) private returns (uint128) {
        vm.prank(OPERATOR);
        return payments.vendorRefund(orderId, extra);
    }

    function refuses(address caller, bytes32 orderId, uint128 extra, bytes memory refusal) private {
        vm.prank(caller);
        vm.expectRevert(refusal);
        payments.vendorRefund(orderId, extra);
    }

    function expectRefunded(bytes32 orderId, uint128 refunded, uint40 endsAt) private {
        vm.expectEmit(address(payments));
        emit IOrders.OrderRefunded(orderId, vendorId, BUYER, refunded, endsAt);
    }

    function isTooLarge(uint256 given, uint256 max) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IOrders.Payments_RefundTooLarge.selector, given, max);
    }
}
