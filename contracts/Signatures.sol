// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IMoney} from "./IMoney.sol";

/// @title What people sign so that others may send it
/// @notice EIP-712 messages for this contract on this chain, by plain keys or contract wallets (ERC-1271). Signatures
/// with a high s are refused, so nobody can make a second one of a first.
abstract contract Signatures is IMoney, EIP712 {
    mapping(bytes32 digest => bool) private _used;

    constructor() EIP712("Chrove Payments", "1") {}

    /// @inheritdoc IMoney
    function isUsed(bytes32 digest) external view returns (bool) {
        return _used[digest];
    }

    /// @dev Accepts a signed message once.
    function _useSignature(address signer, bytes32 structHash, uint256 deadline, bytes calldata signature) internal {
        _checkDeadline(deadline);
        bytes32 digest = _hashTypedDataV4(structHash);
        if (_used[digest]) revert Payments_SignatureUsed(digest);
        _used[digest] = true;
        _checkSigned(signer, digest, signature);
    }

    /// @dev Accepts a signed message, as often as it comes.
    function _checkSignature(address signer, bytes32 structHash, bytes calldata signature) internal view {
        _checkSigned(signer, _hashTypedDataV4(structHash), signature);
    }

    function _checkDeadline(uint256 deadline) internal view {
        if (block.timestamp > deadline) revert Payments_SignatureExpired(deadline);
    }

    /// @dev A plain key's signature is tried first, which spares the look at the account's code.
    function _checkSigned(address signer, bytes32 digest, bytes calldata signature) private view {
        (address recovered, ECDSA.RecoverError err, ) = ECDSA.tryRecoverCalldata(digest, signature);
        if (err == ECDSA.RecoverError.NoError && recovered == signer) return;
        if (SignatureChecker.isValidERC1271SignatureNowCalldata(signer, digest, signature)) return;
        revert Payments_SignatureInvalid(signer);
    }
}
