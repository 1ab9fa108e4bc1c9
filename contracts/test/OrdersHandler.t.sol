// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IOrders} from "../IOrders.sol";
import {VendorsHandler} from "./VendorsHandler.t.sol";

/// @dev Orders, as the runner of invariants buys and ends them: two keys, each for every plan.
abstract contract OrdersHandler is VendorsHandler {
    /// @dev One order in our ledger. The first four count from the beginning; the rest is of the current run.
    struct OrderEntry {
        uint256 deposited;
        uint256 withdrawn; // by the vendor
        uint256 refunded; // to a buyer: what was not earned, and what the vendor gave of the rest
        uint256 earnedBefore; // in earlier runs, in full
        uint256 givenBack; // of what was earned
        address controller;
        uint256 startedAt;
        uint256 endsAt;
        uint256 periods;
        uint256 runDeposit;
        uint256 unearned; // what went back when the run ended early
        uint256 taken; // of what this run earned: withdrawn or given back
        bool cancelled;
    }

    /// @dev A purchase that somebody has in mind.
    struct Wish {
        IOrders.Purchase terms;
        uint256 index;
        address token;
        address to;
        bool allowed; // but for the money and the signature
    }

    uint256 private constant KEYS = 2;
    uint256 public constant ORDERS = VENDORS * PLANS * KEYS;

    mapping(uint256 index => OrderEntry) private _order;

    // What may happen

    function buy(uint256 seed) external rolls(seed) {
        Wish memory wish = makeWish(isStreamed);
        address payer = wish.terms.payer;
        uint256 due = wish.terms.amount;
        uint256 value = wish.token == NATIVE ? due : 0;
        if (oneIn(16)) ++value;
        bool collected = value == (wish.token == NATIVE ? due : 0);
        if (wish.token != NATIVE) {
            collected = collected && _allowance[wish.token][payer] >= due && canPull(wish.token, payer, wish.to, due);
        } else if (wish.to != address(payments)) {
            collected = collected && canSend(NATIVE, wish.to, due);
        }
        (bool accepted, ) = attempt(
            payer,
            value,
            abi.encodeCall(
                payments.buy,
                (wish.terms.vendorId, wish.terms.planId, wish.terms.keyHash, wish.terms.periods, wish.terms.controller)
            ),
            wish.allowed && collected
        );
        if (!accepted) return;
        if (wish.token != NATIVE) useAllowance(wish.token, payer, due);
        bought(wish);
    }

    function buyWithPermit(uint256 seed) external rolls(seed) {
        Wish memory wish = makeWish(isInToken);
        sealWish(wish);
        IOrders.Purchase memory terms = wish.terms;
        (bytes memory permit, bool permitted) = permitFor(wish.token, terms.payer, terms.amount, terms.deadline);
        bytes32 structHash = hashOf(terms);
        (bytes memory signed, bool good) = signature(terms.payer, structHash);

        bool collected = wish.token != NATIVE && canPull(wish.token, terms.payer, wish.to, terms.amount);
        collected = collected && (permitted || _allowance[wish.token][terms.payer] >= terms.amount);
        bytes memory data = abi.encodeCall(payments.buyWithPermit, (terms, permit, signed));
        bool allowed = wish.allowed && good && block.timestamp <= terms.deadline && collected;
        (bool accepted, ) = attempt(anyone(), 0, data, allowed);
        if (!accepted) return;
        use(structHash, data);
        if (permitted) usePermit(wish.token, terms.payer, terms.amount);
        useAllowance(wish.token, terms.payer, terms.amount);
        bought(wish);
    }

    function buyWithAuthorization(uint256 seed) external rolls(seed) {
        Wish memory wish = makeWish(isInToken);
        sealWish(wish);
        IOrders.Purchase memory terms = wish.terms;
        bytes32 nonce = digestOf(hashOf(terms));
        (bytes memory given, bool good) = authorization(wish.token, terms.payer, terms.amount, terms.deadline, nonce);

        bool collected = good && canPull(wish.token, terms.payer, address(payments), terms.amount);
        // Payments has the money by then.
        if (wish.to != address(payments)) collected = collected && canSend(wish.token, wish.to, 0);
        bytes memory data = abi.encodeCall(payments.buyWithAuthorization, (terms, given));
        (bool accepted, ) = attempt(anyone(), 0, data, wish.allowed && collected);
        if (!accepted) return;
        _carriedOut.push(data);
        bought(wish);
    }

    function cancel(uint256 seed) external rolls(seed) {
        uint256 index = pick(ORDERS, isRefundable);
        OrderEntry storage entry = _order[index];
        address caller = oneIn(6) || entry.controller == address(0) ? anyone() : entry.controller;
        address to = anyRefundTo();
        (bool accepted, bytes memory answer) = attempt(
            caller,
            0,
            abi.encodeCall(payments.cancel, (orderIdAt(index), to)),
            mayCancel(index, to) && caller == entry.controller
        );
        if (accepted) cancelled(index, to, answer);
    }

    function cancelWithSignature(uint256 seed) external rolls(seed) {
        uint256 index = pick(ORDERS, isRefundable);
        OrderEntry storage entry = _order[index];
        uint40 startedAt = uint40(oneIn(8) ? entry.startedAt + 1 : entry.startedAt);
        address to = anyRefundTo();
        uint256 deadline = someDeadline();
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Cancellation(bytes32 orderId,uint40 startedAt,address refundTo,uint256 deadline)"),
                orderIdAt(index),
                startedAt,
                to,
                deadline
            )
        );
        bool allowed = mayCancel(index, to) && startedAt == entry.startedAt && block.timestamp <= deadline;
        (bytes memory signed, bool good) = signature(entry.controller, structHash);
        bytes memory data = abi.encodeCall(
            payments.cancelWithSignature,
            (orderIdAt(index), startedAt, to, deadline, signed)
        );
        (bool accepted, bytes memory answer) = attempt(anyone(), 0, data, allowed && good);
        if (!accepted) return;
        use(structHash, data);
        cancelled(index, to, answer);
    }

    function vendorRefund(uint256 seed) external rolls(seed) {
        uint256 index = pick(ORDERS, isRefundable);
        OrderEntry storage entry = _order[index];
        (uint64 vendorId, , ) = partsOf(index);
        address caller = likelyAuthority(vendorId);
        uint256 rest = isRefundable(index) ? unearnedRest(index) : 0;
        // Of what the run has earned by its end, which may be now.
        uint256 most = entry.runDeposit - (rest == 0 ? entry.unearned : rest) - entry.taken;
        uint256 extra =
            oneIn(3)
                ? 0
                : oneIn(6)
                    ? most + 1
                    : roll(most + 1);

        bool allowed = isStreamed(index) && isAuthority(vendorId, caller) && extra <= most;
        allowed = allowed && rest + extra != 0 && canSend(tokenOf(index), entry.controller, rest + extra);
        (bool accepted, bytes memory answer) = attempt(
            caller,
            0,
            abi.encodeCall(payments.vendorRefund, (orderIdAt(index), uint128(extra))),
            allowed
        );
        if (!accepted) return;
        vm.assertEq(abi.decode(answer, (uint256)), rest + extra, "refunded by the vendor");
        if (runs(entry)) endNow(entry, rest);
        entry.taken += extra;
        entry.givenBack += extra;
        entry.refunded += rest + extra;
        paid(tokenOf(index), entry.controller, rest + extra);
    }

    function withdraw(uint256 seed) external rolls(seed) {
        withdrawWith(GAS);
    }

    function withdrawWithLittleGas(uint256 seed) external rolls(seed) {
        withdrawWith(someLittleGas());
    }

    // What our ledger says

    function orderEntries() external view returns (OrderEntry[] memory result) {
        result = new OrderEntry[](ORDERS);
        for (uint256 i = 0; i < ORDERS; ++i) if (_order[i].startedAt != 0) result[i] = _order[i];
    }

    /// @dev Earned and not withdrawn: of earlier runs in full, of this run as far as it went.
    function owed(uint256 index) public view returns (uint256) {
        OrderEntry storage entry = _order[index];
        return entry.earnedBefore + earnedInRun(index) - entry.withdrawn - entry.givenBack;
    }

    function tokenOf(uint256 index) public view returns (address) {
        (uint64 vendorId, uint32 planId, ) = partsOf(index);
        return _plan[vendorId][planId].token;
    }

    function isStreamed(uint256 index) public view returns (bool) {
        (uint64 vendorId, uint32 planId, ) = partsOf(index);
        return _plan[vendorId][planId].streamed;
    }

    function orderIdAt(uint256 index) public pure returns (bytes32) {
        (uint64 vendorId, uint32 planId, bytes32 key) = partsOf(index);
        return keccak256(abi.encode(vendorId, planId, key));
    }

    function earnedInRun(uint256 index) private view returns (uint256) {
        OrderEntry storage entry = _order[index];
        (uint64 vendorId, uint32 planId, ) = partsOf(index);
        PlanEntry storage plan = _plan[vendorId][planId];
        if (!plan.streamed || !runs(entry)) return entry.runDeposit - entry.unearned;
        return (uint256(plan.price) * (block.timestamp - entry.startedAt)) / plan.periodSeconds;
    }

    /// @dev What a running order would give back now: the seconds so far are earned, the last fraction of a unit too.
    function unearnedRest(uint256 index) private view returns (uint256) {
        OrderEntry storage entry = _order[index];
        (uint64 vendorId, uint32 planId, ) = partsOf(index);
        PlanEntry storage plan = _plan[vendorId][planId];
        uint256 spent = uint256(plan.price) * (block.timestamp - entry.startedAt);
        return entry.runDeposit - (spent + plan.periodSeconds - 1) / plan.periodSeconds;
    }

    function runs(OrderEntry storage entry) private view returns (bool) {
        return block.timestamp < entry.endsAt && !entry.cancelled;
    }

    function wasBought(uint256 index) private view returns (bool) {
        return _order[index].startedAt != 0;
    }

    function isRefundable(uint256 index) private view returns (bool) {
        return isStreamed(index) && runs(_order[index]);
    }

    function isInToken(uint256 index) private view returns (bool) {
        return tokenOf(index) != NATIVE;
    }

    function mayCancel(uint256 index, address to) private view returns (bool) {
        if (!isRefundable(index) || to == address(0)) return false;
        uint256 rest = unearnedRest(index);
        return rest == 0 || canSend(tokenOf(index), to, rest);
    }

    function mayBuy(uint256 index, IOrders.Purchase memory terms) private view returns (bool) {
        OrderEntry storage entry = _order[index];
        PlanEntry storage plan = _plan[terms.vendorId][terms.planId];
        if (terms.keyHash == 0 || terms.periods == 0 || !plan.onSale || !_vendor[terms.vendorId].active) return false;
        if (plan.streamed && terms.controller == address(0)) return false;
        bool extends_ = runs(entry);
        if (extends_ && plan.streamed && terms.controller != entry.controller) return false;
        uint256 paidUntil = extends_ ? entry.endsAt : block.timestamp;
        uint256 seconds_ = uint256(terms.periods) * plan.periodSeconds;
        if (paidUntil + seconds_ > block.timestamp + uint256(plan.maxPeriods) * plan.periodSeconds) return false;
        // All that the order may come to owe has to fit its field.
        uint256 most = plan.price * ((extends_ ? entry.periods : 0) + terms.periods);
        if (plan.streamed) most += extends_ ? owed(index) - (earnedInRun(index) - entry.taken) : owed(index);
        return most <= type(uint128).max;
    }

    function partsOf(uint256 index) private pure returns (uint64 vendorId, uint32 planId, bytes32 key) {
        vendorId = uint64(index / (PLANS * KEYS)) + 1;
        planId = uint32((index / KEYS) % PLANS) + 1;
        key = keccak256(abi.encode(index % KEYS));
    }

    // Choices

    /// @dev When some order ends, if one is running.
    function endOfAnOrder() internal returns (uint256) {
        OrderEntry storage entry = _order[pick(ORDERS, isRefundable)];
        return entry.startedAt == 0 ? block.timestamp : entry.endsAt;
    }

    /// @dev Mostly still to come.
    function someDeadline() internal returns (uint256) {
        return oneIn(12) ? block.timestamp - 1 : block.timestamp + roll(3);
    }

    /// @param likes What is wanted, but for half the wishes, which extend or renew an order
    function makeWish(function(uint256) view returns (bool) likes) private returns (Wish memory wish) {
        wish.index = pick(ORDERS, oneIn(2) ? wasBought : likes);
        IOrders.Purchase memory terms = wish.terms;
        (terms.vendorId, terms.planId, terms.keyHash) = partsOf(wish.index);
        OrderEntry storage entry = _order[wish.index];
        PlanEntry storage plan = _plan[terms.vendorId][terms.planId];
        terms.periods = uint16(oneIn(8) ? roll(plan.maxPeriods + 2) : 1 + roll(plan.maxPeriods / 4));
        terms.payer = anyPayer();
        terms.controller =
            runs(entry) && !oneIn(6)
                ? entry.controller
                : oneIn(16)
                    ? address(0)
                    : anyPayer();
        if (oneIn(32)) terms.keyHash = 0;
        terms.amount = uint128(uint256(plan.price) * terms.periods);
        wish.token = plan.token;
        wish.to = plan.streamed ? address(payments) : _vendor[terms.vendorId].payout;
        wish.allowed = mayBuy(wish.index, terms);
    }

    /// @dev Completes a wish with what only a signed purchase has.
    function sealWish(Wish memory wish) private {
        wish.terms.salt = bytes32(roll(1 << 255));
        wish.terms.deadline = someDeadline();
        if (!oneIn(16)) return;
        ++wish.terms.amount;
        wish.allowed = false;
    }

    function hashOf(IOrders.Purchase memory terms) private pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Purchase(uint64 vendorId,uint32 planId,bytes32 keyHash,uint16 periods,address controller,address payer,"
            "uint128 amount,bytes32 salt,uint256 deadline)"
        );
        return keccak256(abi.encode(typeHash, terms));
    }

    // Keeping it

    function useAllowance(address token, address account, uint256 amount) internal {
        if (_allowance[token][account] != type(uint256).max) _allowance[token][account] -= amount;
    }

    function usePermit(address token, address account, uint256 amount) internal {
        ++_permits[token][account];
        _allowance[token][account] = amount;
    }

    function bought(Wish memory wish) private {
        IOrders.Purchase memory terms = wish.terms;
        OrderEntry storage entry = _order[wish.index];
        PlanEntry storage plan = _plan[terms.vendorId][terms.planId];
        if (!runs(entry)) {
            entry.earnedBefore += entry.runDeposit - entry.unearned;
            (entry.startedAt, entry.endsAt) = (block.timestamp, block.timestamp);
            (entry.periods, entry.runDeposit, entry.unearned, entry.taken) = (0, 0, 0, 0);
            entry.cancelled = false;
            if (plan.streamed) entry.controller = terms.controller;
        }
        entry.periods += terms.periods;
        entry.endsAt += uint256(terms.periods) * plan.periodSeconds;
        entry.runDeposit += terms.amount;
        entry.deposited += terms.amount;
        move(wish.token, terms.payer, wish.to, terms.amount);
        if (plan.streamed) {
            paidIn[wish.token] += terms.amount;
        } else {
            entry.withdrawn += terms.amount;
            // What an instant purchase pays to a payout that is Payments itself belongs to nobody.
            if (wish.to == address(payments)) gifts[wish.token] += terms.amount;
        }
    }

    function cancelled(uint256 index, address to, bytes memory answer) private {
        uint256 rest = unearnedRest(index);
        vm.assertEq(abi.decode(answer, (uint256)), rest, "refunded by a cancellation");
        endNow(_order[index], rest);
        _order[index].refunded += rest;
        if (rest != 0) paid(tokenOf(index), to, rest);
    }

    function endNow(OrderEntry storage entry, uint256 rest) private {
        entry.endsAt = block.timestamp;
        entry.cancelled = true;
        entry.unearned = rest;
    }

    function withdrawWith(uint256 gas) private {
        uint256[] memory chosen = new uint256[](1 + roll(4));
        bytes32[] memory orderIds = new bytes32[](chosen.length);
        bool known = true;
        for (uint256 i = 0; i < chosen.length; ++i) {
            chosen[i] = pick(ORDERS, wasBought);
            orderIds[i] = orderIdAt(chosen[i]);
            known = known && _order[chosen[i]].startedAt != 0;
        }
        (bool accepted, ) = attemptWith(gas, anyone(), 0, abi.encodeCall(payments.withdraw, (orderIds)), known);
        vm.assertTrue(accepted || !known || gas != GAS, "a withdrawal of known orders is accepted");
        if (!accepted) return;

        Due[] memory dues = new Due[](chosen.length);
        for (uint256 i = 0; i < chosen.length; ++i) {
            OrderEntry storage entry = _order[chosen[i]];
            (dues[i].vendorId, , ) = partsOf(chosen[i]);
            (dues[i].token, dues[i].amount) = (tokenOf(chosen[i]), owed(chosen[i]));
            entry.withdrawn += dues[i].amount;
            entry.taken = earnedInRun(chosen[i]);
        }
        payVendors(dues);
    }
}
