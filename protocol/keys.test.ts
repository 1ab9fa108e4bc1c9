import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { calculateJwkThumbprint } from 'jose'
import { largeRsaKey, rsaKeyPair, rsaKeys } from '../sim/rsa-keys.ts'
import { readOrRefused, refusedAs } from '../test/refusal.ts'
import { base64url, toHex } from './bytes.ts'
import { keyHashOf } from './cert-info.ts'
import { formatKeyId, keyIdOf, parseKeyId, parsePrivateKey, parsePublicKey, publicKeyOf, thumbprintOf } from './keys.ts'

const [key] = rsaKeys
assert.ok(key)
const { privateKey, publicKey } = rsaKeyPair(0)

/** The key of RFC 7638 §3.1. */
const rfc7638Key = {
  kty: 'RSA',
  n:
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3' +
    'oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA' +
    'ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-' +
    'kEgU8awapJzKnqDKgw',
  e: 'AQAB',
  alg: 'RS256',
  kid: '2011-04-29',
}

/** Base58 by long division, as its definition has it. */
const plainBase58 = (bytes: Uint8Array): string => {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  let digits = ''
  for (let rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`); rest > 0n; rest /= 58n) {
    digits = alphabet.charAt(Number(rest % 58n)) + digits
  }
  const zeros = bytes.findIndex((byte) => byte !== 0)
  return '1'.repeat(zeros === -1 ? bytes.length : zeros) + digits
}

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest()

/** An odd number of so many bits, as a modulus is written. */
const modulus = (bits: number, lowest = 1n): string => {
  const hex = ((1n << BigInt(bits - 1)) | lowest).toString(16)
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex').toString('base64url')
}

describe('keyId', () => {
  it('is SHA-256 of SHA-256 of the ASCII of n, in base58 (SEED 000; DESIGN 5)', () => {
    for (const { n } of [...rsaKeys, largeRsaKey]) {
      const expected = sha256(sha256(Buffer.from(n, 'ascii')))
      assert.equal(formatKeyId(keyIdOf({ n })), plainBase58(expected))
      assert.equal(keyHashOf({ n }), `0x${expected.toString('hex')}`)
    }
  })

  it('gives back any 32 bytes from their text', () => {
    const leadingZeros = fc.nat(32).map((zeros) => new Uint8Array(32).fill(1, zeros))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ minLength: 32, maxLength: 32 }), leadingZeros), (keyId) => {
        assert.equal(formatKeyId(keyId), plainBase58(keyId))
        assert.deepEqual(parseKeyId(formatKeyId(keyId)), keyId)
      }),
    )
  })

  const wrong = {
    nothing: '',
    '31 bytes': plainBase58(new Uint8Array(31).fill(255)),
    '33 bytes': plainBase58(new Uint8Array(33).fill(1)),
    'the digit 0': `0${formatKeyId(keyIdOf(key)).slice(1)}`,
    'a space after it': `${formatKeyId(keyIdOf(key))} `,
    'hex of the chain': toHex(keyIdOf(key)),
    'a megabyte, which base58 would chew on for minutes': 'z'.repeat(1_000_000),
  }
  for (const [name, text] of Object.entries(wrong)) {
    it(`is not read from ${name}`, () => assert.throws(() => parseKeyId(text), refusedAs('ERR_KEY_ID_INVALID')))
  }

  it('has one text only: what is read is written the same', async () => {
    const near = fc.string({ unit: fc.constantFrom(...'123zZabcIlO0 '), minLength: 40, maxLength: 46 })
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), near), async (text) => {
        const keyId = await readOrRefused(() => parseKeyId(text))
        if (keyId) assert.equal(formatKeyId(keyId), text)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('thumbprint', () => {
  it('RFC 7638 §3.1', () => {
    const thumbprint = thumbprintOf(parsePublicKey(rfc7638Key))
    assert.equal(base64url.encode(thumbprint), 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
  })

  it('is the same as another implementation computes', async () => {
    for (const { kty, n, e } of rsaKeys) {
      assert.equal(base64url.encode(thumbprintOf({ n, e })), await calculateJwkThumbprint({ kty, n, e }))
    }
  })

  it('is another name than the keyId', () => {
    assert.notDeepEqual(thumbprintOf(publicKey), keyIdOf(publicKey))
  })
})

describe('a public key', () => {
  it('drops all but kty, n and e: a private key passed by mistake loses its secret', () => {
    assert.deepEqual(parsePublicKey(privateKey), { kty: 'RSA', n: privateKey.n, e: 'AQAB' })
    assert.deepEqual(publicKeyOf(privateKey), publicKey)
    const dressed = JSON.parse(
      JSON.stringify({ ...publicKey, use: 'enc', x5u: 'http://x' }).replace('{', '{"__proto__":{"d":1},'),
    )
    assert.deepEqual(new Set(Reflect.ownKeys(parsePublicKey(dressed))), new Set(['e', 'kty', 'n']))
    assert.equal((parsePublicKey(dressed) as { d?: unknown }).d, undefined)
  })

  for (const bits of [2048, 2049, 2055, 2056, 3072, 4095, 4096]) {
    it(`may have ${bits} bits`, () => assert.equal(parsePublicKey({ ...publicKey, n: modulus(bits) }).n, modulus(bits)))
  }

  const bytesOfN = base64url.decode(publicKey.n)
  const lastOfN = publicKey.n.at(-1) ?? ''
  const strayBits = publicKey.n.slice(0, -1) + String.fromCharCode(lastOfN.charCodeAt(0) + 1)
  const wrong: Readonly<Record<string, unknown>> = {
    'exponent 1, whose signatures anyone can make': { ...publicKey, e: 'AQ' },
    'exponent 3': { ...publicKey, e: 'Aw' },
    'exponent 65537 with a leading zero': { ...publicKey, e: 'AAEAAQ' },
    'exponent 65537 padded': { ...publicKey, e: 'AQAB====' },
    'no exponent': { kty: 'RSA', n: publicKey.n },
    '1024 bits': { ...publicKey, n: modulus(1024) },
    '2047 bits': { ...publicKey, n: modulus(2047) },
    '4097 bits': { ...publicKey, n: modulus(4097) },
    '8192 bits': { ...publicKey, n: modulus(8192) },
    'a modulus of a megabyte': { ...publicKey, n: 'w'.repeat(1_000_000) },
    'an even modulus': { ...publicKey, n: modulus(2048, 2n) },
    'a modulus with a leading zero byte': { ...publicKey, n: base64url.encode(Uint8Array.of(0, ...bytesOfN)) },
    'a modulus with padding': { ...publicKey, n: `${publicKey.n}==` },
    'a modulus with stray low bits': { ...publicKey, n: strayBits },
    'a modulus with white space': { ...publicKey, n: `${publicKey.n.slice(0, 40)}\n${publicKey.n.slice(40)}` },
    'a modulus in plain base64': { ...publicKey, n: `+/${publicKey.n.slice(2)}` },
    'no modulus': { kty: 'RSA', e: 'AQAB' },
    'an empty modulus': { ...publicKey, n: '' },
    'a modulus that is a number': { ...publicKey, n: 3 },
    'another kind': { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' },
    'a symmetric key': { kty: 'oct', k: publicKey.n },
    'no kind': { n: publicKey.n, e: 'AQAB' },
    null: null,
    'a list': [publicKey],
    text: JSON.stringify(publicKey),
  }
  assert.deepEqual(
    Buffer.from(strayBits, 'base64url'),
    Buffer.from(bytesOfN),
    'a lax reader takes both spellings as one key',
  )
  for (const [name, jwk] of Object.entries(wrong)) {
    it(`is refused with ${name}`, () => assert.throws(() => parsePublicKey(jwk), refusedAs('ERR_KEY_INVALID')))
  }

  it('is refused, never a crash, whatever JSON comes', async () => {
    const member = fc.oneof(fc.jsonValue(), fc.constantFrom('RSA', 'AQAB', publicKey.n))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), fc.record({ kty: member, n: member, e: member })), async (jwk) => {
        const parsed = await readOrRefused(() => parsePublicKey(jwk))
        if (parsed) assert.deepEqual(parsed, publicKey)
      }),
    )
  })
})

describe('a private key', () => {
  it('comes back from a file as it was', () => {
    for (const stored of [...rsaKeys, largeRsaKey])
      assert.deepEqual(parsePrivateKey(JSON.parse(JSON.stringify(stored))), stored)
  })

  for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'n', 'e', 'kty']) {
    it(`is refused without ${member}, and the refusal tells nothing of it`, () => {
      const { [member]: _, ...rest } = privateKey as Record<string, unknown>
      assert.throws(
        () => parsePrivateKey(rest),
        (error: Error) => {
          refusedAs('ERR_KEY_INVALID')(error)
          assert.equal(error.cause, undefined)
          return true
        },
      )
    })
  }
})
