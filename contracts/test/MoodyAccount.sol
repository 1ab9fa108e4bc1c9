// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title An account that changes how it takes money, and whether it stands by its signatures
/// @notice For tests: anyone can set its mood, its key and its mind.
contract MoodyAccount is IERC1271 {
    /// @notice What it does with coins that come.
    /// @dev Verbose takes them and answers 200,000 bytes. Hungry takes them and needs 250,000 gas. CallsBack takes
    /// them and calls its target.
    enum Mood {
        Takes,
        Verbose,
        Hungry,
        Refuses,
        BurnsGas,
        CallsBack
    }

    uint256 private constant HUNGER_GAS = 250_000;
    uint256 private constant VERBOSE_BYTES = 200_000;
    uint256 private constant RSV_BYTES = 65;
    bytes4 private constant INVALID_SIGNATURE = 0xffffffff;

    /// @notice Its mood now.
    Mood public mood;

    /// @notice Whose signatures it stands behind, and whether it does now.
    address public key;
    bool public agrees;

    /// @notice How often it called back, and how often that was not refused.
    uint256 public callBacks;
    uint256 public entries;

    address private _target;
    bytes private _data;

    /// @notice It does not want the money.
    error MoodyAccount_Refused();

    /// @notice Takes coins, or does not.
    receive() external payable {
        if (mood == Mood.Refuses) revert MoodyAccount_Refused();
        if (mood == Mood.Hungry) {
            uint256 gasBefore = gasleft();
            // solhint-disable-next-line no-empty-blocks
            while (gasBefore - gasleft() < HUNGER_GAS) {}
        }
        if (mood == Mood.CallsBack) {
            // solhint-disable-next-line avoid-low-level-calls
            (bool accepted, ) = _target.call(_data);
            ++callBacks;
            if (accepted) ++entries;
        }
        uint256 length = mood == Mood.Verbose ? VERBOSE_BYTES : 0;
        bool burns = mood == Mood.BurnsGas;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            if burns {
                invalid()
            }
            return(0, length)
        }
    }

    /// @notice Sets its mood.
    function become(Mood mood_) external {
        mood = mood_;
    }

    /// @notice Sets whose signatures it stands behind, and whether it does.
    function signFor(address key_, bool agrees_) external {
        (key, agrees) = (key_, agrees_);
    }

    /// @notice Sets what mood CallsBack calls.
    function callBack(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    /// @inheritdoc IERC1271
    /// @dev A signature is that of its key, and whatever follows.
    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (!agrees || signature.length < RSV_BYTES) return INVALID_SIGNATURE;
        (address signer, ECDSA.RecoverError err, ) = ECDSA.tryRecoverCalldata(digest, signature[:RSV_BYTES]);
        if (err != ECDSA.RecoverError.NoError || signer != key) return INVALID_SIGNATURE;
        return IERC1271.isValidSignature.selector;
    }
}
