// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title Payment channels: use paid by vouchers
/// @notice A payer deposits money that only one vendor can claim, by vouchers that the payer's signer gives it as the
/// service is used. A voucher states the total so far, so the last one is worth all. What is not used goes back: at
/// once when the vendor agrees, after a delay when it does not answer.
interface IPaymentChannels {
    /// @notice The immutable settings of a channel. Their EIP-712 hash is its id; type `Channel`, members as here.
    /// @param vendorId Who can claim
    /// @param payer Who may withdraw what is left, after the delay
    /// @param signer Who signs vouchers and says where refunds go; may be the payer
    /// @param token ERC-20; zero for the native coin
    /// @param withdrawDelay Seconds between a withdrawal's request and its end, in which the vendor claims what it is
    /// owed: 15 minutes to 30 days
    /// @param salt Any value; makes one channel another than an equal one
    struct ChannelSettings {
        uint64 vendorId;
        address payer;
        address signer;
        address token;
        uint32 withdrawDelay;
        bytes32 salt;
    }

    /// @notice A deposit that the channel's payer signs, so that anyone may send it.
    /// @dev EIP-712 type `Deposit(bytes32 channelId,uint128 amount,bytes32 salt,uint256 deadline)`.
    /// @param amount Smallest units
    /// @param salt Any value that makes this deposit another than an equal one
    /// @param deadline Unix seconds up to which it may be sent; with an EIP-3009 authorisation, before which
    struct Deposit {
        uint128 amount;
        bytes32 salt;
        uint256 deadline;
    }

    /// @notice A voucher to be cashed.
    /// @param cumulative All that the vendor may have from this channel, counted from its beginning; smallest units
    /// @param signature By the channel's signer, of `Voucher(bytes32 channelId,uint128 cumulative)`
    struct Claim {
        ChannelSettings settings;
        uint128 cumulative;
        bytes signature;
    }

    /// @notice What a vendor signs so that anyone may send it.
    /// @dev EIP-712 type `RefundApproval(bytes32 channelId,address to,uint128 amount,uint16 refunds,uint256 deadline)`,
    /// with the number of refunds that the channel has seen.
    /// @param to Any account that the channel's signer names
    /// @param amount Smallest units
    /// @param deadline Unix seconds up to which it may be sent
    /// @param approver Who signs: the vendor's owner or operator
    struct Refund {
        address to;
        uint128 amount;
        uint256 deadline;
        address approver;
    }

    /// @notice A channel as it stands now.
    /// @param balance Deposited less refunded and withdrawn, smallest units: the most that a voucher can be worth
    /// @param claimed Paid to the vendor so far, smallest units; never more than `balance`
    /// @param refunds How many refunds there were: part of what is signed for the next one
    /// @param withdrawTo Where a requested withdrawal goes; zero if none is requested
    /// @param withdrawableAt Unix seconds from which it can be finalized
    struct Channel {
        uint120 balance;
        uint120 claimed;
        uint16 refunds;
        address withdrawTo;
        uint40 withdrawableAt;
    }

    /// @notice Money came into a channel.
    /// @param amount Smallest units of this deposit
    /// @param balance Of the channel after it
    event ChannelDeposited(
        bytes32 indexed channelId,
        uint64 indexed vendorId,
        address indexed payer,
        address signer,
        address token,
        uint32 withdrawDelay,
        bytes32 salt,
        uint120 amount,
        uint120 balance
    );

    /// @notice A voucher was cashed, to the vendor's payout account.
    /// @param amount Smallest units that are new
    /// @param claimed Of the channel after it: what the voucher says
    event ChannelClaimed(bytes32 indexed channelId, uint64 indexed vendorId, uint120 amount, uint120 claimed);

    /// @notice Money went back by agreement; the balance is less by it.
    event ChannelRefunded(bytes32 indexed channelId, uint64 indexed vendorId, address to, uint120 amount);

    /// @notice The payer wants what is left. The vendor should claim now and stop serving this channel.
    event WithdrawalRequested(bytes32 indexed channelId, uint64 indexed vendorId, address to, uint40 withdrawableAt);

    /// @notice The payer has what was left.
    event ChannelWithdrawn(bytes32 indexed channelId, uint64 indexed vendorId, address to, uint120 amount);

    /// @notice The vendor is closed for new deposits.
    error Payments_VendorInactive(uint64 vendorId);
    /// @notice A channel needs both a payer and a signer.
    error Payments_ZeroParty();
    /// @notice The delay is outside its bounds, seconds.
    error Payments_WithdrawDelay(uint32 given, uint32 min, uint32 max);
    /// @notice The channel would hold more than uint120 counts, smallest units.
    error Payments_BalanceTooLarge(uint256 balance);
    /// @notice The voucher is worth no more than what was claimed already.
    error Payments_VoucherStale(bytes32 channelId, uint256 cumulative, uint256 claimed);
    /// @notice The amount is more than the channel has left to give, smallest units.
    error Payments_OverBalance(bytes32 channelId, uint256 given, uint256 max);
    /// @notice Only the channel's payer may do this.
    error Payments_NotPayer(bytes32 channelId, address caller);
    /// @notice No withdrawal is requested.
    error Payments_NotRequested(bytes32 channelId);
    /// @notice The withdrawal can be finalized from `withdrawableAt`, unix seconds.
    error Payments_TooEarly(bytes32 channelId, uint40 withdrawableAt);

    /// @notice Puts money into a channel, which exists by that. By anyone; the caller pays.
    /// @dev `msg.value` is exactly `amount` in the native coin; with a token it is zero and the caller's allowance is
    /// used.
    /// @param amount Smallest units
    function deposit(ChannelSettings calldata settings, uint128 amount) external payable returns (bytes32 channelId);

    /// @notice Puts in what the payer signed, out of the payer's allowance. By anyone. See `IOrders.buyWithPermit`.
    /// @param permit Signature of an EIP-2612 permit: r, s, v; 65 bytes or none
    /// @param signature Of the deposit, by the channel's payer
    function depositWithPermit(
        ChannelSettings calldata settings,
        Deposit calldata terms,
        bytes calldata permit,
        bytes calldata signature
    ) external returns (bytes32 channelId);

    /// @notice Puts in what the payer authorised by EIP-3009. By anyone. See `IOrders.buyWithAuthorization`.
    /// @dev The nonce of the authorisation is the EIP-712 digest of the deposit.
    function depositWithAuthorization(
        ChannelSettings calldata settings,
        Deposit calldata terms,
        bytes calldata authorization
    ) external returns (bytes32 channelId);

    /// @notice Cashes vouchers and pays the vendors, one transfer for each vendor and token. By anyone: the money goes
    /// to the vendors' payout accounts.
    /// @dev A voucher that is not good refuses the whole call and names its channel. A payout that fails does not: see
    /// `IOrders.withdraw`.
    /// Warning: a signer that is a contract can take its signature back. Vendors accept vouchers of plain keys only.
    function claim(Claim[] calldata claims) external;

    /// @notice Returns money that no voucher needs, by agreement of both sides. By the vendor's owner or operator.
    /// Warning: the vendor leaves enough in the channel for the vouchers that it has not cashed, or cashes them first.
    /// @param to Any account
    /// @param amount Smallest units, chosen by the vendor
    /// @param signature By the channel's signer, of `RefundRequest(bytes32 channelId,address to,uint16 refunds)` with
    /// the number of refunds that the channel has seen; may be empty when `to` is the payer
    function refund(ChannelSettings calldata settings, address to, uint128 amount, bytes calldata signature) external;

    /// @notice `refund` by the vendor's signature. By anyone.
    /// @param signature As in `refund`
    /// @param approval Signature of `terms` by the approver
    function refundWithSignature(
        ChannelSettings calldata settings,
        Refund calldata terms,
        bytes calldata signature,
        bytes calldata approval
    ) external;

    /// @notice Starts the delay after which the payer gets what is left. By the payer; again to start it anew.
    /// @param to Any account
    function requestWithdrawal(ChannelSettings calldata settings, address to) external;

    /// @notice `requestWithdrawal` by the payer's signature. By anyone.
    /// @dev EIP-712 type `WithdrawalRequest(bytes32 channelId,address to,uint256 deadline)`.
    function requestWithdrawalWithSignature(
        ChannelSettings calldata settings,
        address to,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice Sends what is left of a channel, once the delay of its withdrawal is over. By anyone.
    /// @return amount Smallest units
    function finalizeWithdrawal(ChannelSettings calldata settings) external returns (uint120 amount);

    /// @notice The id of a channel of these settings, whether it exists or not.
    function channelIdOf(ChannelSettings calldata settings) external view returns (bytes32);

    /// @notice Channels by their ids, in the same sequence; all zero where nothing was ever deposited.
    function channels(bytes32[] calldata channelIds) external view returns (Channel[] memory);
}
