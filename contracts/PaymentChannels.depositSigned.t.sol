// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC3009 as IERC3009Token} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IMoney} from "./IMoney.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {ChannelFixture} from "./test/ChannelFixture.t.sol";
import {TypedData} from "./test/TypedData.t.sol";
import {Wallet} from "./test/Wallets.t.sol";

/// @dev Deposits that the payer signs, by permit and by authorisation.
contract PaymentChannelsDepositSignedTest is ChannelFixture {
    function test_DepositWithPermit_ByAnyone() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        bytes memory permit = signPermit(50, DEADLINE);
        bytes memory signature = signDeposit(settings, terms());
        expectDeposited(settings);
        vm.prank(STRANGER);
        bytes32 id = payments.depositWithPermit(settings, terms(), permit, signature);
        vm.assertEq(id, idOf(settings), "channelId");
        assertFunds(settings, 50, 0, 0);
        vm.assertEq(token.balanceOf(address(payments)), 50, "held");
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max - 50, "paid");
        vm.assertEq(token.nonces(BUYER), 1, "the permit was carried out");
        vm.assertTrue(payments.isUsed(digestOf(TypedData.deposit(id, terms()))), "isUsed");
    }

    function test_DepositWithPermit_UsesAnAllowanceGivenNoPermitOrOneThatIsUsed() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        approve(50);
        byPermit(settings, terms(), "");

        IPaymentChannels.Deposit memory more = terms();
        more.salt = keccak256("more");
        bytes memory permit = signPermit(50, DEADLINE);
        bytes32 structHash = TypedData.permit(BUYER, address(payments), 50, token.nonces(BUYER), DEADLINE);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(BUYER_KEY, TypedData.digest(token.DOMAIN_SEPARATOR(), structHash));
        token.permit(BUYER, address(payments), 50, DEADLINE, v, r, s);
        byPermit(settings, more, permit);
        assertFunds(settings, 100, 0, 0);
    }

    function test_DepositWithPermit_ByAContractWallet() public {
        Wallet wallet = new Wallet(BUYER);
        token.mint(address(wallet), 50);
        vm.prank(address(wallet));
        token.approve(address(payments), 50);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        settings.payer = address(wallet);
        bytes memory signature = abi.encodePacked(signDeposit(settings, terms()), uint8(0));
        payments.depositWithPermit(settings, terms(), "", signature);
        assertFunds(settings, 50, 0, 0);
        vm.assertEq(token.balanceOf(address(wallet)), 0, "paid");
    }

    function test_DepositWithPermit_WorksUpToTheDeadline() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        bytes memory permit = signPermit(50, DEADLINE);
        bytes memory signature = signDeposit(settings, terms());
        vm.warp(DEADLINE + 1);
        vm.expectRevert(isExpired(DEADLINE));
        payments.depositWithPermit(settings, terms(), permit, signature);
        vm.warp(DEADLINE);
        payments.depositWithPermit(settings, terms(), permit, signature);
    }

    function test_RevertWhen_SentTwiceByPermit() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        approve(1000);
        byPermit(settings, terms(), "");
        bytes32 digest = digestOf(TypedData.deposit(idOf(settings), terms()));
        bytes memory signature = signDeposit(settings, terms());
        vm.expectRevert(isReplay(digest));
        payments.depositWithPermit(settings, terms(), "", signature);
        assertFunds(settings, 50, 0, 0);
    }

    function test_RevertWhen_TheSenderChangesAnyMemberByPermit() public {
        approve(type(uint128).max);
        registerOther(PAYOUT);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        bytes memory signature = signDeposit(settings, terms());
        for (uint256 member = 0; member < 9; ++member) {
            (
                IPaymentChannels.ChannelSettings memory otherSettings,
                IPaymentChannels.Deposit memory otherTerms
            ) = changedIn(member);
            vm.expectRevert(isInvalid(otherSettings.payer));
            payments.depositWithPermit(otherSettings, otherTerms, "", signature);
        }
        payments.depositWithPermit(settings, terms(), "", signature);
    }

    function test_RevertWhen_AnotherSigned() public {
        approve(50);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        // Not even the channel's signer may spend the payer's money.
        bytes memory signature = signed(SIGNER_KEY, TypedData.deposit(idOf(settings), terms()));
        vm.expectRevert(isInvalid(BUYER));
        payments.depositWithPermit(settings, terms(), "", signature);
        signature = authorizeBy(settings, terms(), SIGNER_KEY);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        payments.depositWithAuthorization(settings, terms(), signature);
    }

    function test_RevertGiven_PermitIsBadAndThereIsNoAllowance() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        bytes[3] memory bad = [bytes(""), new bytes(65), signPermit(51, DEADLINE)];
        bytes memory signature = signDeposit(settings, terms());
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, payments, 0, 50));
            payments.depositWithPermit(settings, terms(), bad[i], signature);
        }
    }

    function test_DepositWithAuthorization_ByAnyone() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        bytes memory authorization = authorizeBy(settings, terms(), BUYER_KEY);
        expectDeposited(settings);
        vm.prank(STRANGER);
        bytes32 id = payments.depositWithAuthorization(settings, terms(), authorization);
        vm.assertEq(id, idOf(settings), "channelId");
        assertFunds(settings, 50, 0, 0);
        vm.assertEq(token.balanceOf(address(payments)), 50, "held");
        vm.assertEq(token.balanceOf(BUYER), type(uint128).max - 50, "paid");
        bytes32 nonce = digestOf(TypedData.deposit(id, terms()));
        vm.assertTrue(IERC3009Token(address(token)).authorizationState(BUYER, nonce), "the nonce is the digest");

        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, BUYER, nonce));
        payments.depositWithAuthorization(settings, terms(), authorization);
    }

    function test_DepositWithAuthorization_ByAContractWallet() public {
        Wallet wallet = new Wallet(BUYER);
        token.mint(address(wallet), 50);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        settings.payer = address(wallet);
        bytes memory authorization = abi.encodePacked(authorizeBy(settings, terms(), BUYER_KEY), uint8(0));
        payments.depositWithAuthorization(settings, terms(), authorization);
        assertFunds(settings, 50, 0, 0);
        vm.assertEq(token.balanceOf(address(wallet)), 0, "paid");
    }

    function test_DepositWithAuthorization_WorksBeforeTheDeadline() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        bytes memory authorization = authorizeBy(settings, terms(), BUYER_KEY);
        vm.warp(DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, uint256(0), DEADLINE));
        payments.depositWithAuthorization(settings, terms(), authorization);
        vm.warp(DEADLINE - 1);
        payments.depositWithAuthorization(settings, terms(), authorization);
    }

    function test_RevertWhen_TheSenderChangesAnyMemberByAuthorization() public {
        registerOther(PAYOUT);
        token.mint(STRANGER, 50);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        bytes memory authorization = authorizeBy(settings, terms(), BUYER_KEY);
        for (uint256 member = 0; member < 8; ++member) {
            (
                IPaymentChannels.ChannelSettings memory otherSettings,
                IPaymentChannels.Deposit memory otherTerms
            ) = changedIn(member);
            vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
            payments.depositWithAuthorization(otherSettings, otherTerms, authorization);
        }
        payments.depositWithAuthorization(settings, terms(), authorization);
    }

    function test_RevertGiven_ChannelIsInTheNativeCoin() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        bytes memory signature = signDeposit(settings, terms());
        vm.expectRevert(isNotAToken());
        payments.depositWithPermit(settings, terms(), "", signature);
        vm.expectRevert(isNotAToken());
        payments.depositWithAuthorization(settings, terms(), signature);
    }

    /// @dev What refuses a deposit refuses it in every form.
    function test_RevertGiven_VendorIsInactive() public {
        approve(50);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        vm.prank(OPERATOR);
        registry.setActive(vendorId, false);
        bytes memory refusal = abi.encodeWithSelector(IPaymentChannels.Payments_VendorInactive.selector, vendorId);
        bytes memory signature = signDeposit(settings, terms());
        vm.expectRevert(refusal);
        payments.depositWithPermit(settings, terms(), "", signature);
        signature = authorizeBy(settings, terms(), BUYER_KEY);
        vm.expectRevert(refusal);
        payments.depositWithAuthorization(settings, terms(), signature);
    }

    function test_RevertWhen_ValueIsSent() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(address(token));
        approve(50);
        bytes[2] memory calls = [
            abi.encodeCall(payments.depositWithPermit, (settings, terms(), "", signDeposit(settings, terms()))),
            abi.encodeCall(
                payments.depositWithAuthorization,
                (settings, terms(), authorizeBy(settings, terms(), BUYER_KEY))
            )
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(BUYER);
            (bool accepted, ) = address(payments).call{value: 1}(calls[i]);
            vm.assertTrue(!accepted, "accepted");
        }
    }

    function byPermit(
        IPaymentChannels.ChannelSettings memory settings,
        IPaymentChannels.Deposit memory terms_,
        bytes memory permit
    ) private {
        bytes memory signature = signDeposit(settings, terms_);
        vm.prank(STRANGER);
        payments.depositWithPermit(settings, terms_, permit, signature);
    }

    function terms() private pure returns (IPaymentChannels.Deposit memory) {
        return IPaymentChannels.Deposit({amount: 50, salt: keccak256("a deposit"), deadline: DEADLINE});
    }

    function signDeposit(
        IPaymentChannels.ChannelSettings memory settings,
        IPaymentChannels.Deposit memory terms_
    ) private view returns (bytes memory) {
        return signed(BUYER_KEY, TypedData.deposit(idOf(settings), terms_));
    }

    function authorizeBy(
        IPaymentChannels.ChannelSettings memory settings,
        IPaymentChannels.Deposit memory terms_,
        uint256 key
    ) private view returns (bytes memory) {
        bytes32 nonce = digestOf(TypedData.deposit(idOf(settings), terms_));
        return sign(key, authorizationDigest(settings.payer, terms_.amount, terms_.deadline, nonce));
    }

    /// @dev What the payer would sign, with one member other; the last would change the token.
    function changedIn(
        uint256 member
    ) private view returns (IPaymentChannels.ChannelSettings memory settings, IPaymentChannels.Deposit memory terms_) {
        (settings, terms_) = (settingsOf(address(token)), terms());
        if (member == 0) settings.vendorId = vendorId + 1;
        if (member == 1) settings.payer = STRANGER;
        if (member == 2) settings.signer = STRANGER;
        if (member == 3) settings.withdrawDelay = DELAY + 1;
        if (member == 4) settings.salt = keccak256("another channel");
        if (member == 5) terms_.amount = 51;
        if (member == 6) terms_.salt = keccak256("another deposit");
        if (member == 7) terms_.deadline = DEADLINE + 1;
        if (member == 8) settings.token = STRANGER;
    }

    function expectDeposited(IPaymentChannels.ChannelSettings memory settings) private {
        bytes32 id = idOf(settings);
        vm.expectEmit(address(payments));
        emit IPaymentChannels.ChannelDeposited(
            id,
            vendorId,
            BUYER,
            SIGNER,
            address(token),
            DELAY,
            settings.salt,
            50,
            50
        );
    }
}
