// Generated from chain/token-abi.ts by `node scripts/generate-abi.ts`. Do not edit.

import { ends, fixedBytes, flag, heads, integer, number, offset, text } from '../abi-read.ts'
import { type Hex } from '../types.ts'

export const tokenDecoders = {
  results: {
    name: (data: Hex) => {
      const tail = heads(data, 2, 64)
      const value = [text(data, offset(data, 2, 2, tail))] as const
      ends(data, tail.at)
      return value
    },
    symbol: (data: Hex) => {
      const tail = heads(data, 2, 64)
      const value = [text(data, offset(data, 2, 2, tail))] as const
      ends(data, tail.at)
      return value
    },
    version: (data: Hex) => {
      const tail = heads(data, 2, 64)
      const value = [text(data, offset(data, 2, 2, tail))] as const
      ends(data, tail.at)
      return value
    },
    decimals: (data: Hex) => {
      ends(data, 66)
      return [number(data, 2, 2)] as const
    },
    balanceOf: (data: Hex) => {
      ends(data, 66)
      return [integer(data, 2, 64)] as const
    },
    allowance: (data: Hex) => {
      ends(data, 66)
      return [integer(data, 2, 64)] as const
    },
    DOMAIN_SEPARATOR: (data: Hex) => {
      ends(data, 66)
      return [fixedBytes(data, 2, 64)] as const
    },
    nonces: (data: Hex) => {
      ends(data, 66)
      return [integer(data, 2, 64)] as const
    },
    authorizationState: (data: Hex) => {
      ends(data, 66)
      return [flag(data, 2)] as const
    },
  },
}
