// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IPaymentChannels} from "../IPaymentChannels.sol";
import {OrdersHandler} from "./OrdersHandler.t.sol";

/// @dev Payment channels, as the runner of invariants uses them: one for each vendor and currency, and one more.
abstract contract ChannelsHandler is OrdersHandler {
    /// @dev One channel in our ledger; amounts count from the beginning.
    struct ChannelEntry {
        uint256 deposited;
        uint256 refunded;
        uint256 withdrawn; // by the payer
        uint256 claimed;
        uint256 signed; // the largest voucher that the signer ever gave
        uint16 refunds;
        address withdrawTo;
        uint256 withdrawableAt;
    }

    uint256 public constant CHANNELS = 7;

    address private _signer;
    mapping(uint256 index => ChannelEntry) private _channel;

    constructor() {
        _signer = newAccount("signer");
    }

    // What may happen

    function deposit(uint256 seed) external rolls(seed) {
        uint256 index = roll(CHANNELS);
        IPaymentChannels.ChannelSettings memory settings = likelySettings(index);
        uint256 amount = someDeposit();
        address payer = anyPayer();
        address token = settings.token;
        uint256 value = token == NATIVE ? amount : 0;
        bool collected = token == NATIVE || _allowance[token][payer] >= amount;
        if (token != NATIVE) collected = collected && canPull(token, payer, address(payments), amount);
        if (oneIn(16)) (value, collected) = (value + 1, false);
        (bool accepted, ) = attempt(
            payer,
            value,
            abi.encodeCall(payments.deposit, (settings, uint128(amount))),
            mayDeposit(index, settings, amount) && collected
        );
        if (!accepted) return;
        if (token != NATIVE) useAllowance(token, payer, amount);
        deposited(index, payer, amount);
    }

    function depositWithPermit(uint256 seed) external rolls(seed) {
        uint256 index = pick(CHANNELS, isTokenChannel);
        IPaymentChannels.ChannelSettings memory settings = likelySettings(index);
        (address token, address payer) = (settings.token, settings.payer);
        IPaymentChannels.Deposit memory terms = someTerms();
        (bytes memory permit, bool permitted) = permitFor(token, payer, terms.amount, terms.deadline);
        bytes32 structHash = hashOf(idOf(settings), terms);
        (bytes memory signed, bool good) = signature(payer, structHash);

        bool allowed = mayDeposit(index, settings, terms.amount) && good && block.timestamp <= terms.deadline;
        allowed = allowed && token != NATIVE && canPull(token, payer, address(payments), terms.amount);
        allowed = allowed && (permitted || _allowance[token][payer] >= terms.amount);
        bytes memory data = abi.encodeCall(payments.depositWithPermit, (settings, terms, permit, signed));
        (bool accepted, ) = attempt(anyone(), 0, data, allowed);
        if (!accepted) return;
        use(structHash, data);
        if (permitted) usePermit(token, payer, terms.amount);
        useAllowance(token, payer, terms.amount);
        deposited(index, payer, terms.amount);
    }

    function depositWithAuthorization(uint256 seed) external rolls(seed) {
        uint256 index = pick(CHANNELS, isTokenChannel);
        IPaymentChannels.ChannelSettings memory settings = likelySettings(index);
        IPaymentChannels.Deposit memory terms = someTerms();
        bytes32 nonce = digestOf(hashOf(idOf(settings), terms));
        (bytes memory given, bool good) = authorization(
            settings.token,
            settings.payer,
            terms.amount,
            terms.deadline,
            nonce
        );
        bool allowed = mayDeposit(index, settings, terms.amount) && good;
        allowed = allowed && canPull(settings.token, settings.payer, address(payments), terms.amount);
        bytes memory data = abi.encodeCall(payments.depositWithAuthorization, (settings, terms, given));
        (bool accepted, ) = attempt(anyone(), 0, data, allowed);
        if (!accepted) return;
        _carriedOut.push(data);
        deposited(index, settings.payer, terms.amount);
    }

    function claim(uint256 seed) external rolls(seed) {
        claimWith(GAS);
    }

    function claimWithLittleGas(uint256 seed) external rolls(seed) {
        claimWith(someLittleGas());
    }

    function refund(uint256 seed) external rolls(seed) {
        uint256 index = pick(CHANNELS, hasMoney);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(index);
        address caller = likelyAuthority(settings.vendorId);
        (address to, uint256 amount) = (someReceiver(settings), someRefund(index));
        (bytes memory signed, bool good) = refundRequest(index, to);
        (bool accepted, ) = attempt(
            caller,
            0,
            abi.encodeCall(payments.refund, (settings, to, uint128(amount), signed)),
            mayRefund(index, caller, to, amount) && good
        );
        if (accepted) refunded(index, to, amount);
    }

    function refundWithSignature(uint256 seed) external rolls(seed) {
        uint256 index = pick(CHANNELS, hasMoney);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(index);
        IPaymentChannels.Refund memory terms = IPaymentChannels.Refund({
            to: someReceiver(settings),
            amount: uint128(someRefund(index)),
            deadline: someDeadline(),
            approver: likelyAuthority(settings.vendorId)
        });
        (bytes memory signed, bool good) = refundRequest(index, terms.to);
        (bytes memory approval, bool approved) = refundApproval(index, terms);
        bool allowed = mayRefund(index, terms.approver, terms.to, terms.amount) && good && approved;
        bytes memory data = abi.encodeCall(payments.refundWithSignature, (settings, terms, signed, approval));
        (bool accepted, ) = attempt(anyone(), 0, data, allowed && block.timestamp <= terms.deadline);
        if (!accepted) return;
        _carriedOut.push(data);
        refunded(index, terms.to, terms.amount);
    }

    function requestWithdrawal(uint256 seed) external rolls(seed) {
        uint256 index = pick(CHANNELS, hasMoney);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(index);
        address caller = oneIn(6) ? anyone() : settings.payer;
        address to = anyRefundTo();
        (bool accepted, ) = attempt(
            caller,
            0,
            abi.encodeCall(payments.requestWithdrawal, (settings, to)),
            caller == settings.payer && to != address(0) && left(index) != 0
        );
        if (accepted) requested(index, to);
    }

    function requestWithdrawalWithSignature(uint256 seed) external rolls(seed) {
        uint256 index = pick(CHANNELS, hasMoney);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(index);
        (address to, uint256 deadline) = (anyRefundTo(), someDeadline());
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("WithdrawalRequest(bytes32 channelId,address to,uint256 deadline)"),
                channelIdAt(index),
                to,
                deadline
            )
        );
        (bytes memory signed, bool good) = signature(settings.payer, structHash);
        bool allowed = good && block.timestamp <= deadline && to != address(0) && left(index) != 0;
        bytes memory data = abi.encodeCall(payments.requestWithdrawalWithSignature, (settings, to, deadline, signed));
        (bool accepted, ) = attempt(anyone(), 0, data, allowed && !_isUsed[structHash]);
        if (!accepted) return;
        use(structHash, data);
        requested(index, to);
    }

    function finalizeWithdrawal(uint256 seed) external rolls(seed) {
        uint256 index = pick(CHANNELS, isRequested);
        ChannelEntry storage entry = _channel[index];
        if (isRequested(index) && !oneIn(3)) skipTo(entry.withdrawableAt);
        (uint256 rest, address to) = (left(index), entry.withdrawTo);
        address token = settingsOf(index).token;
        (bool accepted, bytes memory answer) = attempt(
            anyone(),
            0,
            abi.encodeCall(payments.finalizeWithdrawal, (settingsOf(index))),
            to != address(0) && block.timestamp >= entry.withdrawableAt && (rest == 0 || canSend(token, to, rest))
        );
        if (!accepted) return;
        vm.assertEq(abi.decode(answer, (uint256)), rest, "withdrawn by the payer");
        entry.withdrawn += rest;
        (entry.withdrawTo, entry.withdrawableAt) = (address(0), 0);
        if (rest != 0) paid(token, to, rest);
    }

    // What our ledger says

    function channelEntries() external view returns (ChannelEntry[] memory result) {
        result = new ChannelEntry[](CHANNELS);
        for (uint256 i = 0; i < CHANNELS; ++i) result[i] = _channel[i];
    }

    function settingsOf(uint256 index) public view returns (IPaymentChannels.ChannelSettings memory) {
        uint32[3] memory delays = [uint32(15 minutes), 1 hours, 30 days];
        address payer = _payers[(index + index / 3) % 3];
        return
            IPaymentChannels.ChannelSettings({
                vendorId: uint64(1 + ((index / 3) % VENDORS)),
                payer: payer,
                signer: index % 2 == 0 ? payer : _signer,
                token: tokens[index % 3],
                withdrawDelay: delays[index % 3],
                salt: bytes32(index)
            });
    }

    function channelIdAt(uint256 index) public view returns (bytes32) {
        return idOf(settingsOf(index));
    }

    /// @dev Neither claimed nor gone back.
    function left(uint256 index) public view returns (uint256) {
        ChannelEntry storage entry = _channel[index];
        return entry.deposited - entry.refunded - entry.withdrawn - entry.claimed;
    }

    function hasMoney(uint256 index) private view returns (bool) {
        return left(index) != 0;
    }

    function isRequested(uint256 index) private view returns (bool) {
        return _channel[index].withdrawTo != address(0);
    }

    function isTokenChannel(uint256 index) private view returns (bool) {
        return settingsOf(index).token != NATIVE;
    }

    function mayDeposit(
        uint256 index,
        IPaymentChannels.ChannelSettings memory settings,
        uint256 amount
    ) private view returns (bool) {
        bool valid = keccak256(abi.encode(settings)) == keccak256(abi.encode(settingsOf(index)));
        uint256 balance = left(index) + _channel[index].claimed + amount;
        return valid && _vendor[settings.vendorId].active && amount != 0 && balance <= type(uint120).max;
    }

    function mayRefund(uint256 index, address approver, address to, uint256 amount) private view returns (bool) {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(index);
        if (!isAuthority(settings.vendorId, approver) || to == address(0)) return false;
        return amount != 0 && amount <= left(index) && canSend(settings.token, to, amount);
    }

    // Choices

    /// @dev When some channel's money can be taken out, if that was requested.
    function endOfADelay() internal returns (uint256) {
        ChannelEntry storage entry = _channel[pick(CHANNELS, isRequested)];
        return entry.withdrawTo == address(0) ? block.timestamp : entry.withdrawableAt;
    }

    /// @dev Those of a channel, or now and then some that no deposit may have.
    function likelySettings(uint256 index) private returns (IPaymentChannels.ChannelSettings memory settings) {
        settings = settingsOf(index);
        uint256 flaw = roll(48);
        if (flaw == 0) settings.payer = address(0);
        if (flaw == 1) settings.signer = address(0);
        if (flaw == 2) settings.withdrawDelay = 15 minutes - 1;
        if (flaw == 3) settings.withdrawDelay = 30 days + 1;
        if (flaw == 4) settings.vendorId = 1 << 63;
    }

    function someDeposit() private returns (uint256) {
        if (oneIn(16)) return roll(2) * (1 << 119);
        return 1 + roll(1_000_000);
    }

    function someTerms() private returns (IPaymentChannels.Deposit memory) {
        return
            IPaymentChannels.Deposit({
                amount: uint128(someDeposit()),
                salt: bytes32(roll(1 << 255)),
                deadline: someDeadline()
            });
    }

    function someReceiver(IPaymentChannels.ChannelSettings memory settings) private returns (address) {
        return oneIn(2) ? settings.payer : anyRefundTo();
    }

    function someRefund(uint256 index) private returns (uint256) {
        return oneIn(8) ? left(index) + 1 : roll(left(index) + 1);
    }

    /// @dev The signer's word where a refund goes, or none, which is enough for the payer.
    function refundRequest(uint256 index, address to) private returns (bytes memory signed, bool good) {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(index);
        if (oneIn(3)) return ("", to == settings.payer);
        uint16 refunds = _channel[index].refunds;
        bool stale = oneIn(12);
        bytes32 typeHash = keccak256("RefundRequest(bytes32 channelId,address to,uint16 refunds)");
        (signed, good) = signature(
            settings.signer,
            keccak256(abi.encode(typeHash, idOf(settings), to, stale ? refunds + 1 : refunds))
        );
        good = good && !stale;
    }

    function refundApproval(
        uint256 index,
        IPaymentChannels.Refund memory terms
    ) private returns (bytes memory signed, bool good) {
        uint16 refunds = _channel[index].refunds;
        bool stale = oneIn(12);
        bytes32 typeHash = keccak256(
            "RefundApproval(bytes32 channelId,address to,uint128 amount,uint16 refunds,uint256 deadline)"
        );
        bytes32 channelId = channelIdAt(index);
        (signed, good) = signature(
            terms.approver,
            keccak256(
                abi.encode(typeHash, channelId, terms.to, terms.amount, stale ? refunds + 1 : refunds, terms.deadline)
            )
        );
        good = good && !stale;
    }

    /// @dev A voucher of a channel of which some is claimed; mostly one that can be cashed.
    function voucher(
        uint256 index,
        uint256 claimed
    ) private returns (IPaymentChannels.Claim memory given, bool allowed) {
        ChannelEntry storage entry = _channel[index];
        uint256 balance = left(index) + entry.claimed;
        given.settings = settingsOf(index);
        uint256 form = roll(10);
        uint256 cumulative = claimed + 1 + (balance > claimed ? roll(balance - claimed) : 0);
        if (form == 0) cumulative = roll(claimed + 1);
        if (form == 1) cumulative = balance + 1 + roll(3);
        given.cumulative = uint128(cumulative);
        bytes32 typeHash = keccak256("Voucher(bytes32 channelId,uint128 cumulative)");
        // Another channel's voucher, now and then.
        bool mixedUp = oneIn(20);
        bytes32 channelId = channelIdAt(mixedUp ? (index + 1) % CHANNELS : index);
        (given.signature, allowed) = signature(
            given.settings.signer,
            keccak256(abi.encode(typeHash, channelId, given.cumulative))
        );
        allowed = allowed && !mixedUp;
        if (allowed && cumulative > entry.signed) entry.signed = cumulative;
        allowed = allowed && cumulative > claimed && cumulative <= balance;
    }

    function idOf(IPaymentChannels.ChannelSettings memory settings) private view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Channel(uint64 vendorId,address payer,address signer,address token,uint32 withdrawDelay,bytes32 salt)"
        );
        return digestOf(keccak256(abi.encode(typeHash, settings)));
    }

    function hashOf(bytes32 channelId, IPaymentChannels.Deposit memory terms) private pure returns (bytes32) {
        bytes32 typeHash = keccak256("Deposit(bytes32 channelId,uint128 amount,bytes32 salt,uint256 deadline)");
        return keccak256(abi.encode(typeHash, channelId, terms));
    }

    // Keeping it

    function deposited(uint256 index, address payer, uint256 amount) private {
        address token = settingsOf(index).token;
        _channel[index].deposited += amount;
        paidIn[token] += amount;
        move(token, payer, address(payments), amount);
    }

    function refunded(uint256 index, address to, uint256 amount) private {
        _channel[index].refunded += amount;
        ++_channel[index].refunds;
        paid(settingsOf(index).token, to, amount);
    }

    function requested(uint256 index, address to) private {
        ChannelEntry storage entry = _channel[index];
        (entry.withdrawTo, entry.withdrawableAt) = (to, block.timestamp + settingsOf(index).withdrawDelay);
    }

    function claimWith(uint256 gas) private {
        IPaymentChannels.Claim[] memory claims = new IPaymentChannels.Claim[](1 + roll(3));
        uint256[] memory chosen = new uint256[](claims.length);
        uint256[CHANNELS] memory claimed;
        for (uint256 i = 0; i < CHANNELS; ++i) claimed[i] = _channel[i].claimed;
        bool allowed = true;
        for (uint256 i = 0; i < claims.length; ++i) {
            uint256 index = pick(CHANNELS, hasMoney);
            bool good;
            (claims[i], good) = voucher(index, claimed[index]);
            allowed = allowed && good;
            (chosen[i], claimed[index]) = (index, claims[i].cumulative);
        }
        bytes memory data = abi.encodeCall(payments.claim, (claims));
        (bool accepted, ) = attemptWith(gas, anyone(), 0, data, allowed);
        vm.assertTrue(accepted || !allowed || gas != GAS, "a claim that is allowed is accepted");
        if (!accepted) return;

        _carriedOut.push(data);
        Due[] memory dues = new Due[](chosen.length);
        for (uint256 i = 0; i < chosen.length; ++i) {
            ChannelEntry storage entry = _channel[chosen[i]];
            IPaymentChannels.ChannelSettings memory settings = settingsOf(chosen[i]);
            (dues[i].vendorId, dues[i].token) = (settings.vendorId, settings.token);
            dues[i].amount = claims[i].cumulative - entry.claimed;
            entry.claimed = claims[i].cumulative;
        }
        payVendors(dues);
    }
}
