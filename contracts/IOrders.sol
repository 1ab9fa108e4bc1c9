// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title Orders: time bought in the name of a key
/// @notice A buyer pays for periods of a plan in the name of an RSA key; the vendor hands credentials to whoever holds
/// that key. The pair (key, plan) is the order, and buying again extends it. There is no admin and no fee.
interface IOrders {
    /// @notice A purchase that its payer signs, so that anyone may send it.
    /// @dev EIP-712 type `Purchase`, with these members in this order.
    /// @param vendorId Whose plan
    /// @param planId A plan priced in an ERC-20
    /// @param keyHash SHA-256(SHA-256(ASCII of the JWK's `n`)) of the buyer's RSA key
    /// @param periods How many periods
    /// @param controller Who may cancel; ignored for `Instant`
    /// @param payer Who pays and signs
    /// @param amount `price * periods`, in the token's smallest unit: what the payer sees when it signs
    /// @param salt Any value that makes this purchase another than an equal one
    /// @param deadline Unix seconds up to which it may be sent; with an EIP-3009 authorisation, before which
    struct Purchase {
        uint64 vendorId;
        uint32 planId;
        bytes32 keyHash;
        uint16 periods;
        address controller;
        address payer;
        uint128 amount;
        bytes32 salt;
        uint256 deadline;
    }

    /// @notice An order as it stands now.
    /// @param controller Who may cancel; zero for `Instant` orders, where nothing can be returned
    /// @param startedAt Unix seconds at which the current run began; zero if it was never bought
    /// @param endsAt Unix seconds at which the paid time ends; a cancelled order ends when it was cancelled
    /// @param periods Periods paid for in the current run
    /// @param cancelled Whether the current run was cancelled, by its controller or its vendor
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

    /// @notice The vendor gave money of an order back; an order that was running ends now.
    /// @param refundTo The order's controller
    /// @param refunded Smallest units sent to `refundTo`
    /// @param endsAt Unix seconds at which the order ended, in this block or before
    event OrderRefunded(
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
    /// @notice The buyer's key is zero.
    error Payments_ZeroKey();
    /// @notice At least one period has to be bought.
    error Payments_ZeroPeriods();
    /// @notice A `Streamed` order needs an account that may cancel it.
    error Payments_ZeroController();
    /// @notice The signed amount is not `price * periods`, in smallest units.
    error Payments_WrongAmount(uint256 given, uint256 due);
    /// @notice The order could come to owe more than uint128 holds, in smallest units.
    error Payments_AmountTooLarge(uint256 amount);
    /// @notice Paid time would end after the `latest` second that the plan's `maxPeriods`, or uint40, allows.
    error Payments_TooFarAhead(uint256 endsAt, uint256 latest);
    /// @notice The order is running and somebody else may cancel it.
    error Payments_ControllerMismatch(bytes32 orderId, address given, address expected);
    /// @notice Nothing was ever bought under this id; for a vendor's refund also: the order is `Instant`.
    error Payments_UnknownOrder(bytes32 orderId);
    /// @notice The caller may not cancel this order; nobody may cancel an `Instant` one.
    error Payments_NotController(bytes32 orderId, address caller);
    /// @notice The order ended at `endsAt`, unix seconds.
    error Payments_OrderOver(bytes32 orderId, uint40 endsAt);
    /// @notice The signature is for the run that began at `given`, unix seconds; the order is in another.
    error Payments_AnotherRun(bytes32 orderId, uint40 given, uint40 startedAt);
    /// @notice The vendor can give back no more than `max`, in smallest units: what it has earned and not withdrawn.
    error Payments_RefundTooLarge(uint256 given, uint256 max);

    /// @notice Buys periods of a plan in the name of a key, or extends the order by them.
    /// @dev The caller pays: `msg.value` is exactly `price * periods` in the native coin; with a token it is zero and
    /// the caller's allowance is used. Only `controller` can cancel.
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

    /// @notice Buys what the payer signed, out of the payer's allowance. By anyone.
    /// @dev An EIP-2612 permit of exactly `amount` until `deadline` is tried first. That it fails is no failure by
    /// itself, since whoever sees it can carry it out before us: then the allowance is there. None is not tried.
    /// @param permit Signature of the permit: r, s, v; 65 bytes or none
    /// @param signature Of `purchase` by its payer
    function buyWithPermit(
        Purchase calldata purchase,
        bytes calldata permit,
        bytes calldata signature
    ) external returns (bytes32 orderId, uint40 endsAt);

    /// @notice Buys by an EIP-3009 `receiveWithAuthorization` of the payer, which needs no other signature. By anyone.
    /// @dev The authorisation is of `amount`, to this contract, valid after 0 and before `deadline`. Its nonce is the
    /// EIP-712 digest of `purchase`, so that whoever sends it cannot change what is bought.
    /// @param authorization Signature of the authorisation: r, s, v, or what the token asks of a contract wallet
    function buyWithAuthorization(
        Purchase calldata purchase,
        bytes calldata authorization
    ) external returns (bytes32 orderId, uint40 endsAt);

    /// @notice Ends a running `Streamed` order and returns what is not yet earned. Only by its controller.
    /// @param refundTo Any account; the money is sent at once
    /// @return refunded Smallest units
    function cancel(bytes32 orderId, address refundTo) external returns (uint128 refunded);

    /// @notice `cancel` by the controller's signature. By anyone.
    /// @dev EIP-712 type `Cancellation(bytes32 orderId,uint40 startedAt,address refundTo,uint256 deadline)`.
    /// @param startedAt Start of the run that is cancelled, unix seconds: no later run can be meant
    /// @param deadline Unix seconds up to which it may be sent
    function cancelWithSignature(
        bytes32 orderId,
        uint40 startedAt,
        address refundTo,
        uint256 deadline,
        bytes calldata signature
    ) external returns (uint128 refunded);

    /// @notice Gives the controller of a `Streamed` order its money back: all that is not earned, and `extra` out of
    /// what was earned in this run and not withdrawn. An order that is running ends. By the vendor's owner or operator.
    /// @param extra Smallest units
    /// @return refunded Smallest units
    function vendorRefund(bytes32 orderId, uint128 extra) external returns (uint128 refunded);

    /// @notice Pays what is earned to the vendors' payout accounts, one transfer for each vendor and token. By anyone;
    /// nothing due is not an error.
    /// @dev What a payout account does not take within 300,000 gas is kept for its vendor, and the others are paid.
    function withdraw(bytes32[] calldata orderIds) external;

    /// @notice keccak256(abi.encode(vendorId, planId, keyHash)).
    function orderIdOf(uint64 vendorId, uint32 planId, bytes32 keyHash) external pure returns (bytes32);

    /// @notice The order of a key for a plan; all zero if it was never bought.
    function order(uint64 vendorId, uint32 planId, bytes32 keyHash) external view returns (Order memory);

    /// @notice Orders by their ids, in the same sequence; all zero where nothing was ever bought.
    function orders(bytes32[] calldata orderIds) external view returns (Order[] memory);
}
