// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IMoney} from "./IMoney.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {ChannelFixture} from "./test/ChannelFixture.t.sol";
import {BlocklistToken} from "./test/HostileTokens.t.sol";
import {
    BombReceiver,
    BurningReceiver,
    DemandingReceiver,
    LongWindedReceiver,
    ReenteringReceiver,
    RefusingReceiver
} from "./test/Receivers.t.sol";

/// @dev Whoever does not take money stands in nobody else's way.
contract MoneyPayoutsTest is ChannelFixture {
    uint64 private _good;
    address private constant GOOD_PAYOUT = address(0x600D);

    function setUp() public override {
        super.setUp();
        _good = registerOther(GOOD_PAYOUT);
    }

    function test_Withdraw_PaysTheOthersGivenAPayoutRefuses() public {
        address[4] memory payouts = badPayouts();
        for (uint256 i = 0; i < payouts.length; ++i) {
            setPayout(payouts[i]);
            bytes32[] memory orderIds = buyOfBoth(bytes32(i + 1));
            vm.expectEmit(address(payments));
            emit IMoney.PayoutKept(vendorId, NATIVE, payouts[i], PRICE);
            payments.withdraw(orderIds);
            vm.assertEq(GOOD_PAYOUT.balance, 2 * PRICE * (i + 1), "paid to the others");
            vm.assertEq(payments.kept(vendorId, NATIVE), PRICE * (i + 1), "kept");
            vm.assertEq(payouts[i].balance, 0, "paid to the bad one");
        }
    }

    function test_Claim_PaysTheOthersGivenAPayoutRefuses() public {
        address[4] memory payouts = badPayouts();
        for (uint256 i = 0; i < payouts.length; ++i) {
            setPayout(payouts[i]);
            IPaymentChannels.Claim[] memory claims = vouchersOfBoth(i);
            vm.expectEmit(address(payments));
            emit IMoney.PayoutKept(vendorId, NATIVE, payouts[i], 10);
            payments.claim(claims);
            vm.assertEq(GOOD_PAYOUT.balance, 20 * (i + 1), "paid to the others");
            vm.assertEq(payments.kept(vendorId, NATIVE), 10 * (i + 1), "kept");
            assertFunds(claims[1].settings, 10, 10, 0);
        }
    }

    /// @dev Of a token that blocks one payout, in the company of another vendor and of the native coin.
    function test_Claim_PaysTheOthersGivenATokenBlocksAPayout() public {
        BlocklistToken blocking = new BlocklistToken();
        blocking.mint(BUYER, 1000);
        blocking.block_(PAYOUT);
        vm.prank(BUYER);
        blocking.approve(address(payments), 1000);
        IPaymentChannels.Claim[] memory claims = new IPaymentChannels.Claim[](3);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(blocking));
        deposit(settings, 5);
        claims[0] = voucherOf(settings, 5);
        settings = settingsOf(address(blocking));
        settings.vendorId = _good;
        deposit(settings, 7);
        claims[1] = voucherOf(settings, 7);
        claims[2] = voucherOf(open(NATIVE, 9), 9);
        vm.expectEmit(address(payments));
        emit IMoney.PayoutKept(vendorId, address(blocking), PAYOUT, 5);
        payments.claim(claims);
        vm.assertEq(payments.kept(vendorId, address(blocking)), 5, "kept");
        vm.assertEq(payments.kept(vendorId, NATIVE), 0, "kept in the native coin");
        vm.assertEq(payments.kept(_good, address(blocking)), 0, "kept for the other");
        vm.assertEq(blocking.balanceOf(GOOD_PAYOUT), 7, "paid to the other");
        vm.assertEq(PAYOUT.balance, 9, "paid in the native coin");

        vm.expectRevert(isTransferFailed(address(blocking), PAYOUT, 5));
        payments.redeliver(vendorId, address(blocking));
        setPayout(REFUND_TO);
        vm.expectEmit(address(payments));
        emit IMoney.PayoutRedelivered(vendorId, address(blocking), REFUND_TO, 5);
        payments.redeliver(vendorId, address(blocking));
        vm.assertEq(blocking.balanceOf(REFUND_TO), 5, "redelivered");
    }

    function test_Redeliver_SendsWhatWasKeptToTheCurrentPayout() public {
        address refusing = address(new RefusingReceiver());
        setPayout(refusing);
        claim(open(NATIVE, 100), 30);
        claim(open(NATIVE, 1), 50);
        vm.assertEq(payments.kept(vendorId, NATIVE), 50, "kept adds up");
        vm.expectRevert(isTransferFailed(NATIVE, refusing, 50));
        payments.redeliver(vendorId, NATIVE);
        vm.assertEq(payments.kept(vendorId, NATIVE), 50, "kept still");
        vm.expectRevert(isZeroAmount());
        payments.redeliver(vendorId, address(token));
        vm.expectRevert(isZeroAmount());
        payments.redeliver(_good, NATIVE);

        setPayout(REFUND_TO);
        vm.expectEmit(address(payments));
        emit IMoney.PayoutRedelivered(vendorId, NATIVE, REFUND_TO, 50);
        vm.prank(STRANGER);
        vm.assertEq(payments.redeliver(vendorId, NATIVE), 50, "amount");
        vm.assertEq(REFUND_TO.balance, 50, "balance of the payout");
        vm.assertEq(payments.kept(vendorId, NATIVE), 0, "kept");
        vm.expectRevert(isZeroAmount());
        payments.redeliver(vendorId, NATIVE);
        vm.assertEq(address(payments).balance, 51, "of the channel alone");
    }

    /// @dev What is kept for one vendor or in one token is not another's.
    function test_Kept_IsApartByVendorAndToken() public {
        BlocklistToken blocking = new BlocklistToken();
        blocking.mint(BUYER, 1000);
        vm.prank(BUYER);
        blocking.approve(address(payments), 1000);
        setPayout(address(new RefusingReceiver()));
        blocking.block_(GOOD_PAYOUT);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(blocking));
        settings.vendorId = _good;
        deposit(settings, 7);
        claim(settings, 7);
        claim(open(NATIVE, 9), 9);
        vm.assertEq(payments.kept(_good, address(blocking)), 7, "of the other");
        vm.assertEq(payments.kept(_good, NATIVE), 0, "of the other, native");
        vm.assertEq(payments.kept(vendorId, address(blocking)), 0, "in the token");
        vm.assertEq(payments.kept(vendorId, NATIVE), 9, "in the native coin");
    }

    function test_Redeliver_StateIsFinalBeforeMoneyMoves() public {
        setPayout(address(new RefusingReceiver()));
        claim(open(NATIVE, 100), 30);
        deposit(settingsOf(NATIVE), 100); // so that there would be money to take twice
        ReenteringReceiver receiver = new ReenteringReceiver(address(payments));
        setPayout(address(receiver));
        receiver.callBackWith(abi.encodeCall(payments.redeliver, (vendorId, NATIVE)));
        payments.redeliver(vendorId, NATIVE);
        vm.assertEq(receiver.answer(), isReentered(), "answer");
        vm.assertEq(address(receiver).balance, 30, "paid once");

        setPayout(address(new RefusingReceiver()));
        claim(settingsOf(NATIVE), 40);
        setPayout(address(receiver));
        receiver.callBackWith(abi.encodeCall(payments.kept, (vendorId, NATIVE)));
        payments.redeliver(vendorId, NATIVE);
        vm.assertEq(receiver.answer(), abi.encode(0), "what the receiver saw");
    }

    /// @dev A payout that calls back while it is paid in a batch gets its money, and no more.
    function test_Claim_CannotBeReenteredByAPayout() public {
        ReenteringReceiver receiver = new ReenteringReceiver(address(payments));
        setPayout(address(receiver));
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        receiver.callBackWith(abi.encodeCall(payments.claim, (only(voucherOf(settings, 50)))));
        claim(settings, 10);
        vm.assertTrue(!receiver.succeeded(), "the call back");
        vm.assertEq(receiver.answer(), isReentered(), "answer");
        vm.assertEq(address(receiver).balance, 10, "paid");
        assertFunds(settings, 100, 10, 0);
    }

    /// @dev A sender cannot have a payout kept by giving the call too little gas: either it has all the gas that any
    /// payout has, or the call is refused.
    function test_RevertWhen_GasIsTooLowForAPayout() public {
        setPayout(address(new RefusingReceiver()));
        bytes memory data = abi.encodeCall(payments.claim, (only(voucherOf(open(NATIVE, 100), 10))));
        (bool accepted, bytes memory answer) = address(payments).call{gas: 250_000}(data);
        vm.assertTrue(!accepted, "accepted");
        vm.assertEq(answer, abi.encodeWithSelector(IMoney.Payments_GasTooLow.selector), "refusal");
        (accepted, ) = address(payments).call{gas: 600_000}(data);
        vm.assertTrue(accepted, "refused with enough gas");
        vm.assertEq(payments.kept(vendorId, NATIVE), 10, "kept");
    }

    /// @dev With whatever gas, a payout that asks for all that a payout can have is paid, or the call refused.
    function test_Payout_IsNeverKeptForLackOfGas() public {
        DemandingReceiver demanding = new DemandingReceiver();
        setPayout(address(demanding));
        bytes memory data = abi.encodeCall(payments.claim, (only(voucherOf(open(NATIVE, 100), 10))));
        uint256 snapshot = vm.snapshotState();
        for (uint256 gas_ = 50_000; gas_ < 600_000; gas_ += 2000) {
            (bool accepted, ) = address(payments).call{gas: gas_}(data);
            vm.assertEq(payments.kept(vendorId, NATIVE), 0, "kept");
            vm.assertEq(address(demanding).balance, accepted ? 10 : 0, "paid");
            vm.revertToState(snapshot);
        }
    }

    /// @dev As `IOrders.withdraw` says; the 2,300 come with the money.
    function test_Payout_Has300000Gas() public {
        vm.etch(PAYOUT, hex"5a5f5500"); // stores the gas that is left after its first instruction, which costs 2
        IPaymentChannels.ChannelSettings memory settings = open(address(token), 100);
        claim(open(NATIVE, 100), 10);
        vm.assertEq(uint256(vm.load(PAYOUT, 0)), 300_000 + 2_300 - 2, "gas of a receiver of the native coin");
        vm.etch(address(token), hex"5a5f5500");
        claim(settings, 10);
        vm.assertEq(uint256(vm.load(address(token), 0)), 300_000 - 2, "gas of a token");
    }

    function test_Claim_NeedsNoMoreGasThanItUsesGivenAPayoutTakesMoney() public {
        bytes memory data = abi.encodeCall(payments.claim, (only(voucherOf(open(NATIVE, 100), 10))));
        (bool accepted, ) = address(payments).call{gas: 150_000}(data);
        vm.assertTrue(accepted, "refused");
        vm.assertEq(PAYOUT.balance, 10, "paid out");
    }

    /// @dev Reading an answer of half a million bytes would cost the sender as much again as the account that gives it.
    function test_Cancel_CopiesNoAnswerOfTheAccount() public {
        bytes32 orderId = buyStreamed(1);
        address longWinded = address(new LongWindedReceiver());
        vm.prank(BUYER);
        uint256 before = gasleft();
        payments.cancel(orderId, longWinded);
        vm.assertTrue(before - gasleft() < 750_000, "the answer was copied");
        vm.assertEq(longWinded.balance, PRICE, "refunded");
    }

    /// @dev What Payments would send to itself would belong to nobody.
    function test_PayoutThatIsPaymentsItself_GetsNothing() public {
        setPayout(address(payments));
        bytes32 orderId = buyStreamed(1);
        bytes32 other = buyInToken(tokenStreamedPlan, 1);
        skip(PERIOD);
        withdraw(orderId);
        withdraw(other);
        claim(open(NATIVE, 10), 10);
        claim(open(address(token), 10), 10);
        vm.assertEq(payments.kept(vendorId, NATIVE), PRICE + 10, "kept");
        vm.assertEq(payments.kept(vendorId, address(token)), PRICE + 10, "kept of the token");
        vm.expectRevert(isTransferFailed(NATIVE, address(payments), PRICE + 10));
        payments.redeliver(vendorId, NATIVE);
        vm.expectRevert(isTransferFailed(address(token), address(payments), PRICE + 10));
        payments.redeliver(vendorId, address(token));
        setPayout(PAYOUT);
        payments.redeliver(vendorId, NATIVE);
        payments.redeliver(vendorId, address(token));
        vm.assertEq(address(payments).balance + token.balanceOf(address(payments)), 0, "held");
    }

    function test_RevertWhen_MoneyWouldGoToPaymentsItself() public {
        address self = address(payments);
        bytes32 orderId = buyStreamed(1);
        vm.prank(BUYER);
        vm.expectRevert(isTransferFailed(NATIVE, self, PRICE));
        payments.cancel(orderId, self);
        orderId = buyInToken(tokenStreamedPlan, 1);
        vm.prank(BUYER);
        vm.expectRevert(isTransferFailed(address(token), self, PRICE));
        payments.cancel(orderId, self);

        IPaymentChannels.ChannelSettings memory settings = open(address(token), 10);
        bytes memory signature = signRefundRequest(settings, self);
        vm.prank(OWNER);
        vm.expectRevert(isTransferFailed(address(token), self, 3));
        payments.refund(settings, self, 3, signature);
        requestWithdrawal(settings, self);
        skip(DELAY);
        vm.expectRevert(isTransferFailed(address(token), self, 10));
        payments.finalizeWithdrawal(settings);
    }

    /// @dev The buyer's way out does not lead past the vendor's payout.
    function test_Buyer_IsNotStoppedByAPayout() public {
        address[4] memory payouts = badPayouts();
        for (uint256 i = 0; i < payouts.length; ++i) {
            setPayout(payouts[i]);
            bytes32 orderId = buyStreamed(2);
            skip(PERIOD / 2);
            cancel(orderId);
            IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 10);
            claim(settings, channelOf(settings).claimed + 4);
            refundPayer(settings, 1);
            requestWithdrawal(settings, BUYER);
            skip(DELAY);
            vm.assertEq(payments.finalizeWithdrawal(settings), 5, "withdrawn");
        }
    }

    function badPayouts() private returns (address[4] memory) {
        return
            [
                address(new RefusingReceiver()),
                address(new BombReceiver()),
                address(new BurningReceiver()),
                address(new LongWindedReceiver()) // whose answer costs more gas than a payout has
            ];
    }

    /// @dev The bad one's order between two of the good one, all earned.
    function buyOfBoth(bytes32 key) private returns (bytes32[] memory orderIds) {
        orderIds = new bytes32[](3);
        vm.startPrank(BUYER);
        (orderIds[0], ) = payments.buy{value: PRICE}(_good, streamedPlan, key, 1, BUYER);
        (orderIds[1], ) = payments.buy{value: PRICE}(vendorId, streamedPlan, key, 1, BUYER);
        (orderIds[2], ) = payments.buy{value: PRICE}(_good, streamedPlan, keccak256(abi.encode(key)), 1, BUYER);
        vm.stopPrank();
        skip(PERIOD);
    }

    function vouchersOfBoth(uint256 salt) private returns (IPaymentChannels.Claim[] memory claims) {
        claims = new IPaymentChannels.Claim[](3);
        for (uint256 i = 0; i < 3; ++i) {
            IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
            settings.vendorId = i == 1 ? vendorId : _good;
            settings.salt = keccak256(abi.encode(salt, i));
            deposit(settings, 10);
            claims[i] = voucherOf(settings, 10);
        }
    }
}
