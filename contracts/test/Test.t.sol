// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Vm} from "./Vm.t.sol";

/// @dev What every test contract stands on.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev Deploys the bytecode that ships, as the build left it, so that tests see exactly that.
    function deploy(string memory artifact) internal returns (address deployed) {
        bytes memory code = vm.getCode(artifact);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
        }
        vm.assertTrue(deployed != address(0), artifact);
    }

    function nowSeconds() internal view returns (uint40) {
        return uint40(block.timestamp);
    }

    function skip(uint256 seconds_) internal {
        vm.warp(block.timestamp + seconds_);
    }

    /// @dev r, s, v; 65 bytes.
    function sign(uint256 privateKey, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(privateKey, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev A value in the range, each about equally likely.
    function within(uint256 seed, uint256 min, uint256 max) internal pure returns (uint256) {
        uint256 size = max - min;
        return size == type(uint256).max ? seed : min + (seed % (size + 1));
    }
}
