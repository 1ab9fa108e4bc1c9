// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC3009 as IERC3009Token} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IMoney} from "./IMoney.sol";
import {IOrders} from "./IOrders.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {TokenFixture} from "./test/TokenFixture.t.sol";
import {TypedData} from "./test/TypedData.t.sol";
import {AnsweringWallet, Wallet} from "./test/Wallets.t.sol";

/// @dev Purchases by an EIP-3009 authorisation, whose nonce says what is bought.
contract OrdersAuthorizationTest is TokenFixture {
    function test_BuyWithAuthorization_Streamed_ByAnyone() public {
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 2);
        purchase.controller = REFUND_TO;
        bytes memory authorization = authorize(purchase);
        bytes32 orderId = payments.orderIdOf(vendorId, tokenStreamedPlan, KEY);
        expectPaid(orderId, tokenStreamedPlan, REFUND_TO);
        vm.prank(STRANGER);
        (bytes32 given, uint40 endsAt) = payments.buyWithAuthorization(purchase, authorization);

        vm.assertEq(given, orderId, "orderId");
        vm.assertEq(endsAt, START + 2 * PERIOD, "endsAt");
        vm.assertEq(orderOf(tokenStreamedPlan).controller, REFUND_TO, "controller");
        vm.assertEq(orderOf(tokenStreamedPlan).refundable, 2 * PRICE, "refundable");
        vm.assertEq(token.balanceOf(address(payments)), 2 * PRICE, "held");
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max - 2 * PRICE, "paid");
        bytes32 nonce = digestOf(TypedData.purchase(purchase));
        vm.assertTrue(IERC3009Token(address(token)).authorizationState(BUYER, nonce), "the nonce is the digest");
    }

    function test_BuyWithAuthorization_Instant_PaysThePayoutAtOnce() public {
        IOrders.Purchase memory purchase = purchaseOf(tokenInstantPlan, 2);
        bytes32 orderId = payments.orderIdOf(vendorId, tokenInstantPlan, KEY);
        expectPaid(orderId, tokenInstantPlan, address(0));
        buy(purchase);
        vm.assertEq(token.balanceOf(PAYOUT), 2 * PRICE, "paid out");
        vm.assertEq(token.balanceOf(address(payments)), 0, "held");
    }

    function test_BuyWithAuthorization_ExtendsARunningRun() public {
        buyInToken(tokenStreamedPlan, 1);
        skip(1);
        buy(purchaseOf(tokenStreamedPlan, 2));
        vm.assertEq(orderOf(tokenStreamedPlan).startedAt, START, "startedAt");
        vm.assertEq(orderOf(tokenStreamedPlan).endsAt, START + 3 * PERIOD, "endsAt");
        vm.assertEq(token.balanceOf(address(payments)), 3 * PRICE, "held");
    }

    function test_BuyWithAuthorization_AllowsThePayoutToPayItself() public {
        setPayout(BUYER);
        buy(purchaseOf(tokenInstantPlan, 1));
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max, "balance");
        vm.assertEq(orderOf(tokenInstantPlan).endsAt, START + PERIOD, "endsAt");
    }

    function test_BuyWithAuthorization_ByAContractWallet() public {
        for (uint32 planId = tokenStreamedPlan; planId <= tokenInstantPlan; ++planId) {
            Wallet wallet = new Wallet(BUYER);
            token.mint(address(wallet), PRICE);
            IOrders.Purchase memory purchase = purchaseOf(planId, 1);
            purchase.payer = address(wallet);
            bytes memory authorization = authorizeBy(purchase, BUYER_KEY);
            // A plain signature goes the way of plain keys, and this wallet has none.
            vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
            payments.buyWithAuthorization(purchase, authorization);

            authorization = abi.encodePacked(authorization, uint8(0));
            payments.buyWithAuthorization(purchase, authorization);
            vm.assertEq(token.balanceOf(address(wallet)), 0, "paid");
            vm.assertEq(token.balanceOf(planId == tokenInstantPlan ? PAYOUT : address(payments)), PRICE, "received");
        }
    }

    /// @dev Many tokens know the form with v, r and s only.
    /// @dev What is no signature of a plain key, be it shorter or longer, is for the wallet to judge.
    function test_BuyWithAuthorization_ByAWalletThatAsksForLess() public {
        AnsweringWallet wallet = new AnsweringWallet(abi.encode(IERC1271.isValidSignature.selector));
        token.mint(address(wallet), 2 * PRICE);
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        purchase.payer = address(wallet);
        payments.buyWithAuthorization(purchase, "");
        purchase.salt = keccak256("again");
        payments.buyWithAuthorization(purchase, new bytes(64));
        vm.assertEq(token.balanceOf(address(wallet)), 0, "paid");
    }

    function test_BuyWithAuthorization_AsksForPlainKeysInTheFormThatAllTokensHave() public {
        bytes4 plain = bytes4(
            keccak256("receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)")
        );
        bytes4 ofAnyForm = bytes4(
            keccak256("receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)")
        );
        vm.expectCall(address(token), abi.encodePacked(plain), 1);
        vm.expectCall(address(token), abi.encodePacked(ofAnyForm), 0);
        buy(purchaseOf(tokenStreamedPlan, 1));
    }

    function test_RevertGiven_AContractWalletHasChangedItsMind() public {
        Wallet wallet = new Wallet(BUYER);
        token.mint(address(wallet), PRICE);
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        purchase.payer = address(wallet);
        bytes memory authorization = abi.encodePacked(authorizeBy(purchase, BUYER_KEY), uint8(0));
        wallet.changeMind();
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        payments.buyWithAuthorization(purchase, authorization);
    }

    function test_BuyWithAuthorization_WorksBeforeTheDeadline() public {
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        vm.warp(DEADLINE);
        refuses(
            purchase,
            abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, uint256(0), DEADLINE)
        );
        vm.warp(DEADLINE - 1);
        buy(purchase);
        vm.assertEq(orderOf(tokenStreamedPlan).startedAt, uint40(DEADLINE) - 1, "startedAt");
    }

    function test_RevertWhen_SentTwice() public {
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        buy(purchase);
        bytes32 nonce = digestOf(TypedData.purchase(purchase));
        refuses(purchase, abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, BUYER, nonce));
        purchase.salt = keccak256("an equal purchase");
        buy(purchase);
        vm.assertEq(token.balanceOf(address(payments)), 2 * PRICE, "held");
    }

    /// @dev What is signed is bought or nothing is: whoever sends it could choose all of these.
    function test_RevertWhen_TheSenderChangesAnyMember() public {
        registerOther(PAYOUT);
        token.mint(STRANGER, 2 * PRICE);
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        bytes memory authorization = authorize(purchase);
        for (uint256 member = 0; member < 8; ++member) {
            IOrders.Purchase memory changed = changedIn(member);
            vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
            payments.buyWithAuthorization(changed, authorization);
        }
        payments.buyWithAuthorization(purchase, authorization);
    }

    function test_RevertWhen_TheAuthorizationIsByAnother() public {
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        bytes memory authorization = authorizeBy(purchase, STRANGER_KEY);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        payments.buyWithAuthorization(purchase, authorization);
    }

    /// @dev An authorisation of the same amount for a deposit buys nothing.
    function test_RevertWhen_TheAuthorizationIsForSomethingElse() public {
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        bytes32 other = TypedData.deposit(
            keccak256("a channel"),
            IPaymentChannels.Deposit({amount: PRICE, salt: purchase.salt, deadline: DEADLINE})
        );
        bytes memory authorization = signAuthorization(PRICE, DEADLINE, digestOf(other));
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        payments.buyWithAuthorization(purchase, authorization);
    }

    function testFuzz_RevertWhen_AmountIsNotThePrice(uint128 amount, uint16 periods, bool streamed) public {
        IOrders.Purchase memory purchase = purchaseOf(
            streamed ? tokenStreamedPlan : tokenInstantPlan,
            uint16(within(periods, 1, PERIODS_MAX))
        );
        uint256 due = purchase.amount;
        vm.assume(amount != due);
        purchase.amount = amount;
        refuses(purchase, abi.encodeWithSelector(IOrders.Payments_WrongAmount.selector, amount, due));
    }

    function test_RevertGiven_BalanceIsTooLow() public {
        vm.prank(BUYER);
        token.transfer(STRANGER, type(uint128).max);
        refuses(
            purchaseOf(tokenStreamedPlan, 1),
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, BUYER, 0, PRICE)
        );
    }

    function test_RevertGiven_PriceIsInTheNativeCoin() public {
        bytes memory refusal = isNotAToken();
        refuses(purchaseOf(streamedPlan, 1), refusal);
        refuses(purchaseOf(instantPlan, 1), refusal);
    }

    function test_RevertGiven_VendorIsInactive() public {
        vm.prank(OPERATOR);
        registry.setActive(vendorId, false);
        refuses(
            purchaseOf(tokenStreamedPlan, 1),
            abi.encodeWithSelector(IOrders.Payments_NotForSale.selector, vendorId, tokenStreamedPlan)
        );
    }

    function test_RevertWhen_ValueIsSent() public {
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        bytes memory data = abi.encodeCall(payments.buyWithAuthorization, (purchase, authorize(purchase)));
        vm.prank(BUYER);
        (bool accepted, ) = address(payments).call{value: 1}(data);
        vm.assertTrue(!accepted, "accepted");
    }

    /// @dev Sent by a stranger.
    function buy(IOrders.Purchase memory purchase) private {
        bytes memory authorization = authorize(purchase);
        vm.prank(STRANGER);
        payments.buyWithAuthorization(purchase, authorization);
    }

    function refuses(IOrders.Purchase memory purchase, bytes memory refusal) private {
        bytes memory authorization = authorize(purchase);
        vm.prank(STRANGER);
        vm.expectRevert(refusal);
        payments.buyWithAuthorization(purchase, authorization);
    }

    function authorizeBy(IOrders.Purchase memory purchase, uint256 key) private view returns (bytes memory) {
        bytes32 nonce = digestOf(TypedData.purchase(purchase));
        return sign(key, authorizationDigest(purchase.payer, purchase.amount, purchase.deadline, nonce));
    }

    /// @dev A purchase of one period, with one member other than the buyer signed, that could be carried out so.
    function changedIn(uint256 member) private view returns (IOrders.Purchase memory purchase) {
        purchase = purchaseOf(tokenStreamedPlan, 1);
        if (member == 0) purchase.vendorId = vendorId + 1;
        if (member == 1) purchase.planId = tokenInstantPlan;
        if (member == 2) purchase.keyHash = keccak256("the sender's key");
        if (member == 3) (purchase.periods, purchase.amount) = (2, 2 * PRICE);
        if (member == 4) purchase.controller = STRANGER;
        if (member == 5) purchase.payer = STRANGER;
        if (member == 6) purchase.salt = keccak256("another");
        if (member == 7) purchase.deadline = DEADLINE + 1;
    }

    /// @dev Two periods from now.
    function expectPaid(bytes32 orderId, uint32 planId, address controller) private {
        vm.expectEmit(address(payments));
        emit IOrders.OrderPaid(orderId, vendorId, KEY, planId, 2, START, START + 2 * PERIOD, 2 * PRICE, controller);
    }
}
