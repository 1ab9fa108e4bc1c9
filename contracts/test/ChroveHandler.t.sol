// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IOrders} from "../IOrders.sol";
import {IPayments} from "../IPayments.sol";
import {IVendorRegistry} from "../IVendorRegistry.sol";
import {Test} from "./Test.t.sol";

/// @dev What the runner of invariants calls in any order: two vendors, three buyers, a stranger, and time. It keeps a
/// ledger of its own, worked out without looking at the contracts, and compares every amount with it.
contract ChroveHandler is Test {
    /// @dev One order in our ledger. Totals count from the beginning; the rest is of the current run.
    struct Ledger {
        uint256 deposited;
        uint256 withdrawn;
        uint256 refunded;
        uint256 settledBefore; // of earlier runs: what they earned in full
        address controller;
        uint256 startedAt;
        uint256 endsAt;
        uint256 runDeposit;
        uint256 runRefunded;
        bool cancelled;
    }

    /// @dev What an order is bought from and for.
    struct Parts {
        uint64 vendorId;
        uint32 planId;
        bytes32 key;
    }

    uint256 public constant VENDORS = 2;
    uint256 public constant PLANS = 3;
    uint256 public constant KEYS = 2;
    uint256 public constant ORDERS = VENDORS * PLANS * KEYS;
    uint256 private constant WEALTH = 1 << 128;

    address private constant STRANGER = address(0x5742);

    IVendorRegistry public immutable registry;
    IPayments public immutable payments;

    /// @dev Everyone who could gain or lose.
    address[] public accounts;

    /// @dev What each of them must own now.
    mapping(address account => uint256) public wealth;

    /// @dev How many changes each vendor has seen.
    mapping(uint64 vendorId => uint32) public changes;
    mapping(uint64 vendorId => uint32) public plansOf;
    uint64 public vendorsRegistered;
    uint256 public paidIn;
    uint256 public paidOut;

    address[] private _buyers;
    address[] private _payouts;
    mapping(uint256 index => Ledger) private _ledger;

    constructor(IVendorRegistry registry_) {
        registry = registry_;
        payments = IPayments(registry_.payments());
        for (uint160 i = 0; i < 3; ++i) {
            _buyers.push(address(0xB00 + i));
            _payouts.push(address(0xCA00 + i));
            accounts.push(address(0xB00 + i));
            accounts.push(address(0xCA00 + i));
        }
        accounts.push(STRANGER);
        for (uint256 i = 0; i < accounts.length; ++i) {
            vm.deal(accounts[i], WEALTH);
            wealth[accounts[i]] = WEALTH;
        }
        for (uint64 id = 1; id <= VENDORS; ++id) {
            registerVendor(id);
            // Rounding shows in nearly every second; then an everyday price; then instant settlement.
            addPlan(id, 7, 3, 200, IVendorRegistry.Settlement.Streamed);
            addPlan(id, 1 ether + 1, 3600, 24, IVendorRegistry.Settlement.Streamed);
            addPlan(id, 0.1 ether, 600, 24, IVendorRegistry.Settlement.Instant);
        }
    }

    // What may happen

    function buy(uint256 who, uint256 index, uint256 count, bool asOther) external {
        index %= ORDERS;
        Parts memory parts = partsOf(index);
        IVendorRegistry.Terms memory terms = registry.terms(parts.vendorId, parts.planId);
        Ledger storage entry = _ledger[index];
        uint16 periods = uint16(within(count, 1, terms.maxPeriods / 3));
        address buyer = _buyers[who % 3];
        address controller = asOther || !runs(entry) ? buyer : entry.controller;
        uint256 value = uint256(terms.price) * periods;
        bool allowed = mayBuy(entry, terms, periods, controller);

        vm.prank(buyer);
        (bool accepted, ) = address(payments).call{value: value}(
            abi.encodeCall(payments.buy, (parts.vendorId, parts.planId, parts.key, periods, controller))
        );
        vm.assertTrue(accepted == allowed, "a purchase is accepted when it is allowed, and only then");
        if (!accepted) return;

        if (!runs(entry)) startRun(entry, controller);
        entry.endsAt += uint256(periods) * terms.periodSeconds;
        entry.runDeposit += value;
        entry.deposited += value;
        receiveFrom(buyer, value);
        if (isStreamed(parts)) return;
        entry.withdrawn += value;
        payTo(terms.payout, value);
    }

    function cancel(uint256 who, uint256 index, uint256 refundTo) external {
        index %= ORDERS;
        Parts memory parts = partsOf(index);
        IVendorRegistry.Terms memory terms = registry.terms(parts.vendorId, parts.planId);
        Ledger storage entry = _ledger[index];
        address caller =
            who % 4 == 3
                ? STRANGER
                : who % 4 == 2
                    ? _buyers[who % 3]
                    : entry.controller;
        address to = accounts[refundTo % accounts.length];

        bool allowed = isStreamed(parts) && runs(entry) && caller == entry.controller;
        bytes32 orderId = orderIdAt(index);
        vm.prank(caller);
        (bool accepted, bytes memory answer) = address(payments).call(abi.encodeCall(payments.cancel, (orderId, to)));
        vm.assertTrue(accepted == allowed, "a cancellation is accepted when it is allowed, and only then");
        if (!accepted) return;

        uint256 elapsed = block.timestamp - entry.startedAt;
        uint256 earned = (terms.price * elapsed + terms.periodSeconds - 1) / terms.periodSeconds;
        uint256 refund = entry.runDeposit - earned;
        vm.assertEq(abi.decode(answer, (uint256)), refund, "refunded");
        entry.endsAt = block.timestamp;
        entry.cancelled = true;
        entry.runRefunded = refund;
        entry.refunded += refund;
        payTo(to, refund);
    }

    function withdraw(uint256 first, uint256 second, uint256 third) external {
        uint256[3] memory chosen = [first % ORDERS, second % ORDERS, third % ORDERS];
        bytes32[] memory orderIds = new bytes32[](3);
        bool known = true;
        for (uint256 i = 0; i < 3; ++i) {
            orderIds[i] = orderIdAt(chosen[i]);
            known = known && _ledger[chosen[i]].startedAt != 0;
        }
        vm.prank(STRANGER);
        (bool accepted, ) = address(payments).call(abi.encodeCall(payments.withdraw, (orderIds)));
        vm.assertTrue(accepted == known, "a withdrawal is accepted given all orders are known, and only then");
        if (!accepted) return;
        for (uint256 i = 0; i < 3; ++i) {
            uint256 due = owed(chosen[i]);
            _ledger[chosen[i]].withdrawn += due;
            payTo(registry.vendor(partsOf(chosen[i]).vendorId).payout, due);
        }
    }

    function letTimePass(uint256 seconds_, bool long) external {
        skip(within(seconds_, 0, long ? 12 hours : 20));
    }

    function registerAnother() external {
        registerVendor(vendorsRegistered + 1);
    }

    function changePayout(uint64 vendorId, uint256 payout) external {
        vendorId = someVendor(vendorId);
        asOwner(vendorId);
        registry.setPayout(vendorId, _payouts[payout % 3]);
    }

    function changeActive(uint64 vendorId, uint256 seed) external {
        vendorId = someVendor(vendorId);
        asOwner(vendorId);
        registry.setActive(vendorId, seed % 4 != 0);
    }

    function changeSale(uint64 vendorId, uint32 planId, uint256 seed) external {
        vendorId = someVendor(vendorId);
        asOwner(vendorId);
        registry.setPlanOnSale(vendorId, uint32(within(planId, 1, PLANS)), seed % 4 != 0);
    }

    function changeProfile(uint64 vendorId, string calldata profile) external {
        vendorId = someVendor(vendorId);
        asOwner(vendorId);
        registry.setProfile(vendorId, profile);
    }

    function addAnotherPlan(uint64 vendorId) external {
        addPlan(someVendor(vendorId), 1, 1, 1, IVendorRegistry.Settlement.Instant);
    }

    // What our ledger says

    function accountCount() external view returns (uint256) {
        return accounts.length;
    }

    function ledger(uint256 index) external view returns (Ledger memory) {
        return _ledger[index];
    }

    /// @dev Earned and not withdrawn: of earlier runs in full, of this run as far as it went.
    function owed(uint256 index) public view returns (uint256) {
        Ledger storage entry = _ledger[index];
        Parts memory parts = partsOf(index);
        IVendorRegistry.Terms memory terms = registry.terms(parts.vendorId, parts.planId);
        uint256 earned = entry.runDeposit - entry.runRefunded;
        if (isStreamed(parts) && runs(entry)) {
            earned = (terms.price * (block.timestamp - entry.startedAt)) / terms.periodSeconds;
        }
        return entry.settledBefore + earned - entry.withdrawn;
    }

    function orderAt(uint256 index) public view returns (IOrders.Order memory) {
        Parts memory parts = partsOf(index);
        return payments.order(parts.vendorId, parts.planId, parts.key);
    }

    function orderIdAt(uint256 index) public view returns (bytes32) {
        Parts memory parts = partsOf(index);
        return payments.orderIdOf(parts.vendorId, parts.planId, parts.key);
    }

    function runs(Ledger storage entry) private view returns (bool) {
        return block.timestamp < entry.endsAt && !entry.cancelled;
    }

    function mayBuy(
        Ledger storage entry,
        IVendorRegistry.Terms memory terms,
        uint16 periods,
        address controller
    ) private view returns (bool) {
        uint256 aheadSeconds = uint256(periods) * terms.periodSeconds;
        if (runs(entry)) {
            if (terms.settlement == IVendorRegistry.Settlement.Streamed && controller != entry.controller) return false;
            aheadSeconds += entry.endsAt - block.timestamp;
        }
        return terms.forSale && aheadSeconds <= uint256(terms.maxPeriods) * terms.periodSeconds;
    }

    function partsOf(uint256 index) private pure returns (Parts memory) {
        return
            Parts({
                vendorId: uint64(index / (PLANS * KEYS)) + 1,
                planId: uint32((index / KEYS) % PLANS) + 1,
                key: keccak256(abi.encode(index % KEYS))
            });
    }

    function isStreamed(Parts memory parts) private pure returns (bool) {
        return parts.planId != 3;
    }

    function ownerOf(uint64 vendorId) private pure returns (address) {
        return address(uint160(0xA00) + vendorId);
    }

    function someVendor(uint64 seed) private pure returns (uint64) {
        return uint64(within(seed, 1, VENDORS));
    }

    // Keeping it

    function startRun(Ledger storage entry, address controller) private {
        entry.settledBefore += entry.runDeposit - entry.runRefunded;
        entry.controller = controller;
        entry.startedAt = block.timestamp;
        entry.endsAt = block.timestamp;
        entry.runDeposit = 0;
        entry.runRefunded = 0;
        entry.cancelled = false;
    }

    function receiveFrom(address account, uint256 amount) private {
        wealth[account] -= amount;
        paidIn += amount;
    }

    function payTo(address account, uint256 amount) private {
        wealth[account] += amount;
        paidOut += amount;
    }

    /// @dev The next call is the owner's, and changes the vendor.
    function asOwner(uint64 vendorId) private {
        ++changes[vendorId];
        vm.prank(ownerOf(vendorId));
    }

    function registerVendor(uint64 expectedId) private {
        IVendorRegistry.VendorInput memory input;
        input.payout = _payouts[expectedId % 3];
        input.signingKey = bytes32(uint256(1));
        input.encryptionKey = bytes32(uint256(2));
        asOwner(expectedId);
        vm.assertEq(registry.register(input), expectedId, "vendor id");
        ++vendorsRegistered;
    }

    function addPlan(
        uint64 vendorId,
        uint128 price,
        uint32 periodSeconds,
        uint16 maxPeriods,
        IVendorRegistry.Settlement settlement
    ) private {
        asOwner(vendorId);
        uint32 planId = registry.addPlan(
            vendorId,
            IVendorRegistry.PlanInput({
                token: address(0),
                price: price,
                periodSeconds: periodSeconds,
                maxPeriods: maxPeriods,
                settlement: settlement,
                title: ""
            })
        );
        vm.assertEq(planId, ++plansOf[vendorId], "plan id");
    }
}
