// SPDX-License-Identifier: MIT
// solhint-disable no-empty-blocks
pragma solidity 0.8.28;

import {IPayments} from "./IPayments.sol";
import {Orders} from "./Orders.sol";
import {PaymentChannels} from "./PaymentChannels.sol";

/// @title Where buyers' money meets vendors
/// @notice See `IPayments`.
contract Payments is IPayments, Orders, PaymentChannels {}
