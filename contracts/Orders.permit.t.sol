// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IMoney} from "./IMoney.sol";
import {IOrders} from "./IOrders.sol";
import {TokenFixture} from "./test/TokenFixture.t.sol";
import {TypedData} from "./test/TypedData.t.sol";
import {Wallet} from "./test/Wallets.t.sol";

/// @dev Purchases that their payer signs, out of the payer's allowance.
contract OrdersPermitTest is TokenFixture {
    function test_BuyWithPermit_Streamed_ByAnyone() public {
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 2);
        purchase.controller = REFUND_TO;
        bytes memory signature = signPurchase(purchase);
        bytes memory permit = signPermit(2 * PRICE, DEADLINE);
        bytes32 orderId = payments.orderIdOf(vendorId, tokenStreamedPlan, KEY);
        expectPaid(orderId, tokenStreamedPlan, START + 2 * PERIOD, REFUND_TO);
        vm.prank(STRANGER);
        (bytes32 given, uint40 endsAt) = payments.buyWithPermit(purchase, permit, signature);

        vm.assertEq(given, orderId, "orderId");
        vm.assertEq(endsAt, START + 2 * PERIOD, "endsAt");
        vm.assertEq(orderOf(tokenStreamedPlan).controller, REFUND_TO, "controller");
        vm.assertEq(orderOf(tokenStreamedPlan).refundable, 2 * PRICE, "refundable");
        vm.assertEq(token.balanceOf(address(payments)), 2 * PRICE, "held");
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max - 2 * PRICE, "paid");
        vm.assertEq(token.nonces(BUYER), 1, "the permit was carried out");
        vm.assertEq(token.allowance(BUYER, address(payments)), 0, "allowance");
        vm.assertTrue(payments.isUsed(digestOf(TypedData.purchase(purchase))), "isUsed");
    }

    function test_BuyWithPermit_Instant_PaysThePayoutAtOnce() public {
        IOrders.Purchase memory purchase = purchaseOf(tokenInstantPlan, 2);
        bytes32 orderId = payments.orderIdOf(vendorId, tokenInstantPlan, KEY);
        expectPaid(orderId, tokenInstantPlan, START + 2 * PERIOD, address(0));
        vm.recordLogs();
        buy(purchase, signPermit(2 * PRICE, DEADLINE));
        vm.assertEq(countTransfers(address(token)), 1, "transfers");
        vm.assertEq(token.balanceOf(PAYOUT), 2 * PRICE, "paid out");
        vm.assertEq(token.balanceOf(address(payments)), 0, "held");
    }

    function test_BuyWithPermit_ExtendsARunningRun() public {
        buyInToken(tokenStreamedPlan, 1);
        skip(1);
        buy(purchaseOf(tokenStreamedPlan, 2), signPermit(2 * PRICE, DEADLINE));
        vm.assertEq(orderOf(tokenStreamedPlan).startedAt, START, "startedAt");
        vm.assertEq(orderOf(tokenStreamedPlan).endsAt, START + 3 * PERIOD, "endsAt");
        vm.assertEq(token.balanceOf(address(payments)), 3 * PRICE, "held");
    }

    function test_BuyWithPermit_UsesAnAllowanceGivenNoPermit() public {
        approve(PRICE);
        vm.expectCall(address(token), abi.encodePacked(IERC20Permit.permit.selector), 0);
        buy(purchaseOf(tokenStreamedPlan, 1), "");
        vm.assertEq(token.balanceOf(address(payments)), PRICE, "held");
    }

    function test_BuyWithPermit_IsNotStoppedByWhoCarriesOutThePermitFirst() public {
        bytes memory permit = signPermit(PRICE, DEADLINE);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(BUYER_KEY, permitDigest(PRICE, DEADLINE));
        vm.prank(STRANGER);
        token.permit(BUYER, address(payments), PRICE, DEADLINE, v, r, s);
        buy(purchaseOf(tokenStreamedPlan, 1), permit);
        vm.assertEq(token.balanceOf(address(payments)), PRICE, "held");
    }

    function test_BuyWithPermit_AllowsThePayoutToPayItself() public {
        setPayout(BUYER);
        buy(purchaseOf(tokenInstantPlan, 1), signPermit(PRICE, DEADLINE));
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max, "balance");
        vm.assertEq(orderOf(tokenInstantPlan).endsAt, START + PERIOD, "endsAt");
    }

    function test_RevertWhen_PermitIsBadAndThereIsNoAllowance() public {
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        bytes[] memory bad = new bytes[](6);
        bad[0] = ""; // none
        bad[1] = new bytes(65); // by nobody
        bad[2] = signPermit(PRICE + 1, DEADLINE); // another amount
        bad[3] = signPermit(PRICE, DEADLINE + 1); // another deadline
        bad[4] = sign(STRANGER_KEY, permitDigest(PRICE, DEADLINE)); // by another
        bad[5] = signPurchase(purchase); // of something else
        for (uint256 i = 0; i < bad.length; ++i) refuses(purchase, bad[i], lacksAllowance());
    }

    function test_BuyWithPermit_TriesNoPermitOfAnotherLength() public {
        bytes memory permit = signPermit(PRICE, DEADLINE);
        vm.expectCall(address(token), abi.encodePacked(IERC20Permit.permit.selector), 0);
        refuses(purchaseOf(tokenStreamedPlan, 1), abi.encodePacked(permit, uint8(0)), lacksAllowance());
        assembly ("memory-safe") {
            mstore(permit, 64)
        }
        refuses(purchaseOf(tokenStreamedPlan, 1), permit, lacksAllowance());
    }

    function test_BuyWithPermit_WorksUpToTheDeadline() public {
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        bytes memory permit = signPermit(PRICE, DEADLINE);
        vm.warp(DEADLINE + 1);
        refuses(purchase, permit, isExpired(DEADLINE));
        vm.warp(DEADLINE);
        buy(purchase, permit);
        vm.assertEq(orderOf(tokenStreamedPlan).startedAt, uint40(DEADLINE), "startedAt");
    }

    function test_RevertWhen_SentTwice() public {
        approve(10 * PRICE);
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        buy(purchase, "");
        bytes32 digest = digestOf(TypedData.purchase(purchase));
        refuses(purchase, "", isReplay(digest));
        purchase.salt = keccak256("an equal purchase");
        buy(purchase, "");
        vm.assertEq(token.balanceOf(address(payments)), 2 * PRICE, "held");
    }

    /// @dev What is signed is bought or nothing is.
    function test_RevertWhen_TheSenderChangesAnyMember() public {
        approve(type(uint128).max);
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        bytes memory signature = signPurchase(purchase);
        for (uint256 member = 0; member < 9; ++member) {
            IOrders.Purchase memory changed = changedIn(member);
            vm.expectRevert(isInvalid(changed.payer));
            payments.buyWithPermit(changed, "", signature);
        }
        payments.buyWithPermit(purchase, "", signature);
    }

    function test_RevertWhen_TheSignatureIsByAnother() public {
        approve(PRICE);
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        bytes memory signature = signed(STRANGER_KEY, TypedData.purchase(purchase));
        vm.prank(STRANGER);
        vm.expectRevert(isInvalid(BUYER));
        payments.buyWithPermit(purchase, "", signature);
        vm.assertTrue(!payments.isUsed(digestOf(TypedData.purchase(purchase))), "isUsed");
        buy(purchase, "");
    }

    function testFuzz_RevertWhen_AmountIsNotThePrice(uint128 amount, uint16 periods, bool streamed) public {
        IOrders.Purchase memory purchase = purchaseOf(
            streamed ? tokenStreamedPlan : tokenInstantPlan,
            uint16(within(periods, 1, PERIODS_MAX))
        );
        uint256 due = purchase.amount;
        vm.assume(amount != due);
        approve(type(uint128).max);
        purchase.amount = amount;
        refuses(purchase, "", abi.encodeWithSelector(IOrders.Payments_WrongAmount.selector, amount, due));
    }

    function test_RevertGiven_PriceIsInTheNativeCoin() public {
        bytes memory refusal = isNotAToken();
        refuses(purchaseOf(streamedPlan, 1), "", refusal);
        refuses(purchaseOf(instantPlan, 1), "", refusal);
        refuses(purchaseOf(streamedPlan, 1), signPermit(PRICE, DEADLINE), refusal);
    }

    function test_RevertGiven_PlanIsOffSale() public {
        vm.prank(OWNER);
        registry.setPlanOnSale(vendorId, tokenStreamedPlan, false);
        refuses(
            purchaseOf(tokenStreamedPlan, 1),
            "",
            abi.encodeWithSelector(IOrders.Payments_NotForSale.selector, vendorId, tokenStreamedPlan)
        );
    }

    function test_RevertWhen_ValueIsSent() public {
        approve(PRICE);
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        bytes memory data = abi.encodeCall(payments.buyWithPermit, (purchase, "", signPurchase(purchase)));
        vm.prank(BUYER);
        (bool accepted, ) = address(payments).call{value: 1}(data);
        vm.assertTrue(!accepted, "accepted");
    }

    function test_BuyWithPermit_ByAContractWallet() public {
        Wallet wallet = new Wallet(BUYER);
        token.mint(address(wallet), PRICE);
        vm.prank(address(wallet));
        token.approve(address(payments), PRICE);
        IOrders.Purchase memory purchase = purchaseOf(tokenStreamedPlan, 1);
        purchase.payer = address(wallet);
        bytes memory signature = signPurchase(purchase);
        vm.expectRevert(isInvalid(address(wallet)));
        payments.buyWithPermit(purchase, "", signature);
        payments.buyWithPermit(purchase, "", abi.encodePacked(signature, uint8(0)));
        vm.assertEq(token.balanceOf(address(wallet)), 0, "paid");
    }

    /// @dev Sent by a stranger.
    function buy(IOrders.Purchase memory purchase, bytes memory permit) private {
        bytes memory signature = signPurchase(purchase);
        vm.prank(STRANGER);
        payments.buyWithPermit(purchase, permit, signature);
    }

    function refuses(IOrders.Purchase memory purchase, bytes memory permit, bytes memory refusal) private {
        bytes memory signature = signPurchase(purchase);
        vm.prank(STRANGER);
        vm.expectRevert(refusal);
        payments.buyWithPermit(purchase, permit, signature);
    }

    /// @dev A purchase of one period, with one member other than the buyer signed.
    function changedIn(uint256 member) private view returns (IOrders.Purchase memory purchase) {
        purchase = purchaseOf(tokenStreamedPlan, 1);
        if (member == 0) purchase.vendorId = vendorId + 1;
        if (member == 1) purchase.planId = tokenInstantPlan;
        if (member == 2) purchase.keyHash = keccak256("the sender's key");
        if (member == 3) purchase.periods = 2;
        if (member == 4) purchase.controller = STRANGER;
        if (member == 5) purchase.payer = STRANGER;
        if (member == 6) purchase.amount = PRICE + 1;
        if (member == 7) purchase.salt = keccak256("another");
        if (member == 8) purchase.deadline = DEADLINE + 1;
    }

    function permitDigest(uint256 amount, uint256 deadline) private view returns (bytes32) {
        bytes32 structHash = TypedData.permit(BUYER, address(payments), amount, token.nonces(BUYER), deadline);
        return TypedData.digest(token.DOMAIN_SEPARATOR(), structHash);
    }

    function lacksAllowance() private view returns (bytes memory) {
        return abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, payments, 0, PRICE);
    }

    /// @dev Two periods from now.
    function expectPaid(bytes32 orderId, uint32 planId, uint40 endsAt, address controller) private {
        vm.expectEmit(address(payments));
        emit IOrders.OrderPaid(orderId, vendorId, KEY, planId, 2, START, endsAt, 2 * PRICE, controller);
    }
}
