// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IOrders} from "../IOrders.sol";
import {IPaymentChannels} from "../IPaymentChannels.sol";
import {IPayments} from "../IPayments.sol";

/// @dev One call to each function of Payments that changes anything. Whoever calls back has these to try; that they
/// would be refused for reasons of their own is no matter, since the answer tells the reason.
function entryPoints(IPayments payments) pure returns (bytes[] memory calls) {
    IOrders.Purchase memory purchase;
    IPaymentChannels.ChannelSettings memory settings;
    IPaymentChannels.Deposit memory terms;
    IPaymentChannels.Refund memory refund;
    calls = new bytes[](17);
    calls[0] = abi.encodeCall(payments.buy, (1, 1, bytes32("key"), 1, address(1)));
    calls[1] = abi.encodeCall(payments.buyWithPermit, (purchase, "", ""));
    calls[2] = abi.encodeCall(payments.buyWithAuthorization, (purchase, ""));
    calls[3] = abi.encodeCall(payments.cancel, (bytes32("order"), address(1)));
    calls[4] = abi.encodeCall(payments.cancelWithSignature, (bytes32("order"), 0, address(1), 0, ""));
    calls[5] = abi.encodeCall(payments.vendorRefund, (bytes32("order"), 1));
    calls[6] = abi.encodeCall(payments.withdraw, (new bytes32[](0)));
    calls[7] = abi.encodeCall(payments.redeliver, (1, address(0)));
    calls[8] = abi.encodeCall(payments.deposit, (settings, 1));
    calls[9] = abi.encodeCall(payments.depositWithPermit, (settings, terms, "", ""));
    calls[10] = abi.encodeCall(payments.depositWithAuthorization, (settings, terms, ""));
    calls[11] = abi.encodeCall(payments.claim, (new IPaymentChannels.Claim[](0)));
    calls[12] = abi.encodeCall(payments.refund, (settings, address(1), 1, ""));
    calls[13] = abi.encodeCall(payments.refundWithSignature, (settings, refund, "", ""));
    calls[14] = abi.encodeCall(payments.requestWithdrawal, (settings, address(1)));
    calls[15] = abi.encodeCall(payments.requestWithdrawalWithSignature, (settings, address(1), 0, ""));
    calls[16] = abi.encodeCall(payments.finalizeWithdrawal, (settings));
}
