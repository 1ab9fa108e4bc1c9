// Generated from contracts/IPayments.sol by `node scripts/generate-abi.ts`. Do not edit.

import {
  address,
  bytes,
  dynamicList,
  ends,
  fixedBytes,
  heads,
  integer,
  number,
  offset,
  staticList,
  type Tail,
} from '../../chain/abi-read.ts'
import { type Hex } from '../../chain/types.ts'

const readPurchase = (data: Hex, at: number) => ({
  vendorId: integer(data, at, 16),
  planId: number(data, at + 64, 8),
  keyHash: fixedBytes(data, at + 128, 64),
  periods: number(data, at + 192, 4),
  controller: address(data, at + 256),
  payer: address(data, at + 320),
  amount: integer(data, at + 384, 32),
  salt: fixedBytes(data, at + 448, 64),
  deadline: integer(data, at + 512, 64),
})

const readChannelSettings = (data: Hex, at: number) => ({
  vendorId: integer(data, at, 16),
  payer: address(data, at + 64),
  signer: address(data, at + 128),
  token: address(data, at + 192),
  withdrawDelay: number(data, at + 256, 8),
  salt: fixedBytes(data, at + 320, 64),
})

const readClaim = (data: Hex, tail: Tail) => {
  const { at } = tail
  tail.at = at + 512
  return {
    settings: readChannelSettings(data, at),
    cumulative: integer(data, at + 384, 32),
    signature: bytes(data, offset(data, at + 448, at, tail)),
  }
}

const readDeposit = (data: Hex, at: number) => ({
  amount: integer(data, at, 32),
  salt: fixedBytes(data, at + 64, 64),
  deadline: integer(data, at + 128, 64),
})

const readRefund = (data: Hex, at: number) => ({
  to: address(data, at),
  amount: integer(data, at + 64, 32),
  deadline: integer(data, at + 128, 64),
  approver: address(data, at + 192),
})

export const paymentsCallDecoders = {
  calls: {
    '0xba3a426c': (data: Hex) => {
      ends(data, 330)
      return {
        name: 'buy' as const,
        args: {
          vendorId: integer(data, 10, 16),
          planId: number(data, 74, 8),
          keyHash: fixedBytes(data, 138, 64),
          periods: number(data, 202, 4),
          controller: address(data, 266),
        },
      }
    },
    '0x62bf01a2': (data: Hex) => {
      const tail = heads(data, 10, 640)
      const value = {
        name: 'buyWithAuthorization' as const,
        args: { purchase: readPurchase(data, 10), authorization: bytes(data, offset(data, 586, 10, tail)) },
      }
      ends(data, tail.at)
      return value
    },
    '0x8869c4fc': (data: Hex) => {
      const tail = heads(data, 10, 704)
      const value = {
        name: 'buyWithPermit' as const,
        args: {
          purchase: readPurchase(data, 10),
          permit: bytes(data, offset(data, 586, 10, tail)),
          signature: bytes(data, offset(data, 650, 10, tail)),
        },
      }
      ends(data, tail.at)
      return value
    },
    '0x22cae9a2': (data: Hex) => {
      ends(data, 138)
      return { name: 'cancel' as const, args: { orderId: fixedBytes(data, 10, 64), refundTo: address(data, 74) } }
    },
    '0x5fddf10d': (data: Hex) => {
      const tail = heads(data, 10, 320)
      const value = {
        name: 'cancelWithSignature' as const,
        args: {
          orderId: fixedBytes(data, 10, 64),
          startedAt: number(data, 74, 10),
          refundTo: address(data, 138),
          deadline: integer(data, 202, 64),
          signature: bytes(data, offset(data, 266, 10, tail)),
        },
      }
      ends(data, tail.at)
      return value
    },
    '0xdabdcdf3': (data: Hex) => {
      ends(data, 394)
      return { name: 'channelIdOf' as const, args: { settings: readChannelSettings(data, 10) } }
    },
    '0x5be52c99': (data: Hex) => {
      const tail = heads(data, 10, 64)
      const value = {
        name: 'channels' as const,
        args: {
          channelIds: staticList(data, offset(data, 10, 10, tail), 64, (data: Hex, at: number) =>
            fixedBytes(data, at, 64),
          ),
        },
      }
      ends(data, tail.at)
      return value
    },
    '0xe3dc6a98': (data: Hex) => {
      const tail = heads(data, 10, 64)
      const value = {
        name: 'claim' as const,
        args: { claims: dynamicList(data, offset(data, 10, 10, tail), readClaim) },
      }
      ends(data, tail.at)
      return value
    },
    '0xbe78f48b': (data: Hex) => {
      ends(data, 458)
      return {
        name: 'deposit' as const,
        args: { settings: readChannelSettings(data, 10), amount: integer(data, 394, 32) },
      }
    },
    '0xa1cb365d': (data: Hex) => {
      const tail = heads(data, 10, 640)
      const value = {
        name: 'depositWithAuthorization' as const,
        args: {
          settings: readChannelSettings(data, 10),
          terms: readDeposit(data, 394),
          authorization: bytes(data, offset(data, 586, 10, tail)),
        },
      }
      ends(data, tail.at)
      return value
    },
    '0x4dbb4e13': (data: Hex) => {
      const tail = heads(data, 10, 704)
      const value = {
        name: 'depositWithPermit' as const,
        args: {
          settings: readChannelSettings(data, 10),
          terms: readDeposit(data, 394),
          permit: bytes(data, offset(data, 586, 10, tail)),
          signature: bytes(data, offset(data, 650, 10, tail)),
        },
      }
      ends(data, tail.at)
      return value
    },
    '0x923db636': (data: Hex) => {
      ends(data, 394)
      return { name: 'finalizeWithdrawal' as const, args: { settings: readChannelSettings(data, 10) } }
    },
    '0xfe255a18': (data: Hex) => {
      ends(data, 74)
      return { name: 'isUsed' as const, args: { digest: fixedBytes(data, 10, 64) } }
    },
    '0x7254c422': (data: Hex) => {
      ends(data, 138)
      return { name: 'kept' as const, args: { vendorId: integer(data, 10, 16), token: address(data, 74) } }
    },
    '0x2a782a02': (data: Hex) => {
      ends(data, 202)
      return {
        name: 'order' as const,
        args: { vendorId: integer(data, 10, 16), planId: number(data, 74, 8), keyHash: fixedBytes(data, 138, 64) },
      }
    },
    '0xdab2a5b4': (data: Hex) => {
      ends(data, 202)
      return {
        name: 'orderIdOf' as const,
        args: { vendorId: integer(data, 10, 16), planId: number(data, 74, 8), keyHash: fixedBytes(data, 138, 64) },
      }
    },
    '0xebfb19ca': (data: Hex) => {
      const tail = heads(data, 10, 64)
      const value = {
        name: 'orders' as const,
        args: {
          orderIds: staticList(data, offset(data, 10, 10, tail), 64, (data: Hex, at: number) =>
            fixedBytes(data, at, 64),
          ),
        },
      }
      ends(data, tail.at)
      return value
    },
    '0x9836e53a': (data: Hex) => {
      ends(data, 138)
      return { name: 'redeliver' as const, args: { vendorId: integer(data, 10, 16), token: address(data, 74) } }
    },
    '0xd6e1cd1b': (data: Hex) => {
      const tail = heads(data, 10, 576)
      const value = {
        name: 'refund' as const,
        args: {
          settings: readChannelSettings(data, 10),
          to: address(data, 394),
          amount: integer(data, 458, 32),
          signature: bytes(data, offset(data, 522, 10, tail)),
        },
      }
      ends(data, tail.at)
      return value
    },
    '0x8513f248': (data: Hex) => {
      const tail = heads(data, 10, 768)
      const value = {
        name: 'refundWithSignature' as const,
        args: {
          settings: readChannelSettings(data, 10),
          terms: readRefund(data, 394),
          signature: bytes(data, offset(data, 650, 10, tail)),
          approval: bytes(data, offset(data, 714, 10, tail)),
        },
      }
      ends(data, tail.at)
      return value
    },
    '0x7b103999': (data: Hex) => {
      ends(data, 10)
      return { name: 'registry' as const, args: {} }
    },
    '0xb33e08f4': (data: Hex) => {
      ends(data, 458)
      return {
        name: 'requestWithdrawal' as const,
        args: { settings: readChannelSettings(data, 10), to: address(data, 394) },
      }
    },
    '0x8ba1dffb': (data: Hex) => {
      const tail = heads(data, 10, 576)
      const value = {
        name: 'requestWithdrawalWithSignature' as const,
        args: {
          settings: readChannelSettings(data, 10),
          to: address(data, 394),
          deadline: integer(data, 458, 64),
          signature: bytes(data, offset(data, 522, 10, tail)),
        },
      }
      ends(data, tail.at)
      return value
    },
    '0x0677e22a': (data: Hex) => {
      ends(data, 138)
      return {
        name: 'vendorRefund' as const,
        args: { orderId: fixedBytes(data, 10, 64), extra: integer(data, 74, 32) },
      }
    },
    '0xfe2b3924': (data: Hex) => {
      const tail = heads(data, 10, 64)
      const value = {
        name: 'withdraw' as const,
        args: {
          orderIds: staticList(data, offset(data, 10, 10, tail), 64, (data: Hex, at: number) =>
            fixedBytes(data, at, 64),
          ),
        },
      }
      ends(data, tail.at)
      return value
    },
  },
}
