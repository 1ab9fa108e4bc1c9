// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Stablecoin} from "./Stablecoin.sol";

/// @title A token that changes how it behaves
/// @notice For tests: anyone can set its mood, mint and burn. Permits, nonces and allowances are honest in every mood.
contract MoodyToken is Stablecoin {
    /// @notice What it does when money moves.
    /// @dev Silent and Verbose move honestly and answer nothing, or 200,000 bytes that begin with true. TakesFee burns
    /// `feeOf` the amount. Idle moves nothing and says it did; Denies moves nothing and says so. Blocks reverts where
    /// the receiver is `blocked`. CallsBack calls its target first, and then moves honestly.
    enum Mood {
        Honest,
        Silent,
        Verbose,
        TakesFee,
        Idle,
        Denies,
        Reverts,
        Blocks,
        BurnsGas,
        CallsBack
    }

    uint256 private constant FEE_DIVISOR = 100;
    uint256 private constant VERBOSE_BYTES = 200_000;

    /// @notice Its mood now.
    Mood public mood;

    /// @notice Who receives nothing in mood Blocks.
    address public blocked;

    /// @notice How often it called back, and how often that was not refused.
    uint256 public callBacks;
    uint256 public entries;

    address private _target;
    bytes private _data;

    /// @notice It does not like to.
    error MoodyToken_Refused();

    /// @notice Sets its mood.
    function become(Mood mood_) external {
        mood = mood_;
    }

    /// @notice Sets whom mood Blocks is about.
    function block_(address account) external {
        blocked = account;
    }

    /// @notice Sets what mood CallsBack calls.
    function callBack(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    /// @notice Makes money disappear.
    function burn(address from, uint256 amount) external {
        _burn(from, amount);
    }

    /// @notice Moves money as its mood is, and answers as its mood is.
    function transfer(address to, uint256 amount) public override returns (bool) {
        super.transfer(to, amount);
        return _answer();
    }

    /// @notice Moves money as its mood is, and answers as its mood is.
    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        super.transferFrom(from, to, amount);
        return _answer();
    }

    /// @notice What mood TakesFee takes: one unit in a hundred, rounded up.
    function feeOf(uint256 amount) public pure returns (uint256) {
        return (amount + FEE_DIVISOR - 1) / FEE_DIVISOR;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from != address(0) && to != address(0)) {
            if (mood == Mood.Idle || mood == Mood.Denies) return;
            if (mood == Mood.Reverts) revert MoodyToken_Refused();
            if (mood == Mood.Blocks && to == blocked) revert MoodyToken_Refused();
            if (mood == Mood.BurnsGas) {
                // solhint-disable-next-line no-inline-assembly
                assembly ("memory-safe") {
                    invalid()
                }
            }
            if (mood == Mood.CallsBack) _callBack();
            if (mood == Mood.TakesFee) {
                uint256 fee = feeOf(amount);
                super._update(from, address(0), fee);
                amount -= fee;
            }
        }
        super._update(from, to, amount);
    }

    function _callBack() private {
        // solhint-disable-next-line avoid-low-level-calls
        (bool accepted, ) = _target.call(_data);
        ++callBacks;
        if (accepted) ++entries;
    }

    function _answer() private view returns (bool) {
        if (mood == Mood.Silent || mood == Mood.Verbose) {
            uint256 length = mood == Mood.Silent ? 0 : VERBOSE_BYTES;
            // solhint-disable-next-line no-inline-assembly
            assembly ("memory-safe") {
                mstore(0, 1)
                return(0, length)
            }
        }
        return mood != Mood.Denies;
    }
}
