// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IOrders} from "../IOrders.sol";
import {IPaymentChannels} from "../IPaymentChannels.sol";
import {IVendorRegistry} from "../IVendorRegistry.sol";
import {ChannelFixture} from "./ChannelFixture.t.sol";
import {PlainToken} from "./HostileTokens.t.sol";
import {TypedData} from "./TypedData.t.sol";

/// @dev All ways of money into Payments and out of it, in any currency. Tokens here ask for no signature of their own.
abstract contract WaysFixture is ChannelFixture {
    /// @dev What each way moves.
    uint128 internal constant AMOUNT = PRICE;
    /// @dev So many of the ways in are by allowance, and come first; the others are by EIP-3009.
    uint256 internal constant WAYS_BY_ALLOWANCE = 6;

    /// @dev A call that sends AMOUNT to an account that is named in it, or else happens not at all.
    struct WayOut {
        address caller;
        bytes data;
        address to;
    }

    /// @dev Plans in the currency under test.
    uint32 internal streamedIn;
    uint32 internal instantIn;

    /// @dev The buyer has a token and allows Payments to take it; the vendor has plans in it.
    function use(PlainToken given) internal {
        given.mint(BUYER, 1000 * AMOUNT);
        allow(given);
        streamedIn = addTokenPlan(address(given), IVendorRegistry.Settlement.Streamed);
        instantIn = addTokenPlan(address(given), IVendorRegistry.Settlement.Instant);
    }

    function allow(PlainToken given) internal {
        vm.prank(BUYER);
        given.approve(address(payments), type(uint256).max);
    }

    /// @dev Calls of the buyer that pay AMOUNT each.
    /// @param salt What has one is bought once
    function waysIn(address given, bytes32 salt) internal view returns (bytes[] memory calls) {
        calls = new bytes[](11);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(given);
        settings.salt = salt;
        calls[0] = abi.encodeCall(payments.buy, (vendorId, streamedIn, salt, 1, BUYER));
        calls[1] = abi.encodeCall(payments.buy, (vendorId, instantIn, salt, 1, BUYER));
        calls[2] = abi.encodeCall(payments.deposit, (settings, AMOUNT));
        bytes memory plain = new bytes(65);
        bytes memory wallets = "of any other length";
        IPaymentChannels.Deposit memory terms = IPaymentChannels.Deposit(AMOUNT, salt, DEADLINE);
        bytes memory signature = signed(BUYER_KEY, TypedData.deposit(idOf(settings), terms));
        calls[5] = abi.encodeCall(payments.depositWithPermit, (settings, terms, plain, signature));
        calls[6] = abi.encodeCall(payments.depositWithAuthorization, (settings, terms, plain));
        calls[7] = abi.encodeCall(payments.depositWithAuthorization, (settings, terms, wallets));
        IOrders.Purchase memory purchase = purchaseOf(streamedIn, 1);
        purchase.keyHash = salt;
        calls[3] = abi.encodeCall(payments.buyWithPermit, (purchase, plain, signPurchase(purchase)));
        calls[8] = abi.encodeCall(payments.buyWithAuthorization, (purchase, plain));
        calls[9] = abi.encodeCall(payments.buyWithAuthorization, (purchase, wallets));
        purchase.planId = instantIn;
        calls[4] = abi.encodeCall(payments.buyWithPermit, (purchase, plain, signPurchase(purchase)));
        calls[10] = abi.encodeCall(payments.buyWithAuthorization, (purchase, plain));
    }

    function pay(bytes memory data) internal returns (bool accepted, bytes memory answer) {
        vm.prank(BUYER);
        return address(payments).call(data);
    }

    /// @dev Fills Payments with money and tells all ways out of it but those to vendors in a batch.
    /// @param payout Where the vendor's money goes
    /// @param payer Where all other goes
    function fill(address given, address payout, address payer) internal returns (WayOut[] memory ways) {
        ways = new WayOut[](5);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(given);
        (settings.payer, settings.withdrawDelay) = (payer, 15 minutes);
        bytes32[2] memory orderIds = [keccak256("cancel"), keccak256("vendorRefund")];
        uint256 value = given == NATIVE ? 2 * AMOUNT : 0;
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(BUYER);
            (orderIds[i], ) = payments.buy{value: value}(vendorId, streamedIn, orderIds[i], 2, payer);
        }
        ways[0] = WayOut(payer, abi.encodeCall(payments.cancel, (orderIds[0], payer)), payer);
        ways[1] = WayOut(OWNER, abi.encodeCall(payments.vendorRefund, (orderIds[1], 0)), payer);
        deposit(settings, AMOUNT);
        ways[2] = WayOut(OWNER, abi.encodeCall(payments.refund, (settings, payer, AMOUNT, "")), payer);
        settings.salt = keccak256("finalizeWithdrawal");
        deposit(settings, AMOUNT);
        requestWithdrawal(settings, payer);
        ways[3] = WayOut(STRANGER, abi.encodeCall(payments.finalizeWithdrawal, (settings)), payer);
        settings.salt = keccak256("redeliver");
        deposit(settings, AMOUNT);
        setPayout(address(payments)); // which never pays itself
        claim(settings, AMOUNT);
        setPayout(payout);
        ways[4] = WayOut(STRANGER, abi.encodeCall(payments.redeliver, (vendorId, given)), payout);
        skip(PERIOD);
    }

    function go(WayOut memory way) internal returns (bool accepted, bytes memory answer) {
        vm.prank(way.caller);
        return address(payments).call(way.data);
    }
}
