// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IPaymentChannels} from "./IPaymentChannels.sol";
import {entryPoints} from "./test/EntryPoints.t.sol";
import {ReentrantToken} from "./test/HostileTokens.t.sol";
import {ReenteringReceiver} from "./test/Receivers.t.sol";
import {WaysFixture} from "./test/WaysFixture.t.sol";

/// @dev Whoever is called while money moves, by whichever function, is refused at every door of Payments.
contract HostileTokensReentrancyTest is WaysFixture {
    bytes[] private _entryPoints;

    function setUp() public override {
        super.setUp();
        _entryPoints = entryPoints(payments);
    }

    /// @dev In `transferFrom`, `permit`, `receiveWithAuthorization`, `balanceOf`, and `transfer` to a payout.
    function test_Token_CannotReenterOnTheWayIn() public {
        ReentrantToken token_ = reentrantToken();
        for (uint256 i = 0; i < _entryPoints.length; ++i) {
            bytes[] memory calls = waysIn(address(token_), bytes32(i + 1));
            allow(token_);
            for (uint256 way = 0; way < calls.length; ++way) {
                if (way >= WAYS_BY_ALLOWANCE) calls = waysIn(address(token_), keccak256(abi.encode(i, way)));
                callBackWith(token_, i);
                token_.turnHostile();
                (bool accepted, ) = pay(calls[way]);
                token_.turnGood();
                // Refused it would be too if a call back from `balanceOf` had been let in.
                vm.assertTrue(accepted, "refused");
                bool callsTwice = (way >= 3 && way < WAYS_BY_ALLOWANCE) || way == 10;
                vm.assertEq(token_.callBacks(), callsTwice ? 2 : 1, "call backs");
                vm.assertEq(token_.refusals(), token_.callBacks(), "refusals");
            }
        }
    }

    /// @dev That `balanceOf` calls back at all is seen by expecting another answer of it.
    function test_Token_IsAskedForBalancesOnTheWayIn() public {
        ReentrantToken token_ = reentrantToken();
        bytes[] memory one = new bytes[](1);
        one[0] = _entryPoints[0];
        token_.callBack(address(payments), one, "another answer");
        token_.turnHostile();
        bytes[] memory calls = waysIn(address(token_), KEY);
        for (uint256 way = 0; way < calls.length; ++way) {
            (bool accepted, bytes memory answer) = pay(calls[way]);
            vm.assertTrue(!accepted, "accepted");
            vm.assertEq(
                answer,
                abi.encodeWithSignature("Error(string)", "entered while balances are compared"),
                "refusal"
            );
        }
    }

    function test_Token_CannotReenterOnTheWayOut() public {
        ReentrantToken token_ = reentrantToken();
        WayOut[] memory ways = fill(address(token_), PAYOUT, BUYER);
        bytes32[] memory orderIds = new bytes32[](1);
        orderIds[0] = payments.orderIdOf(vendorId, streamedIn, keccak256("cancel"));
        for (uint256 i = 0; i < _entryPoints.length; ++i) {
            callBackWith(token_, i);
            for (uint256 way = 0; way < ways.length; ++way) {
                token_.turnHostile();
                // Each is tried from the same state.
                uint256 snapshot = vm.snapshotState();
                (bool accepted, ) = go(ways[way]);
                checkRefusal(token_, accepted);
                vm.revertToState(snapshot);
            }
            uint256 before = vm.snapshotState();
            payments.withdraw(orderIds);
            checkRefusal(token_, payments.kept(vendorId, address(token_)) == AMOUNT);
            vm.revertToState(before);
        }
    }

    function test_Token_CannotReenterAClaim() public {
        ReentrantToken token_ = reentrantToken();
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token_));
        deposit(settings, 100);
        for (uint256 i = 0; i < _entryPoints.length; ++i) {
            callBackWith(token_, i);
            IPaymentChannels.Claim memory given = voucherOf(settings, uint128(i + 1));
            token_.turnHostile();
            claim(given);
            token_.turnGood();
            vm.assertEq(token_.refusals(), 1, "refusals");
            vm.assertEq(token_.balanceOf(PAYOUT), i + 1, "paid out");
        }
    }

    /// @dev The same for accounts that are paid in the native coin.
    function test_Receiver_CannotReenter() public {
        ReenteringReceiver receiver = new ReenteringReceiver(address(payments));
        (streamedIn, instantIn) = (streamedPlan, instantPlan);
        vm.deal(STRANGER, AMOUNT);
        WayOut[] memory ways = fill(NATIVE, address(receiver), address(receiver));
        bytes32[] memory orderIds = new bytes32[](1);
        orderIds[0] = payments.orderIdOf(vendorId, streamedIn, keccak256("cancel"));
        IPaymentChannels.Claim memory given = voucherOf(open(NATIVE, 100), 100);
        for (uint256 i = 0; i < _entryPoints.length; ++i) {
            receiver.callBackWith(_entryPoints[i]);
            for (uint256 way = 0; way < ways.length + 3; ++way) {
                uint256 snapshot = vm.snapshotState();
                bool accepted = true;
                if (way < ways.length) (accepted, ) = go(ways[way]);
                else if (way == ways.length) payments.withdraw(orderIds);
                else if (way == ways.length + 1) claim(given);
                else buyInstant(1);
                vm.assertTrue(accepted && address(receiver).balance != 0, "not paid");
                vm.assertTrue(!receiver.succeeded(), "a call back succeeded");
                vm.assertEq(receiver.answer(), isReentered(), "answer");
                vm.revertToState(snapshot);
            }
        }
    }

    /// @dev The guard is down again after each call, also one that was refused.
    function test_Payments_OpensAgainAfterEachCall() public {
        deposit(settingsOf(NATIVE), 1);
        vm.expectRevert(isZeroAmount());
        payments.deposit(settingsOf(NATIVE), 0);
        deposit(settingsOf(NATIVE), 1);
        assertFunds(settingsOf(NATIVE), 2, 0, 0);
    }

    function reentrantToken() private returns (ReentrantToken token_) {
        token_ = new ReentrantToken();
        use(token_);
    }

    function callBackWith(ReentrantToken token_, uint256 i) private {
        bytes[] memory one = new bytes[](1);
        one[0] = _entryPoints[i];
        token_.callBack(address(payments), one, isReentered());
    }

    function checkRefusal(ReentrantToken token_, bool accepted) private view {
        vm.assertTrue(accepted, "refused");
        vm.assertEq(token_.callBacks(), 1, "call backs");
        vm.assertEq(token_.refusals(), 1, "refusals");
    }
}
