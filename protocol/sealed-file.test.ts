import assert from 'node:assert/strict'
import { createCipheriv, createDecipheriv, scryptSync } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readOrRefused, refusedAs } from '../test/refusal.ts'
import { base64url, toHex, utf8 } from './bytes.ts'
import { canonicalJson, parseJson } from './json.ts'
import { deriveSealingKey, seal, SEAL_NONCE_BYTES, SEAL_SALT_BYTES, unseal } from './sealed-file.ts'

/** The least that a file may have: fast enough to seal and open many. */
const LOG_N = 10
const salt = new Uint8Array(SEAL_SALT_BYTES).fill(1)
const nonce = new Uint8Array(SEAL_NONCE_BYTES).fill(2)
const sealing = deriveSealingKey('correct horse', salt, LOG_N)
const secret = { keys: ['d'.repeat(100)], cap: '5' }
const file = seal(secret, sealing, nonce)
const members = parseJson(file) as Record<string, string | number>
const fileOf = (changed: object) => utf8(JSON.stringify({ ...members, ...changed }))

/**
 * XChaCha20-Poly1305 out of what Node has. HChaCha20 is a ChaCha20 block before its start is added, so it is the
 * block less its start. @see draft-irtf-cfrg-xchacha §2
 */
const openXChaCha = (key: Uint8Array, xnonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array => {
  const start = xnonce.subarray(0, 16)
  const block = createCipheriv('chacha20', key, start).update(new Uint8Array(64))
  const constants = Buffer.from('expand 32-byte k')
  const subkey = Buffer.alloc(32)
  for (let at = 0; at < 16; at += 4) {
    subkey.writeUInt32LE((block.readUInt32LE(at) - constants.readUInt32LE(at)) >>> 0, at)
    subkey.writeUInt32LE((block.readUInt32LE(48 + at) - Buffer.from(start).readUInt32LE(at)) >>> 0, 16 + at)
  }
  const inner = Buffer.concat([Buffer.alloc(4), xnonce.subarray(16)])
  const opener = createDecipheriv('chacha20-poly1305', subkey, inner, { authTagLength: 16 })
  opener.setAAD(associated, { plaintextLength: sealed.length - 16 })
  opener.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([opener.update(sealed.subarray(0, -16)), opener.final()])
}

describe('the key of a passphrase', () => {
  it('RFC 7914 §12: scrypt of "pleaseletmein" and "SodiumChloride" with N = 16384, r = 8, p = 1', () => {
    const { key } = deriveSealingKey('pleaseletmein', utf8('SodiumChloride'), 14)
    assert.equal(toHex(key), '0x7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2')
  })

  it('is the same as another implementation derives', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }), fc.uint8Array({ maxLength: 32 }), (passphrase, anySalt) => {
        const expected = scryptSync(passphrase, anySalt, 32, { N: 2 ** LOG_N, r: 8, p: 1 })
        assert.equal(toHex(deriveSealingKey(passphrase, anySalt, LOG_N).key), toHex(expected))
      }),
      { numRuns: 10 },
    )
  })

  it('is the same however a keyboard composes the letters (NFKC)', () => {
    assert.deepEqual(deriveSealingKey('cafe\u0301', salt, LOG_N), deriveSealingKey('caf\u00e9', salt, LOG_N))
    assert.notDeepEqual(deriveSealingKey('cafe', salt, LOG_N), deriveSealingKey('caf\u00e9', salt, LOG_N))
  })
})

describe('a sealed file', () => {
  it('gives back any JSON to its passphrase', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.uint8Array({ minLength: 24, maxLength: 24 }), (value, anyNonce) => {
        const opened = unseal(seal(value, sealing, anyNonce), 'correct horse')
        assert.deepEqual(opened.value, JSON.parse(JSON.stringify(value)))
      }),
      { numRuns: 30 },
    )
  })

  it('gives the key to seal its next version with', () => {
    const { sealing: again } = unseal(file, 'correct horse')
    assert.deepEqual(again, sealing)
    assert.deepEqual(unseal(seal('next', again, nonce), 'correct horse').value, 'next')
  })

  it('draft-irtf-cfrg-xchacha A.3.1: the reader used below opens the published message', () => {
    const bytes = (first: number, length: number) => Uint8Array.from({ length }, (_, i) => first + i)
    const sealed =
      'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c2' +
      '16cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c6' +
      '8b13b52ec0875924c1c7987947deafd8780acf49'
    const associated = Buffer.from('50515253c0c1c2c3c4c5c6c7', 'hex')
    const opened = openXChaCha(bytes(0x80, 32), bytes(0x40, 24), Buffer.from(sealed, 'hex'), associated)
    const sentence = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    assert.equal(Buffer.from(opened).toString(), `${sentence}sunscreen would be it.`)
  })

  it('can be opened without our code: scrypt, then XChaCha20-Poly1305 with the other members as associated data', () => {
    const { nonce: itsNonce, ciphertext, ...header } = members
    const key = scryptSync('correct horse', base64url.decode(String(header['salt'])), 32, {
      N: 2 ** Number(header['logN']),
      r: 8,
      p: 1,
    })
    const [xnonce, sealed] = [itsNonce, ciphertext].map((text) => base64url.decode(String(text)))
    const opened = openXChaCha(key, xnonce!, sealed!, canonicalJson(header))
    assert.deepEqual(JSON.parse(Buffer.from(opened).toString()), secret)
  })

  it('shows nothing of what it holds', () => {
    assert.doesNotMatch(Buffer.from(file).toString(), /dddd|keys|cap|horse/)
    assert.deepEqual(Object.keys(members), ['format', 'kdf', 'logN', 'salt', 'cipher', 'nonce', 'ciphertext'])
  })

  it('stays shut to any other passphrase', () => {
    for (const passphrase of ['', 'Correct horse', 'correct horse ', 'correct hors']) {
      assert.throws(() => unseal(file, passphrase), refusedAs('ERR_SEALED_FILE'))
    }
  })

  it('stays shut when any bit of salt, nonce or ciphertext was changed', () => {
    const member = fc.constantFrom('salt', 'nonce', 'ciphertext')
    fc.assert(
      fc.property(member, fc.nat(), fc.nat(7), (name, at, bit) => {
        const changed = base64url.decode(String(members[name]))
        changed[at % changed.length]! ^= 1 << bit
        const content = fileOf({ [name]: base64url.encode(changed) })
        assert.throws(() => unseal(content, 'correct horse'), refusedAs('ERR_SEALED_FILE'))
      }),
      { numRuns: 40 },
    )
  })

  const wrong: Readonly<Record<string, Uint8Array>> = {
    nothing: utf8(''),
    'text that is not JSON': utf8('-----BEGIN'),
    'bytes that are not text': Uint8Array.of(0xff, 0xfe),
    'another JSON': utf8('{}'),
    'another format': fileOf({ format: 'chrove-sealed-2' }),
    'another key derivation': fileOf({ kdf: 'pbkdf2' }),
    'another cipher': fileOf({ cipher: 'none' }),
    'another cost': fileOf({ logN: LOG_N + 1 }),
    'a cost too low to protect': seal(secret, deriveSealingKey('correct horse', salt, LOG_N - 1), nonce),
    'a cost that no machine could pay': fileOf({ logN: 21 }),
    'a short nonce': fileOf({ nonce: base64url.encode(new Uint8Array(12)) }),
    'no ciphertext': fileOf({ ciphertext: '' }),
    'a ciphertext without its end': fileOf({ ciphertext: String(members['ciphertext']).slice(0, -24) }),
    'a salt that is not base64url': fileOf({ salt: 'A' }),
    'a salt with stray low bits': fileOf({ salt: 'AB' }),
  }
  for (const [name, content] of Object.entries(wrong)) {
    it(`is not read from ${name}`, () => {
      assert.throws(() => unseal(content, 'correct horse'), refusedAs('ERR_SEALED_FILE'))
    })
  }

  it('is refused in one way, whatever the content', async () => {
    const member = fc.oneof(
      fc.jsonValue(),
      fc.base64String().map((text) => text.replace(/[+/=]/g, '_')),
    )
    const near = fc.record({ salt: member, nonce: member, ciphertext: member }).map(fileOf)
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array(), fc.json().map(utf8), near), async (content) => {
        assert.equal(await readOrRefused(() => unseal(content, 'x')), undefined)
        assert.throws(() => unseal(content, 'x'), refusedAs('ERR_SEALED_FILE'))
      }),
      { numRuns: 60 },
    )
  })
})
