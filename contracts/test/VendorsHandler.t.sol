// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IVendorRegistry} from "../IVendorRegistry.sol";
import {HandlerWorld} from "./HandlerWorld.t.sol";

/// @dev Vendors and plans, as the runner of invariants changes them. Two vendors sell, each for every currency; more may
/// register and add plans, to be counted.
abstract contract VendorsHandler is HandlerWorld {
    struct VendorEntry {
        address owner;
        address pendingOwner;
        address operator;
        address payout;
        bool active;
        uint32 changes;
        uint32 plans;
    }

    struct PlanEntry {
        address token;
        uint128 price;
        uint32 periodSeconds;
        uint16 maxPeriods;
        bool streamed;
        bool onSale;
    }

    /// @dev What a call lets a vendor have.
    struct Due {
        uint64 vendorId;
        address token;
        uint256 amount;
    }

    uint256 internal constant VENDORS = 2;
    uint256 internal constant PLANS = 5;

    uint64 public vendorsRegistered;

    mapping(uint64 vendorId => VendorEntry) internal _vendor;
    mapping(uint64 vendorId => mapping(uint32 planId => PlanEntry)) internal _plan;

    constructor() {
        for (uint64 id = 1; id <= VENDORS; ++id) {
            registerVendor(newAccount("owner"), newAccount("operator"));
            // Rounding shows in nearly every second; then money that just fits its fields.
            addPlan(id, NATIVE, id == 1 ? 7 : 1 << 126, id == 1 ? 40 : 1000, id == 1 ? 200 : 12, true);
            addPlan(id, address(honest), 1_000_003, 3600, 24, true);
            addPlan(id, address(hostile), 1_000_003, 600, 300, true);
            addPlan(id, NATIVE, 0.1 ether, 600, 24, false);
            addPlan(id, tokens[id], 2_500_000, 600, 24, false);
        }
    }

    // What may happen

    /// @dev By owner, operator or somebody else: what both may do, and what the owner alone may.
    function changeVendor(uint256 seed) external rolls(seed) {
        uint64 id = someVendor();
        address caller =
            oneIn(6)
                ? anyone()
                : oneIn(3)
                    ? _vendor[id].operator
                    : _vendor[id].owner;
        uint256 kind = roll(12);
        VendorEntry memory changed = _vendor[id];
        bytes memory data;
        if (kind == 0) {
            changed.active = !oneIn(4);
            data = abi.encodeCall(registry.setActive, (id, changed.active));
        } else if (kind == 1) {
            uint32 planId = uint32(1 + roll(PLANS));
            bool onSale = !oneIn(4);
            data = abi.encodeCall(registry.setPlanOnSale, (id, planId, onSale));
            if (isAuthority(id, caller)) _plan[id][planId].onSale = onSale;
        } else if (kind == 2) {
            data = abi.encodeCall(registry.setProfile, (id, "{}"));
        } else if (kind == 3) {
            data = abi.encodeCall(registry.setKeys, (id, bytes32(roll(1000) + 1), bytes32(roll(1000) + 1)));
        } else if (kind == 4) {
            changed.operator = oneIn(4) ? address(0) : anyone();
            data = abi.encodeCall(registry.setOperator, (id, changed.operator));
        } else if (kind == 5) {
            changed.pendingOwner = anyone();
            data = abi.encodeCall(registry.transferOwnership, (id, changed.pendingOwner));
        } else {
            changed.payout = _payouts[roll(_payouts.length)];
            data = abi.encodeCall(registry.setPayout, (id, changed.payout));
        }
        change(id, caller, data, kind < 4 ? isAuthority(id, caller) : caller == _vendor[id].owner, changed);
    }

    function acceptVendor(uint256 seed) external rolls(seed) {
        uint64 id = someVendor();
        address caller = oneIn(3) ? anyone() : _vendor[id].pendingOwner;
        VendorEntry memory changed = _vendor[id];
        bool allowed = caller == changed.pendingOwner;
        (changed.owner, changed.pendingOwner) = (caller, address(0));
        // Nobody sends from the zero address, on a chain.
        if (caller == address(0)) return;
        change(id, caller, abi.encodeCall(registry.acceptOwnership, (id)), allowed, changed);
    }

    function growList(uint256 seed) external rolls(seed) {
        if (oneIn(2)) registerVendor(anyone(), anyone());
        else addPlan(1 + uint64(roll(vendorsRegistered)), NATIVE, 1, 1, 1, false);
    }

    // What our ledger says

    function vendorEntry(uint64 vendorId) external view returns (VendorEntry memory) {
        return _vendor[vendorId];
    }

    function keptEntries() external view returns (uint256[3][VENDORS] memory result) {
        for (uint64 i = 0; i < VENDORS; ++i) for (uint256 j = 0; j < 3; ++j) result[i][j] = _kept[i + 1][tokens[j]];
    }

    function isAuthority(uint64 vendorId, address account) internal view returns (bool) {
        return account == _vendor[vendorId].owner || account == _vendor[vendorId].operator;
    }

    /// @dev Mostly one who may speak for a vendor.
    function likelyAuthority(uint64 vendorId) internal returns (address) {
        address operator = _vendor[vendorId].operator;
        if (oneIn(8)) return anyone();
        return oneIn(2) || operator == address(0) ? _vendor[vendorId].owner : operator;
    }

    /// @dev The owner sets a payout account that takes everything.
    function mendPayout(uint64 id) internal {
        VendorEntry memory changed = _vendor[id];
        changed.payout = _payouts[0];
        change(id, changed.owner, abi.encodeCall(registry.setPayout, (id, changed.payout)), true, changed);
    }

    function someVendor() internal returns (uint64) {
        return uint64(1 + roll(VENDORS));
    }

    // Keeping it

    /// @dev Pays vendors, one transfer for each vendor and token in the sequence in which something is due; or keeps it.
    function payVendors(Due[] memory dues) internal {
        for (uint256 i = 0; i < dues.length; ++i) {
            (uint64 vendorId, address token) = (dues[i].vendorId, dues[i].token);
            uint256 amount = 0;
            if (dues[i].amount == 0) continue;
            for (uint256 j = i; j < dues.length; ++j) {
                if (dues[j].vendorId != vendorId || dues[j].token != token) continue;
                amount += dues[j].amount;
                dues[j].amount = 0;
            }
            address payout = _vendor[vendorId].payout;
            if (canSend(token, payout, amount)) paid(token, payout, amount);
            else _kept[vendorId][token] += amount;
        }
    }

    function change(uint64 id, address caller, bytes memory data, bool allowed, VendorEntry memory changed) private {
        vm.prank(caller);
        (bool accepted, ) = address(registry).call(data);
        vm.assertTrue(accepted == allowed, "a change of a vendor is accepted when it is allowed, and only then");
        if (!accepted) return;
        ++changed.changes;
        _vendor[id] = changed;
    }

    function registerVendor(address owner, address operator) private {
        IVendorRegistry.VendorInput memory input;
        input.operator = operator;
        input.payout = _payouts[vendorsRegistered % _payouts.length];
        (input.signingKey, input.encryptionKey) = (bytes32(uint256(1)), bytes32(uint256(2)));
        uint64 id = ++vendorsRegistered;
        vm.prank(owner);
        vm.assertEq(registry.register(input), id, "vendor id");
        _vendor[id] = VendorEntry({
            owner: owner,
            pendingOwner: address(0),
            operator: operator,
            payout: input.payout,
            active: true,
            changes: 1,
            plans: 0
        });
    }

    function addPlan(
        uint64 id,
        address token,
        uint128 price,
        uint32 periodSeconds,
        uint16 maxPeriods,
        bool streamed
    ) private {
        IVendorRegistry.PlanInput memory input = IVendorRegistry.PlanInput({
            token: token,
            price: price,
            periodSeconds: periodSeconds,
            maxPeriods: maxPeriods,
            settlement: streamed ? IVendorRegistry.Settlement.Streamed : IVendorRegistry.Settlement.Instant,
            title: ""
        });
        VendorEntry storage entry = _vendor[id];
        ++entry.changes;
        ++entry.plans;
        vm.prank(entry.owner);
        vm.assertEq(registry.addPlan(id, input), entry.plans, "plan id");
        _plan[id][entry.plans] = PlanEntry({
            token: token,
            price: price,
            periodSeconds: periodSeconds,
            maxPeriods: maxPeriods,
            streamed: streamed,
            onSale: true
        });
    }
}
