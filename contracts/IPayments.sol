// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IVendorRegistry} from "./IVendorRegistry.sol";

/// @title Orders: time bought in the name of a key
/// @notice A buyer pays for periods of a plan in the name of an RSA key; the vendor hands credentials to whoever holds
/// that key. The pair (key, plan) is the order, and buying again extends it. There is no admin and no fee.
/// @dev Deployed by the registry it belongs to, which vouches for it by `IVendorRegistry.payments()`.
interface IPayments {
    /// @notice An order as it stands now.
    /// @param controller Who may cancel; zero for `Instant` orders, where nothing can be returned
    /// @param startedAt Unix seconds at which the current run began; zero if it was never bought
    /// @param endsAt Unix seconds at which the paid time ends; a cancelled order ends when it was cancelled
    /// @param periods Periods paid for in the current run
    /// @param cancelled Whether the current run was cancelled
    /// @param earned Smallest units that the vendor can withdraw now
    /// @param refundable Smallest units that the controller would get back now
    struct Order {
        address controller;
        uint40 startedAt;
        uint40 endsAt;
        uint32 periods;
        bool cancelled;
        uint128 earned;
        uint128 refundable;
    }

    /// @notice Periods were bought, new or as an extension.
    /// @param startedAt Start of the run that this belongs to, unix seconds: earlier than this block in an extension
    /// @param endsAt End of the paid time after this purchase, unix seconds
    /// @param amount Smallest units of the plan's token paid by this purchase
    event OrderPaid(
        bytes32 indexed orderId,
        uint64 indexed vendorId,
        bytes32 indexed keyHash,
        uint32 planId,
        uint16 periods,
        uint40 startedAt,
        uint40 endsAt,
        uint128 amount,
        address controller
    );

    /// @notice An order was cancelled; it ends now.
    /// @param refunded Smallest units sent to `refundTo`
    /// @param endsAt Unix seconds of this block
    event OrderCancelled(
        bytes32 indexed orderId,
        uint64 indexed vendorId,
        address refundTo,
        uint128 refunded,
        uint40 endsAt
    );

    /// @notice Earned money left for the vendor's payout account.
    event OrderWithdrawn(bytes32 indexed orderId, uint64 indexed vendorId, address payout, uint128 amount);

    /// @notice The vendor is inactive or the plan off sale.
    error Payments_NotForSale(uint64 vendorId, uint32 planId);
    /// @notice The plan's price is in a token, which cannot be paid here.
    error Payments_TokenUnsupported(address token);
    /// @notice The buyer's key is zero.
    error Payments_ZeroKey();
    /// @notice At least one period has to be bought.
    error Payments_ZeroPeriods();
    /// @notice A `Streamed` order needs an account that may cancel it.
    error Payments_ZeroController();
    /// @notice A refund needs an account to go to.
    error Payments_ZeroRefundTo();
    /// @notice The value sent is not `price * periods`, in smallest units.
    error Payments_WrongValue(uint256 given, uint256 due);
    /// @notice The order could come to owe more than uint128 holds, in smallest units.
    error Payments_AmountTooLarge(uint256 amount);
    /// @notice Paid time would end after the `latest` second that the plan's `maxPeriods`, or uint40, allows.
    error Payments_TooFarAhead(uint256 endsAt, uint256 latest);
    /// @notice The order is running and somebody else may cancel it.
    error Payments_ControllerMismatch(bytes32 orderId, address given, address expected);
    /// @notice Nothing was ever bought under this id.
    error Payments_UnknownOrder(bytes32 orderId);
    /// @notice The caller may not cancel this order; nobody may cancel an `Instant` one.
    error Payments_NotController(bytes32 orderId, address caller);
    /// @notice The order ended at `endsAt`, unix seconds.
    error Payments_OrderOver(bytes32 orderId, uint40 endsAt);
    /// @notice The account did not take the money, in smallest units.
    error Payments_TransferFailed(address to, uint256 amount);
    /// @notice An account being paid called back.
    error Payments_Reentered();

    /// @notice Buys periods of a plan in the name of a key, or extends the order by them.
    /// @dev `msg.value` is exactly `price * periods`. Whoever sends this pays; only `controller` can cancel.
    /// @param keyHash SHA-256(SHA-256(ASCII of the JWK's `n`)) of the buyer's RSA key
    /// @param controller Who may cancel; must equal that of an order still running. Ignored for `Instant`
    /// @return orderId keccak256(abi.encode(vendorId, planId, keyHash))
    /// @return endsAt Unix seconds at which the paid time ends
    function buy(
        uint64 vendorId,
        uint32 planId,
        bytes32 keyHash,
        uint16 periods,
        address controller
    ) external payable returns (bytes32 orderId, uint40 endsAt);

    /// @notice Ends a running `Streamed` order and returns what is not yet earned. Only by its controller.
    /// @param refundTo Any account; the money is sent at once
    /// @return refunded Smallest units
    function cancel(bytes32 orderId, address refundTo) external returns (uint128 refunded);

    /// @notice Pays what is earned to the vendors' payout accounts. By anyone; nothing due is not an error.
    function withdraw(bytes32[] calldata orderIds) external;

    /// @notice The registry that this contract reads plans from.
    function registry() external view returns (IVendorRegistry);

    /// @notice keccak256(abi.encode(vendorId, planId, keyHash)).
    function orderIdOf(uint64 vendorId, uint32 planId, bytes32 keyHash) external pure returns (bytes32);

    /// @notice The order of a key for a plan; all zero if it was never bought.
    function order(uint64 vendorId, uint32 planId, bytes32 keyHash) external view returns (Order memory);
}
