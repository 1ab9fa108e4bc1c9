// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ChroveHandler} from "./test/ChroveHandler.t.sol";
import {IOrders} from "./IOrders.sol";
import {IPayments} from "./IPayments.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {Test} from "./test/Test.t.sol";

/// @dev What holds after any sequence of calls; `contracts/README.md` says it in plain sentences.
contract PaymentsInvariants is Test {
    ChroveHandler private _handler;
    IVendorRegistry private _registry;
    IPayments private _payments;

    function setUp() public {
        vm.warp(1_900_000_000);
        _registry = IVendorRegistry(deploy("VendorRegistry.sol:VendorRegistry"));
        _payments = IPayments(_registry.payments());
        _handler = new ChroveHandler(_registry);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_BalanceIsPaidInLessPaidOut() external view {
        vm.assertEq(address(_payments).balance, _handler.paidIn() - _handler.paidOut(), "balance of Payments");
    }

    function invariant_EachOrderAccountsForItsDeposit() external view {
        for (uint256 i = 0; i < _handler.ORDERS(); ++i) {
            ChroveHandler.Ledger memory entry = _handler.ledger(i);
            IOrders.Order memory order = _handler.orderAt(i);
            vm.assertEq(order.earned, _handler.owed(i), "earned");
            uint256 accounted = entry.withdrawn + entry.refunded + order.earned + order.refundable;
            // While a second is not over, at most one unit of it belongs to neither side yet.
            uint256 undecided = entry.deposited - accounted;
            vm.assertTrue(
                undecided <= (order.refundable == 0 && order.endsAt <= block.timestamp ? 0 : 1),
                "a unit is lost"
            );
        }
    }

    function invariant_OrdersAreWhatWasBought() external view {
        for (uint256 i = 0; i < _handler.ORDERS(); ++i) {
            ChroveHandler.Ledger memory entry = _handler.ledger(i);
            IOrders.Order memory order = _handler.orderAt(i);
            vm.assertEq(order.startedAt, entry.startedAt, "startedAt");
            vm.assertEq(order.endsAt, entry.endsAt, "endsAt");
            vm.assertTrue(order.cancelled == entry.cancelled, "cancelled");
        }
    }

    function invariant_OnlyNamedPartiesGain() external view {
        for (uint256 i = 0; i < _handler.accountCount(); ++i) {
            address account = _handler.accounts(i);
            vm.assertEq(account.balance, _handler.wealth(account), "wealth of an account");
        }
    }

    function invariant_NothingIsStuckOnceOrdersAreOverAndWithdrawn() external {
        skip(1000 days);
        for (uint256 i = 0; i < _handler.ORDERS(); ++i) {
            bytes32[] memory orderIds = new bytes32[](1);
            orderIds[0] = _handler.orderIdAt(i);
            if (_handler.orderAt(i).startedAt != 0) _payments.withdraw(orderIds);
        }
        vm.assertEq(address(_payments).balance, 0, "balance of Payments in the end");
    }

    function invariant_VersionsCountChanges() external view {
        for (uint64 id = 1; id <= _handler.vendorsRegistered(); ++id) {
            vm.assertEq(_registry.vendor(id).version, _handler.changes(id), "version");
        }
    }

    function invariant_IdsAreDense() external view {
        uint64 count = _registry.vendorCount();
        vm.assertEq(count, _handler.vendorsRegistered(), "vendorCount");
        for (uint64 id = 1; id <= count; ++id) {
            (IVendorRegistry.Vendor memory vendor, IVendorRegistry.Plan[] memory plans) = _registry.listing(id);
            vm.assertEq(vendor.planCount, _handler.plansOf(id), "planCount");
            for (uint256 i = 0; i < plans.length; ++i) vm.assertTrue(plans[i].price != 0, "a plan is missing");
        }
    }
}
