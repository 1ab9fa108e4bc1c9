// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @dev A token that does what it is told and asks for no signature, so that anyone can pay with anyone's money. Each
/// token below breaks one promise, from the moment it is told to.
contract PlainToken {
    mapping(address account => uint256) internal _balances;
    mapping(address owner => mapping(address spender => uint256)) public allowance;
    bool public hostile;

    event Transfer(address indexed from, address indexed to, uint256 amount);

    error InsufficientBalance();
    error InsufficientAllowance();
    error OddCall();

    function turnHostile() external {
        hostile = true;
    }

    function turnGood() external {
        hostile = false;
    }

    function mint(address to, uint256 amount) external virtual {
        _balances[to] += amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    /// @dev As strict as tokens that guard against cut addresses.
    function transfer(address to, uint256 amount) external virtual returns (bool) {
        if (msg.data.length != 68) revert OddCall();
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external virtual returns (bool) {
        _spend(from, amount);
        _move(from, to, amount);
        return true;
    }

    function permit(address owner, address spender, uint256 amount, uint256, uint8, bytes32, bytes32) external virtual {
        allowance[owner][spender] = amount;
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 amount,
        uint256,
        uint256,
        bytes32,
        uint8,
        bytes32,
        bytes32
    ) external virtual {
        _move(from, to, amount);
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 amount,
        uint256,
        uint256,
        bytes32,
        bytes calldata
    ) external virtual {
        _move(from, to, amount);
    }

    function balanceOf(address account) public view virtual returns (uint256) {
        return _balances[account];
    }

    function _spend(address from, uint256 amount) internal {
        if (allowance[from][msg.sender] < amount) revert InsufficientAllowance();
        allowance[from][msg.sender] -= amount;
    }

    function _move(address from, address to, uint256 amount) internal virtual {
        if (_balances[from] < amount) revert InsufficientBalance();
        _balances[from] -= amount;
        _balances[to] += amount;
        emit Transfer(from, to, amount);
    }
}

/// @dev Keeps one unit of whatever moves.
contract FeeToken is PlainToken {
    function _move(address from, address to, uint256 amount) internal override {
        super._move(from, to, amount);
        if (hostile) _balances[to] -= 1;
    }
}

/// @dev Gives one unit on top of whatever moves.
contract BonusToken is PlainToken {
    function _move(address from, address to, uint256 amount) internal override {
        super._move(from, to, amount);
        if (hostile) _balances[to] += 1;
    }
}

/// @dev All balances change at once: when it is told to, and while hostile also with every move.
contract RebasingToken is PlainToken {
    uint256 private constant UNIT = 1000;
    uint256 private _index = UNIT;
    uint256 private _indexAfterMove = UNIT;

    /// @param thousandths What of a balance is there afterwards
    function rebase(uint256 thousandths) external {
        _index = (_index * thousandths) / UNIT;
    }

    function rebaseWithEveryMove(uint256 thousandths) external {
        _indexAfterMove = thousandths;
        hostile = true;
    }

    function balanceOf(address account) public view override returns (uint256) {
        return (_balances[account] * _index) / UNIT;
    }

    function _move(address from, address to, uint256 amount) internal override {
        super._move(from, to, (amount * UNIT) / _index);
        if (hostile) _index = (_index * _indexAfterMove) / UNIT;
    }
}

/// @dev Moves nothing and says so.
contract FalseToken is PlainToken {
    function transfer(address to, uint256 amount) external override returns (bool) {
        if (hostile) return false;
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        if (hostile) return false;
        _spend(from, amount);
        _move(from, to, amount);
        return true;
    }
}

/// @dev Moves the money and answers with given bytes: none, as a well-known stablecoin does, or what is not a truth.
contract AnsweringToken is PlainToken {
    bytes private _answer;

    function answerWith(bytes calldata answer) external {
        _answer = answer;
    }

    function transfer(address to, uint256 amount) external override returns (bool) {
        _move(msg.sender, to, amount);
        _giveAnswer();
    }

    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        _spend(from, amount);
        _move(from, to, amount);
        _giveAnswer();
    }

    function _giveAnswer() private view {
        bytes memory answer = _answer;
        assembly ("memory-safe") {
            return(add(answer, 32), mload(answer))
        }
    }
}

/// @dev Reverts.
contract RevertingToken is PlainToken {
    error Paused();

    function _move(address from, address to, uint256 amount) internal override {
        if (hostile) revert Paused();
        super._move(from, to, amount);
    }
}

/// @dev Reverts with half a million bytes.
contract BombToken is PlainToken {
    function _move(address from, address to, uint256 amount) internal override {
        if (hostile) {
            assembly ("memory-safe") {
                revert(0, 500000)
            }
        }
        super._move(from, to, amount);
    }
}

/// @dev Burns all gas that it is given.
contract BurningToken is PlainToken {
    function _move(address from, address to, uint256 amount) internal override {
        while (hostile) {}
        super._move(from, to, amount);
    }
}

/// @dev Moves nothing from or to blocked accounts.
contract BlocklistToken is PlainToken {
    mapping(address account => bool) private _blocked;

    error Blocked(address account);

    function block_(address account) external {
        _blocked[account] = true;
    }

    function _move(address from, address to, uint256 amount) internal override {
        if (_blocked[from]) revert Blocked(from);
        if (_blocked[to]) revert Blocked(to);
        super._move(from, to, amount);
    }
}

/// @dev Moves nothing, and states balances as if it had.
contract LyingToken is PlainToken {
    function _move(address from, address to, uint256 amount) internal override {
        if (!hostile) return super._move(from, to, amount);
        _balances[to] += amount;
    }
}

/// @dev States one balance for everybody, or none at all.
contract ConstantToken is PlainToken {
    function balanceOf(address account) public view override returns (uint256) {
        return hostile ? type(uint256).max : super.balanceOf(account);
    }
}

/// @dev Has as many decimals as one likes.
contract DecimalsToken is PlainToken {
    uint8 public immutable decimals;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }
}

/// @dev Calls back whenever it is called, and remembers each answer. Where nothing can be remembered, because it is
/// asked by a static call, it answers only if the call back was refused by given bytes.
contract ReentrantToken is PlainToken {
    address private _target;
    bytes[] private _calls;
    bytes private _refusal;

    uint256 public callBacks;
    uint256 public refusals;

    /// @param refusal What each call back should be answered with
    function callBack(address target, bytes[] calldata calls, bytes calldata refusal) external {
        _target = target;
        delete _calls;
        for (uint256 i = 0; i < calls.length; ++i) _calls.push(calls[i]);
        _refusal = refusal;
        callBacks = 0;
        refusals = 0;
    }

    function permit(
        address owner,
        address spender,
        uint256 amount,
        uint256,
        uint8,
        bytes32,
        bytes32
    ) external override {
        _callBack();
        allowance[owner][spender] = amount;
    }

    function balanceOf(address account) public view override returns (uint256) {
        for (uint256 i = 0; hostile && i < _calls.length; ++i) {
            (bool accepted, bytes memory answer) = _target.staticcall(_calls[i]);
            require(!accepted && keccak256(answer) == keccak256(_refusal), "entered while balances are compared");
        }
        return super.balanceOf(account);
    }

    function _move(address from, address to, uint256 amount) internal override {
        _callBack();
        super._move(from, to, amount);
    }

    function _callBack() private {
        for (uint256 i = 0; hostile && i < _calls.length; ++i) {
            (bool accepted, bytes memory answer) = _target.call(_calls[i]);
            ++callBacks;
            if (!accepted && keccak256(answer) == keccak256(_refusal)) ++refusals;
        }
    }
}
