// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {ChroveFixture} from "./test/ChroveFixture.t.sol";

/// @dev What other contracts ask a registry.
contract VendorRegistryViewsTest is ChroveFixture {
    function test_Payee_TellsThePayoutAndWhetherTheVendorIsActive() public {
        assertPayee(PAYOUT, true);
        vm.startPrank(OWNER);
        registry.setActive(vendorId, false);
        assertPayee(PAYOUT, false);
        registry.setPayout(vendorId, STRANGER);
        assertPayee(STRANGER, false);
    }

    function test_IsAuthority_IsTheOwnerOrTheOperator() public {
        assertAuthorities(OWNER, OPERATOR);
        vm.startPrank(OWNER);
        registry.transferOwnership(vendorId, STRANGER);
        assertAuthorities(OWNER, OPERATOR); // an offer makes none
        registry.setOperator(vendorId, BUYER);
        vm.stopPrank();
        assertAuthorities(OWNER, BUYER);
        vm.prank(STRANGER);
        registry.acceptOwnership(vendorId);
        assertAuthorities(STRANGER, BUYER);
    }

    /// @dev A vendor without an operator, or that does not exist, has zero in its place.
    function test_IsAuthority_IsNeverTheZeroAccount() public {
        vm.prank(OWNER);
        registry.setOperator(vendorId, address(0));
        vm.assertTrue(!registry.isAuthority(vendorId, address(0)), "of a vendor without an operator");
        vm.assertTrue(!registry.isAuthority(vendorId, OPERATOR), "the operator before");
        vm.assertTrue(!registry.isAuthority(99, address(0)), "of an unknown vendor");
        vm.assertTrue(!registry.isAuthority(99, OWNER), "another's owner");
    }

    function test_SupportsInterface_RecognisesARegistry() public view {
        IERC165 asked = IERC165(address(registry));
        vm.assertTrue(asked.supportsInterface(type(IVendorRegistry).interfaceId), "IVendorRegistry");
        vm.assertTrue(asked.supportsInterface(0x01ffc9a7), "ERC-165");
        vm.assertTrue(!asked.supportsInterface(0xffffffff), "what none supports");
        vm.assertTrue(!asked.supportsInterface(0), "zero");
    }

    function assertPayee(address payout, bool active) private view {
        (address givenPayout, bool givenActive) = registry.payee(vendorId);
        vm.assertEq(givenPayout, payout, "payout");
        vm.assertTrue(givenActive == active, "active");
    }

    function assertAuthorities(address owner, address operator) private view {
        address[5] memory all = [OWNER, OPERATOR, STRANGER, BUYER, PAYOUT];
        for (uint256 i = 0; i < all.length; ++i) {
            bool expected = all[i] == owner || all[i] == operator;
            vm.assertTrue(registry.isAuthority(vendorId, all[i]) == expected, "authority");
        }
    }
}
