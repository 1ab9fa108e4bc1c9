// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @dev A contract wallet (ERC-1271) of one plain key: its signatures are those of the key with a byte appended.
contract Wallet is IERC1271 {
    address private immutable KEY_HOLDER;
    bool private _hasChangedItsMind;

    constructor(address keyHolder) {
        KEY_HOLDER = keyHolder;
    }

    receive() external payable {}

    function changeMind() external {
        _hasChangedItsMind = !_hasChangedItsMind;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bool valid = signature.length == 66 && ECDSA.recover(digest, signature[:65]) == KEY_HOLDER;
        return valid != _hasChangedItsMind ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @dev An account that answers everything with given bytes.
contract AnsweringWallet {
    bytes private _answer;

    constructor(bytes memory answer) {
        _answer = answer;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        return _answer;
    }
}

/// @dev A contract wallet that signs everything provided that a call back is refused by given bytes.
contract ReenteringWallet is IERC1271 {
    address private immutable TARGET;
    bytes private _call;
    bytes private _refusal;

    constructor(address target) {
        TARGET = target;
    }

    function callBackWith(bytes calldata data, bytes calldata refusal) external {
        _call = data;
        _refusal = refusal;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        (bool accepted, bytes memory answer) = TARGET.staticcall(_call);
        bool refused = !accepted && keccak256(answer) == keccak256(_refusal);
        return refused ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}
