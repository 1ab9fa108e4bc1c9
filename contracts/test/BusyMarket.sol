// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IOrders} from "../IOrders.sol";
import {IVendorRegistry} from "../IVendorRegistry.sol";

/// @title Vendors and a buyer in one account, who do in one transaction what takes people a hundred
/// @notice For benchmarks: fills a chain with events.
contract BusyMarket {
    /// @notice Purchases of each vendor's plan.
    uint256 public constant PURCHASES = 4;

    IVendorRegistry private immutable REGISTRY;
    IOrders private immutable PAYMENTS;

    /// @notice Comes with the money to buy with.
    constructor(IVendorRegistry registry, IOrders payments) payable {
        REGISTRY = registry;
        PAYMENTS = payments;
    }

    /// @notice Each vendor registers, offers a plan, changes four times, and sells: ten events.
    function open(uint256 vendors, string calldata profile) external {
        string[] memory endpoints = new string[](1);
        endpoints[0] = "http://vendor.example:8080";
        IVendorRegistry.VendorInput memory input = IVendorRegistry.VendorInput({
            operator: address(0),
            payout: address(1),
            signingKey: bytes32(uint256(1)),
            encryptionKey: bytes32(uint256(2)),
            endpoints: endpoints,
            profile: profile
        });
        IVendorRegistry.PlanInput memory plan = IVendorRegistry.PlanInput({
            token: address(0),
            price: 1,
            periodSeconds: 3600,
            maxPeriods: 24,
            settlement: IVendorRegistry.Settlement.Streamed,
            title: "One hour"
        });
        for (uint256 i = 0; i < vendors; ++i) {
            uint64 vendorId = REGISTRY.register(input);
            uint32 planId = REGISTRY.addPlan(vendorId, plan);
            REGISTRY.setActive(vendorId, false);
            REGISTRY.setActive(vendorId, true);
            REGISTRY.setProfile(vendorId, profile);
            REGISTRY.setProfile(vendorId, profile);
            for (uint256 key = 1; key <= PURCHASES; ++key) {
                bytes32 keyHash = keccak256(abi.encode(vendorId, key));
                PAYMENTS.buy{value: 1}(vendorId, planId, keyHash, 1, address(this));
            }
        }
    }
}
