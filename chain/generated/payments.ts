// Generated from contracts/IPayments.sol by `node scripts/generate-abi.ts`. Do not edit.

import {
  address,
  ends,
  fixedBytes,
  flag,
  heads,
  integer,
  number,
  offset,
  staticList,
  topic,
  topicCount,
} from '../abi-read.ts'
import { type AbiValue } from '../abi.ts'
import { type PaymentsEvent } from '../events.ts'
import { type ChroveLog, type Hex } from '../types.ts'

const readChannel = (data: Hex, at: number) => ({
  balance: integer(data, at, 30),
  claimed: integer(data, at + 64, 30),
  refunds: number(data, at + 128, 4),
  withdrawTo: address(data, at + 192),
  withdrawableAt: number(data, at + 256, 10),
})

const readOrder = (data: Hex, at: number) => ({
  controller: address(data, at),
  startedAt: number(data, at + 64, 10),
  endsAt: number(data, at + 128, 10),
  periods: number(data, at + 192, 8),
  cancelled: flag(data, at + 256),
  earned: integer(data, at + 320, 32),
  refundable: integer(data, at + 384, 32),
})

export const paymentsDecoders = {
  events: new Map<Hex, (log: ChroveLog) => PaymentsEvent>([
    [
      '0xdd2f2693318d3d08a3daab5146dc7fac605d4f32b0f22287e516f4a02b17c20b',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 130)
        return {
          type: 'ChannelClaimed' as const,
          contract: log.address,
          evidence: log.evidence,
          channelId: fixedBytes(topic(topics, 1), 2, 64),
          vendorId: integer(topic(topics, 2), 2, 16),
          amount: integer(data, 2, 30),
          claimed: integer(data, 66, 30),
        }
      },
    ],
    [
      '0xf2238b005b6920ef921e6548bd26276420d121d15fa049f0d7070ade8077497c',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 4)
        ends(data, 386)
        return {
          type: 'ChannelDeposited' as const,
          contract: log.address,
          evidence: log.evidence,
          channelId: fixedBytes(topic(topics, 1), 2, 64),
          vendorId: integer(topic(topics, 2), 2, 16),
          payer: address(topic(topics, 3), 2),
          signer: address(data, 2),
          token: address(data, 66),
          withdrawDelay: number(data, 130, 8),
          salt: fixedBytes(data, 194, 64),
          amount: integer(data, 258, 30),
          balance: integer(data, 322, 30),
        }
      },
    ],
    [
      '0x9b2e14ca2e914f2726502d5e7543869e9b35ab8c36460bff70d704e726becc21',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 130)
        return {
          type: 'ChannelRefunded' as const,
          contract: log.address,
          evidence: log.evidence,
          channelId: fixedBytes(topic(topics, 1), 2, 64),
          vendorId: integer(topic(topics, 2), 2, 16),
          to: address(data, 2),
          amount: integer(data, 66, 30),
        }
      },
    ],
    [
      '0xfda06fce6af8478b00a6378214c81590d517f5fc618af1fad23cc4d5a3afbebf',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 130)
        return {
          type: 'ChannelWithdrawn' as const,
          contract: log.address,
          evidence: log.evidence,
          channelId: fixedBytes(topic(topics, 1), 2, 64),
          vendorId: integer(topic(topics, 2), 2, 16),
          to: address(data, 2),
          amount: integer(data, 66, 30),
        }
      },
    ],
    [
      '0x890c218d171aee685b61b15ea90f092abafcbbcc1d40bf0e9482d062a69873cd',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 194)
        return {
          type: 'OrderCancelled' as const,
          contract: log.address,
          evidence: log.evidence,
          orderId: fixedBytes(topic(topics, 1), 2, 64),
          vendorId: integer(topic(topics, 2), 2, 16),
          refundTo: address(data, 2),
          refunded: integer(data, 66, 32),
          endsAt: number(data, 130, 10),
        }
      },
    ],
    [
      '0xb831a07b7cdfe5c777eb78c604d72160eab1dc2fe371d87f98b3412b9934aaa8',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 4)
        ends(data, 386)
        return {
          type: 'OrderPaid' as const,
          contract: log.address,
          evidence: log.evidence,
          orderId: fixedBytes(topic(topics, 1), 2, 64),
          vendorId: integer(topic(topics, 2), 2, 16),
          keyHash: fixedBytes(topic(topics, 3), 2, 64),
          planId: number(data, 2, 8),
          periods: number(data, 66, 4),
          startedAt: number(data, 130, 10),
          endsAt: number(data, 194, 10),
          amount: integer(data, 258, 32),
          controller: address(data, 322),
        }
      },
    ],
    [
      '0xff986a42edd079f1535f6b7fc16835c42d2543bd7f5b688a882b4f9618cecab9',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 194)
        return {
          type: 'OrderRefunded' as const,
          contract: log.address,
          evidence: log.evidence,
          orderId: fixedBytes(topic(topics, 1), 2, 64),
          vendorId: integer(topic(topics, 2), 2, 16),
          refundTo: address(data, 2),
          refunded: integer(data, 66, 32),
          endsAt: number(data, 130, 10),
        }
      },
    ],
    [
      '0x4b5b110372d75256f729dff075fe14aac0591d64004de9ab47b209257b443816',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 130)
        return {
          type: 'OrderWithdrawn' as const,
          contract: log.address,
          evidence: log.evidence,
          orderId: fixedBytes(topic(topics, 1), 2, 64),
          vendorId: integer(topic(topics, 2), 2, 16),
          payout: address(data, 2),
          amount: integer(data, 66, 32),
        }
      },
    ],
    [
      '0x4ed73c1950c5d5913b31f51aa9f7e8d3f3dcada25be351f1ad91e30557a474b5',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 130)
        return {
          type: 'PayoutKept' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          token: address(topic(topics, 2), 2),
          payout: address(data, 2),
          amount: integer(data, 66, 64),
        }
      },
    ],
    [
      '0x8d52fc4fe9377e99208ece1758637b46b080780796dcb54e560758c63a4da418',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 130)
        return {
          type: 'PayoutRedelivered' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          token: address(topic(topics, 2), 2),
          payout: address(data, 2),
          amount: integer(data, 66, 64),
        }
      },
    ],
    [
      '0x5a79aa47b6267c08f6dcba6a01a4cf2a364717573ab08f4639077ac43673d487',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 130)
        return {
          type: 'WithdrawalRequested' as const,
          contract: log.address,
          evidence: log.evidence,
          channelId: fixedBytes(topic(topics, 1), 2, 64),
          vendorId: integer(topic(topics, 2), 2, 16),
          to: address(data, 2),
          withdrawableAt: number(data, 66, 10),
        }
      },
    ],
  ]),
  results: {
    buy: (data: Hex) => {
      ends(data, 130)
      return [fixedBytes(data, 2, 64), number(data, 66, 10)] as const
    },
    buyWithAuthorization: (data: Hex) => {
      ends(data, 130)
      return [fixedBytes(data, 2, 64), number(data, 66, 10)] as const
    },
    buyWithPermit: (data: Hex) => {
      ends(data, 130)
      return [fixedBytes(data, 2, 64), number(data, 66, 10)] as const
    },
    cancel: (data: Hex) => {
      ends(data, 66)
      return [integer(data, 2, 32)] as const
    },
    cancelWithSignature: (data: Hex) => {
      ends(data, 66)
      return [integer(data, 2, 32)] as const
    },
    channelIdOf: (data: Hex) => {
      ends(data, 66)
      return [fixedBytes(data, 2, 64)] as const
    },
    channels: (data: Hex) => {
      const tail = heads(data, 2, 64)
      const value = [staticList(data, offset(data, 2, 2, tail), 320, readChannel)] as const
      ends(data, tail.at)
      return value
    },
    deposit: (data: Hex) => {
      ends(data, 66)
      return [fixedBytes(data, 2, 64)] as const
    },
    depositWithAuthorization: (data: Hex) => {
      ends(data, 66)
      return [fixedBytes(data, 2, 64)] as const
    },
    depositWithPermit: (data: Hex) => {
      ends(data, 66)
      return [fixedBytes(data, 2, 64)] as const
    },
    finalizeWithdrawal: (data: Hex) => {
      ends(data, 66)
      return [integer(data, 2, 30)] as const
    },
    isUsed: (data: Hex) => {
      ends(data, 66)
      return [flag(data, 2)] as const
    },
    kept: (data: Hex) => {
      ends(data, 66)
      return [integer(data, 2, 64)] as const
    },
    order: (data: Hex) => {
      ends(data, 450)
      return [readOrder(data, 2)] as const
    },
    orderIdOf: (data: Hex) => {
      ends(data, 66)
      return [fixedBytes(data, 2, 64)] as const
    },
    orders: (data: Hex) => {
      const tail = heads(data, 2, 64)
      const value = [staticList(data, offset(data, 2, 2, tail), 448, readOrder)] as const
      ends(data, tail.at)
      return value
    },
    redeliver: (data: Hex) => {
      ends(data, 66)
      return [integer(data, 2, 64)] as const
    },
    registry: (data: Hex) => {
      ends(data, 66)
      return [address(data, 2)] as const
    },
    vendorRefund: (data: Hex) => {
      ends(data, 66)
      return [integer(data, 2, 32)] as const
    },
  },
  errors: new Map<Hex, { readonly name: string; readonly args: (data: Hex) => { readonly [name: string]: AbiValue } }>([
    [
      '0x54cbea38',
      {
        name: 'Payments_AmountTooLarge',
        args: (data: Hex) => {
          ends(data, 74)
          return { amount: integer(data, 10, 64) }
        },
      },
    ],
    [
      '0x16b359f6',
      {
        name: 'Payments_AnotherRun',
        args: (data: Hex) => {
          ends(data, 202)
          return { orderId: fixedBytes(data, 10, 64), given: number(data, 74, 10), startedAt: number(data, 138, 10) }
        },
      },
    ],
    [
      '0x80416329',
      {
        name: 'Payments_BalanceTooLarge',
        args: (data: Hex) => {
          ends(data, 74)
          return { balance: integer(data, 10, 64) }
        },
      },
    ],
    [
      '0xb937c9ec',
      {
        name: 'Payments_ControllerMismatch',
        args: (data: Hex) => {
          ends(data, 202)
          return { orderId: fixedBytes(data, 10, 64), given: address(data, 74), expected: address(data, 138) }
        },
      },
    ],
    [
      '0x4fdf43c3',
      {
        name: 'Payments_GasTooLow',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0xd998625e',
      {
        name: 'Payments_NotAToken',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0x51fb25b4',
      {
        name: 'Payments_NotController',
        args: (data: Hex) => {
          ends(data, 138)
          return { orderId: fixedBytes(data, 10, 64), caller: address(data, 74) }
        },
      },
    ],
    [
      '0xd28baa7f',
      {
        name: 'Payments_NotForSale',
        args: (data: Hex) => {
          ends(data, 138)
          return { vendorId: integer(data, 10, 16), planId: number(data, 74, 8) }
        },
      },
    ],
    [
      '0x83ff3a16',
      {
        name: 'Payments_NotPayer',
        args: (data: Hex) => {
          ends(data, 138)
          return { channelId: fixedBytes(data, 10, 64), caller: address(data, 74) }
        },
      },
    ],
    [
      '0x68a744c9',
      {
        name: 'Payments_NotRequested',
        args: (data: Hex) => {
          ends(data, 74)
          return { channelId: fixedBytes(data, 10, 64) }
        },
      },
    ],
    [
      '0x3ae44d7a',
      {
        name: 'Payments_NotVendor',
        args: (data: Hex) => {
          ends(data, 138)
          return { vendorId: integer(data, 10, 16), caller: address(data, 74) }
        },
      },
    ],
    [
      '0x86ece590',
      {
        name: 'Payments_OrderOver',
        args: (data: Hex) => {
          ends(data, 138)
          return { orderId: fixedBytes(data, 10, 64), endsAt: number(data, 74, 10) }
        },
      },
    ],
    [
      '0x6d6d33c0',
      {
        name: 'Payments_OverBalance',
        args: (data: Hex) => {
          ends(data, 202)
          return { channelId: fixedBytes(data, 10, 64), given: integer(data, 74, 64), max: integer(data, 138, 64) }
        },
      },
    ],
    [
      '0xa5d357aa',
      {
        name: 'Payments_Reentered',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0xf6f068f6',
      {
        name: 'Payments_RefundTooLarge',
        args: (data: Hex) => {
          ends(data, 138)
          return { given: integer(data, 10, 64), max: integer(data, 74, 64) }
        },
      },
    ],
    [
      '0x17ac87e4',
      {
        name: 'Payments_SignatureExpired',
        args: (data: Hex) => {
          ends(data, 74)
          return { deadline: integer(data, 10, 64) }
        },
      },
    ],
    [
      '0xbfdc72cd',
      {
        name: 'Payments_SignatureInvalid',
        args: (data: Hex) => {
          ends(data, 74)
          return { signer: address(data, 10) }
        },
      },
    ],
    [
      '0xd9e00afb',
      {
        name: 'Payments_SignatureUsed',
        args: (data: Hex) => {
          ends(data, 74)
          return { digest: fixedBytes(data, 10, 64) }
        },
      },
    ],
    [
      '0xc44967ad',
      {
        name: 'Payments_TokenInexact',
        args: (data: Hex) => {
          ends(data, 202)
          return { token: address(data, 10), received: integer(data, 74, 64), expected: integer(data, 138, 64) }
        },
      },
    ],
    [
      '0xf9d087fa',
      {
        name: 'Payments_TooEarly',
        args: (data: Hex) => {
          ends(data, 138)
          return { channelId: fixedBytes(data, 10, 64), withdrawableAt: number(data, 74, 10) }
        },
      },
    ],
    [
      '0xf1b3424b',
      {
        name: 'Payments_TooFarAhead',
        args: (data: Hex) => {
          ends(data, 138)
          return { endsAt: integer(data, 10, 64), latest: integer(data, 74, 64) }
        },
      },
    ],
    [
      '0xfb26b4b2',
      {
        name: 'Payments_TransferFailed',
        args: (data: Hex) => {
          ends(data, 202)
          return { token: address(data, 10), to: address(data, 74), amount: integer(data, 138, 64) }
        },
      },
    ],
    [
      '0x6b0a59a1',
      {
        name: 'Payments_UnknownOrder',
        args: (data: Hex) => {
          ends(data, 74)
          return { orderId: fixedBytes(data, 10, 64) }
        },
      },
    ],
    [
      '0x26f83889',
      {
        name: 'Payments_VendorInactive',
        args: (data: Hex) => {
          ends(data, 74)
          return { vendorId: integer(data, 10, 16) }
        },
      },
    ],
    [
      '0x70c72b4c',
      {
        name: 'Payments_VoucherStale',
        args: (data: Hex) => {
          ends(data, 202)
          return {
            channelId: fixedBytes(data, 10, 64),
            cumulative: integer(data, 74, 64),
            claimed: integer(data, 138, 64),
          }
        },
      },
    ],
    [
      '0x0af5c5ef',
      {
        name: 'Payments_WithdrawDelay',
        args: (data: Hex) => {
          ends(data, 202)
          return { given: number(data, 10, 8), min: number(data, 74, 8), max: number(data, 138, 8) }
        },
      },
    ],
    [
      '0x2e8c4f06',
      {
        name: 'Payments_WrongAmount',
        args: (data: Hex) => {
          ends(data, 138)
          return { given: integer(data, 10, 64), due: integer(data, 74, 64) }
        },
      },
    ],
    [
      '0x24ba8f2f',
      {
        name: 'Payments_WrongValue',
        args: (data: Hex) => {
          ends(data, 138)
          return { given: integer(data, 10, 64), due: integer(data, 74, 64) }
        },
      },
    ],
    [
      '0xcf64282b',
      {
        name: 'Payments_ZeroAmount',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0xd161d904',
      {
        name: 'Payments_ZeroController',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0x1bfc9005',
      {
        name: 'Payments_ZeroKey',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0x72a4c934',
      {
        name: 'Payments_ZeroParty',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0x3662e9f5',
      {
        name: 'Payments_ZeroPeriods',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0xefced1b3',
      {
        name: 'Payments_ZeroRefundTo',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
  ]),
}
