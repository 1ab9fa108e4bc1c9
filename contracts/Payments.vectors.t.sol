// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC3009 as IERC3009Token} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IMoney} from "./IMoney.sol";
import {IOrders} from "./IOrders.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";
import {IPayments} from "./IPayments.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {Test} from "./test/Test.t.sol";
import {IStablecoin} from "./test/TokenFixture.t.sol";

/// @dev What clients in TypeScript sign, carried out: messages of `scripts/generate-vectors.ts`, which tells their
/// story. A signature is accepted only if the contract and the client agree on each word and place of a message.
contract PaymentsVectorsTest is Test {
    string private constant PATH = "protocol/vectors/payments-typed-data.json";

    string private _json;
    IVendorRegistry private _registry;
    IPayments private _payments;
    IStablecoin private _token;
    address private _buyer;

    function setUp() public {
        _json = vm.readFile(PATH);
        vm.chainId(number(".purchase.domain.chainId"));
        vm.warp(number(".cancellation.message.startedAt"));
        _registry = IVendorRegistry(deploy("VendorRegistry.sol:VendorRegistry"));
        _payments = IPayments(moved(_registry.payments(), account(".purchase.domain.verifyingContract")));
        _token = IStablecoin(moved(deploy("Stablecoin.sol:Stablecoin"), account(".permit.domain.verifyingContract")));
        _buyer = account(".purchase.signer");
        _token.mint(_buyer, type(uint128).max);

        IVendorRegistry.VendorInput memory vendor;
        (vendor.payout, vendor.signingKey, vendor.encryptionKey) = (address(0xBA4C), bytes32("1"), bytes32("2"));
        IVendorRegistry.PlanInput memory plan;
        plan.token = address(_token);
        plan.price = uint128(number(".purchase.message.amount") / number(".purchase.message.periods"));
        (plan.periodSeconds, plan.maxPeriods) = (3600, 100);
        plan.settlement = IVendorRegistry.Settlement.Streamed;
        vm.startPrank(account(".refundApproval.signer"));
        _registry.addPlan(_registry.register(vendor), plan);
        vm.stopPrank();
    }

    function test_ChannelIdOf_IsTheDigest() public view {
        vm.assertEq(_payments.channelIdOf(settings(".channel")), word(".channel.digest"), "channel");
        vm.assertEq(_payments.channelIdOf(settings(".largestChannel")), word(".largestChannel.digest"), "largest");
    }

    function test_Purchase_Permit_AndCancellation() public {
        (bytes32 orderId, ) = _payments.buyWithPermit(
            purchase(".purchase"),
            data(".permit.signature"),
            data(".purchase.signature")
        );
        vm.assertTrue(_payments.isUsed(word(".purchase.digest")), "purchase");
        vm.assertEq(_token.nonces(_buyer), 1, "permit");

        vm.assertEq(orderId, word(".cancellation.message.orderId"), "orderId");
        _payments.cancelWithSignature(
            orderId,
            uint40(number(".cancellation.message.startedAt")),
            account(".cancellation.message.refundTo"),
            number(".cancellation.message.deadline"),
            data(".cancellation.signature")
        );
        vm.assertTrue(_payments.isUsed(word(".cancellation.digest")), "cancellation");
        vm.assertEq(
            _token.balanceOf(account(".cancellation.message.refundTo")),
            number(".purchase.message.amount"),
            "refunded"
        );
    }

    function test_Deposit_BySignature() public {
        vm.prank(_buyer);
        _token.approve(address(_payments), type(uint256).max);
        bytes32 id = _payments.depositWithPermit(settings(".channel"), deposit(), "", data(".deposit.signature"));
        vm.assertEq(id, word(".deposit.message.channelId"), "channelId");
        vm.assertTrue(_payments.isUsed(word(".deposit.digest")), "deposit");
    }

    function test_Deposit_ByAuthorization_ThenVoucherRefundAndWithdrawal() public {
        IPaymentChannels.ChannelSettings memory channel = settings(".channel");
        _payments.depositWithAuthorization(channel, deposit(), data(".authorization.signature"));
        IERC3009Token token = IERC3009Token(address(_token));
        vm.assertTrue(token.authorizationState(_buyer, word(".deposit.digest")), "authorization");

        IPaymentChannels.Claim[] memory claims = new IPaymentChannels.Claim[](1);
        claims[0] = IPaymentChannels.Claim({
            settings: channel,
            cumulative: uint128(number(".voucher.message.cumulative")),
            signature: data(".voucher.signature")
        });
        _payments.claim(claims);

        _payments.refundWithSignature(
            channel,
            IPaymentChannels.Refund({
                to: account(".refundApproval.message.to"),
                amount: uint128(number(".refundApproval.message.amount")),
                deadline: number(".refundApproval.message.deadline"),
                approver: account(".refundApproval.signer")
            }),
            data(".refundRequest.signature"),
            data(".refundApproval.signature")
        );

        _payments.requestWithdrawalWithSignature(
            channel,
            account(".withdrawalRequest.message.to"),
            number(".withdrawalRequest.message.deadline"),
            data(".withdrawalRequest.signature")
        );
        vm.assertTrue(_payments.isUsed(word(".withdrawalRequest.digest")), "withdrawal request");

        bytes32[] memory ids = new bytes32[](1);
        ids[0] = word(".voucher.message.channelId");
        IPaymentChannels.Channel memory given = _payments.channels(ids)[0];
        vm.assertEq(given.balance, 900_000, "balance");
        vm.assertEq(given.claimed, 400_000, "claimed");
        vm.assertEq(given.refunds, 1, "refunds");
        vm.assertEq(given.withdrawTo, account(".withdrawalRequest.message.to"), "withdrawTo");
    }

    /// @dev Its signature is good, so that only the vendor is missing.
    function test_LargestPurchase_IsUnderstood() public {
        IOrders.Purchase memory largest = purchase(".largestPurchase");
        bytes memory signature = data(".largestPurchase.signature");
        vm.expectRevert(
            abi.encodeWithSelector(IVendorRegistry.VendorRegistry_UnknownVendor.selector, type(uint64).max)
        );
        _payments.buyWithPermit(largest, "", signature);
        largest.periods -= 1;
        vm.expectRevert(abi.encodeWithSelector(IMoney.Payments_SignatureInvalid.selector, _buyer));
        _payments.buyWithPermit(largest, "", signature);
    }

    /// @dev The code of a contract at the address that messages name. It knows by itself that it is elsewhere.
    function moved(address from, address to) private returns (address) {
        vm.etch(to, from.code);
        return to;
    }

    function purchase(string memory key) private view returns (IOrders.Purchase memory) {
        string memory message = string.concat(key, ".message");
        return
            IOrders.Purchase({
                vendorId: uint64(number(message, ".vendorId")),
                planId: uint32(number(message, ".planId")),
                keyHash: word(string.concat(message, ".keyHash")),
                periods: uint16(number(message, ".periods")),
                controller: account(string.concat(message, ".controller")),
                payer: account(string.concat(message, ".payer")),
                amount: uint128(number(message, ".amount")),
                salt: word(string.concat(message, ".salt")),
                deadline: number(message, ".deadline")
            });
    }

    function settings(string memory key) private view returns (IPaymentChannels.ChannelSettings memory) {
        string memory message = string.concat(key, ".message");
        return
            IPaymentChannels.ChannelSettings({
                vendorId: uint64(number(message, ".vendorId")),
                payer: account(string.concat(message, ".payer")),
                signer: account(string.concat(message, ".signer")),
                token: account(string.concat(message, ".token")),
                withdrawDelay: uint32(number(message, ".withdrawDelay")),
                salt: word(string.concat(message, ".salt"))
            });
    }

    function deposit() private view returns (IPaymentChannels.Deposit memory) {
        return
            IPaymentChannels.Deposit({
                amount: uint128(number(".deposit.message.amount")),
                salt: word(".deposit.message.salt"),
                deadline: number(".deposit.message.deadline")
            });
    }

    function number(string memory key) private view returns (uint256) {
        return vm.parseJsonUint(_json, key);
    }

    function number(string memory key, string memory member) private view returns (uint256) {
        return number(string.concat(key, member));
    }

    function account(string memory key) private view returns (address) {
        return vm.parseJsonAddress(_json, key);
    }

    function word(string memory key) private view returns (bytes32) {
        return vm.parseJsonBytes32(_json, key);
    }

    function data(string memory key) private view returns (bytes memory) {
        return vm.parseJsonBytes(_json, key);
    }
}
