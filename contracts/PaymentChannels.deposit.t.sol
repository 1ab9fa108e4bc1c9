// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IMoney} from "./IMoney.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {IPayments} from "./IPayments.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {ChannelFixture} from "./test/ChannelFixture.t.sol";
import {TypedData} from "./test/TypedData.t.sol";

contract PaymentChannelsDepositTest is ChannelFixture {
    uint128 private constant MOST = type(uint120).max;

    function testFuzz_ChannelIdOf_IsTheDigestOfTheSettings(IPaymentChannels.ChannelSettings memory settings) public {
        vm.assertEq(payments.channelIdOf(settings), digestOf(TypedData.channel(settings)), "id");
        vm.chainId(8453);
        vm.assertEq(payments.channelIdOf(settings), digestOf(TypedData.channel(settings)), "id on another chain");
    }

    function test_ChannelIdOf_DiffersByEachSettingAndByChainAndContract() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        bytes32[] memory ids = new bytes32[](9);
        ids[0] = payments.channelIdOf(settings);
        for (uint256 member = 0; member < 6; ++member) {
            ids[member + 1] = payments.channelIdOf(changedIn(settings, member));
        }
        ids[7] = IPayments(IVendorRegistry(deploy("VendorRegistry.sol:VendorRegistry")).payments()).channelIdOf(
            settings
        );
        vm.chainId(block.chainid + 1);
        ids[8] = payments.channelIdOf(settings);
        for (uint256 i = 0; i < ids.length; ++i) {
            for (uint256 j = 0; j < i; ++j) vm.assertTrue(ids[i] != ids[j], "two channels have one id");
        }
    }

    function test_Deposit_HoldsTheNativeCoin() public {
        checkDeposit(NATIVE);
    }

    function test_Deposit_HoldsTheToken() public {
        checkDeposit(address(token));
    }

    function test_Deposit_ByAnyone() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        vm.deal(STRANGER, 5);
        vm.prank(STRANGER);
        payments.deposit{value: 5}(settings, 5);
        assertFunds(settings, 5, 0, 0);
        vm.assertEq(BUYER.balance, type(uint128).max, "the payer was not asked");

        settings = settingsOf(address(token));
        token.mint(STRANGER, 5);
        approve(5); // by the payer, which is not asked either
        vm.startPrank(STRANGER);
        token.approve(address(payments), 5);
        payments.deposit(settings, 5);
        assertFunds(settings, 5, 0, 0);
        vm.assertEq(token.balanceOf(STRANGER), 0, "the sender paid");
    }

    function test_RevertWhen_AmountIsZero() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        vm.expectRevert(isZeroAmount());
        payments.deposit(settings, 0);
    }

    function test_RevertWhen_PayerOrSignerIsZero() public {
        bytes memory refusal = abi.encodeWithSelector(IPaymentChannels.Payments_ZeroParty.selector);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        settings.payer = address(0);
        refuses(settings, 1, 1, refusal);
        settings = settingsOf(NATIVE);
        settings.signer = address(0);
        refuses(settings, 1, 1, refusal);
    }

    function test_RevertWhen_WithdrawDelayIsOutOfBounds() public {
        uint32[4] memory delays = [0, 15 minutes - 1, 30 days + 1, type(uint32).max];
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        for (uint256 i = 0; i < delays.length; ++i) {
            settings.withdrawDelay = delays[i];
            bytes memory refusal = abi.encodeWithSelector(
                IPaymentChannels.Payments_WithdrawDelay.selector,
                delays[i],
                900,
                2_592_000
            );
            refuses(settings, 1, 1, refusal);
        }
        settings.withdrawDelay = 15 minutes;
        deposit(settings, 1);
        settings.withdrawDelay = 30 days;
        deposit(settings, 1);
    }

    function test_RevertGiven_VendorIsInactive() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 10);
        vm.prank(OPERATOR);
        registry.setActive(vendorId, false);
        refuses(settings, 1, 1, abi.encodeWithSelector(IPaymentChannels.Payments_VendorInactive.selector, vendorId));
        claim(settings, 3);
        refundPayer(settings, 2);
        requestWithdrawal(settings, REFUND_TO);
        skip(DELAY);
        payments.finalizeWithdrawal(settings);
        vm.assertEq(address(payments).balance, 0, "what is in goes out all the same");
    }

    function test_RevertGiven_VendorIsUnknown() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        settings.vendorId = 9;
        refuses(settings, 1, 1, abi.encodeWithSelector(IVendorRegistry.VendorRegistry_UnknownVendor.selector, 9));
    }

    function testFuzz_RevertWhen_ValueIsNotTheAmount(uint120 amount, uint120 value) public {
        vm.assume(amount != 0);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        if (value != amount) {
            bytes memory refusal = isWrongValue(value, amount);
            refuses(settings, amount, value, refusal);
        }
        if (value != 0) {
            bytes memory refusal = isWrongValue(value, 0);
            refuses(settingsOf(address(token)), amount, value, refusal);
        }
    }

    function test_RevertWhen_AllowanceIsTooLow() public {
        approve(9);
        refuses(
            settingsOf(address(token)),
            10,
            0,
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, payments, 9, 10)
        );
    }

    function test_RevertWhen_BalanceDoesNotFitItsField() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        refuses(settings, MOST + 1, MOST + 1, isTooLarge(MOST + 1));
        refuses(settings, type(uint128).max, type(uint128).max, isTooLarge(type(uint128).max));
        deposit(settings, MOST - 1);
        refuses(settings, 2, 2, isTooLarge(MOST + 1));
        deposit(settings, 1);
        assertFunds(settings, type(uint120).max, 0, 0);
        refuses(settings, 1, 1, isTooLarge(MOST + 1));

        claim(settings, MOST);
        vm.assertEq(PAYOUT.balance, MOST, "all of it can be claimed");
        refuses(settings, 1, 1, isTooLarge(MOST + 1));
    }

    function test_Deposit_FitsAgainAfterARefund() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, MOST);
        refundPayer(settings, 3);
        refuses(settings, 4, 4, isTooLarge(MOST + 1));
        deposit(settings, 3);
        assertFunds(settings, type(uint120).max, 0, 1);
    }

    /// @dev The bytes around a member are part of no channel that can have money.
    function test_RevertWhen_SettingsHaveDirtyBits() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 10);
        bytes32 id = payments.channelIdOf(settings);
        uint8[5] memory widths = [64, 160, 160, 160, 32];
        for (uint256 member = 0; member < widths.length; ++member) {
            bytes memory dirty = abi.encode(settings);
            assembly ("memory-safe") {
                let place := add(add(dirty, 32), mul(member, 32))
                let width := mload(add(widths, mul(member, 32)))
                mstore(place, or(mload(place), shl(width, 1)))
            }
            vm.prank(BUYER);
            (bool accepted, ) = address(payments).call{value: 1}(
                abi.encodePacked(payments.deposit.selector, dirty, uint256(1))
            );
            vm.assertTrue(!accepted, "a deposit");
            bytes memory answer;
            (accepted, answer) = address(payments).staticcall(abi.encodePacked(payments.channelIdOf.selector, dirty));
            vm.assertTrue(!accepted || abi.decode(answer, (bytes32)) != id, "the same channel");
        }
    }

    function test_Channels_TellsEachInTheSameSequence() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 10);
        claim(settings, 4);
        refundPayer(settings, 1);
        requestWithdrawal(settings, REFUND_TO);
        bytes32[] memory ids = new bytes32[](3);
        ids[0] = idOf(open(address(token), 7));
        ids[1] = keccak256("never opened");
        ids[2] = idOf(settings);
        IPaymentChannels.Channel[] memory given = payments.channels(ids);
        vm.assertEq(given.length, 3, "length");
        vm.assertEq(abi.encode(given[0]), abi.encode(7, 0, 0, 0, 0), "the first");
        vm.assertEq(abi.encode(given[1]), abi.encode(0, 0, 0, 0, 0), "unknown");
        vm.assertEq(abi.encode(given[2]), abi.encode(9, 4, 1, REFUND_TO, START + DELAY), "the last");
        vm.assertEq(payments.channels(new bytes32[](0)).length, 0, "none");
    }

    function testFuzz_Deposit_AddsUp(uint112[8] memory amounts, bool native) public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(native ? NATIVE : address(token));
        uint120 sum = 0;
        for (uint256 i = 0; i < amounts.length; ++i) {
            if (amounts[i] == 0) continue;
            deposit(settings, amounts[i]);
            sum += amounts[i];
            assertFunds(settings, sum, 0, 0);
        }
        vm.assertEq(balanceOf(settings.token, address(payments)), sum, "held");
    }

    function checkDeposit(address token_) private {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(token_);
        approve(100);
        expectDeposited(settings, 60, 60);
        vm.prank(BUYER);
        bytes32 id = payments.deposit{value: token_ == NATIVE ? 60 : 0}(settings, 60);
        vm.assertEq(id, payments.channelIdOf(settings), "channelId");
        assertFunds(settings, 60, 0, 0);
        assertNoWithdrawal(settings);

        claim(settings, 10);
        expectDeposited(settings, 40, 100);
        vm.prank(BUYER);
        payments.deposit{value: token_ == NATIVE ? 40 : 0}(settings, 40);
        assertFunds(settings, 100, 10, 0);
        vm.assertEq(balanceOf(token_, address(payments)), 90, "held");
        vm.assertEq(balanceOf(token_, BUYER), type(uint128).max - 100, "paid");
    }

    function expectDeposited(
        IPaymentChannels.ChannelSettings memory settings,
        uint120 amount,
        uint120 balance
    ) private {
        bytes32 id = idOf(settings);
        vm.expectEmit(address(payments));
        emit IPaymentChannels.ChannelDeposited(
            id,
            vendorId,
            BUYER,
            SIGNER,
            settings.token,
            DELAY,
            settings.salt,
            amount,
            balance
        );
    }

    function refuses(
        IPaymentChannels.ChannelSettings memory settings,
        uint128 amount,
        uint256 value,
        bytes memory refusal
    ) private {
        vm.prank(BUYER);
        vm.expectRevert(refusal);
        payments.deposit{value: value}(settings, amount);
    }

    function changedIn(
        IPaymentChannels.ChannelSettings memory settings,
        uint256 member
    ) private view returns (IPaymentChannels.ChannelSettings memory changed) {
        changed = abi.decode(abi.encode(settings), (IPaymentChannels.ChannelSettings));
        if (member == 0) changed.vendorId = 2;
        if (member == 1) changed.payer = STRANGER;
        if (member == 2) changed.signer = STRANGER;
        if (member == 3) changed.token = address(token);
        if (member == 4) changed.withdrawDelay = 15 minutes;
        if (member == 5) changed.salt = 0;
    }

    function isTooLarge(uint256 balance) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IPaymentChannels.Payments_BalanceTooLarge.selector, balance);
    }
}
