// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IPaymentChannels} from "./IPaymentChannels.sol";
import {Money} from "./Money.sol";

/// @title Payment channels: use paid by vouchers
/// @notice See `IPaymentChannels`.
/// @dev Settings come with each call and hash to the channel's id, so that a channel is one slot of state. `claimed`
/// never falls and `balance` never falls below it, so a voucher once cashed is stale for good, whatever comes in or
/// goes out afterwards.
abstract contract PaymentChannels is IPaymentChannels, Money {
    struct Funds {
        // slot 0
        uint120 balance;
        uint120 claimed;
        uint16 refunds;
    }

    struct Withdrawal {
        // slot 1
        address to; // zero if none is requested
        uint40 withdrawableAt; // unix seconds
    }

    struct ChannelState {
        Funds funds; // slot 0
        Withdrawal withdrawal; // slot 1
    }

    uint32 private constant WITHDRAW_DELAY_MIN = 15 minutes;
    uint32 private constant WITHDRAW_DELAY_MAX = 30 days;

    bytes32 private constant CHANNEL_TYPEHASH = keccak256(
        "Channel(uint64 vendorId,address payer,address signer,address token,uint32 withdrawDelay,bytes32 salt)"
    );
    bytes32 private constant DEPOSIT_TYPEHASH = keccak256(
        "Deposit(bytes32 channelId,uint128 amount,bytes32 salt,uint256 deadline)"
    );
    bytes32 private constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint128 cumulative)");
    bytes32 private constant REFUND_REQUEST_TYPEHASH = keccak256(
        "RefundRequest(bytes32 channelId,address to,uint16 refunds)"
    );
    bytes32 private constant REFUND_APPROVAL_TYPEHASH = keccak256(
        "RefundApproval(bytes32 channelId,address to,uint128 amount,uint16 refunds,uint256 deadline)"
    );
    bytes32 private constant WITHDRAWAL_REQUEST_TYPEHASH = keccak256(
        "WithdrawalRequest(bytes32 channelId,address to,uint256 deadline)"
    );

    mapping(bytes32 channelId => ChannelState) private _channels;

    /// @inheritdoc IPaymentChannels
    function deposit(
        ChannelSettings calldata settings,
        uint128 amount
    ) external payable nonReentrant returns (bytes32 channelId) {
        channelId = channelIdOf(settings);
        _addDeposit(channelId, settings, amount);
        _collect(settings.token, address(this), amount);
    }

    /// @inheritdoc IPaymentChannels
    function depositWithPermit(
        ChannelSettings calldata settings,
        Deposit calldata terms,
        bytes calldata permit,
        bytes calldata signature
    ) external nonReentrant returns (bytes32 channelId) {
        channelId = channelIdOf(settings);
        _useSignature(settings.payer, _hashDeposit(channelId, terms), terms.deadline, signature);
        _addDeposit(channelId, settings, terms.amount);
        _collectByPermit(settings.token, settings.payer, address(this), terms.amount, terms.deadline, permit);
    }

    /// @inheritdoc IPaymentChannels
    function depositWithAuthorization(
        ChannelSettings calldata settings,
        Deposit calldata terms,
        bytes calldata authorization
    ) external nonReentrant returns (bytes32 channelId) {
        channelId = channelIdOf(settings);
        bytes32 nonce = _hashTypedDataV4(_hashDeposit(channelId, terms));
        _addDeposit(channelId, settings, terms.amount);
        _collectByAuthorization(
            settings.token,
            settings.payer,
            address(this),
            terms.amount,
            terms.deadline,
            nonce,
            authorization
        );
    }

    /// @inheritdoc IPaymentChannels
    function claim(Claim[] calldata claims) external nonReentrant {
        Payout[] memory payouts = new Payout[](claims.length);
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata given = claims[i];
            Payout memory payout = _payoutIn(payouts, given.settings.vendorId, given.settings.token);
            if (payout.to == address(0)) (payout.to, ) = registry.payee(given.settings.vendorId);
            payout.amount += _cash(given);
        }
        _sendOrKeepAll(payouts);
    }

    /// @inheritdoc IPaymentChannels
    function refund(
        ChannelSettings calldata settings,
        address to,
        uint128 amount,
        bytes calldata signature
    ) external nonReentrant {
        if (!registry.isAuthority(settings.vendorId, msg.sender)) {
            revert Payments_NotVendor(settings.vendorId, msg.sender);
        }
        _refund(channelIdOf(settings), settings, to, amount, signature);
    }

    /// @inheritdoc IPaymentChannels
    function refundWithSignature(
        ChannelSettings calldata settings,
        Refund calldata terms,
        bytes calldata signature,
        bytes calldata approval
    ) external nonReentrant {
        _checkDeadline(terms.deadline);
        if (!registry.isAuthority(settings.vendorId, terms.approver)) {
            revert Payments_NotVendor(settings.vendorId, terms.approver);
        }
        bytes32 channelId = channelIdOf(settings);
        uint16 refunds = _channels[channelId].funds.refunds;
        bytes32 structHash = keccak256(
            abi.encode(REFUND_APPROVAL_TYPEHASH, channelId, terms.to, terms.amount, refunds, terms.deadline)
        );
        _checkSignature(terms.approver, structHash, approval);
        _refund(channelId, settings, terms.to, terms.amount, signature);
    }

    /// @inheritdoc IPaymentChannels
    function requestWithdrawal(ChannelSettings calldata settings, address to) external nonReentrant {
        bytes32 channelId = channelIdOf(settings);
        if (msg.sender != settings.payer) revert Payments_NotPayer(channelId, msg.sender);
        _requestWithdrawal(channelId, settings, to);
    }

    /// @inheritdoc IPaymentChannels
    function requestWithdrawalWithSignature(
        ChannelSettings calldata settings,
        address to,
        uint256 deadline,
        bytes calldata signature
    ) external nonReentrant {
        bytes32 channelId = channelIdOf(settings);
        bytes32 structHash = keccak256(abi.encode(WITHDRAWAL_REQUEST_TYPEHASH, channelId, to, deadline));
        _useSignature(settings.payer, structHash, deadline, signature);
        _requestWithdrawal(channelId, settings, to);
    }

    /// @inheritdoc IPaymentChannels
    function finalizeWithdrawal(ChannelSettings calldata settings) external nonReentrant returns (uint120 amount) {
        bytes32 channelId = channelIdOf(settings);
        ChannelState storage state = _channels[channelId];
        Withdrawal memory withdrawal = state.withdrawal;
        if (withdrawal.to == address(0)) revert Payments_NotRequested(channelId);
        if (block.timestamp < withdrawal.withdrawableAt) {
            revert Payments_TooEarly(channelId, withdrawal.withdrawableAt);
        }

        uint120 claimed = state.funds.claimed;
        amount = state.funds.balance - claimed;
        state.funds.balance = claimed;
        delete state.withdrawal;

        emit ChannelWithdrawn(channelId, settings.vendorId, withdrawal.to, amount);

        if (amount != 0) _send(settings.token, withdrawal.to, amount);
    }

    /// @inheritdoc IPaymentChannels
    function channels(bytes32[] calldata channelIds) external view returns (Channel[] memory result) {
        result = new Channel[](channelIds.length);
        for (uint256 i = 0; i < channelIds.length; ++i) {
            ChannelState memory state = _channels[channelIds[i]];
            result[i] = Channel({
                balance: state.funds.balance,
                claimed: state.funds.claimed,
                refunds: state.funds.refunds,
                withdrawTo: state.withdrawal.to,
                withdrawableAt: state.withdrawal.withdrawableAt
            });
        }
    }

    /// @inheritdoc IPaymentChannels
    function channelIdOf(ChannelSettings calldata settings) public view returns (bytes32) {
        bytes32 typeHash = CHANNEL_TYPEHASH;
        bytes32 structHash;
        // All members are of fixed size, so their ABI encoding is that of EIP-712. An encoding with dirty upper bits
        // has an id of its own, but no money: a deposit reads each member, and Solidity refuses dirty ones.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 32), settings, 192)
            structHash := keccak256(free, 224)
        }
        return _hashTypedDataV4(structHash);
    }

    function _hashDeposit(bytes32 channelId, Deposit calldata terms) private pure returns (bytes32) {
        return keccak256(abi.encode(DEPOSIT_TYPEHASH, channelId, terms));
    }

    /// @dev Counts a deposit as there; the caller then collects it.
    function _addDeposit(bytes32 channelId, ChannelSettings calldata settings, uint128 amount) private {
        if (amount == 0) revert Payments_ZeroAmount();
        if (settings.payer == address(0) || settings.signer == address(0)) revert Payments_ZeroParty();
        if (settings.withdrawDelay < WITHDRAW_DELAY_MIN || settings.withdrawDelay > WITHDRAW_DELAY_MAX) {
            revert Payments_WithdrawDelay(settings.withdrawDelay, WITHDRAW_DELAY_MIN, WITHDRAW_DELAY_MAX);
        }
        (, bool active) = registry.payee(settings.vendorId);
        if (!active) revert Payments_VendorInactive(settings.vendorId);

        Funds storage funds = _channels[channelId].funds;
        uint256 balance = uint256(funds.balance) + amount;
        if (balance > type(uint120).max) revert Payments_BalanceTooLarge(balance);
        funds.balance = uint120(balance);

        emit ChannelDeposited(
            channelId,
            settings.vendorId,
            settings.payer,
            settings.signer,
            settings.token,
            settings.withdrawDelay,
            settings.salt,
            uint120(amount), // part of the balance, which fits
            uint120(balance)
        );
    }

    /// @dev Counts a voucher as claimed and tells what of it is new.
    function _cash(Claim calldata given) private returns (uint120 amount) {
        bytes32 channelId = channelIdOf(given.settings);
        Funds storage funds = _channels[channelId].funds;
        (uint256 balance, uint256 before) = (funds.balance, funds.claimed);
        if (given.cumulative <= before) revert Payments_VoucherStale(channelId, given.cumulative, before);
        if (given.cumulative > balance) revert Payments_OverBalance(channelId, given.cumulative, balance);
        bytes32 structHash = keccak256(abi.encode(VOUCHER_TYPEHASH, channelId, given.cumulative));
        _checkSignature(given.settings.signer, structHash, given.signature);

        // At most the balance, which fits.
        uint120 claimed = uint120(given.cumulative);
        amount = claimed - uint120(before);
        funds.claimed = claimed;

        emit ChannelClaimed(channelId, given.settings.vendorId, amount, claimed);
    }

    /// @dev Returns money that the vendor, by the caller's word, does not need.
    function _refund(
        bytes32 channelId,
        ChannelSettings calldata settings,
        address to,
        uint128 amount,
        bytes calldata signature
    ) private {
        if (to == address(0)) revert Payments_ZeroRefundTo();
        if (amount == 0) revert Payments_ZeroAmount();
        Funds storage funds = _channels[channelId].funds;
        (uint120 balance, uint120 claimed, uint16 refunds) = (funds.balance, funds.claimed, funds.refunds);
        uint120 left;
        unchecked {
            // What was claimed is never more than the balance.
            left = balance - claimed;
        }
        if (amount > left) revert Payments_OverBalance(channelId, amount, left);
        // The payer can be given its own money unasked.
        if (signature.length != 0 || to != settings.payer) {
            bytes32 structHash = keccak256(abi.encode(REFUND_REQUEST_TYPEHASH, channelId, to, refunds));
            _checkSignature(settings.signer, structHash, signature);
        }

        // Part of what is left, which fits.
        uint120 refunded = uint120(amount);
        (funds.balance, funds.refunds) = (balance - refunded, refunds + 1);

        emit ChannelRefunded(channelId, settings.vendorId, to, refunded);

        _send(settings.token, to, refunded);
    }

    function _requestWithdrawal(bytes32 channelId, ChannelSettings calldata settings, address to) private {
        if (to == address(0)) revert Payments_ZeroRefundTo();
        ChannelState storage state = _channels[channelId];
        if (state.funds.balance == state.funds.claimed) revert Payments_ZeroAmount();
        uint40 withdrawableAt = uint40(block.timestamp + settings.withdrawDelay);
        state.withdrawal = Withdrawal({to: to, withdrawableAt: withdrawableAt});
        emit WithdrawalRequested(channelId, settings.vendorId, to, withdrawableAt);
    }
}
