// SPDX-License-Identifier: MIT
// solhint-disable no-empty-blocks
pragma solidity 0.8.28;

import {IMoney} from "./IMoney.sol";
import {IOrders} from "./IOrders.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";

/// @title Where buyers' money meets vendors
/// @notice Orders for time, payment channels for use, and what both share.
/// @dev Deployed by the registry it belongs to, which vouches for it by `IVendorRegistry.payments()`.
interface IPayments is IOrders, IPaymentChannels, IMoney {}
