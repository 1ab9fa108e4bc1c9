// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IOrders} from "../IOrders.sol";
import {IPaymentChannels} from "../IPaymentChannels.sol";

/// @dev EIP-712 as wallets do it, written apart from the contracts. Hashes of messages of Payments, by the wording
/// that its interfaces promise, and of tokens.
library TypedData {
    function paymentsDomain(address payments) internal view returns (bytes32) {
        return domainOf("Chrove Payments", "1", block.chainid, payments);
    }

    function domainOf(
        string memory name,
        string memory version,
        uint256 chainId,
        address verifyingContract
    ) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        );
        return
            keccak256(
                abi.encode(typeHash, keccak256(bytes(name)), keccak256(bytes(version)), chainId, verifyingContract)
            );
    }

    function digest(bytes32 domain, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function purchase(IOrders.Purchase memory message) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Purchase(uint64 vendorId,uint32 planId,bytes32 keyHash,uint16 periods,address controller,address payer,uint128 amount,bytes32 salt,uint256 deadline)"
        );
        return keccak256(abi.encode(typeHash, message));
    }

    function cancellation(
        bytes32 orderId,
        uint40 startedAt,
        address refundTo,
        uint256 deadline
    ) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Cancellation(bytes32 orderId,uint40 startedAt,address refundTo,uint256 deadline)"
        );
        return keccak256(abi.encode(typeHash, orderId, startedAt, refundTo, deadline));
    }

    function channel(IPaymentChannels.ChannelSettings memory settings) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Channel(uint64 vendorId,address payer,address signer,address token,uint32 withdrawDelay,bytes32 salt)"
        );
        return keccak256(abi.encode(typeHash, settings));
    }

    function deposit(bytes32 channelId, IPaymentChannels.Deposit memory terms) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256("Deposit(bytes32 channelId,uint128 amount,bytes32 salt,uint256 deadline)");
        return keccak256(abi.encode(typeHash, channelId, terms.amount, terms.salt, terms.deadline));
    }

    function voucher(bytes32 channelId, uint128 cumulative) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("Voucher(bytes32 channelId,uint128 cumulative)"), channelId, cumulative));
    }

    function refundRequest(bytes32 channelId, address to, uint16 refunds) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256("RefundRequest(bytes32 channelId,address to,uint16 refunds)");
        return keccak256(abi.encode(typeHash, channelId, to, refunds));
    }

    function refundApproval(
        bytes32 channelId,
        IPaymentChannels.Refund memory terms,
        uint16 refunds
    ) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "RefundApproval(bytes32 channelId,address to,uint128 amount,uint16 refunds,uint256 deadline)"
        );
        return keccak256(abi.encode(typeHash, channelId, terms.to, terms.amount, refunds, terms.deadline));
    }

    function withdrawalRequest(bytes32 channelId, address to, uint256 deadline) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256("WithdrawalRequest(bytes32 channelId,address to,uint256 deadline)");
        return keccak256(abi.encode(typeHash, channelId, to, deadline));
    }

    /// @dev EIP-2612.
    function permit(
        address owner,
        address spender,
        uint256 value,
        uint256 nonce,
        uint256 deadline
    ) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        );
        return keccak256(abi.encode(typeHash, owner, spender, value, nonce, deadline));
    }

    /// @dev EIP-3009, for a transfer that is valid from the beginning of time.
    function authorization(
        address from,
        address to,
        uint256 value,
        uint256 validBefore,
        bytes32 nonce
    ) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        return keccak256(abi.encode(typeHash, from, to, value, uint256(0), validBefore, nonce));
    }
}
