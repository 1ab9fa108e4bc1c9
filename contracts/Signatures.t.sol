// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {IPayments} from "./IPayments.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {ChannelFixture} from "./test/ChannelFixture.t.sol";
import {RefusingReceiver} from "./test/Receivers.t.sol";
import {TypedData} from "./test/TypedData.t.sol";
import {AnsweringWallet, ReenteringWallet, Wallet} from "./test/Wallets.t.sol";

/// @dev What is a signature and what is none, shown by vouchers, which can be sent again, and by withdrawal requests,
/// which are used up.
contract SignaturesTest is ChannelFixture {
    /// @dev The order of secp256k1.
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    function test_Domain_IsToldToWallets() public view {
        (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        ) = IERC5267(address(payments)).eip712Domain();
        vm.assertEq(bytes32(fields), bytes32(bytes1(0x0f)), "fields: name, version, chain and contract");
        vm.assertEq(name, "Chrove Payments", "name");
        vm.assertEq(version, "1", "version");
        vm.assertEq(chainId, block.chainid, "chainId");
        vm.assertEq(verifyingContract, address(payments), "verifyingContract");
        vm.assertEq(salt, 0, "salt");
        vm.assertEq(extensions.length, 0, "extensions");
    }

    function test_RevertWhen_SignedByAnother() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes32 structHash = TypedData.voucher(idOf(settings), 10);
        refuses(settings, 10, signed(BUYER_KEY, structHash));
        refuses(settings, 10, signed(OWNER_KEY, structHash));
        refuses(settings, 10, "");
    }

    function test_RevertWhen_SignedForAnotherAmountOrChannel() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        refuses(settings, 11, voucherOf(settings, 10).signature);
        IPaymentChannels.ChannelSettings memory other = settingsOf(NATIVE);
        other.salt = 0;
        refuses(settings, 10, voucherOf(other, 10).signature);
    }

    function test_RevertWhen_SignedForAnotherContract() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        IPayments here = payments;
        payments = IPayments(IVendorRegistry(deploy("VendorRegistry.sol:VendorRegistry")).payments());
        bytes memory elsewhere = voucherOf(settings, 10).signature;
        payments = here;
        refuses(settings, 10, elsewhere);
        // Not even for the channel's id here.
        bytes32 structHash = TypedData.voucher(idOf(settings), 10);
        refuses(settings, 10, sign(SIGNER_KEY, TypedData.digest(TypedData.paymentsDomain(address(0x77)), structHash)));
    }

    function test_RevertWhen_SignedForAnotherChain() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes memory here = voucherOf(settings, 10).signature;
        bytes32 structHash = TypedData.voucher(idOf(settings), 10);
        uint256 chainId = block.chainid;
        vm.chainId(chainId + 1);
        bytes memory there = signed(SIGNER_KEY, structHash);
        vm.chainId(chainId);
        refuses(settings, 10, there);

        // A fork under a new id, with all that was deposited: it knows the channel no more.
        vm.chainId(chainId + 1);
        vm.expectRevert(isOverBalance(settings, 10, 0));
        payments.claim(only(IPaymentChannels.Claim({settings: settings, cumulative: 10, signature: here})));
        deposit(settings, 100);
        refuses(settings, 10, here);
        claim(settings, 10);
    }

    function test_RevertWhen_SignedForAnotherDomainName() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes32 structHash = TypedData.voucher(idOf(settings), 10);
        bytes32 domain = TypedData.domainOf("Chrove Payment", "1", block.chainid, address(payments));
        refuses(settings, 10, sign(SIGNER_KEY, TypedData.digest(domain, structHash)));
        domain = TypedData.domainOf("Chrove Payments", "2", block.chainid, address(payments));
        refuses(settings, 10, sign(SIGNER_KEY, TypedData.digest(domain, structHash)));
    }

    /// @dev A message signed as another type is another message.
    function test_RevertWhen_SignedAsAnotherMessage() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        bytes32 id = idOf(settings);
        refuses(settings, 10, signed(SIGNER_KEY, TypedData.refundRequest(id, address(10), 0)));
        refuses(settings, 10, signed(SIGNER_KEY, TypedData.channel(settings)));
        refuses(settings, 10, sign(SIGNER_KEY, TypedData.voucher(id, 10)));
    }

    /// @dev One signature of a message by a plain key, and no second form of it.
    function testFuzz_RevertWhen_SignatureIsInAnotherForm(uint256 key, uint120 cumulative) public {
        key = within(key, 1, ORDER - 1);
        cumulative = uint120(within(cumulative, 1, type(uint120).max));
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        settings.signer = vm.addr(key);
        deposit(settings, type(uint120).max);
        bytes32 digest = digestOf(TypedData.voucher(idOf(settings), cumulative));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        bytes32 high = bytes32(ORDER - uint256(s));
        refuses(settings, cumulative, abi.encodePacked(r, high, uint256(v == 27 ? 28 : 27))); // v of 32 bytes
        refuses(settings, cumulative, abi.encodePacked(r, high, v == 27 ? uint8(28) : uint8(27))); // EIP-2
        bytes32 vs = bytes32(uint256(s) | (uint256(v - 27) << 255));
        refuses(settings, cumulative, abi.encodePacked(r, vs)); // EIP-2098
        refuses(settings, cumulative, abi.encodePacked(r, s, v - 27)); // 0 or 1
        refuses(settings, cumulative, abi.encodePacked(r, s, v, uint8(0))); // a byte more
        refuses(settings, cumulative, abi.encodePacked(r, s)); // a byte less
        refuses(settings, cumulative, abi.encodePacked(r, s, v == 27 ? uint8(28) : uint8(27))); // of another key
        claimWith(settings, cumulative, abi.encodePacked(r, s, v));
    }

    /// @dev Nobody's signature is that of the zero account, though ecrecover answers zero to what is none.
    function test_RevertGiven_SignerIsZero() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        (settings.payer, settings.signer) = (address(0), address(0));
        bytes[4] memory none = [bytes(""), new bytes(65), new bytes(64), abi.encodePacked(ORDER, ORDER, uint8(27))];
        for (uint256 i = 0; i < none.length; ++i) {
            vm.expectRevert(isInvalid(address(0)));
            payments.requestWithdrawalWithSignature(settings, REFUND_TO, DEADLINE, none[i]);
        }
    }

    function test_Voucher_OfAContractWallet_IsWorthWhatTheWalletSaysNow() public {
        Wallet wallet = new Wallet(SIGNER);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        settings.signer = address(wallet);
        deposit(settings, 100);
        bytes memory first = abi.encodePacked(voucherOf(settings, 10).signature, uint8(0));
        bytes memory second = abi.encodePacked(voucherOf(settings, 20).signature, uint8(0));
        claimWith(settings, 10, first);
        wallet.changeMind();
        refuses(settings, 20, second);
        assertFunds(settings, 100, 10, 0);
        wallet.changeMind();
        claimWith(settings, 20, second);
        vm.assertEq(PAYOUT.balance, 20, "paid out");
    }

    /// @dev What was done on a wallet's word stays done, and cannot be done again when it changes its mind and back.
    function test_UsedSignature_OfAContractWallet_StaysUsed() public {
        Wallet wallet = new Wallet(BUYER);
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        settings.payer = address(wallet);
        deposit(settings, 100);
        bytes32 structHash = TypedData.withdrawalRequest(idOf(settings), REFUND_TO, DEADLINE);
        bytes memory signature = abi.encodePacked(signed(BUYER_KEY, structHash), uint8(0));
        payments.requestWithdrawalWithSignature(settings, REFUND_TO, DEADLINE, signature);
        wallet.changeMind();
        bytes memory refusal = isReplay(digestOf(structHash));
        vm.expectRevert(refusal);
        payments.requestWithdrawalWithSignature(settings, REFUND_TO, DEADLINE, "another good one, by its new mind");
        wallet.changeMind();
        vm.expectRevert(refusal);
        payments.requestWithdrawalWithSignature(settings, REFUND_TO, DEADLINE, signature);
    }

    function test_RevertGiven_WalletAnswersAnythingButTheMagicValue() public {
        bytes4 magic = IERC1271.isValidSignature.selector;
        bytes[6] memory answers = [
            bytes(""),
            abi.encode(bytes4(0xffffffff)),
            abi.encodePacked(magic), // 4 bytes
            abi.encodePacked(magic, bytes27(0)), // 31 bytes
            abi.encodePacked(magic, bytes28(uint224(1))), // with something behind it
            abi.encode(true)
        ];
        for (uint256 i = 0; i < answers.length; ++i) {
            IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
            settings.signer = address(new AnsweringWallet(answers[i]));
            deposit(settings, 100);
            refuses(settings, 10, "any");
        }
        IPaymentChannels.ChannelSettings memory good = settingsOf(NATIVE);
        good.signer = address(new AnsweringWallet(abi.encode(magic)));
        deposit(good, 100);
        claimWith(good, 10, "");
    }

    /// @dev Accounts that answer without meaning to: one hashes its question, one repeats it, one says nothing.
    function test_RevertGiven_SignerIsAPrecompile() public {
        for (uint160 i = 1; i <= 4; ++i) {
            IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
            settings.signer = address(i);
            deposit(settings, 100);
            refuses(settings, 10, abi.encode(IERC1271.isValidSignature.selector));
            refuses(settings, 10, new bytes(65));
        }
    }

    function test_RevertGiven_SignerIsAContractThatSignsNothing() public {
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        address[3] memory signers = [address(new RefusingReceiver()), address(payments), address(registry)];
        for (uint256 i = 0; i < signers.length; ++i) {
            settings.signer = signers[i];
            deposit(settings, 100);
            refuses(settings, 10, "");
        }
    }

    /// @dev As an account has it since EIP-7702: a plain key, and code that knows nothing of signatures.
    function test_Voucher_OfAnAccountWithCode_BySignatureOfItsKey() public {
        IPaymentChannels.ChannelSettings memory settings = open(NATIVE, 100);
        vm.etch(SIGNER, address(new RefusingReceiver()).code);
        claim(settings, 10);
        refuses(settings, 20, signed(STRANGER_KEY, TypedData.voucher(idOf(settings), 20)));
        // And by its code, where that signs too.
        vm.etch(SIGNER, address(new Wallet(STRANGER)).code);
        claimWith(
            settings,
            20,
            abi.encodePacked(signed(STRANGER_KEY, TypedData.voucher(idOf(settings), 20)), uint8(0))
        );
        claim(settings, 30);
    }

    /// @dev A wallet is asked before money moves, and cannot use that to move some.
    function test_Wallet_CannotReenterWhenAsked() public {
        ReenteringWallet wallet = new ReenteringWallet(address(payments));
        IPaymentChannels.ChannelSettings memory settings = settingsOf(NATIVE);
        settings.signer = address(wallet);
        deposit(settings, 100);
        IPaymentChannels.Claim[] memory claims = only(
            IPaymentChannels.Claim({settings: settings, cumulative: 10, signature: ""})
        );
        wallet.callBackWith(abi.encodeCall(payments.claim, (claims)), isReentered());
        payments.claim(claims);
        vm.assertEq(PAYOUT.balance, 10, "paid out");
        assertFunds(settings, 100, 10, 0);
    }

    function claimWith(
        IPaymentChannels.ChannelSettings memory settings,
        uint128 cumulative,
        bytes memory signature
    ) private {
        claim(IPaymentChannels.Claim({settings: settings, cumulative: cumulative, signature: signature}));
    }

    function refuses(
        IPaymentChannels.ChannelSettings memory settings,
        uint128 cumulative,
        bytes memory signature
    ) private {
        vm.expectRevert(isInvalid(settings.signer));
        claimWith(settings, cumulative, signature);
    }
}
