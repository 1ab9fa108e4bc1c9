// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IPaymentChannels} from "../IPaymentChannels.sol";
import {TokenFixture} from "./TokenFixture.t.sol";
import {TypedData} from "./TypedData.t.sol";

/// @dev Payment channels of the buyer with the vendor, in the native coin and in the token, and all that is signed.
abstract contract ChannelFixture is TokenFixture {
    uint256 internal constant SIGNER_KEY = 0x516;
    address internal constant SIGNER = 0x56ED5E5427017ce33DbCd30777E2A13B9275c008;
    uint32 internal constant DELAY = 1 days;

    /// @dev The settings of a channel in a currency; nobody has opened it.
    function settingsOf(address token_) internal view returns (IPaymentChannels.ChannelSettings memory) {
        return
            IPaymentChannels.ChannelSettings({
                vendorId: vendorId,
                payer: BUYER,
                signer: SIGNER,
                token: token_,
                withdrawDelay: DELAY,
                salt: keccak256("a channel")
            });
    }

    function idOf(IPaymentChannels.ChannelSettings memory settings) internal view returns (bytes32) {
        return digestOf(TypedData.channel(settings));
    }

    function channelOf(
        IPaymentChannels.ChannelSettings memory settings
    ) internal view returns (IPaymentChannels.Channel memory) {
        bytes32[] memory channelIds = new bytes32[](1);
        channelIds[0] = idOf(settings);
        return payments.channels(channelIds)[0];
    }

    /// @dev The buyer pays.
    function deposit(IPaymentChannels.ChannelSettings memory settings, uint128 amount) internal {
        if (settings.token == address(token)) approve(amount);
        vm.prank(BUYER);
        payments.deposit{value: settings.token == NATIVE ? amount : 0}(settings, amount);
    }

    /// @dev A channel in a currency with a deposit of the buyer.
    function open(address token_, uint128 amount) internal returns (IPaymentChannels.ChannelSettings memory settings) {
        settings = settingsOf(token_);
        deposit(settings, amount);
    }

    /// @dev A voucher by the channel's signer.
    function voucherOf(
        IPaymentChannels.ChannelSettings memory settings,
        uint128 cumulative
    ) internal view returns (IPaymentChannels.Claim memory) {
        bytes memory signature = signed(SIGNER_KEY, TypedData.voucher(idOf(settings), cumulative));
        return IPaymentChannels.Claim({settings: settings, cumulative: cumulative, signature: signature});
    }

    function claim(IPaymentChannels.Claim memory given) internal {
        payments.claim(only(given));
    }

    function claim(IPaymentChannels.ChannelSettings memory settings, uint128 cumulative) internal {
        claim(voucherOf(settings, cumulative));
    }

    function only(IPaymentChannels.Claim memory given) internal pure returns (IPaymentChannels.Claim[] memory claims) {
        claims = new IPaymentChannels.Claim[](1);
        claims[0] = given;
    }

    /// @dev What the channel's signer signs for its next refund.
    function signRefundRequest(
        IPaymentChannels.ChannelSettings memory settings,
        address to
    ) internal view returns (bytes memory) {
        uint16 refunds = channelOf(settings).refunds;
        return signed(SIGNER_KEY, TypedData.refundRequest(idOf(settings), to, refunds));
    }

    /// @dev A refund to the channel's payer, which needs no signature.
    function refundPayer(IPaymentChannels.ChannelSettings memory settings, uint128 amount) internal {
        vm.prank(OPERATOR);
        payments.refund(settings, settings.payer, amount, "");
    }

    function requestWithdrawal(IPaymentChannels.ChannelSettings memory settings, address to) internal {
        vm.prank(settings.payer);
        payments.requestWithdrawal(settings, to);
    }

    function assertFunds(
        IPaymentChannels.ChannelSettings memory settings,
        uint120 balance,
        uint120 claimed,
        uint16 refunds
    ) internal view {
        IPaymentChannels.Channel memory given = channelOf(settings);
        vm.assertEq(given.balance, balance, "balance of the channel");
        vm.assertEq(given.claimed, claimed, "claimed");
        vm.assertEq(given.refunds, refunds, "refunds");
    }

    function assertNoWithdrawal(IPaymentChannels.ChannelSettings memory settings) internal view {
        IPaymentChannels.Channel memory given = channelOf(settings);
        vm.assertEq(given.withdrawTo, address(0), "withdrawTo");
        vm.assertEq(given.withdrawableAt, 0, "withdrawableAt");
    }

    function isStale(
        IPaymentChannels.ChannelSettings memory settings,
        uint256 cumulative,
        uint256 claimed
    ) internal view returns (bytes memory) {
        bytes32 id = idOf(settings);
        return abi.encodeWithSelector(IPaymentChannels.Payments_VoucherStale.selector, id, cumulative, claimed);
    }

    function isOverBalance(
        IPaymentChannels.ChannelSettings memory settings,
        uint256 given,
        uint256 max
    ) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IPaymentChannels.Payments_OverBalance.selector, idOf(settings), given, max);
    }
}
