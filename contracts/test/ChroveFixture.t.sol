// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IOrders} from "../IOrders.sol";
import {IPayments} from "../IPayments.sol";
import {IVendorRegistry} from "../IVendorRegistry.sol";
import {Test} from "./Test.t.sol";

/// @dev One registry, one vendor, and one plan of each settlement. The price does not divide by the seconds of a
/// period, so that rounding always shows.
abstract contract ChroveFixture is Test {
    uint256 internal constant OWNER_KEY = 0xA11CE;
    uint256 internal constant OPERATOR_KEY = 0x0FE7A7;
    uint256 internal constant BUYER_KEY = 0xB0B;
    uint256 internal constant STRANGER_KEY = 0xBAD;

    address internal constant OWNER = 0xe05fcC23807536bEe418f142D19fa0d21BB0cfF7;
    address internal constant OPERATOR = 0x8c4D0176B08fcCA01E47a95353902558f2F09B18;
    address internal constant PAYOUT = address(0xBA4C);
    address internal constant BUYER = 0x0376AAc07Ad725E01357B1725B5ceC61aE10473c;
    address internal constant REFUND_TO = address(0x4EF);
    address internal constant STRANGER = 0x63f98F6e9Cc0cA72E9e88d559A1fe7070d03A869;

    bytes32 internal constant KEY = keccak256("a buyer's key");
    uint40 internal constant START = 1_900_000_000;
    uint128 internal constant PRICE = 1_000_003;
    uint32 internal constant PERIOD = 3600;
    uint16 internal constant PERIODS_MAX = 100;

    IVendorRegistry internal registry;
    IPayments internal payments;
    uint64 internal vendorId;
    uint32 internal streamedPlan;
    uint32 internal instantPlan;

    function setUp() public virtual {
        vm.warp(START);
        registry = IVendorRegistry(deploy("VendorRegistry.sol:VendorRegistry"));
        payments = IPayments(registry.payments());
        vm.startPrank(OWNER);
        vendorId = registry.register(vendorInput());
        streamedPlan = registry.addPlan(vendorId, planInput(IVendorRegistry.Settlement.Streamed));
        instantPlan = registry.addPlan(vendorId, planInput(IVendorRegistry.Settlement.Instant));
        vm.stopPrank();
        vm.deal(BUYER, type(uint128).max);
    }

    function vendorInput() internal pure returns (IVendorRegistry.VendorInput memory) {
        string[] memory endpoints = new string[](2);
        endpoints[0] = "http://192.0.2.7:8080";
        endpoints[1] = "http://vendor.example";
        return
            IVendorRegistry.VendorInput({
                operator: OPERATOR,
                payout: PAYOUT,
                signingKey: keccak256("signing key"),
                encryptionKey: keccak256("encryption key"),
                endpoints: endpoints,
                profile: '{"title":"A vendor"}'
            });
    }

    function planInput(IVendorRegistry.Settlement settlement) internal pure returns (IVendorRegistry.PlanInput memory) {
        return
            IVendorRegistry.PlanInput({
                token: address(0),
                price: PRICE,
                periodSeconds: PERIOD,
                maxPeriods: PERIODS_MAX,
                settlement: settlement,
                title: "An hour"
            });
    }

    /// @dev A streamed plan with terms of one's own.
    function addStreamedPlan(uint128 price, uint32 periodSeconds, uint16 maxPeriods) internal returns (uint32) {
        IVendorRegistry.PlanInput memory input = planInput(IVendorRegistry.Settlement.Streamed);
        input.price = price;
        input.periodSeconds = periodSeconds;
        input.maxPeriods = maxPeriods;
        vm.prank(OWNER);
        return registry.addPlan(vendorId, input);
    }

    /// @dev The buyer pays for periods of the streamed plan and may cancel them.
    function buyStreamed(uint16 periods) internal returns (bytes32 orderId) {
        vm.prank(BUYER);
        (orderId, ) = payments.buy{value: PRICE * uint256(periods)}(vendorId, streamedPlan, KEY, periods, BUYER);
    }

    function buyInstant(uint16 periods) internal returns (bytes32 orderId) {
        vm.prank(BUYER);
        (orderId, ) = payments.buy{value: PRICE * uint256(periods)}(vendorId, instantPlan, KEY, periods, BUYER);
    }

    function cancel(bytes32 orderId) internal returns (uint128) {
        vm.prank(BUYER);
        return payments.cancel(orderId, REFUND_TO);
    }

    function withdraw(bytes32 orderId) internal {
        bytes32[] memory orderIds = new bytes32[](1);
        orderIds[0] = orderId;
        vm.prank(STRANGER);
        payments.withdraw(orderIds);
    }

    function streamedOrder() internal view returns (IOrders.Order memory) {
        return payments.order(vendorId, streamedPlan, KEY);
    }

    function setPayout(address payout) internal {
        vm.prank(OWNER);
        registry.setPayout(vendorId, payout);
    }
}
