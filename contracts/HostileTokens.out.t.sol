// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IMoney} from "./IMoney.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {
    AnsweringToken,
    BombToken,
    BurningToken,
    FalseToken,
    FeeToken,
    PlainToken,
    RebasingToken,
    RevertingToken
} from "./test/HostileTokens.t.sol";
import {WaysFixture} from "./test/WaysFixture.t.sol";

/// @dev Money that does not go as it was told: whoever chose where it goes is refused and loses nothing; a vendor's is
/// kept; and nobody else notices.
contract HostileTokensOutTest is WaysFixture {
    function test_PlainToken_GoesOutInEachWay() public {
        PlainToken token_ = new PlainToken();
        use(token_);
        WayOut[] memory ways = fill(address(token_), PAYOUT, BUYER);
        for (uint256 i = 0; i < ways.length; ++i) {
            uint256 before = token_.balanceOf(ways[i].to);
            (bool accepted, ) = go(ways[i]);
            vm.assertTrue(accepted, "refused");
            vm.assertEq(token_.balanceOf(ways[i].to), before + AMOUNT, "received");
        }
    }

    function test_FalseToken_IsKeptOrRefused() public {
        checkStuck(new FalseToken());
    }

    function test_RevertingToken_IsKeptOrRefused() public {
        checkStuck(new RevertingToken());
    }

    function test_BombToken_IsKeptOrRefused() public {
        checkStuck(new BombToken());
    }

    function test_BurningToken_IsKeptAndOthersArePaid() public {
        BurningToken token_ = new BurningToken();
        use(token_);
        checkKept(token_);
        token_.turnGood();
        checkRedelivered(token_);
    }

    /// @dev It moved the money and answers that it did not. It is believed, at its holders' cost: the next payout
    /// finds less.
    function test_AnsweringToken_IsKeptGivenItAnswersAnythingButTrue() public {
        AnsweringToken token_ = new AnsweringToken();
        use(token_);
        bytes[4] memory answers = [abi.encode(false), abi.encode(2), abi.encode(false, true), new bytes(31)];
        for (uint256 i = 0; i < answers.length; ++i) {
            IPaymentChannels.Claim memory given = lastByteOne(address(token_), i);
            token_.answerWith(answers[i]);
            claim(given);
            vm.assertEq(payments.kept(vendorId, address(token_)), AMOUNT * (i + 1), "kept");
            token_.answerWith("");
        }
        token_.answerWith(abi.encode(true, 7));
        claim(lastByteOne(address(token_), 4));
        vm.assertEq(payments.kept(vendorId, address(token_)), AMOUNT * 4, "kept no more");
    }

    /// @dev A call to an account without code succeeds and answers nothing.
    function test_TokenWithoutCode_IsKeptOrRefused() public {
        PlainToken token_ = new PlainToken();
        use(token_);
        WayOut[] memory ways = fill(address(token_), PAYOUT, BUYER);
        bytes memory code = address(token_).code;
        bytes32[] memory orderIds = new bytes32[](1);
        orderIds[0] = payments.orderIdOf(vendorId, streamedIn, keccak256("cancel"));
        vm.etch(address(token_), "");
        for (uint256 i = 0; i < ways.length; ++i) {
            refuses(ways[i], isTransferFailed(address(token_), ways[i].to, AMOUNT));
        }
        payments.withdraw(orderIds);
        vm.assertEq(payments.kept(vendorId, address(token_)), 2 * AMOUNT, "kept");
        vm.etch(address(token_), code);
        payments.redeliver(vendorId, address(token_));
        vm.assertEq(token_.balanceOf(PAYOUT), 2 * AMOUNT, "redelivered");
    }

    /// @dev A fee on the way out is its receiver's.
    function test_FeeToken_GoesOutInFullAndArrivesAsItDoes() public {
        FeeToken token_ = new FeeToken();
        use(token_);
        WayOut[] memory ways = fill(address(token_), PAYOUT, BUYER);
        token_.turnHostile();
        for (uint256 i = 0; i < ways.length; ++i) {
            uint256 held = token_.balanceOf(address(payments));
            (bool accepted, ) = go(ways[i]);
            vm.assertTrue(accepted, "refused");
            vm.assertEq(token_.balanceOf(address(payments)), held - AMOUNT, "held");
        }
        vm.assertEq(token_.balanceOf(PAYOUT), AMOUNT - 1, "received");
    }

    /// @dev Half of it is gone: who comes first is paid, who comes later keeps a claim, and other money is untouched.
    function test_RebasingToken_ThatFalls_HurtsOnlyItsOwn() public {
        RebasingToken token_ = new RebasingToken();
        use(token_);
        IPaymentChannels.Claim[] memory claims = new IPaymentChannels.Claim[](3);
        uint64 other = registerOther(REFUND_TO);
        claims[0] = voucher(address(token_), vendorId);
        claims[1] = voucher(address(token_), other);
        claims[2] = voucher(NATIVE, other);
        token_.rebase(500);
        payments.claim(claims);
        vm.assertEq(token_.balanceOf(PAYOUT), AMOUNT, "the first");
        vm.assertEq(token_.balanceOf(REFUND_TO), 0, "the second");
        vm.assertEq(payments.kept(other, address(token_)), AMOUNT, "kept for the second");
        vm.assertEq(REFUND_TO.balance, AMOUNT, "native coin of the second");
        token_.mint(address(payments), 2 * AMOUNT);
        payments.redeliver(other, address(token_));
        vm.assertEq(token_.balanceOf(REFUND_TO), AMOUNT, "the second, once it is there again");
    }

    /// @dev What a token gives on top belongs to nobody.
    function test_RebasingToken_ThatRises_GivesNobodyMore() public {
        RebasingToken token_ = new RebasingToken();
        use(token_);
        WayOut[] memory ways = fill(address(token_), PAYOUT, REFUND_TO);
        token_.rebase(2000);
        for (uint256 i = 0; i < ways.length; ++i) {
            (bool accepted, ) = go(ways[i]);
            vm.assertTrue(accepted, "refused");
        }
        // An odd amount is half a share less, which is the token's way of rounding.
        vm.assertEq(token_.balanceOf(REFUND_TO), 4 * (AMOUNT - 1), "received");
        vm.assertEq(token_.balanceOf(PAYOUT), AMOUNT - 1, "received by the vendor");
    }

    /// @dev In each way that names its receiver the call is refused, and works once the token does.
    function checkStuck(PlainToken token_) private {
        use(token_);
        WayOut[] memory ways = fill(address(token_), PAYOUT, BUYER);
        token_.turnHostile();
        for (uint256 i = 0; i < ways.length; ++i) {
            refuses(ways[i], isTransferFailed(address(token_), ways[i].to, AMOUNT));
        }
        token_.turnGood();
        for (uint256 i = 0; i < ways.length; ++i) {
            (bool accepted, ) = go(ways[i]);
            vm.assertTrue(accepted, "refused for good");
        }
        checkKept(token_);
        token_.turnGood();
        checkRedelivered(token_);
    }

    /// @dev In a batch it is kept, by withdrawal and by claim, and the native coin in the same batch is paid.
    function checkKept(PlainToken token_) private {
        bytes32[] memory orderIds = new bytes32[](2);
        vm.startPrank(BUYER);
        (orderIds[0], ) = payments.buy(vendorId, streamedIn, keccak256("kept"), 1, BUYER);
        (orderIds[1], ) = payments.buy{value: AMOUNT}(vendorId, streamedPlan, keccak256("kept"), 1, BUYER);
        vm.stopPrank();
        IPaymentChannels.Claim[] memory claims = new IPaymentChannels.Claim[](2);
        claims[0] = voucher(address(token_), vendorId);
        claims[1] = voucher(NATIVE, vendorId);
        skip(PERIOD);

        token_.turnHostile();
        vm.expectEmit(address(payments));
        emit IMoney.PayoutKept(vendorId, address(token_), PAYOUT, AMOUNT);
        payments.withdraw(orderIds);
        vm.assertEq(PAYOUT.balance, AMOUNT, "native coin by withdrawal");
        vm.expectEmit(address(payments));
        emit IMoney.PayoutKept(vendorId, address(token_), PAYOUT, AMOUNT);
        payments.claim(claims);
        vm.assertEq(PAYOUT.balance, 2 * AMOUNT, "native coin by claim");
        vm.assertEq(payments.kept(vendorId, address(token_)), 2 * AMOUNT, "kept");
    }

    function checkRedelivered(PlainToken token_) private {
        uint256 before = token_.balanceOf(PAYOUT);
        payments.redeliver(vendorId, address(token_));
        vm.assertEq(token_.balanceOf(PAYOUT), before + 2 * AMOUNT, "redelivered");
    }

    function voucher(address token_, uint64 vendorId_) private returns (IPaymentChannels.Claim memory) {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(token_);
        (settings.vendorId, settings.salt) = (vendorId_, keccak256("voucher"));
        deposit(settings, AMOUNT);
        return voucherOf(settings, AMOUNT);
    }

    /// @dev A voucher of a channel whose id ends in a byte of one, so that memory that it is left in looks like an
    /// answer of true to who does not look at the answer's length.
    function lastByteOne(address token_, uint256 n) private returns (IPaymentChannels.Claim memory) {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(token_);
        for (uint256 salt = n << 32; uint8(uint256(idOf(settings))) != 1; ++salt) settings.salt = bytes32(salt);
        deposit(settings, AMOUNT);
        return voucherOf(settings, AMOUNT);
    }

    function refuses(WayOut memory way, bytes memory refusal) private {
        (bool accepted, bytes memory answer) = go(way);
        vm.assertTrue(!accepted, "accepted");
        vm.assertEq(answer, refusal, "refusal");
    }
}
