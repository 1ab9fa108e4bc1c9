// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IOrders} from "./IOrders.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {Money} from "./Money.sol";

/// @title Orders: time bought in the name of a key
/// @notice See `IOrders`.
/// @dev A *run* is one unbroken stretch of paid time; an order has one run at a time. Plans never change, so neither
/// price nor token is stored: what a run has earned follows from its start, its end and the plan. Each second earns
/// `price / periodSeconds`, counted from the start of the run and rounded once, so it makes no difference how often
/// and by whom money is withdrawn.
abstract contract Orders is IOrders, Money {
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
        uint128 withdrawn; // of this run's money, smallest units; what the vendor gave back counts too
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

    /// @dev What a purchase has to collect, and for whom.
    struct Bill {
        address token;
        address to; // the vendor's payout, or this contract while the money is earned
        uint256 due;
    }

    bytes32 private constant PURCHASE_TYPEHASH = keccak256(
        "Purchase(uint64 vendorId,uint32 planId,bytes32 keyHash,uint16 periods,address controller,address payer,"
        "uint128 amount,bytes32 salt,uint256 deadline)"
    );
    bytes32 private constant CANCELLATION_TYPEHASH = keccak256(
        "Cancellation(bytes32 orderId,uint40 startedAt,address refundTo,uint256 deadline)"
    );

    mapping(bytes32 orderId => OrderState) private _orders;

    /// @inheritdoc IOrders
    function buy(
        uint64 vendorId,
        uint32 planId,
        bytes32 keyHash,
        uint16 periods,
        address controller
    ) external payable nonReentrant returns (bytes32 orderId, uint40 endsAt) {
        Bill memory bill;
        (orderId, endsAt, bill) = _addTime(vendorId, planId, keyHash, periods, controller);
        _collect(bill.token, bill.to, bill.due);
    }

    /// @inheritdoc IOrders
    function buyWithPermit(
        Purchase calldata purchase,
        bytes calldata permit,
        bytes calldata signature
    ) external nonReentrant returns (bytes32 orderId, uint40 endsAt) {
        _useSignature(purchase.payer, _hashPurchase(purchase), purchase.deadline, signature);
        Bill memory bill;
        (orderId, endsAt, bill) = _addSignedTime(purchase);
        _collectByPermit(bill.token, purchase.payer, bill.to, bill.due, purchase.deadline, permit);
    }

    /// @inheritdoc IOrders
    function buyWithAuthorization(
        Purchase calldata purchase,
        bytes calldata authorization
    ) external nonReentrant returns (bytes32 orderId, uint40 endsAt) {
        bytes32 nonce = _hashTypedDataV4(_hashPurchase(purchase));
        Bill memory bill;
        (orderId, endsAt, bill) = _addSignedTime(purchase);
        _collectByAuthorization(bill.token, purchase.payer, bill.to, bill.due, purchase.deadline, nonce, authorization);
    }

    /// @inheritdoc IOrders
    function cancel(bytes32 orderId, address refundTo) external nonReentrant returns (uint128 refunded) {
        address controller = _orders[orderId].parties.controller;
        if (_orders[orderId].run.startedAt != 0 && msg.sender != controller) {
            revert Payments_NotController(orderId, msg.sender);
        }
        return _cancel(orderId, refundTo);
    }

    /// @inheritdoc IOrders
    function cancelWithSignature(
        bytes32 orderId,
        uint40 startedAt,
        address refundTo,
        uint256 deadline,
        bytes calldata signature
    ) external nonReentrant returns (uint128 refunded) {
        OrderState storage state = _orders[orderId];
        if (state.run.startedAt != startedAt) revert Payments_AnotherRun(orderId, startedAt, state.run.startedAt);
        bytes32 structHash = keccak256(abi.encode(CANCELLATION_TYPEHASH, orderId, startedAt, refundTo, deadline));
        _useSignature(state.parties.controller, structHash, deadline, signature);
        return _cancel(orderId, refundTo);
    }

    /// @inheritdoc IOrders
    function vendorRefund(bytes32 orderId, uint128 extra) external nonReentrant returns (uint128 refunded) {
        OrderState storage state = _orders[orderId];
        Run memory run = state.run;
        Parties memory parties = state.parties;
        if (parties.controller == address(0)) revert Payments_UnknownOrder(orderId);
        if (!registry.isAuthority(parties.vendorId, msg.sender)) {
            revert Payments_NotVendor(parties.vendorId, msg.sender);
        }

        IVendorRegistry.Terms memory terms = registry.terms(parties.vendorId, parties.planId);
        if (_isRunning(run)) refunded = _endNow(run, terms);
        uint128 owed = _owed(run, terms);
        if (extra > owed) revert Payments_RefundTooLarge(extra, owed);
        run.withdrawn += extra;
        refunded += extra;
        if (refunded == 0) revert Payments_ZeroAmount();
        _writeRun(state, run);

        emit OrderRefunded(orderId, parties.vendorId, parties.controller, refunded, run.endsAt);

        _send(terms.token, parties.controller, refunded);
    }

    /// @inheritdoc IOrders
    function withdraw(bytes32[] calldata orderIds) external nonReentrant {
        Payout[] memory payouts = new Payout[](orderIds.length);
        for (uint256 i = 0; i < orderIds.length; ++i) _settle(orderIds[i], payouts);
        _sendOrKeepAll(payouts);
    }

    /// @inheritdoc IOrders
    function order(uint64 vendorId, uint32 planId, bytes32 keyHash) external view returns (Order memory) {
        return _orderAt(orderIdOf(vendorId, planId, keyHash));
    }

    /// @inheritdoc IOrders
    function orders(bytes32[] calldata orderIds) external view returns (Order[] memory result) {
        result = new Order[](orderIds.length);
        for (uint256 i = 0; i < orderIds.length; ++i) result[i] = _orderAt(orderIds[i]);
    }

    /// @inheritdoc IOrders
    function orderIdOf(uint64 vendorId, uint32 planId, bytes32 keyHash) public pure returns (bytes32) {
        return keccak256(abi.encode(vendorId, planId, keyHash));
    }

    function _hashPurchase(Purchase calldata purchase) private pure returns (bytes32) {
        // All members are of fixed size, so their ABI encoding is that of EIP-712.
        return keccak256(abi.encode(PURCHASE_TYPEHASH, purchase));
    }

    /// @dev `_addTime` for a purchase that its payer has seen the amount of.
    function _addSignedTime(
        Purchase calldata purchase
    ) private returns (bytes32 orderId, uint40 endsAt, Bill memory bill) {
        (orderId, endsAt, bill) = _addTime(
            purchase.vendorId,
            purchase.planId,
            purchase.keyHash,
            purchase.periods,
            purchase.controller
        );
        if (purchase.amount != bill.due) revert Payments_WrongAmount(purchase.amount, bill.due);
    }

    /// @dev Counts time as bought; the caller then collects the bill.
    function _addTime(
        uint64 vendorId,
        uint32 planId,
        bytes32 keyHash,
        uint16 periods,
        address controller
    ) private returns (bytes32 orderId, uint40 endsAt, Bill memory bill) {
        if (keyHash == 0) revert Payments_ZeroKey();
        if (periods == 0) revert Payments_ZeroPeriods();
        IVendorRegistry.Terms memory terms = registry.terms(vendorId, planId);
        if (!terms.forSale) revert Payments_NotForSale(vendorId, planId);

        bool streamed = terms.settlement == IVendorRegistry.Settlement.Streamed;
        if (!streamed) controller = address(0);
        else if (controller == address(0)) revert Payments_ZeroController();

        orderId = orderIdOf(vendorId, planId, keyHash);
        OrderState storage state = _orders[orderId];
        Run memory run = state.run;
        if (!_isRunning(run)) {
            run = _newRun(state, run, terms);
            if (streamed) _writeParties(state, controller, vendorId, planId);
        } else if (streamed && controller != state.parties.controller) {
            revert Payments_ControllerMismatch(orderId, controller, state.parties.controller);
        }
        _extend(run, terms, periods);
        _checkTotal(state, run, terms);
        _writeRun(state, run);
        endsAt = run.endsAt;
        bill = Bill({
            token: terms.token,
            to: streamed ? address(this) : terms.payout,
            due: uint256(terms.price) * periods
        });

        // What is due fits uint128: it is part of the total just checked.
        emit OrderPaid(
            orderId,
            vendorId,
            keyHash,
            planId,
            periods,
            run.startedAt,
            endsAt,
            uint128(bill.due),
            controller
        );
    }

    /// @dev Ends a run of a `Streamed` order by its controller's will, which the caller has seen to.
    function _cancel(bytes32 orderId, address refundTo) private returns (uint128 refunded) {
        if (refundTo == address(0)) revert Payments_ZeroRefundTo();
        OrderState storage state = _orders[orderId];
        Run memory run = state.run;
        if (run.startedAt == 0) revert Payments_UnknownOrder(orderId);
        if (!_isRunning(run)) revert Payments_OrderOver(orderId, run.endsAt);

        Parties memory parties = state.parties;
        IVendorRegistry.Terms memory terms = registry.terms(parties.vendorId, parties.planId);
        refunded = _endNow(run, terms);
        _writeRun(state, run);

        emit OrderCancelled(orderId, parties.vendorId, refundTo, refunded, run.endsAt);

        if (refunded != 0) _send(terms.token, refundTo, refunded);
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

    /// @dev Ends a running run and tells what its controller gets back.
    function _endNow(Run memory run, IVendorRegistry.Terms memory terms) private view returns (uint128 refundable) {
        refundable = _refundable(run, terms);
        run.endsAt = uint40(block.timestamp);
        run.cancelled = true;
    }

    /// @dev `state.run = run` in one write, where the compiler takes several. The fields lie as Solidity packs them.
    function _writeRun(OrderState storage state, Run memory run) private {
        Run storage stored = state.run;
        uint256 word = uint256(run.withdrawn) | (uint256(run.startedAt) << 128) | (uint256(run.endsAt) << 168);
        word |= uint256(run.periods) << 208;
        if (run.cancelled) word |= 1 << 240;
        if (run.hasArrears) word |= 1 << 248;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            sstore(stored.slot, word)
        }
    }

    /// @dev `state.parties = parties` in one write, as above.
    function _writeParties(OrderState storage state, address controller, uint64 vendorId, uint32 planId) private {
        Parties storage stored = state.parties;
        uint256 word = uint256(uint160(controller)) | (uint256(vendorId) << 160) | (uint256(planId) << 224);
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            sstore(stored.slot, word)
        }
    }

    /// @dev Everything that one order can ever owe fits uint128, so later sums cannot overflow.
    function _checkTotal(OrderState storage state, Run memory run, IVendorRegistry.Terms memory terms) private view {
        uint256 total = uint256(terms.price) * run.periods + _arrears(state, run);
        if (total > type(uint128).max) revert Payments_AmountTooLarge(total);
    }

    /// @dev Marks as withdrawn what is due on one order and adds it to the payouts.
    function _settle(bytes32 orderId, Payout[] memory payouts) private {
        OrderState storage state = _orders[orderId];
        Run memory run = state.run;
        if (run.startedAt == 0) revert Payments_UnknownOrder(orderId);
        Parties memory parties = state.parties;
        if (parties.controller == address(0)) return;

        IVendorRegistry.Terms memory terms = registry.terms(parties.vendorId, parties.planId);
        uint128 owed = _owed(run, terms);
        uint128 amount = owed + _arrears(state, run);
        if (amount == 0) return;

        run.withdrawn += owed;
        if (run.hasArrears) {
            run.hasArrears = false;
            delete state.arrears;
        }
        _writeRun(state, run);

        emit OrderWithdrawn(orderId, parties.vendorId, terms.payout, amount);

        Payout memory payout = _payoutIn(payouts, parties.vendorId, terms.token);
        payout.to = terms.payout;
        payout.amount += amount;
    }

    function _orderAt(bytes32 orderId) private view returns (Order memory result) {
        OrderState storage state = _orders[orderId];
        Run memory run = state.run;
        if (run.startedAt == 0) return result;
        result.startedAt = run.startedAt;
        result.endsAt = run.endsAt;
        result.periods = run.periods;
        result.cancelled = run.cancelled;
        Parties memory parties = state.parties;
        result.controller = parties.controller;
        if (result.controller == address(0)) return result;
        IVendorRegistry.Terms memory terms = registry.terms(parties.vendorId, parties.planId);
        result.earned = _owed(run, terms) + _arrears(state, run);
        if (_isRunning(run)) result.refundable = _refundable(run, terms);
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
