// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IPaymentChannels} from "./IPaymentChannels.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {ChannelFixture} from "./test/ChannelFixture.t.sol";
import {CountingReceiver, ReenteringReceiver} from "./test/Receivers.t.sol";

contract PaymentChannelsClaimTest is ChannelFixture {
    function test_Claim_PaysTheDifference() public {
        checkClaim(NATIVE);
        checkClaim(address(token));
    }

    function test_Claim_PaysTheCurrentPayout() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        claim(settings, 10);
        setPayout(REFUND_TO);
        claim(settings, 30);
        vm.assertEq(PAYOUT.balance, 10, "old payout");
        vm.assertEq(REFUND_TO.balance, 20, "new payout");
    }

    function test_Claim_AllowsNoVouchers() public {
        payments.claim(new IPaymentChannels.Claim[](0));
    }

    function test_Claim_MakesOneTransferForEachVendorAndToken() public {
        CountingReceiver ours = new CountingReceiver();
        CountingReceiver theirs = new CountingReceiver();
        setPayout(address(ours));
        uint64 other = registerOther(address(theirs));
        IPaymentChannels.Claim[] memory claims = new IPaymentChannels.Claim[](8);
        claims[0] = opened(vendorId, NATIVE, 0, 1);
        claims[1] = opened(vendorId, address(token), 1, 2);
        claims[2] = opened(other, address(token), 2, 4);
        claims[3] = opened(vendorId, NATIVE, 3, 8);
        claims[4] = opened(other, NATIVE, 4, 16);
        claims[5] = opened(other, address(token), 5, 32);
        claims[6] = opened(vendorId, address(token), 6, 64);
        claims[7] = opened(other, NATIVE, 7, 128);

        vm.recordLogs();
        payments.claim(claims);
        vm.assertEq(countTransfers(address(token)), 2, "transfers of the token");
        vm.assertEq(ours.payments(), 1, "transfers of the native coin");
        vm.assertEq(theirs.payments(), 1, "transfers of the native coin to the other");
        vm.assertEq(address(ours).balance, 1 + 8, "native coin");
        vm.assertEq(token.balanceOf(address(ours)), 2 + 64, "token");
        vm.assertEq(address(theirs).balance, 16 + 128, "native coin of the other");
        vm.assertEq(token.balanceOf(address(theirs)), 4 + 32, "token of the other");
    }

    function test_Claim_TakesRisingVouchersOfOneChannel() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        IPaymentChannels.Claim[] memory claims = new IPaymentChannels.Claim[](2);
        claims[0] = voucherOf(settings, 10);
        claims[1] = voucherOf(settings, 25);
        payments.claim(claims);
        vm.assertEq(PAYOUT.balance, 25, "paid out");
        assertFunds(settings, 100, 25, 0);
    }

    function test_Claim_MayTakeAllOfTheBalanceAndMoreAfterAnotherDeposit() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        claim(settings, 100);
        deposit(settings, 5);
        refuses(voucherOf(settings, 106), isOverBalance(settings, 106, 105));
        claim(settings, 105);
        vm.assertEq(PAYOUT.balance, 105, "paid out");
        assertFunds(settings, 105, 105, 0);
    }

    function test_RevertWhen_VoucherIsStale() public {
        IPaymentChannels.ChannelSettings memory settings = open(address(token), 100);
        refuses(voucherOf(settings, 0), isStale(settings, 0, 0));
        claim(settings, 30);
        refuses(voucherOf(settings, 30), isStale(settings, 30, 30));
        refuses(voucherOf(settings, 29), isStale(settings, 29, 30));
        refuses(voucherOf(settings, 0), isStale(settings, 0, 30));
        claim(settings, 31);
        vm.assertEq(token.balanceOf(PAYOUT), 31, "paid out");
    }

    function test_RevertWhen_VoucherIsOverBalance() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        refuses(voucherOf(settings, 101), isOverBalance(settings, 101, 100));
        refuses(voucherOf(settings, type(uint128).max), isOverBalance(settings, type(uint128).max, 100));
        // 120 bits of it would be good.
        uint128 wrapping = (uint128(1) << 120) + 1;
        refuses(voucherOf(settings, wrapping), isOverBalance(settings, wrapping, 100));
    }

    function test_RevertGiven_ChannelWasNeverOpened() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        open(address(token), 100); // another
        refuses(voucherOf(settings, 1), isOverBalance(settings, 1, 0));
        settings.vendorId = 9;
        refuses(
            voucherOf(settings, 1),
            abi.encodeWithSelector(IVendorRegistry.VendorRegistry_UnknownVendor.selector, 9)
        );
    }

    /// @dev One bad voucher refuses the call, and says which it is.
    function test_RevertWhen_OneOfManyIsBad() public {
        IPaymentChannels.Claim[] memory claims = new IPaymentChannels.Claim[](3);
        claims[0] = opened(vendorId, NATIVE, 0, 10);
        claims[1] = opened(vendorId, NATIVE, 1, 10);
        claims[2] = claims[0];
        bytes memory refusal = isStale(claims[0].settings, 10, 10);
        vm.expectRevert(refusal);
        payments.claim(claims);
        claims[2] = voucherOf(claims[1].settings, 9);
        refusal = isStale(claims[1].settings, 9, 10);
        vm.expectRevert(refusal);
        payments.claim(claims);
        vm.assertEq(PAYOUT.balance, 0, "paid out");
        assertFunds(claims[0].settings, 10, 0, 0);
    }

    function test_Claim_StateIsFinalBeforeMoneyMoves() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = idOf(settings);
        ReenteringReceiver receiver = new ReenteringReceiver(address(payments));
        receiver.callBackWith(abi.encodeCall(payments.channels, (ids)));
        setPayout(address(receiver));
        claim(settings, 40);
        vm.assertEq(receiver.answer(), abi.encode(payments.channels(ids)), "what the receiver saw");
        assertFunds(settings, 100, 40, 0);
    }

    /// @dev Whichever vouchers arrive in whichever order, the vendor has the largest and no unit twice.
    function testFuzz_Claim_PaysTheLargestVoucher(uint120 amount, uint120[8] memory vouchers, bool native) public {
        amount = uint120(within(amount, 1, type(uint120).max));
        IPaymentChannels.ChannelSettings memory settings = open(native ? NATIVE : address(token), amount);
        uint120 largest = 0;
        for (uint256 i = 0; i < vouchers.length; ++i) {
            uint120 cumulative = uint120(within(vouchers[i], 0, uint256(amount) + amount / 4));
            if (cumulative <= largest) refuses(voucherOf(settings, cumulative), isStale(settings, cumulative, largest));
            else if (cumulative > amount) {
                refuses(voucherOf(settings, cumulative), isOverBalance(settings, cumulative, amount));
            } else {
                claim(settings, cumulative);
                largest = cumulative;
            }
            assertFunds(settings, amount, largest, 0);
            vm.assertEq(balanceOf(settings.token, PAYOUT), largest, "paid out");
            vm.assertEq(balanceOf(settings.token, address(payments)), amount - largest, "held");
        }
    }

    function checkClaim(address token_) private {
        IPaymentChannels.ChannelSettings memory settings = open(token_, 100);
        expectClaimed(settings, 30, 30);
        claimByStranger(settings, 30);
        vm.assertEq(balanceOf(token_, PAYOUT), 30, "paid out");
        expectClaimed(settings, 40, 70);
        claimByStranger(settings, 70);
        vm.assertEq(balanceOf(token_, PAYOUT), 70, "paid out in all");
        vm.assertEq(balanceOf(token_, address(payments)), 30, "held");
        assertFunds(settings, 100, 70, 0);
    }

    function claimByStranger(IPaymentChannels.ChannelSettings memory settings, uint128 cumulative) private {
        IPaymentChannels.Claim[] memory claims = only(voucherOf(settings, cumulative));
        vm.prank(STRANGER);
        payments.claim(claims);
    }

    /// @dev A voucher of all that a new channel holds.
    function opened(
        uint64 vendorId_,
        address token_,
        uint256 salt,
        uint128 amount
    ) private returns (IPaymentChannels.Claim memory) {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(token_);
        settings.vendorId = vendorId_;
        settings.salt = bytes32(salt);
        deposit(settings, amount);
        return voucherOf(settings, amount);
    }

    function refuses(IPaymentChannels.Claim memory given, bytes memory refusal) private {
        vm.expectRevert(refusal);
        payments.claim(only(given));
    }

    function expectClaimed(IPaymentChannels.ChannelSettings memory settings, uint120 amount, uint120 claimed) private {
        bytes32 id = idOf(settings);
        vm.expectEmit(address(payments));
        emit IPaymentChannels.ChannelClaimed(id, vendorId, amount, claimed);
    }
}
