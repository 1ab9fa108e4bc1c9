// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title A token as some old ones are that many people hold: no answers, no permits, a symbol of 32 bytes
/// @notice For tests: anyone can mint it. An allowance changes only from zero or to zero.
contract OldToken {
    /// @notice How much each account has.
    mapping(address owner => uint256) public balanceOf;
    /// @notice What an account may take out of another's.
    mapping(address owner => mapping(address spender => uint256)) public allowance;
    /// @notice Padded with zeros.
    bytes32 public constant symbol = "OLD";
    /// @notice Of one unit that people speak of.
    uint256 public constant decimals = 2;

    /// @notice Money moved.
    event Transfer(address indexed from, address indexed to, uint256 amount);
    /// @notice An allowance was set.
    event Approval(address indexed owner, address indexed spender, uint256 amount);

    /// @notice Has to be set to zero first.
    error AllowanceInUse();

    /// @notice Makes money out of nothing.
    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
        emit Transfer(address(0), to, amount);
    }

    /// @notice As ERC-20 has it, without its answer.
    function approve(address spender, uint256 amount) external {
        if (amount != 0 && allowance[msg.sender][spender] != 0) revert AllowanceInUse();
        allowance[msg.sender][spender] = amount;
        emit Approval(msg.sender, spender, amount);
    }

    /// @notice As ERC-20 has it, without its answer.
    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    /// @notice As ERC-20 has it, without its answer.
    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        emit Transfer(from, to, amount);
    }
}
