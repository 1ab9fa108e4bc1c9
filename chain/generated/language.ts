// Generated from chain/language-abi.ts by `node scripts/generate-abi.ts`. Do not edit.

import { ends, heads, integer, offset, text } from '../abi-read.ts'
import { type AbiValue } from '../abi.ts'
import { type Hex } from '../types.ts'

export const languageDecoders = {
  errors: new Map<Hex, { readonly name: string; readonly args: (data: Hex) => { readonly [name: string]: AbiValue } }>([
    [
      '0x08c379a0',
      {
        name: 'Error',
        args: (data: Hex) => {
          const tail = heads(data, 10, 64)
          const value = { message: text(data, offset(data, 10, 10, tail)) }
          ends(data, tail.at)
          return value
        },
      },
    ],
    [
      '0x4e487b71',
      {
        name: 'Panic',
        args: (data: Hex) => {
          ends(data, 74)
          return { code: integer(data, 10, 64) }
        },
      },
    ],
  ]),
}
