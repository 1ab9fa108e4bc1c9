// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IOrders} from "../IOrders.sol";
import {IPaymentChannels} from "../IPaymentChannels.sol";
import {IVendorRegistry} from "../IVendorRegistry.sol";
import {ChannelFixture} from "./ChannelFixture.t.sol";
import {PlainToken} from "./HostileTokens.t.sol";
import {TypedData} from "./TypedData.t.sol";

/// @dev All ways of a token's money into Payments and out of it, for tokens that need no signatures of their own.
abstract contract WaysFixture is ChannelFixture {
    uint256 internal constant WAYS_IN = 10;
    /// @dev Those that move money by `transferFrom`: the first six. The others go by EIP-3009.
    uint256 internal constant WAYS_BY_ALLOWANCE = 6;
    uint256 internal constant WAYS_OUT = 5;
    uint128 internal constant AMOUNT = PRICE;

    uint32 internal streamedIn;
    uint32 internal instantIn;
    uint256 private _ways;

    /// @dev The buyer has the token and has allowed Payments to take it; the vendor has plans in it.
    function use(PlainToken given) internal {
        given.mint(BUYER, 1000 * AMOUNT);
        vm.prank(BUYER);
        given.approve(address(payments), type(uint256).max);
        streamedIn = addTokenPlan(address(given), IVendorRegistry.Settlement.Streamed);
        instantIn = addTokenPlan(address(given), IVendorRegistry.Settlement.Instant);
    }

    /// @dev The buyer pays AMOUNT, each time for something new.
    function payIn(uint256 way, address given) internal returns (bool accepted, bytes memory answer) {
        bytes memory data = wayIn(way, given);
        vm.prank(BUYER);
        return address(payments).call(data);
    }

    function wayIn(uint256 way, address given) private returns (bytes memory) {
        bytes memory permit = new bytes(65);
        bytes32 salt = keccak256(abi.encode(++_ways));
        if (way == 0) return abi.encodeCall(payments.buy, (vendorId, streamedIn, salt, 1, BUYER));
        if (way == 1) return abi.encodeCall(payments.buy, (vendorId, instantIn, salt, 1, BUYER));
        bool instant = way == 3 || way == 8;
        if (way == 2 || way == 3 || way == 6 || way == 8) {
            IOrders.Purchase memory purchase = purchaseOf(instant ? instantIn : streamedIn, 1);
            (purchase.keyHash, purchase.deadline) = (salt, type(uint256).max);
            if (way >= 6) return abi.encodeCall(payments.buyWithAuthorization, (purchase, new bytes(way == 6 ? 65 : 0)));
            return abi.encodeCall(payments.buyWithPermit, (purchase, permit, signPurchase(purchase)));
        }
        IPaymentChannels.ChannelSettings memory settings = settingsOf(given);
        settings.salt = salt;
        if (way == 4) return abi.encodeCall(payments.deposit, (settings, AMOUNT));
        IPaymentChannels.Deposit memory terms = IPaymentChannels.Deposit(AMOUNT, salt, type(uint256).max);
        if (way >= 6) {
            return abi.encodeCall(payments.depositWithAuthorization, (settings, terms, new bytes(way == 7 ? 65 : 0)));
        }
        bytes memory signature = signed(BUYER_KEY, TypedData.deposit(idOf(settings), terms));
        return abi.encodeCall(payments.depositWithPermit, (settings, terms, permit, signature));
    }

    /// @dev Puts in what `payOut` sends: an order and a channel, of AMOUNT each, half of the order earned.
    function fill(address given) internal {
        vm.startPrank(BUYER);
        payments.buy(vendorId, streamedIn, KEY, 2, BUYER);
        payments.deposit(settingsOf(given), 2 * AMOUNT);
        vm.stopPrank();
        requestWithdrawal(settingsOf(given), REFUND_TO);
        skip(PERIOD);
    }

    /// @dev Money to an account that its sender chose. Which amount is known beforehand: AMOUNT each time.
    function payOut(uint256 way, address given) internal returns (bool accepted, bytes memory answer) {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(given);
        bytes32 orderId = payments.orderIdOf(vendorId, streamedIn, KEY);
        bytes memory data;
        address caller = BUYER;
        if (way == 0) data = abi.encodeCall(payments.cancel, (orderId, BUYER));
        if (way == 1) (data, caller) = (abi.encodeCall(payments.vendorRefund, (orderId, 0)), OWNER);
        if (way == 2) (data, caller) = (abi.encodeCall(payments.refund, (settings, BUYER, AMOUNT, "")), OWNER);
        if (way == 3) {
            refundPayer(settings, AMOUNT);
            skip(DELAY);
            data = abi.encodeCall(payments.finalizeWithdrawal, (settings));
        }
        if (way == 4) data = abi.encodeCall(payments.redeliver, (vendorId, given));
        vm.prank(caller);
        return address(payments).call(data);
    }
}
