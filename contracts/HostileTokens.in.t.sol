// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {
    AnsweringToken,
    BlocklistToken,
    BombToken,
    BonusToken,
    BurningToken,
    ConstantToken,
    DecimalsToken,
    FalseToken,
    FeeToken,
    LyingToken,
    PlainToken,
    RebasingToken,
    RevertingToken
} from "./test/HostileTokens.t.sol";
import {WaysFixture} from "./test/WaysFixture.t.sol";

/// @dev Money that does not come as it was told buys nothing.
contract HostileTokensInTest is WaysFixture {
    bytes32 private constant ONCE = keccak256("once");

    function test_PlainToken_PaysInEachWay() public {
        accepts(new PlainToken());
    }

    function test_DecimalsToken_PaysWhateverItsDecimals() public {
        accepts(new DecimalsToken(0));
        accepts(new DecimalsToken(77));
    }

    /// @dev As a well-known stablecoin does, or with more than was asked.
    function test_AnsweringToken_PaysGivenItAnswersNothingOrTrue() public {
        AnsweringToken token_ = new AnsweringToken();
        accepts(token_);
        token_.answerWith(abi.encode(true));
        acceptsAgain(token_, "2");
        token_.answerWith(abi.encode(true, 7));
        acceptsAgain(token_, "3");
    }

    function test_AnsweringToken_BuysNothingGivenItAnswersAnythingElse() public {
        AnsweringToken token_ = new AnsweringToken();
        use(token_);
        bytes[4] memory answers = [abi.encode(false), abi.encode(2), abi.encode(false, true), new bytes(31)];
        bytes memory refusal = abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, token_);
        for (uint256 i = 0; i < answers.length; ++i) {
            token_.answerWith(answers[i]);
            bytes[] memory calls = waysIn(address(token_), ONCE);
            for (uint256 j = 0; j < WAYS_BY_ALLOWANCE; ++j) refuses(calls[j], refusal);
            // What came by EIP-3009, which answers nothing, is sent on by a transfer, which does.
            refuses(calls[10], isTransferFailed(address(token_), PAYOUT, AMOUNT));
        }
    }

    function test_FeeToken_BuysNothing() public {
        FeeToken token_ = new FeeToken();
        refusesEach(token_, isInexact(address(token_), AMOUNT - 1, AMOUNT));
    }

    function test_BonusToken_BuysNothing() public {
        BonusToken token_ = new BonusToken();
        refusesEach(token_, isInexact(address(token_), AMOUNT + 1, AMOUNT));
    }

    /// @dev From an account to itself, nothing at all may change.
    function test_FeeToken_BuysNothingGivenThePayoutPaysItself() public {
        setPayout(BUYER);
        FeeToken token_ = new FeeToken();
        use(token_);
        token_.turnHostile();
        bytes[] memory calls = waysIn(address(token_), ONCE);
        refuses(calls[1], isInexact(address(token_), type(uint256).max, 0));
        refuses(calls[4], isInexact(address(token_), type(uint256).max, 0));
    }

    function test_RebasingToken_BuysNothingWhileItRebases() public {
        RebasingToken token_ = new RebasingToken();
        use(token_);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token_));
        vm.prank(BUYER);
        payments.deposit(settings, 1000);
        bytes[] memory calls = waysIn(address(token_), ONCE);
        // All balances fall by a tenth, or rise by one; the thousand that is there too.
        token_.rebaseWithEveryMove(900);
        uint256 afterwards = (uint256(AMOUNT + 1000) * 9) / 10;
        refuses(calls[2], isInexact(address(token_), afterwards - 1000, AMOUNT));
        token_.rebaseWithEveryMove(1100);
        afterwards = (uint256(AMOUNT + 1000) * 11) / 10;
        refuses(calls[2], isInexact(address(token_), afterwards - 1000, AMOUNT));
        // So far that less is there than before.
        token_.rebaseWithEveryMove(0);
        for (uint256 i = 0; i < calls.length; ++i) {
            if (i == 1 || i == 4) continue; // straight to the payout, which had nothing
            refuses(calls[i], isInexact(address(token_), type(uint256).max - 999, AMOUNT));
        }
        token_.rebaseWithEveryMove(1000);
        vm.prank(BUYER);
        payments.deposit(settings, 1);
    }

    function test_FalseToken_BuysNothing() public {
        FalseToken token_ = new FalseToken();
        use(token_);
        token_.turnHostile();
        bytes memory refusal = abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, token_);
        bytes[] memory calls = waysIn(address(token_), ONCE);
        for (uint256 i = 0; i < WAYS_BY_ALLOWANCE; ++i) refuses(calls[i], refusal);
        refuses(calls[10], isTransferFailed(address(token_), PAYOUT, AMOUNT));
    }

    function test_RevertingToken_BuysNothing() public {
        refusesEach(new RevertingToken(), abi.encodeWithSelector(RevertingToken.Paused.selector));
    }

    function test_BombToken_BuysNothing() public {
        BombToken token_ = new BombToken();
        use(token_);
        token_.turnHostile();
        bytes[] memory calls = waysIn(address(token_), ONCE);
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool accepted, ) = pay(calls[i]);
            vm.assertTrue(!accepted, "accepted");
        }
    }

    function test_BurningToken_BuysNothing() public {
        BurningToken token_ = new BurningToken();
        use(token_);
        token_.turnHostile();
        bytes[] memory calls = waysIn(address(token_), ONCE);
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(BUYER);
            (bool accepted, ) = address(payments).call{gas: 2_000_000}(calls[i]);
            vm.assertTrue(!accepted, "accepted");
        }
    }

    function test_BlocklistToken_BuysNothingForABlockedBuyer() public {
        BlocklistToken token_ = new BlocklistToken();
        token_.block_(BUYER);
        refusesEach(token_, abi.encodeWithSelector(BlocklistToken.Blocked.selector, BUYER));
    }

    function test_ConstantToken_BuysNothing() public {
        ConstantToken token_ = new ConstantToken();
        refusesEach(token_, isInexact(address(token_), 0, AMOUNT));
    }

    function test_RevertGiven_TheTokenHasNoCode() public {
        PlainToken token_ = new PlainToken();
        use(token_);
        vm.etch(address(token_), "");
        bytes[] memory calls = waysIn(address(token_), ONCE);
        for (uint256 i = 0; i < calls.length; ++i) refuses(calls[i], "");
        // Nor an account that never had any.
        bytes[] memory others = waysIn(STRANGER, ONCE);
        refuses(others[2], "");
        refuses(others[5], "");
        refuses(others[6], "");
    }

    /// @dev Balances so large that their difference is all that fits.
    function test_PlainToken_PaysGivenBalancesNearTheEndOfTheirField() public {
        PlainToken token_ = new PlainToken();
        token_.mint(address(payments), (uint256(1) << 255) + type(uint128).max);
        token_.mint(PAYOUT, type(uint256).max - 1000 * AMOUNT);
        token_.mint(BUYER, uint256(1) << 255);
        accepts(token_);
        allow(token_);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token_));
        vm.prank(BUYER);
        vm.expectRevert(abi.encodeWithSelector(IPaymentChannels.Payments_BalanceTooLarge.selector, 1 << 120));
        payments.deposit(settings, uint128(1) << 120);
        vm.prank(BUYER);
        payments.deposit(settings, type(uint120).max);
    }

    /// @dev Money that a token invents is that token's affair: it is worth nothing in any other.
    function test_LyingToken_BuysOnlyWhatIsPaidInItself() public {
        LyingToken token_ = new LyingToken();
        use(token_);
        token_.turnHostile();
        deposit(settingsOf(NATIVE), 100);
        deposit(settingsOf(address(token)), 100);
        vm.prank(BUYER);
        payments.deposit(settingsOf(address(token_)), AMOUNT);
        claim(settingsOf(address(token_)), AMOUNT);
        vm.assertEq(token_.balanceOf(PAYOUT), AMOUNT, "of its kind");
        vm.assertEq(address(payments).balance, 100, "native coin");
        vm.assertEq(token.balanceOf(address(payments)), 100, "another token");
    }

    function accepts(PlainToken token_) private {
        use(token_);
        acceptsAgain(token_, "1");
    }

    function acceptsAgain(PlainToken token_, bytes32 salt) private {
        bytes[] memory calls = waysIn(address(token_), salt);
        allow(token_);
        for (uint256 i = 0; i < calls.length; ++i) {
            // Those that sign the same are each for a buyer of their own.
            if (i >= WAYS_BY_ALLOWANCE) calls = waysIn(address(token_), keccak256(abi.encode(salt, i)));
            uint256 before = token_.balanceOf(BUYER);
            (bool accepted, ) = pay(calls[i]);
            vm.assertTrue(accepted, "refused");
            vm.assertEq(token_.balanceOf(BUYER), before - AMOUNT, "paid");
        }
    }

    function refusesEach(PlainToken token_, bytes memory refusal) private {
        use(token_);
        token_.turnHostile();
        bytes[] memory calls = waysIn(address(token_), ONCE);
        for (uint256 i = 0; i < calls.length; ++i) refuses(calls[i], refusal);
        vm.assertEq(payments.order(vendorId, streamedIn, ONCE).startedAt, 0, "an order");
        token_.turnGood();
        vm.assertEq(token_.balanceOf(BUYER), 1000 * AMOUNT, "balance of the buyer");
    }

    function refuses(bytes memory data, bytes memory refusal) private {
        (bool accepted, bytes memory answer) = pay(data);
        vm.assertTrue(!accepted, "accepted");
        vm.assertEq(answer, refusal, "refusal");
    }
}
