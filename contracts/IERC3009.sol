// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title The part of EIP-3009 that Payments calls
/// @notice Transfers that their payer signs and only their receiver can carry out.
interface IERC3009 {
    /// @notice Moves `value` from its signer to the caller, which `to` must be. Each nonce of a payer works once.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice The same with a signature of any form, as tokens that serve contract wallets have it.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;
}
