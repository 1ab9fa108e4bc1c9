// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IVendorRegistry} from "./IVendorRegistry.sol";

/// @title Money in and out
/// @notice What orders and payment channels share: the native coin and any ERC-20 that moves exactly what it is told,
/// signatures that work once, and payouts that never stand in each other's way.
/// @dev A token is its contract's address; zero is the native coin. Amounts are in the token's smallest unit.
interface IMoney {
    /// @notice A vendor's payout account did not take its money, which is kept for the vendor. See `redeliver`.
    event PayoutKept(uint64 indexed vendorId, address indexed token, address payout, uint256 amount);

    /// @notice Money that was kept for a vendor reached its payout account.
    event PayoutRedelivered(uint64 indexed vendorId, address indexed token, address payout, uint256 amount);

    /// @notice The value sent is not the amount due in the native coin, which is zero where a token is paid.
    error Payments_WrongValue(uint256 given, uint256 due);
    /// @notice The native coin has neither permits nor authorisations.
    error Payments_NotAToken();
    /// @notice The token moved another amount than it was told: it takes a fee, or rebases.
    error Payments_TokenInexact(address token, uint256 received, uint256 expected);
    /// @notice The account did not take the money, or is this contract itself.
    error Payments_TransferFailed(address token, address to, uint256 amount);
    /// @notice Too little gas for a payout to fail by its own fault. Send more.
    error Payments_GasTooLow();
    /// @notice An account or a token being called called back.
    error Payments_Reentered();
    /// @notice There is nothing to move.
    error Payments_ZeroAmount();
    /// @notice A refund needs an account to go to.
    error Payments_ZeroRefundTo();
    /// @notice The signed `deadline`, in unix seconds, is over.
    error Payments_SignatureExpired(uint256 deadline);
    /// @notice What was signed has been carried out already.
    error Payments_SignatureUsed(bytes32 digest);
    /// @notice This is not a signature by `signer` of the given message for this contract on this chain.
    error Payments_SignatureInvalid(address signer);
    /// @notice Only the vendor's owner or operator may do this.
    error Payments_NotVendor(uint64 vendorId, address caller);

    /// @notice The registry that this contract reads vendors and plans from; it deployed this contract.
    function registry() external view returns (IVendorRegistry);

    /// @notice Sends a vendor what its payout account once refused, to the account that it has now. By anyone.
    /// @return amount What was sent
    function redeliver(uint64 vendorId, address token) external returns (uint256 amount);

    /// @notice What is kept for a vendor because its payout account refused it.
    function kept(uint64 vendorId, address token) external view returns (uint256);

    /// @notice Whether a message with this EIP-712 digest has been carried out. Refunds of payment channels are not
    /// listed here: the channel counts them.
    function isUsed(bytes32 digest) external view returns (bool);
}
