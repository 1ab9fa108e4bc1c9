// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC3009} from "./IERC3009.sol";
import {IMoney} from "./IMoney.sol";
import {IVendorRegistry} from "./IVendorRegistry.sol";
import {Signatures} from "./Signatures.sol";

/// @title Money in and out
/// @notice See `IMoney`.
/// @dev Each way in compares the receiver's balance before and after. Each way out comes last in its function, after
/// all state and events.
abstract contract Money is IMoney, Signatures {
    using SafeERC20 for IERC20;

    /// @dev Money about to leave for a vendor.
    struct Payout {
        uint64 vendorId;
        address token;
        address to;
        uint256 amount;
    }

    address internal constant NATIVE = address(0);
    uint256 internal constant RSV_BYTES = 65;

    /// @dev Enough for a contract wallet to take money, or for a token behind a proxy to move it; little enough that
    /// one that burns it all does not keep a long list from being paid.
    uint256 private constant PAYOUT_GAS = 300_000;
    /// @dev What has to be left before a payout, so that the payee gets all of PAYOUT_GAS (EIP-150 holds back 1/64).
    uint256 private constant PAYOUT_GAS_LEFT = PAYOUT_GAS + PAYOUT_GAS / 63 + 50_000;

    /// @inheritdoc IMoney
    IVendorRegistry public immutable registry;

    /// @inheritdoc IMoney
    mapping(uint64 vendorId => mapping(address token => uint256)) public kept;

    uint256 private transient _entered; // 1 while a function that moves money runs; a whole slot is cheaper

    modifier nonReentrant() {
        if (_entered != 0) revert Payments_Reentered();
        _entered = 1;
        _;
        _entered = 0;
    }

    constructor() {
        registry = IVendorRegistry(msg.sender);
    }

    /// @inheritdoc IMoney
    function redeliver(uint64 vendorId, address token) external nonReentrant returns (uint256 amount) {
        amount = kept[vendorId][token];
        if (amount == 0) revert Payments_ZeroAmount();
        delete kept[vendorId][token];
        (address payout, ) = registry.payee(vendorId);
        emit PayoutRedelivered(vendorId, token, payout, amount);
        _send(token, payout, amount);
    }

    /// @dev Takes money from the caller: its value here, or its allowance of a token, straight to the receiver.
    function _collect(address token, address to, uint256 amount) internal {
        uint256 due = token == NATIVE ? amount : 0;
        if (msg.value != due) revert Payments_WrongValue(msg.value, due);
        if (token != NATIVE) _pull(token, msg.sender, to, amount);
        else if (to != address(this)) _send(NATIVE, to, amount);
    }

    /// @dev Takes a token out of an allowance, after an EIP-2612 permit if one is given. Somebody else may have carried
    /// out the permit already: what counts is the allowance.
    function _collectByPermit(
        address token,
        address from,
        address to,
        uint256 amount,
        uint256 deadline,
        bytes calldata permit
    ) internal {
        if (token == NATIVE) revert Payments_NotAToken();
        if (permit.length == RSV_BYTES) {
            (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(permit);
            // solhint-disable-next-line no-empty-blocks
            try IERC20Permit(token).permit(from, address(this), amount, deadline, v, r, s) {} catch {}
        }
        _pull(token, from, to, amount);
    }

    /// @dev Takes a token by EIP-3009, which only the receiver it names can carry out; that is us, so money for others
    /// goes on to them.
    function _collectByAuthorization(
        address token,
        address from,
        address to,
        uint256 amount,
        uint256 deadline,
        bytes32 nonce,
        bytes calldata authorization
    ) internal {
        if (token == NATIVE) revert Payments_NotAToken();
        uint256 before = IERC20(token).balanceOf(address(this));
        if (authorization.length == RSV_BYTES) {
            (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(authorization);
            IERC3009(token).receiveWithAuthorization(from, address(this), amount, 0, deadline, nonce, v, r, s);
        } else {
            IERC3009(token).receiveWithAuthorization(from, address(this), amount, 0, deadline, nonce, authorization);
        }
        _checkReceived(token, address(this), before, amount);
        if (to != address(this)) _send(token, to, amount);
    }

    /// @dev Sends money to an account that its sender chose; if it does not go, nothing of the call happens.
    function _send(address token, address to, uint256 amount) internal {
        if (!_transfer(token, to, amount, gasleft())) revert Payments_TransferFailed(token, to, amount);
    }

    /// @dev Sends money to a vendor in a call that others depend on; if it does not go, it is kept for the vendor.
    function _sendOrKeep(Payout memory payout) internal {
        uint256 gasBefore = gasleft();
        if (_transfer(payout.token, payout.to, payout.amount, PAYOUT_GAS)) return;
        // A sender must not be able to make a payout fail by giving too little gas.
        if (gasBefore < PAYOUT_GAS_LEFT) revert Payments_GasTooLow();
        kept[payout.vendorId][payout.token] += payout.amount;
        emit PayoutKept(payout.vendorId, payout.token, payout.to, payout.amount);
    }

    /// @dev The payout of a vendor in a token: the one that is in the list, else its first unused place, where `to` is
    /// zero. The list has a place for each money that is added.
    function _payoutIn(
        Payout[] memory payouts,
        uint64 vendorId,
        address token
    ) internal pure returns (Payout memory payout) {
        for (uint256 i = 0; ; ++i) {
            payout = payouts[i];
            if (payout.to == address(0)) {
                payout.vendorId = vendorId;
                payout.token = token;
                return payout;
            }
            if (payout.vendorId == vendorId && payout.token == token) return payout;
        }
    }

    function _sendOrKeepAll(Payout[] memory payouts) internal {
        for (uint256 i = 0; i < payouts.length; ++i) {
            Payout memory payout = payouts[i];
            if (payout.to == address(0)) return;
            _sendOrKeep(payout);
        }
    }

    /// @dev Moves a token between two others' accounts, or from one to us.
    function _pull(address token, address from, address to, uint256 amount) private {
        uint256 before = IERC20(token).balanceOf(to);
        IERC20(token).safeTransferFrom(from, to, amount);
        _checkReceived(token, to, before, from == to ? 0 : amount);
    }

    function _checkReceived(address token, address to, uint256 before, uint256 expected) private view {
        uint256 afterwards = IERC20(token).balanceOf(to);
        // Wraps for a token whose balances fall: any number but the expected one is refused.
        unchecked {
            if (afterwards - before != expected) revert Payments_TokenInexact(token, afterwards - before, expected);
        }
    }

    /// @dev Sends without copying an answer of any length, so that no answer can make it costly. Money to ourselves,
    /// which would belong to nobody, is not sent.
    function _transfer(address token, address to, uint256 amount, uint256 gasMax) private returns (bool sent) {
        if (to == address(this)) return false;
        if (token == NATIVE) {
            // solhint-disable-next-line no-inline-assembly
            assembly ("memory-safe") {
                sent := call(gasMax, to, amount, 0, 0, 0, 0)
            }
        } else {
            bytes4 selector = IERC20.transfer.selector;
            // solhint-disable-next-line no-inline-assembly
            assembly ("memory-safe") {
                let data := mload(0x40)
                mstore(data, selector)
                mstore(add(data, 4), to)
                mstore(add(data, 36), amount)
                sent := call(gasMax, token, 0, data, 68, 0, 32)
                // Good answers: true, or nothing from an account that has code.
                let isTrue := and(gt(returndatasize(), 31), eq(mload(0), 1))
                let isSilent := and(iszero(returndatasize()), gt(extcodesize(token), 0))
                sent := and(sent, or(isTrue, isSilent))
            }
        }
    }
}
