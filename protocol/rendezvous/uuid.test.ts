import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { rsaKeyPair } from '../../sim/rsa-keys.ts'
import { utf8 } from '../bytes.ts'
import { thumbprintOf } from '../keys.ts'
import { isPinned, parseUuid, pinnedUuid, uuidOf } from './uuid.ts'

const bitsOf = (uuid: string) => BigInt(`0x${uuid.replaceAll('-', '')}`)
/** All but the four bits of the version and the two of the variant. */
const FREE_BITS = ~((0xfn << 76n) | (0x3n << 62n)) & ((1n << 128n) - 1n)

describe('UUIDs of clients', () => {
  it('RFC 9562 §A.3: a random one is of version 4', () => {
    const bytes = hexToBytes('919108f752d133205bacf847db4148a8')
    assert.equal(uuidOf(bytes, 4), '919108f7-52d1-4320-9bac-f847db4148a8')
  })

  it('RFC 9562 §B.2: one that follows from a hash is of version 8', () => {
    const dns = hexToBytes('6ba7b8109dad11d180b400c04fd430c8')
    const hash = sha256(concatBytes(dns, utf8('www.example.com')))
    assert.equal(uuidOf(hash, 8), '5c146b14-3c52-8afd-938a-375d0df1fbf6')
  })

  it('keep 122 bits of what they are made of', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 32 }), fc.constantFrom(4, 8), (bytes, version) => {
        const uuid = uuidOf(bytes, version as 4 | 8)
        const given = BigInt(`0x${Buffer.from(bytes.subarray(0, 16)).toString('hex')}`)
        assert.equal(bitsOf(uuid) & FREE_BITS, given & FREE_BITS)
        assert.equal(parseUuid(uuid.toUpperCase()), uuid)
        assert.equal(isPinned(uuid), version === 8)
      }),
    )
  })

  it('follow from the thumbprint of a key', () => {
    const { publicKey } = rsaKeyPair(0)
    const thumbprint = BigInt(`0x${Buffer.from(thumbprintOf(publicKey).subarray(0, 16)).toString('hex')}`)
    assert.equal(bitsOf(pinnedUuid(publicKey)) & FREE_BITS, thumbprint & FREE_BITS)
    assert.notEqual(pinnedUuid(publicKey), pinnedUuid(rsaKeyPair(1).publicKey))
  })

  it('SEED 002 §2.1.1: only valid ones are accepted, and none that tells of a machine or a time', () => {
    const refused = [
      '',
      '919108f7-52d1-4320-9bac-f847db4148a', // short
      '919108f7-52d1-4320-cbac-f847db4148a8', // variant of another maker
      'c232ab00-9414-11ec-b3c8-9f6bdeced846', // RFC 9562 §A.1: version 1
      '1ec9414c-232a-6b00-b3c8-9f6bdeced846', // RFC 9562 §A.5: version 6
      '017f22e2-79b0-7cc3-98c4-dc0c0c07398f', // RFC 9562 §A.6: version 7
      '00000000-0000-0000-0000-000000000000',
      '919108f752d143209bacf847db4148a8',
      '{919108f7-52d1-4320-9bac-f847db4148a8}',
    ]
    for (const text of refused) assert.throws(() => parseUuid(text), { code: 'ERR_UUID' }, text)
  })
})
