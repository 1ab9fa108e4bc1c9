// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IPayments} from "./IPayments.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";

/// @title Orders: time bought in the name of a key
/// @notice See `IPayments`.
/// @dev A *run* is one unbroken stretch of paid time; an order has one run at a time. Plans never change, so the price
/// is not stored: what a run has earned follows from its start, its end and the plan. Each second earns
/// `price / periodSeconds`, counted from the start of the run and rounded once, so it makes no difference how often
/// and by whom money is withdrawn.
contract Payments is IPayments {
    /// @dev Whose order it is. Only `Streamed` orders have it: nothing is ever due on an `Instant` one.
    struct Parties {
        // slot 0
        address controller;
        uint64 vendorId;
        uint32 planId;
    }

    /// @dev The current run.
    struct Run {
        // slot 1
        uint128 withdrawn; // of this run's money, smallest units
        uint40 startedAt; // unix seconds; zero if the order does not exist
        uint40 endsAt; // unix seconds; when it was cancelled, if it was
        uint32 periods;
        bool cancelled;
        bool hasArrears; // spares the read of slot 2 where there are none
    }

    struct OrderState {
        Parties parties; // slot 0
        Run run; // slot 1
        uint128 arrears; // slot 2: earned in earlier runs and not yet withdrawn, smallest units
    }

    /// @dev Money about to leave.
    struct Payout {
        address to;
        uint256 amount;
    }

    /// @inheritdoc IPayments
    IVendorRegistry public immutable registry;

    mapping(bytes32 orderId => OrderState) private _orders;

    uint256 private transient _entered; // 1 while a function that pays runs

    modifier nonReentrant() {
        if (_entered != 0) revert Payments_Reentered();
        _entered = 1;
        _;
        _entered = 0;
    }

    constructor() {
        registry = IVendorRegistry(msg.sender);
    }

    /// @inheritdoc IPayments
    function buy(
        uint64 vendorId,
        uint32 planId,
        bytes32 keyHash,
        uint16 periods,
        address controller
    ) external payable nonReentrant returns (bytes32 orderId, uint40 endsAt) {
        if (keyHash == 0) revert Payments_ZeroKey();
        if (periods == 0) revert Payments_ZeroPeriods();
        IVendorRegistry.Terms memory terms = registry.terms(vendorId, planId);
        if (!terms.forSale) revert Payments_NotForSale(vendorId, planId);
        if (terms.token != address(0)) revert Payments_TokenUnsupported(terms.token);
        uint256 due = uint256(terms.price) * periods;
        if (msg.value != due) revert Payments_WrongValue(msg.value, due);

        bool streamed = terms.settlement == IVendorRegistry.Settlement.Streamed;
        if (!streamed) controller = address(0);
        else if (controller == address(0)) revert Payments_ZeroController();

        orderId = orderIdOf(vendorId, planId, keyHash);
        OrderState storage state = _orders[orderId];
        Run memory run = state.run;
        if (!_isRunning(run)) {
            run = _newRun(state, run, terms);
            if (streamed) state.parties = Parties({controller: controller, vendorId: vendorId, planId: planId});
        } else if (streamed && controller != state.parties.controller) {
            revert Payments_ControllerMismatch(orderId, controller, state.parties.controller);
        }
        _extend(run, terms, periods);
        _checkTotal(state, run, terms);
        state.run = run;
        endsAt = run.endsAt;

        // `due` fits uint128: it is part of the total just checked.
        emit OrderPaid(orderId, vendorId, keyHash, planId, periods, run.startedAt, endsAt, uint128(due), controller);

        if (!streamed) _send(terms.payout, due);
    }

    /// @inheritdoc IPayments
    function cancel(bytes32 orderId, address refundTo) external nonReentrant returns (uint128 refunded) {
        if (refundTo == address(0)) revert Payments_ZeroRefundTo();
        OrderState storage state = _orders[orderId];
        Run memory run = state.run;
        if (run.startedAt == 0) revert Payments_UnknownOrder(orderId);
        Parties memory parties = state.parties;
        if (msg.sender != parties.controller) revert Payments_NotController(orderId, msg.sender);
        if (!_isRunning(run)) revert Payments_OrderOver(orderId, run.endsAt);

        refunded = _refundable(run, registry.terms(parties.vendorId, parties.planId));
        run.endsAt = uint40(block.timestamp);
        run.cancelled = true;
        state.run = run;

        emit OrderCancelled(orderId, parties.vendorId, refundTo, refunded, run.endsAt);

        if (refunded != 0) _send(refundTo, refunded);
    }

    /// @inheritdoc IPayments
    function withdraw(bytes32[] calldata orderIds) external nonReentrant {
        // Orders of one vendor in a row are paid by one transfer; all state is written before the first one.
        Payout[] memory payouts = new Payout[](orderIds.length);
        uint256 last = 0;
        for (uint256 i = 0; i < orderIds.length; ++i) {
            (address to, uint256 amount) = _settle(orderIds[i]);
            if (amount == 0) continue;
            if (payouts[last].amount != 0 && payouts[last].to != to) ++last;
            payouts[last].to = to;
            payouts[last].amount += amount;
        }
        for (uint256 i = 0; i < payouts.length && payouts[i].amount != 0; ++i) {
            _send(payouts[i].to, payouts[i].amount);
        }
    }

    /// @inheritdoc IPayments
    function order(uint64 vendorId, uint32 planId, bytes32 keyHash) external view returns (Order memory result) {
        OrderState storage state = _orders[orderIdOf(vendorId, planId, keyHash)];
        Run memory run = state.run;
        if (run.startedAt == 0) return result;
        result.startedAt = run.startedAt;
        result.endsAt = run.endsAt;
        result.periods = run.periods;
        result.cancelled = run.cancelled;
        result.controller = state.parties.controller;
        if (result.controller == address(0)) return result;
        IVendorRegistry.Terms memory terms = registry.terms(vendorId, planId);
        result.earned = _owed(run, terms) + _arrears(state, run);
        if (_isRunning(run)) result.refundable = _refundable(run, terms);
    }

    /// @inheritdoc IPayments
    function orderIdOf(uint64 vendorId, uint32 planId, bytes32 keyHash) public pure returns (bytes32) {
        return keccak256(abi.encode(vendorId, planId, keyHash));
    }

    /// @dev A run that starts now with no time in it; what the run before it still owes becomes arrears.
    function _newRun(
        OrderState storage state,
        Run memory before,
        IVendorRegistry.Terms memory terms
    ) private returns (Run memory run) {
        run.startedAt = uint40(block.timestamp);
        run.endsAt = run.startedAt;
        if (before.startedAt == 0 || terms.settlement == IVendorRegistry.Settlement.Instant) return run;
        uint128 owed = _owed(before, terms);
        if (owed != 0) state.arrears = _arrears(state, before) + owed;
        run.hasArrears = before.hasArrears || owed != 0;
    }

    /// @dev Adds paid time to a run, within what may be paid ahead.
    function _extend(Run memory run, IVendorRegistry.Terms memory terms, uint16 periods) private view {
        uint256 endsAt = run.endsAt + uint256(periods) * terms.periodSeconds;
        uint256 latest = block.timestamp + uint256(terms.maxPeriods) * terms.periodSeconds;
        if (latest > type(uint40).max) latest = type(uint40).max;
        if (endsAt > latest) revert Payments_TooFarAhead(endsAt, latest);
        run.periods += periods;
        run.endsAt = uint40(endsAt);
    }

    /// @dev Everything that one order can ever owe fits uint128, so later sums cannot overflow.
    function _checkTotal(OrderState storage state, Run memory run, IVendorRegistry.Terms memory terms) private view {
        uint256 total = uint256(terms.price) * run.periods + _arrears(state, run);
        if (total > type(uint128).max) revert Payments_AmountTooLarge(total);
    }

    /// @dev Marks as withdrawn what is due on one order and tells where it goes.
    function _settle(bytes32 orderId) private returns (address to, uint128 amount) {
        OrderState storage state = _orders[orderId];
        Run memory run = state.run;
        if (run.startedAt == 0) revert Payments_UnknownOrder(orderId);
        Parties memory parties = state.parties;
        if (parties.controller == address(0)) return (to, amount);

        IVendorRegistry.Terms memory terms = registry.terms(parties.vendorId, parties.planId);
        uint128 owed = _owed(run, terms);
        amount = owed + _arrears(state, run);
        to = terms.payout;
        if (amount == 0) return (to, amount);

        run.withdrawn += owed;
        if (run.hasArrears) {
            run.hasArrears = false;
            delete state.arrears;
        }
        state.run = run;

        emit OrderWithdrawn(orderId, parties.vendorId, to, amount);
    }

    /// @dev Sends native coin with all gas, and copies nothing back, so that no answer can make it costly.
    function _send(address to, uint256 amount) private {
        bool sent;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            sent := call(gas(), to, amount, 0, 0, 0, 0)
        }
        if (!sent) revert Payments_TransferFailed(to, amount);
    }

    /// @dev A cancelled run ended when it was cancelled.
    function _isRunning(Run memory run) private view returns (bool) {
        return block.timestamp < run.endsAt;
    }

    function _arrears(OrderState storage state, Run memory run) private view returns (uint128) {
        return run.hasArrears ? state.arrears : 0;
    }

    /// @dev What the vendor has earned in this run and not withdrawn. Rounded down while it runs, so that the vendor
    /// never takes what the second has not earned; exact at its end; rounded up when it was cancelled, because
    /// `_refundable` left that unit behind.
    function _owed(Run memory run, IVendorRegistry.Terms memory terms) private view returns (uint128) {
        uint256 until = block.timestamp < run.endsAt ? block.timestamp : run.endsAt;
        uint256 accrued = uint256(terms.price) * (until - run.startedAt);
        uint256 earned =
            run.cancelled ? (accrued + terms.periodSeconds - 1) / terms.periodSeconds : accrued / terms.periodSeconds;
        // At most the total of the run, which fits uint128; it never falls, so it is at least `withdrawn`.
        return uint128(earned) - run.withdrawn;
    }

    /// @dev What the controller of a running run would get back now: its total without what is earned, rounded down.
    function _refundable(Run memory run, IVendorRegistry.Terms memory terms) private view returns (uint128) {
        // The remaining time in place of the elapsed: total - ceil(earned) = floor(price * remaining / periodSeconds).
        return uint128((uint256(terms.price) * (run.endsAt - block.timestamp)) / terms.periodSeconds);
    }
}
