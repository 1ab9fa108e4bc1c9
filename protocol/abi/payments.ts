// Generated from contracts/IPayments.sol by `node scripts/generate-abi.ts`. Do not edit.

export const paymentsAbi = [
  {
    inputs: [{ internalType: 'uint256', name: 'amount', type: 'uint256' }],
    name: 'Payments_AmountTooLarge',
    type: 'error',
  },
  {
    inputs: [
      { internalType: 'bytes32', name: 'orderId', type: 'bytes32' },
      { internalType: 'address', name: 'given', type: 'address' },
      { internalType: 'address', name: 'expected', type: 'address' },
    ],
    name: 'Payments_ControllerMismatch',
    type: 'error',
  },
  {
    inputs: [
      { internalType: 'bytes32', name: 'orderId', type: 'bytes32' },
      { internalType: 'address', name: 'caller', type: 'address' },
    ],
    name: 'Payments_NotController',
    type: 'error',
  },
  {
    inputs: [
      { internalType: 'uint64', name: 'vendorId', type: 'uint64' },
      { internalType: 'uint32', name: 'planId', type: 'uint32' },
    ],
    name: 'Payments_NotForSale',
    type: 'error',
  },
  {
    inputs: [
      { internalType: 'bytes32', name: 'orderId', type: 'bytes32' },
      { internalType: 'uint40', name: 'endsAt', type: 'uint40' },
    ],
    name: 'Payments_OrderOver',
    type: 'error',
  },
  { inputs: [], name: 'Payments_Reentered', type: 'error' },
  {
    inputs: [{ internalType: 'address', name: 'token', type: 'address' }],
    name: 'Payments_TokenUnsupported',
    type: 'error',
  },
  {
    inputs: [
      { internalType: 'uint256', name: 'endsAt', type: 'uint256' },
      { internalType: 'uint256', name: 'latest', type: 'uint256' },
    ],
    name: 'Payments_TooFarAhead',
    type: 'error',
  },
  {
    inputs: [
      { internalType: 'address', name: 'to', type: 'address' },
      { internalType: 'uint256', name: 'amount', type: 'uint256' },
    ],
    name: 'Payments_TransferFailed',
    type: 'error',
  },
  {
    inputs: [{ internalType: 'bytes32', name: 'orderId', type: 'bytes32' }],
    name: 'Payments_UnknownOrder',
    type: 'error',
  },
  {
    inputs: [
      { internalType: 'uint256', name: 'given', type: 'uint256' },
      { internalType: 'uint256', name: 'due', type: 'uint256' },
    ],
    name: 'Payments_WrongValue',
    type: 'error',
  },
  { inputs: [], name: 'Payments_ZeroController', type: 'error' },
  { inputs: [], name: 'Payments_ZeroKey', type: 'error' },
  { inputs: [], name: 'Payments_ZeroPeriods', type: 'error' },
  { inputs: [], name: 'Payments_ZeroRefundTo', type: 'error' },
  {
    anonymous: false,
    inputs: [
      { indexed: true, internalType: 'bytes32', name: 'orderId', type: 'bytes32' },
      { indexed: true, internalType: 'uint64', name: 'vendorId', type: 'uint64' },
      { indexed: false, internalType: 'address', name: 'refundTo', type: 'address' },
      { indexed: false, internalType: 'uint128', name: 'refunded', type: 'uint128' },
      { indexed: false, internalType: 'uint40', name: 'endsAt', type: 'uint40' },
    ],
    name: 'OrderCancelled',
    type: 'event',
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, internalType: 'bytes32', name: 'orderId', type: 'bytes32' },
      { indexed: true, internalType: 'uint64', name: 'vendorId', type: 'uint64' },
      { indexed: true, internalType: 'bytes32', name: 'keyHash', type: 'bytes32' },
      { indexed: false, internalType: 'uint32', name: 'planId', type: 'uint32' },
      { indexed: false, internalType: 'uint16', name: 'periods', type: 'uint16' },
      { indexed: false, internalType: 'uint40', name: 'startedAt', type: 'uint40' },
      { indexed: false, internalType: 'uint40', name: 'endsAt', type: 'uint40' },
      { indexed: false, internalType: 'uint128', name: 'amount', type: 'uint128' },
      { indexed: false, internalType: 'address', name: 'controller', type: 'address' },
    ],
    name: 'OrderPaid',
    type: 'event',
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, internalType: 'bytes32', name: 'orderId', type: 'bytes32' },
      { indexed: true, internalType: 'uint64', name: 'vendorId', type: 'uint64' },
      { indexed: false, internalType: 'address', name: 'payout', type: 'address' },
      { indexed: false, internalType: 'uint128', name: 'amount', type: 'uint128' },
    ],
    name: 'OrderWithdrawn',
    type: 'event',
  },
  {
    inputs: [
      { internalType: 'uint64', name: 'vendorId', type: 'uint64' },
      { internalType: 'uint32', name: 'planId', type: 'uint32' },
      { internalType: 'bytes32', name: 'keyHash', type: 'bytes32' },
      { internalType: 'uint16', name: 'periods', type: 'uint16' },
      { internalType: 'address', name: 'controller', type: 'address' },
    ],
    name: 'buy',
    outputs: [
      { internalType: 'bytes32', name: 'orderId', type: 'bytes32' },
      { internalType: 'uint40', name: 'endsAt', type: 'uint40' },
    ],
    stateMutability: 'payable',
    type: 'function',
  },
  {
    inputs: [
      { internalType: 'bytes32', name: 'orderId', type: 'bytes32' },
      { internalType: 'address', name: 'refundTo', type: 'address' },
    ],
    name: 'cancel',
    outputs: [{ internalType: 'uint128', name: 'refunded', type: 'uint128' }],
    stateMutability: 'nonpayable',
    type: 'function',
  },
  {
    inputs: [
      { internalType: 'uint64', name: 'vendorId', type: 'uint64' },
      { internalType: 'uint32', name: 'planId', type: 'uint32' },
      { internalType: 'bytes32', name: 'keyHash', type: 'bytes32' },
    ],
    name: 'order',
    outputs: [
      {
        components: [
          { internalType: 'address', name: 'controller', type: 'address' },
          { internalType: 'uint40', name: 'startedAt', type: 'uint40' },
          { internalType: 'uint40', name: 'endsAt', type: 'uint40' },
          { internalType: 'uint32', name: 'periods', type: 'uint32' },
          { internalType: 'bool', name: 'cancelled', type: 'bool' },
          { internalType: 'uint128', name: 'earned', type: 'uint128' },
          { internalType: 'uint128', name: 'refundable', type: 'uint128' },
        ],
        internalType: 'struct IPayments.Order',
        name: '',
        type: 'tuple',
      },
    ],
    stateMutability: 'view',
    type: 'function',
  },
  {
    inputs: [
      { internalType: 'uint64', name: 'vendorId', type: 'uint64' },
      { internalType: 'uint32', name: 'planId', type: 'uint32' },
      { internalType: 'bytes32', name: 'keyHash', type: 'bytes32' },
    ],
    name: 'orderIdOf',
    outputs: [{ internalType: 'bytes32', name: '', type: 'bytes32' }],
    stateMutability: 'pure',
    type: 'function',
  },
  {
    inputs: [],
    name: 'registry',
    outputs: [{ internalType: 'contract IVendorRegistry', name: '', type: 'address' }],
    stateMutability: 'view',
    type: 'function',
  },
  {
    inputs: [{ internalType: 'bytes32[]', name: 'orderIds', type: 'bytes32[]' }],
    name: 'withdraw',
    outputs: [],
    stateMutability: 'nonpayable',
    type: 'function',
  },
] as const
