// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IVendorRegistry} from "./IVendorRegistry.sol";
import {ChroveFixture} from "./test/ChroveFixture.t.sol";

contract VendorRegistryTest is ChroveFixture {
    /// @dev The fixture made one registration and two plans.
    uint32 private constant VERSION = 3;

    function test_Register_StoresAllThatWasGiven() public {
        IVendorRegistry.VendorInput memory input = vendorInput();
        vm.expectEmit(address(registry));
        emit IVendorRegistry.VendorRegistered(
            2,
            STRANGER,
            1,
            input.operator,
            input.payout,
            input.signingKey,
            input.encryptionKey,
            input.endpoints,
            input.profile
        );
        vm.prank(STRANGER);
        uint64 id = registry.register(input);

        vm.assertEq(id, 2, "id");
        vm.assertEq(registry.vendorCount(), 2, "vendorCount");
        IVendorRegistry.Vendor memory expected = IVendorRegistry.Vendor({
            owner: STRANGER,
            pendingOwner: address(0),
            operator: input.operator,
            payout: input.payout,
            active: true,
            version: 1,
            planCount: 0,
            signingKey: input.signingKey,
            encryptionKey: input.encryptionKey,
            endpoints: input.endpoints,
            profile: input.profile
        });
        vm.assertEq(abi.encode(registry.vendor(2)), abi.encode(expected), "vendor");
    }

    function test_Register_AllowsNoOperatorNoEndpointAndNoProfile() public {
        IVendorRegistry.VendorInput memory input = vendorInput();
        input.operator = address(0);
        input.endpoints = new string[](0);
        input.profile = "";
        IVendorRegistry.Vendor memory made = registry.vendor(registry.register(input));
        vm.assertEq(made.operator, address(0), "operator");
        vm.assertEq(made.endpoints.length, 0, "endpoints");
        vm.assertEq(bytes(made.profile).length, 0, "profile");
    }

    function test_Register_AllowsEverythingAtItsLimit() public {
        IVendorRegistry.VendorInput memory input = vendorInput();
        input.endpoints = new string[](8);
        for (uint256 i = 0; i < 8; ++i) input.endpoints[i] = text(i == 0 ? 1 : 256);
        input.profile = text(4096);
        IVendorRegistry.Vendor memory made = registry.vendor(registry.register(input));
        vm.assertEq(abi.encode(made.endpoints), abi.encode(input.endpoints), "endpoints");
        vm.assertEq(made.profile, input.profile, "profile");
    }

    function test_RevertWhen_PayoutIsZero() public {
        IVendorRegistry.VendorInput memory input = vendorInput();
        input.payout = address(0);
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_ZeroPayout.selector));
        registry.register(input);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_ZeroPayout.selector));
        registry.setPayout(vendorId, address(0));
    }

    function test_RevertWhen_EitherKeyIsZero() public {
        bytes memory refusal = abi.encodeWithSelector(IVendorRegistry.VendorRegistry_ZeroKey.selector);
        IVendorRegistry.VendorInput memory input = vendorInput();
        input.signingKey = 0;
        vm.expectRevert(refusal);
        registry.register(input);
        input = vendorInput();
        input.encryptionKey = 0;
        vm.expectRevert(refusal);
        registry.register(input);
        vm.startPrank(OWNER);
        vm.expectRevert(refusal);
        registry.setKeys(vendorId, 0, KEY);
        vm.expectRevert(refusal);
        registry.setKeys(vendorId, KEY, 0);
    }

    function test_RevertWhen_EndpointsAreTooMany() public {
        bytes memory refusal = abi.encodeWithSelector(IVendorRegistry.VendorRegistry_TooManyEndpoints.selector, 9, 8);
        IVendorRegistry.VendorInput memory input = vendorInput();
        input.endpoints = new string[](9);
        vm.expectRevert(refusal);
        registry.register(input);
        vm.prank(OWNER);
        vm.expectRevert(refusal);
        registry.setEndpoints(vendorId, new string[](9));
    }

    function test_RevertWhen_AnEndpointIsEmptyOrTooLong() public {
        string[] memory endpoints = new string[](2);
        endpoints[0] = "http://vendor.example";
        vm.startPrank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_EndpointLength.selector, 1, 0, 256));
        registry.setEndpoints(vendorId, endpoints);
        endpoints[1] = text(257);
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_EndpointLength.selector, 1, 257, 256));
        registry.setEndpoints(vendorId, endpoints);
        IVendorRegistry.VendorInput memory input = vendorInput();
        input.endpoints = endpoints;
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_EndpointLength.selector, 1, 257, 256));
        registry.register(input);
        endpoints[0] = "";
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_EndpointLength.selector, 0, 0, 256));
        registry.setEndpoints(vendorId, endpoints);
    }

    function test_RevertWhen_ProfileIsTooLong() public {
        bytes memory refusal = abi.encodeWithSelector(
            IVendorRegistry.VendorRegistry_ProfileTooLong.selector,
            4097,
            4096
        );
        IVendorRegistry.VendorInput memory input = vendorInput();
        input.profile = text(4097);
        vm.expectRevert(refusal);
        registry.register(input);
        vm.prank(OWNER);
        vm.expectRevert(refusal);
        registry.setProfile(vendorId, input.profile);
    }

    function test_SetEndpoints_ReplacesThemAll() public {
        string[] memory endpoints = new string[](1);
        endpoints[0] = "http://longer-than-one-storage-slot.vendor.example:8080";
        vm.expectEmit(address(registry));
        emit IVendorRegistry.EndpointsChanged(vendorId, VERSION + 1, endpoints);
        vm.prank(OPERATOR);
        registry.setEndpoints(vendorId, endpoints);
        vm.assertEq(abi.encode(vendor().endpoints), abi.encode(endpoints), "endpoints");
    }

    function test_SetKeys_ReplacesBoth() public {
        vm.expectEmit(address(registry));
        emit IVendorRegistry.KeysChanged(vendorId, VERSION + 1, keccak256("s2"), keccak256("e2"));
        vm.prank(OPERATOR);
        registry.setKeys(vendorId, keccak256("s2"), keccak256("e2"));
        vm.assertEq(vendor().signingKey, keccak256("s2"), "signingKey");
        vm.assertEq(vendor().encryptionKey, keccak256("e2"), "encryptionKey");
    }

    function test_SetProfile_ReplacesIt() public {
        vm.expectEmit(address(registry));
        emit IVendorRegistry.ProfileChanged(vendorId, VERSION + 1, "{}");
        vm.prank(OPERATOR);
        registry.setProfile(vendorId, "{}");
        vm.assertEq(vendor().profile, "{}", "profile");
    }

    function test_SetActive_ClosesAndOpensAllPlans() public {
        vm.startPrank(OPERATOR);
        vm.expectEmit(address(registry));
        emit IVendorRegistry.ActiveChanged(vendorId, VERSION + 1, false);
        registry.setActive(vendorId, false);
        vm.assertTrue(!vendor().active, "inactive");
        vm.assertTrue(!registry.terms(vendorId, streamedPlan).forSale, "not for sale");
        vm.expectEmit(address(registry));
        emit IVendorRegistry.ActiveChanged(vendorId, VERSION + 2, true);
        registry.setActive(vendorId, true);
        vm.assertTrue(vendor().active, "active");
        vm.assertTrue(registry.terms(vendorId, streamedPlan).forSale, "for sale");
    }

    function test_SetOperator_ReplacesIt() public {
        vm.expectEmit(address(registry));
        emit IVendorRegistry.OperatorChanged(vendorId, VERSION + 1, STRANGER);
        vm.prank(OWNER);
        registry.setOperator(vendorId, STRANGER);
        vm.assertEq(vendor().operator, STRANGER, "operator");
        vm.prank(OPERATOR);
        vm.expectRevert(refusesOperator(OPERATOR));
        registry.setActive(vendorId, false);
    }

    function test_SetPayout_ReplacesIt() public {
        vm.expectEmit(address(registry));
        emit IVendorRegistry.PayoutChanged(vendorId, VERSION + 1, STRANGER);
        vm.prank(OWNER);
        registry.setPayout(vendorId, STRANGER);
        vm.assertEq(vendor().payout, STRANGER, "payout");
        vm.assertEq(registry.terms(vendorId, streamedPlan).payout, STRANGER, "payout in terms");
    }

    function test_TransferOwnership_TakesEffectWhenAccepted() public {
        vm.expectEmit(address(registry));
        emit IVendorRegistry.OwnershipTransferStarted(vendorId, VERSION + 1, STRANGER);
        vm.prank(OWNER);
        registry.transferOwnership(vendorId, STRANGER);
        vm.assertEq(vendor().owner, OWNER, "owner before");
        vm.assertEq(vendor().pendingOwner, STRANGER, "pendingOwner before");

        vm.expectEmit(address(registry));
        emit IVendorRegistry.OwnershipTransferred(vendorId, VERSION + 2, STRANGER);
        vm.prank(STRANGER);
        registry.acceptOwnership(vendorId);
        vm.assertEq(vendor().owner, STRANGER, "owner after");
        vm.assertEq(vendor().pendingOwner, address(0), "pendingOwner after");
        vm.prank(OWNER);
        vm.expectRevert(refusesOwner(OWNER));
        registry.setPayout(vendorId, OWNER);
    }

    function test_TransferOwnership_IsTakenBackByZero() public {
        vm.startPrank(OWNER);
        registry.transferOwnership(vendorId, STRANGER);
        registry.transferOwnership(vendorId, address(0));
        vm.stopPrank();
        vm.prank(STRANGER);
        vm.expectRevert(
            abi.encodeWithSelector(IVendorRegistry.VendorRegistry_NotPendingOwner.selector, vendorId, STRANGER)
        );
        registry.acceptOwnership(vendorId);
    }

    function testFuzz_AddPlan_StoresAllThatWasGiven(bool isStreamed) public {
        IVendorRegistry.PlanInput memory input = IVendorRegistry.PlanInput({
            token: address(0x70CE),
            price: type(uint128).max,
            periodSeconds: type(uint32).max,
            maxPeriods: type(uint16).max,
            settlement: isStreamed ? IVendorRegistry.Settlement.Streamed : IVendorRegistry.Settlement.Instant,
            title: text(256)
        });
        vm.expectEmit(address(registry));
        emit IVendorRegistry.PlanAdded(
            vendorId,
            3,
            VERSION + 1,
            input.token,
            input.price,
            input.periodSeconds,
            input.maxPeriods,
            input.settlement,
            input.title
        );
        vm.prank(OPERATOR);
        uint32 planId = registry.addPlan(vendorId, input);

        vm.assertEq(planId, 3, "planId");
        vm.assertEq(vendor().planCount, 3, "planCount");
        vm.assertEq(abi.encode(registry.plan(vendorId, 3)), abi.encode(asPlan(input, true)), "plan");
        vm.assertEq(
            abi.encode(registry.terms(vendorId, 3)),
            abi.encode(
                IVendorRegistry.Terms({
                    payout: PAYOUT,
                    token: input.token,
                    price: input.price,
                    periodSeconds: input.periodSeconds,
                    maxPeriods: input.maxPeriods,
                    settlement: input.settlement,
                    forSale: true
                })
            ),
            "terms"
        );
    }

    function test_RevertWhen_PlanLacksPricePeriodOrMaxPeriods() public {
        IVendorRegistry.PlanInput memory input = planInput(IVendorRegistry.Settlement.Streamed);
        vm.startPrank(OWNER);
        input.price = 0;
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_ZeroPrice.selector));
        registry.addPlan(vendorId, input);
        input.price = 1;
        input.periodSeconds = 0;
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_ZeroPeriod.selector));
        registry.addPlan(vendorId, input);
        input.periodSeconds = 1;
        input.maxPeriods = 0;
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_ZeroMaxPeriods.selector));
        registry.addPlan(vendorId, input);
        input.maxPeriods = 1;
        registry.addPlan(vendorId, input);
    }

    function test_RevertWhen_TitleIsTooLong() public {
        IVendorRegistry.PlanInput memory input = planInput(IVendorRegistry.Settlement.Streamed);
        input.title = text(257);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IVendorRegistry.VendorRegistry_TitleTooLong.selector, 257, 256));
        registry.addPlan(vendorId, input);
    }

    function test_SetPlanOnSale_ChangesThatPlanOnly() public {
        vm.startPrank(OPERATOR);
        vm.expectEmit(address(registry));
        emit IVendorRegistry.PlanSaleChanged(vendorId, streamedPlan, VERSION + 1, false);
        registry.setPlanOnSale(vendorId, streamedPlan, false);
        vm.assertEq(
            abi.encode(registry.plan(vendorId, streamedPlan)),
            abi.encode(asPlan(planInput(IVendorRegistry.Settlement.Streamed), false)),
            "plan"
        );
        vm.assertTrue(!registry.terms(vendorId, streamedPlan).forSale, "not for sale");
        vm.assertTrue(registry.terms(vendorId, instantPlan).forSale, "the other stays for sale");
        vm.expectEmit(address(registry));
        emit IVendorRegistry.PlanSaleChanged(vendorId, streamedPlan, VERSION + 2, true);
        registry.setPlanOnSale(vendorId, streamedPlan, true);
        vm.assertTrue(registry.terms(vendorId, streamedPlan).forSale, "for sale again");
    }

    function test_Listing_IsTheVendorAndItsPlansInOrder() public view {
        (IVendorRegistry.Vendor memory listed, IVendorRegistry.Plan[] memory plans) = registry.listing(vendorId);
        vm.assertEq(abi.encode(listed), abi.encode(vendor()), "vendor");
        vm.assertEq(plans.length, 2, "plans");
        vm.assertEq(abi.encode(plans[0]), abi.encode(registry.plan(vendorId, streamedPlan)), "first plan");
        vm.assertEq(abi.encode(plans[1]), abi.encode(registry.plan(vendorId, instantPlan)), "second plan");
    }

    function test_Payments_BelongsToTheRegistry() public view {
        vm.assertEq(address(payments.registry()), address(registry), "registry of payments");
    }

    function test_RevertWhen_VendorIsUnknown() public {
        for (uint64 id = 0; id < 4; id += 2) {
            bytes memory refusal = abi.encodeWithSelector(IVendorRegistry.VendorRegistry_UnknownVendor.selector, id);
            bytes[] memory calls = ownerCalls(id);
            for (uint256 i = 0; i < calls.length; ++i) assertRefused(OWNER, calls[i], refusal);
            calls = operatorCalls(id);
            for (uint256 i = 0; i < calls.length; ++i) assertRefused(OWNER, calls[i], refusal);
            assertRefused(OWNER, abi.encodeCall(registry.acceptOwnership, (id)), refusal);
            assertRefused(OWNER, abi.encodeCall(registry.vendor, (id)), refusal);
            assertRefused(OWNER, abi.encodeCall(registry.listing, (id)), refusal);
            assertRefused(OWNER, abi.encodeCall(registry.plan, (id, 1)), refusal);
            assertRefused(OWNER, abi.encodeCall(registry.terms, (id, 1)), refusal);
            assertRefused(OWNER, abi.encodeCall(registry.payee, (id)), refusal);
        }
    }

    function test_RevertWhen_PlanIsUnknown() public {
        for (uint32 id = 0; id < 6; id += 3) {
            bytes memory refusal = abi.encodeWithSelector(
                IVendorRegistry.VendorRegistry_UnknownPlan.selector,
                vendorId,
                id
            );
            assertRefused(OWNER, abi.encodeCall(registry.setPlanOnSale, (vendorId, id, true)), refusal);
            assertRefused(OWNER, abi.encodeCall(registry.plan, (vendorId, id)), refusal);
            assertRefused(OWNER, abi.encodeCall(registry.terms, (vendorId, id)), refusal);
        }
    }

    function test_RevertWhen_OperatorActsAsOwner() public {
        bytes[] memory calls = ownerCalls(vendorId);
        for (uint256 i = 0; i < calls.length; ++i) assertRefused(OPERATOR, calls[i], refusesOwner(OPERATOR));
    }

    function testFuzz_RevertWhen_CallerIsNeitherOwnerNorOperator(address caller) public {
        // No transaction comes from the zero account.
        vm.assume(caller != OWNER && caller != OPERATOR && caller != address(0));
        bytes[] memory calls = ownerCalls(vendorId);
        for (uint256 i = 0; i < calls.length; ++i) assertRefused(caller, calls[i], refusesOwner(caller));
        calls = operatorCalls(vendorId);
        for (uint256 i = 0; i < calls.length; ++i) assertRefused(caller, calls[i], refusesOperator(caller));
        assertRefused(
            caller,
            abi.encodeCall(registry.acceptOwnership, (vendorId)),
            abi.encodeWithSelector(IVendorRegistry.VendorRegistry_NotPendingOwner.selector, vendorId, caller)
        );
        vm.assertEq(vendor().version, VERSION, "version");
    }

    function test_Version_RisesByOneWithEachChange() public {
        uint32 version = VERSION;
        bytes[] memory calls = operatorCalls(vendorId);
        for (uint256 i = 0; i < calls.length; ++i) {
            assertAccepted(i % 2 == 0 ? OPERATOR : OWNER, calls[i]);
            vm.assertEq(vendor().version, ++version, "version");
        }
        calls = ownerCalls(vendorId);
        for (uint256 i = 0; i < calls.length; ++i) {
            assertAccepted(OWNER, calls[i]);
            vm.assertEq(vendor().version, ++version, "version");
        }
    }

    function test_OneVendor_CannotChangeAnother() public {
        vm.prank(STRANGER);
        uint64 other = registry.register(vendorInput());
        vm.prank(STRANGER);
        registry.addPlan(other, planInput(IVendorRegistry.Settlement.Instant));
        vm.prank(STRANGER);
        vm.expectRevert(refusesOperator(STRANGER));
        registry.setPlanOnSale(vendorId, streamedPlan, false);
        vm.assertTrue(
            registry.plan(vendorId, 1).settlement == IVendorRegistry.Settlement.Streamed,
            "plan ids are each vendor's own"
        );
    }

    function testFuzz_AddPlan_TermsTellWhatThePlanSays(
        address token,
        uint128 price,
        uint32 periodSeconds,
        uint16 maxPeriods,
        bool streamed
    ) public {
        IVendorRegistry.PlanInput memory input = IVendorRegistry.PlanInput({
            token: token,
            price: uint128(within(price, 1, type(uint128).max)),
            periodSeconds: uint32(within(periodSeconds, 1, type(uint32).max)),
            maxPeriods: uint16(within(maxPeriods, 1, type(uint16).max)),
            settlement: streamed ? IVendorRegistry.Settlement.Streamed : IVendorRegistry.Settlement.Instant,
            title: "Any"
        });
        vm.prank(OWNER);
        uint32 planId = registry.addPlan(vendorId, input);
        IVendorRegistry.Terms memory terms = registry.terms(vendorId, planId);
        vm.assertEq(terms.token, input.token, "token");
        vm.assertEq(terms.price, input.price, "price");
        vm.assertEq(terms.periodSeconds, input.periodSeconds, "periodSeconds");
        vm.assertEq(terms.maxPeriods, input.maxPeriods, "maxPeriods");
        vm.assertTrue(terms.settlement == input.settlement, "settlement");
        vm.assertEq(abi.encode(registry.plan(vendorId, planId)), abi.encode(asPlan(input, true)), "plan");
    }

    /// @dev One call to each function that the owner alone may use.
    function ownerCalls(uint64 id) private view returns (bytes[] memory calls) {
        calls = new bytes[](3);
        calls[0] = abi.encodeCall(registry.setOperator, (id, STRANGER));
        calls[1] = abi.encodeCall(registry.setPayout, (id, STRANGER));
        calls[2] = abi.encodeCall(registry.transferOwnership, (id, STRANGER));
    }

    /// @dev One call to each function that the operator may use too.
    function operatorCalls(uint64 id) private view returns (bytes[] memory calls) {
        calls = new bytes[](6);
        calls[0] = abi.encodeCall(registry.setEndpoints, (id, new string[](0)));
        calls[1] = abi.encodeCall(registry.setKeys, (id, KEY, KEY));
        calls[2] = abi.encodeCall(registry.setProfile, (id, ""));
        calls[3] = abi.encodeCall(registry.setActive, (id, true));
        calls[4] = abi.encodeCall(registry.addPlan, (id, planInput(IVendorRegistry.Settlement.Instant)));
        calls[5] = abi.encodeCall(registry.setPlanOnSale, (id, 1, true));
    }

    function assertRefused(address caller, bytes memory data, bytes memory refusal) private {
        vm.prank(caller);
        (bool accepted, bytes memory answer) = address(registry).call(data);
        vm.assertTrue(!accepted, "accepted");
        vm.assertEq(answer, refusal, "refusal");
    }

    function assertAccepted(address caller, bytes memory data) private {
        vm.prank(caller);
        (bool accepted, ) = address(registry).call(data);
        vm.assertTrue(accepted, "refused");
    }

    function vendor() private view returns (IVendorRegistry.Vendor memory) {
        return registry.vendor(vendorId);
    }

    function refusesOwner(address caller) private view returns (bytes memory) {
        return abi.encodeWithSelector(IVendorRegistry.VendorRegistry_NotOwner.selector, vendorId, caller);
    }

    function refusesOperator(address caller) private view returns (bytes memory) {
        return abi.encodeWithSelector(IVendorRegistry.VendorRegistry_NotOwnerOrOperator.selector, vendorId, caller);
    }

    function asPlan(
        IVendorRegistry.PlanInput memory input,
        bool onSale
    ) private pure returns (IVendorRegistry.Plan memory) {
        return
            IVendorRegistry.Plan({
                token: input.token,
                price: input.price,
                periodSeconds: input.periodSeconds,
                maxPeriods: input.maxPeriods,
                settlement: input.settlement,
                onSale: onSale,
                title: input.title
            });
    }

    function text(uint256 length) private pure returns (string memory) {
        bytes memory filled = new bytes(length);
        for (uint256 i = 0; i < length; ++i) filled[i] = "x";
        return string(filled);
    }
}
