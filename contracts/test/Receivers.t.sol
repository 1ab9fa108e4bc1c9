// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @dev An account that refuses money.
contract RefusingReceiver {
    receive() external payable {
        revert("no");
    }
}

/// @dev An account that answers with more than half a million bytes.
contract LongWindedReceiver {
    receive() external payable {
        assembly ("memory-safe") {
            return(0, 500000)
        }
    }
}

/// @dev An account that refuses money with more than half a million bytes.
contract BombReceiver {
    receive() external payable {
        assembly ("memory-safe") {
            revert(0, 500000)
        }
    }
}

/// @dev An account that burns all gas that it is given.
contract BurningReceiver {
    receive() external payable {
        while (true) {}
    }
}

/// @dev An account that takes money only with the gas that a payout has: 300,000, and 2,300 for the money.
contract DemandingReceiver {
    receive() external payable {
        require(gasleft() > 302_000, "more gas");
    }
}

/// @dev An account that counts how often it is paid.
contract CountingReceiver {
    uint256 public payments;

    receive() external payable {
        ++payments;
    }
}

/// @dev An account that calls back while it is being paid, and remembers the answer.
contract ReenteringReceiver {
    address private immutable TARGET;
    bytes private _data;
    bytes public answer;
    bool public succeeded;

    constructor(address target) {
        TARGET = target;
    }

    function callBackWith(bytes calldata data) external {
        _data = data;
    }

    receive() external payable {
        (succeeded, answer) = TARGET.call(_data);
    }
}
