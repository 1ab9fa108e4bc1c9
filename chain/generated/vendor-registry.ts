// Generated from contracts/IVendorRegistry.sol by `node scripts/generate-abi.ts`. Do not edit.

import {
  address,
  choice,
  dynamicList,
  ends,
  fixedBytes,
  flag,
  heads,
  integer,
  number,
  offset,
  text,
  topic,
  topicCount,
  type Tail,
} from '../abi-read.ts'
import { SETTLEMENTS, type AbiValue } from '../abi.ts'
import { type RegistryEvent } from '../events.ts'
import { type ChroveLog, type Hex } from '../types.ts'

const readVendor = (data: Hex, tail: Tail) => {
  const { at } = tail
  tail.at = at + 704
  return {
    owner: address(data, at),
    pendingOwner: address(data, at + 64),
    operator: address(data, at + 128),
    payout: address(data, at + 192),
    active: flag(data, at + 256),
    version: number(data, at + 320, 8),
    planCount: number(data, at + 384, 8),
    signingKey: fixedBytes(data, at + 448, 64),
    encryptionKey: fixedBytes(data, at + 512, 64),
    endpoints: dynamicList(data, offset(data, at + 576, at, tail), text),
    profile: text(data, offset(data, at + 640, at, tail)),
  }
}

const readPlan = (data: Hex, tail: Tail) => {
  const { at } = tail
  tail.at = at + 448
  return {
    token: address(data, at),
    price: integer(data, at + 64, 32),
    periodSeconds: number(data, at + 128, 8),
    maxPeriods: number(data, at + 192, 4),
    settlement: choice(data, at + 256, SETTLEMENTS),
    onSale: flag(data, at + 320),
    title: text(data, offset(data, at + 384, at, tail)),
  }
}

const readTerms = (data: Hex, at: number) => ({
  payout: address(data, at),
  token: address(data, at + 64),
  price: integer(data, at + 128, 32),
  periodSeconds: number(data, at + 192, 8),
  maxPeriods: number(data, at + 256, 4),
  settlement: choice(data, at + 320, SETTLEMENTS),
  forSale: flag(data, at + 384),
})

export const vendorRegistryDecoders = {
  events: new Map<Hex, (log: ChroveLog) => RegistryEvent>([
    [
      '0xa3ffc500025b440828aa6f0d5ca05ec32ab091859f6e00a6822f012186438559',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 2)
        ends(data, 130)
        return {
          type: 'ActiveChanged' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          version: number(data, 2, 8),
          active: flag(data, 66),
        }
      },
    ],
    [
      '0x7536f4fa20dc522cf8bf31399c538dff7fc911ef3418a8093bd6295ff47af17c',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 2)
        const tail = heads(data, 2, 128)
        const value = {
          type: 'EndpointsChanged' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          version: number(data, 2, 8),
          endpoints: dynamicList(data, offset(data, 66, 2, tail), text),
        }
        ends(data, tail.at)
        return value
      },
    ],
    [
      '0x30e4190b19dbcddc579bea82e94ede09bbf72e6a5cdc64615159e12653abb63b',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 2)
        ends(data, 194)
        return {
          type: 'KeysChanged' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          version: number(data, 2, 8),
          signingKey: fixedBytes(data, 66, 64),
          encryptionKey: fixedBytes(data, 130, 64),
        }
      },
    ],
    [
      '0x254122f8d2968b6eb74a2951562b422b4b12ec8dcc3389448c65717309162253',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 2)
        ends(data, 130)
        return {
          type: 'OperatorChanged' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          version: number(data, 2, 8),
          operator: address(data, 66),
        }
      },
    ],
    [
      '0xd60522d6971ad4f89d3d608c2fdc60d28414dbfef844762a5bf3c0d798771abd',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 66)
        return {
          type: 'OwnershipTransferStarted' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          pendingOwner: address(topic(topics, 2), 2),
          version: number(data, 2, 8),
        }
      },
    ],
    [
      '0xd5fae2d692ef6e42b216fd24e8174957394b6f0df71fc530b34ecf177fe32919',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 66)
        return {
          type: 'OwnershipTransferred' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          owner: address(topic(topics, 2), 2),
          version: number(data, 2, 8),
        }
      },
    ],
    [
      '0x5c29e10b2188e698c6ec829eca5dfdfd8e431b6c7604402c75504a2ae3b0a84d',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 2)
        ends(data, 130)
        return {
          type: 'PayoutChanged' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          version: number(data, 2, 8),
          payout: address(data, 66),
        }
      },
    ],
    [
      '0xd6b6db6247d647d73fdaf69a7021c9781dd19df6682a050be3544ab70a530632',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        const tail = heads(data, 2, 448)
        const value = {
          type: 'PlanAdded' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          planId: number(topic(topics, 2), 2, 8),
          version: number(data, 2, 8),
          token: address(data, 66),
          price: integer(data, 130, 32),
          periodSeconds: number(data, 194, 8),
          maxPeriods: number(data, 258, 4),
          settlement: choice(data, 322, SETTLEMENTS),
          title: text(data, offset(data, 386, 2, tail)),
        }
        ends(data, tail.at)
        return value
      },
    ],
    [
      '0x6e0ad150fa39fe2fd16760821cf7cb54242f881cd9ef41081b83f61e5eb9c522',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        ends(data, 130)
        return {
          type: 'PlanSaleChanged' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          planId: number(topic(topics, 2), 2, 8),
          version: number(data, 2, 8),
          onSale: flag(data, 66),
        }
      },
    ],
    [
      '0x92f0cf60e2c339845ce302b93a45cd9dee01ec61103b5e6718140196f7c0831f',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 2)
        const tail = heads(data, 2, 128)
        const value = {
          type: 'ProfileChanged' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          version: number(data, 2, 8),
          profile: text(data, offset(data, 66, 2, tail)),
        }
        ends(data, tail.at)
        return value
      },
    ],
    [
      '0xb5d670343e7fd65361ec5d2d9ad22f243dbd5aaffe9f95ba21535b7f11ecf302',
      (log) => {
        const { topics, data } = log
        topicCount(topics, 3)
        const tail = heads(data, 2, 448)
        const value = {
          type: 'VendorRegistered' as const,
          contract: log.address,
          evidence: log.evidence,
          vendorId: integer(topic(topics, 1), 2, 16),
          owner: address(topic(topics, 2), 2),
          version: number(data, 2, 8),
          operator: address(data, 66),
          payout: address(data, 130),
          signingKey: fixedBytes(data, 194, 64),
          encryptionKey: fixedBytes(data, 258, 64),
          endpoints: dynamicList(data, offset(data, 322, 2, tail), text),
          profile: text(data, offset(data, 386, 2, tail)),
        }
        ends(data, tail.at)
        return value
      },
    ],
  ]),
  results: {
    addPlan: (data: Hex) => {
      ends(data, 66)
      return [number(data, 2, 8)] as const
    },
    isAuthority: (data: Hex) => {
      ends(data, 66)
      return [flag(data, 2)] as const
    },
    listing: (data: Hex) => {
      const tail = heads(data, 2, 128)
      const value = [
        readVendor(data, offset(data, 2, 2, tail)),
        dynamicList(data, offset(data, 66, 2, tail), readPlan),
      ] as const
      ends(data, tail.at)
      return value
    },
    payee: (data: Hex) => {
      ends(data, 130)
      return [address(data, 2), flag(data, 66)] as const
    },
    payments: (data: Hex) => {
      ends(data, 66)
      return [address(data, 2)] as const
    },
    plan: (data: Hex) => {
      const tail = heads(data, 2, 64)
      const value = [readPlan(data, offset(data, 2, 2, tail))] as const
      ends(data, tail.at)
      return value
    },
    register: (data: Hex) => {
      ends(data, 66)
      return [integer(data, 2, 16)] as const
    },
    terms: (data: Hex) => {
      ends(data, 450)
      return [readTerms(data, 2)] as const
    },
    vendor: (data: Hex) => {
      const tail = heads(data, 2, 64)
      const value = [readVendor(data, offset(data, 2, 2, tail))] as const
      ends(data, tail.at)
      return value
    },
    vendorCount: (data: Hex) => {
      ends(data, 66)
      return [integer(data, 2, 16)] as const
    },
  },
  errors: new Map<Hex, { readonly name: string; readonly args: (data: Hex) => { readonly [name: string]: AbiValue } }>([
    [
      '0xa0526bf9',
      {
        name: 'VendorRegistry_EndpointLength',
        args: (data: Hex) => {
          ends(data, 202)
          return { index: integer(data, 10, 64), given: integer(data, 74, 64), max: integer(data, 138, 64) }
        },
      },
    ],
    [
      '0x7e082958',
      {
        name: 'VendorRegistry_NotOwner',
        args: (data: Hex) => {
          ends(data, 138)
          return { vendorId: integer(data, 10, 16), caller: address(data, 74) }
        },
      },
    ],
    [
      '0x0bbed6a9',
      {
        name: 'VendorRegistry_NotOwnerOrOperator',
        args: (data: Hex) => {
          ends(data, 138)
          return { vendorId: integer(data, 10, 16), caller: address(data, 74) }
        },
      },
    ],
    [
      '0x148c0947',
      {
        name: 'VendorRegistry_NotPendingOwner',
        args: (data: Hex) => {
          ends(data, 138)
          return { vendorId: integer(data, 10, 16), caller: address(data, 74) }
        },
      },
    ],
    [
      '0x747dca7e',
      {
        name: 'VendorRegistry_ProfileTooLong',
        args: (data: Hex) => {
          ends(data, 138)
          return { given: integer(data, 10, 64), max: integer(data, 74, 64) }
        },
      },
    ],
    [
      '0xc8305475',
      {
        name: 'VendorRegistry_TitleTooLong',
        args: (data: Hex) => {
          ends(data, 138)
          return { given: integer(data, 10, 64), max: integer(data, 74, 64) }
        },
      },
    ],
    [
      '0xaa0d544f',
      {
        name: 'VendorRegistry_TooManyEndpoints',
        args: (data: Hex) => {
          ends(data, 138)
          return { given: integer(data, 10, 64), max: integer(data, 74, 64) }
        },
      },
    ],
    [
      '0x175c745f',
      {
        name: 'VendorRegistry_UnknownPlan',
        args: (data: Hex) => {
          ends(data, 138)
          return { vendorId: integer(data, 10, 16), planId: number(data, 74, 8) }
        },
      },
    ],
    [
      '0x9bcd7e36',
      {
        name: 'VendorRegistry_UnknownVendor',
        args: (data: Hex) => {
          ends(data, 74)
          return { vendorId: integer(data, 10, 16) }
        },
      },
    ],
    [
      '0xa51e37d6',
      {
        name: 'VendorRegistry_ZeroKey',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0xf559c7a4',
      {
        name: 'VendorRegistry_ZeroMaxPeriods',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0x1089ddb5',
      {
        name: 'VendorRegistry_ZeroPayout',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0x7738a787',
      {
        name: 'VendorRegistry_ZeroPeriod',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
    [
      '0xaf400e25',
      {
        name: 'VendorRegistry_ZeroPrice',
        args: (data: Hex) => {
          ends(data, 10)
          return {}
        },
      },
    ],
  ]),
}
