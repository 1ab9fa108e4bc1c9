/** What every implementation of `Jose` does and refuses: one suite for all. */
import assert from 'node:assert/strict'
import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  publicEncrypt,
  sign,
  type JsonWebKey,
} from 'node:crypto'
import { describe, it } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { largeRsaKey, rsaKeyPair } from '../sim/rsa-keys.ts'
import { refusedAs } from './refusal.ts'
import rfc7515 from './vectors/rfc7515-a2.json' with { type: 'json' }
import rfc7516 from './vectors/rfc7516-a1.json' with { type: 'json' }
import { base64url, fromUtf8, utf8 } from '../protocol/bytes.ts'
import { flattenedJwsSchema, type FlattenedJws, type Jose } from '../protocol/jose.ts'
import { parsePrivateKey, parsePublicKey, publicKeyOf } from '../protocol/keys.ts'

export const joseSuite = (createJose: () => Jose): void => {
  const jose = createJose()
  const ours = rsaKeyPair(0)
  const stranger = rsaKeyPair(1)
  const publicPem = (jwk: object) => createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
  const encodeJson = (value: unknown) => base64url.encode(utf8(JSON.stringify(value)))

  const splitJws = (compact: string): FlattenedJws => {
    const [header = '', payload = '', signature = ''] = compact.split('.')
    return { protected: header, payload, signature }
  }

  const flipBit = (text: string, at: number, bit: number): string => {
    const bytes = base64url.decode(text)
    bytes[at % bytes.length]! ^= 1 << bit
    return base64url.encode(bytes)
  }

  describe('signatures', () => {
    const key = parsePrivateKey(rfc7515.key)
    const published = splitJws(rfc7515.compact)

    it('RFC 7515 A.2: the published signature holds', async () => {
      assert.equal(fromUtf8(await jose.verify(published, publicKeyOf(key))), rfc7515.payload)
    })

    it('RFC 7515 A.2: the published signature is the one that is made, each time', async () => {
      assert.deepEqual(await jose.sign(utf8(rfc7515.payload), key), published)
      assert.deepEqual(await createJose().sign(utf8(rfc7515.payload), key), published)
    })

    it('give back any payload, also with the longest key', async () => {
      const pair = fc.constantFrom(ours, { privateKey: largeRsaKey, publicKey: publicKeyOf(largeRsaKey) })
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), pair, async (payload, { privateKey, publicKey }) => {
          assert.deepEqual(await jose.verify(await jose.sign(payload, privateKey), publicKey), payload)
        }),
        { numRuns: 30 },
      )
    })

    it('hold only for the key that made them', async () => {
      const jws = await jose.sign(utf8('1'), ours.privateKey)
      await assert.rejects(jose.verify(jws, stranger.publicKey), refusedAs('ERR_JWS_INVALID'))
    })

    it('fail when any bit of header, payload or signature was changed', async () => {
      const jws = await jose.sign(utf8('1546675268'), ours.privateKey)
      const member = fc.constantFrom('protected', 'payload', 'signature')
      await fc.assert(
        fc.asyncProperty(member, fc.nat(), fc.nat(7), async (name, at, bit) => {
          const changed = { ...jws, [name]: flipBit(jws[name as keyof FlattenedJws], at, bit) }
          await assert.rejects(jose.verify(changed, ours.publicKey), refusedAs('ERR_JWS_INVALID'))
        }),
      )
    })

    it('have one text each: other spellings of the same bytes are refused by their shape', async () => {
      const jws = await jose.sign(utf8('1546675268'), ours.privateKey)
      assert.ok(flattenedJwsSchema.safeParse(jws).success)
      const last = jws.signature.at(-1) ?? ''
      const respelt = jws.signature.slice(0, -1) + String.fromCharCode(last.charCodeAt(0) + 1)
      assert.deepEqual(Buffer.from(respelt, 'base64url'), Buffer.from(jws.signature, 'base64url'))
      for (const signature of [respelt, `${jws.signature}==`, `${jws.signature}\n`, ` ${jws.signature}`, '']) {
        assert.equal(flattenedJwsSchema.safeParse({ ...jws, signature }).success, false)
      }
    })
  })

  describe('alg confusion in signatures', () => {
    const payload = base64url.encode(utf8('1546675268'))
    const privateKey = createPrivateKey({ key: ours.privateKey as JsonWebKey, format: 'jwk' })
    const strangersKey = createPrivateKey({ key: stranger.privateKey as JsonWebKey, format: 'jwk' })

    /** A JWS by hand, so that it can be any. */
    const forge = (header: unknown, signer: (input: Buffer) => Buffer): FlattenedJws => {
      const protectedHeader = encodeJson(header)
      const signature = base64url.encode(signer(Buffer.from(`${protectedHeader}.${payload}`)))
      return { protected: protectedHeader, payload, signature }
    }
    const rsa =
      (hash: string, key = privateKey) =>
      (input: Buffer) =>
        sign(hash, input, key)
    const hmac = (secret: string | Buffer) => (input: Buffer) => createHmac('sha256', secret).update(input).digest()
    const pss = (input: Buffer) =>
      sign('sha256', input, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
    const pem = publicPem(ours.publicKey)
    const spki = pem.export({ type: 'spki', format: 'pem' }).toString()

    it('a JWS made by hand holds when it is RS256: the refusals below have no other reason', async () => {
      const jws = forge({ alg: 'RS256' }, rsa('sha256'))
      assert.deepEqual(jws, await jose.sign(base64url.decode(payload), ours.privateKey))
      assert.equal(fromUtf8(await jose.verify(jws, ours.publicKey)), '1546675268')
      const longer = forge({ kid: 'ours', alg: 'RS256' }, rsa('sha256'))
      assert.equal(fromUtf8(await jose.verify(longer, ours.publicKey)), '1546675268')
    })

    const good = rsa('sha256')
    const attacks: Readonly<Record<string, FlattenedJws>> = {
      'none without signature': { protected: encodeJson({ alg: 'none' }), payload, signature: '' },
      'none with a signature': forge({ alg: 'none' }, good),
      'HS256 with the public key in PEM as secret': forge({ alg: 'HS256' }, hmac(spki)),
      'HS256 with the public key in PEM without its last line end': forge({ alg: 'HS256' }, hmac(spki.trim())),
      'HS256 with the public key in DER': forge({ alg: 'HS256' }, hmac(pem.export({ type: 'spki', format: 'der' }))),
      'HS256 with n as text': forge({ alg: 'HS256' }, hmac(ours.publicKey.n)),
      'HS256 with n as bytes': forge({ alg: 'HS256' }, hmac(Buffer.from(ours.publicKey.n, 'base64url'))),
      'HS256 with the JWK': forge({ alg: 'HS256' }, hmac(JSON.stringify(ours.publicKey))),
      'HS256 over an RSA signature': forge({ alg: 'HS256' }, good),
      RS384: forge({ alg: 'RS384' }, rsa('sha384')),
      RS512: forge({ alg: 'RS512' }, rsa('sha512')),
      'RS256 that is signed with SHA-512': forge({ alg: 'RS256' }, rsa('sha512')),
      'RS256 that is signed with SHA-1': forge({ alg: 'RS256' }, rsa('sha1')),
      PS256: forge({ alg: 'PS256' }, pss),
      'RS256 that is signed with PSS': forge({ alg: 'RS256' }, pss),
      'alg in another case': forge({ alg: 'rs256' }, good),
      'a list of algs': forge({ alg: ['RS256'] }, good),
      'no alg': forge({}, good),
      'a header that is no object': forge(null, good),
      'a critical header that nobody knows': forge({ alg: 'RS256', crit: ['exp'], exp: 1 }, good),
      'an empty list of critical headers': forge({ alg: 'RS256', crit: [] }, good),
      'a key of the sender in jwk': forge({ alg: 'RS256', jwk: stranger.publicKey }, rsa('sha256', strangersKey)),
      'a key of the sender at jku': forge({ alg: 'RS256', jku: 'http://x/' }, rsa('sha256', strangersKey)),
    }
    for (const [name, jws] of Object.entries(attacks)) {
      it(`is refused: ${name}`, () => assert.rejects(jose.verify(jws, ours.publicKey), refusedAs('ERR_JWS_INVALID')))
    }

    it('is refused: alg outside the signed header', async () => {
      const outside = { ...forge({}, good), header: { alg: 'RS256' } }
      await assert.rejects(jose.verify(outside, ours.publicKey), refusedAs('ERR_JWS_INVALID'))
      assert.equal('header' in flattenedJwsSchema.parse(outside), false)
    })
  })

  describe('encryption', () => {
    it('gives back any plaintext to the key it was made for, also with the longest key', async () => {
      const pair = fc.constantFrom(ours, { privateKey: largeRsaKey, publicKey: publicKeyOf(largeRsaKey) })
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), pair, async (plaintext, { privateKey, publicKey }) => {
          assert.deepEqual(await jose.decrypt(await jose.encrypt(plaintext, publicKey), privateKey), plaintext)
        }),
        { numRuns: 30 },
      )
    })

    it('is RSA-OAEP-256 with A256GCM, says so, and never looks the same twice', async () => {
      const messages = await Promise.all([1, 2].map(() => jose.encrypt(utf8('same'), ours.publicKey)))
      const parts = messages.map((message) => message.split('.'))
      for (const [header = ''] of parts) {
        assert.deepEqual(JSON.parse(fromUtf8(base64url.decode(header))), { alg: 'RSA-OAEP-256', enc: 'A256GCM' })
      }
      for (const part of [1, 2, 3, 4]) assert.notEqual(parts[0]?.[part], parts[1]?.[part])
    })

    it('makes keys that sign and decrypt', async () => {
      const pair = await jose.generateKeyPair()
      assert.deepEqual(parsePublicKey(pair.publicKey), pair.publicKey)
      assert.equal(base64url.decode(pair.publicKey.n).length, 256)
      await jose.verify(await jose.sign(utf8('1'), pair.privateKey), pair.publicKey)
      assert.equal(fromUtf8(await jose.decrypt(await jose.encrypt(utf8('1'), pair.publicKey), pair.privateKey)), '1')
    })
  })

  describe('messages that must not be opened', () => {
    const plaintext = utf8('{"request":"my_subscribe"}')
    const refusedLikeAll = (error: Error) => {
      refusedAs('ERR_JWE_INVALID')(error)
      assert.equal(error.message, 'not a RSA-OAEP-256 and A256GCM message to this key')
      assert.equal(error.cause, undefined)
      return true
    }

    interface Recipe {
      header?: object
      /** How the content key gets to the reader. */
      wrap?: (contentKey: Buffer) => Buffer
      contentKey?: Buffer
      content?: Uint8Array
    }
    const oaep =
      (oaepHash: string, key: object = ours.publicKey) =>
      (contentKey: Buffer) =>
        publicEncrypt({ key: publicPem(key), oaepHash, padding: constants.RSA_PKCS1_OAEP_PADDING }, contentKey)
    const pkcs1 = (contentKey: Buffer) =>
      publicEncrypt({ key: publicPem(ours.publicKey), padding: constants.RSA_PKCS1_PADDING }, contentKey)

    /** A JWE by hand, so that it can be any; right in all that the recipe does not say. */
    const forge = ({
      header,
      wrap = oaep('sha256'),
      contentKey = Buffer.alloc(32, 7),
      content = plaintext,
    }: Recipe) => {
      const protectedHeader = encodeJson({ alg: 'RSA-OAEP-256', enc: 'A256GCM', ...header })
      const iv = Buffer.alloc(12, 9)
      const cipher = createCipheriv(contentKey.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm', contentKey, iv)
      cipher.setAAD(Buffer.from(protectedHeader))
      const ciphertext = Buffer.concat([cipher.update(content), cipher.final()])
      const parts = [wrap(contentKey), iv, ciphertext, cipher.getAuthTag()]
      return [protectedHeader, ...parts.map((part) => part.toString('base64url'))].join('.')
    }
    const cbc = (() => {
      const key = Buffer.alloc(64, 7)
      const iv = Buffer.alloc(16, 9)
      const header = encodeJson({ alg: 'RSA-OAEP-256', enc: 'A256CBC-HS512' })
      const cipher = createCipheriv('aes-256-cbc', key.subarray(32), iv)
      const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
      const length = Buffer.alloc(8)
      length.writeBigUInt64BE(BigInt(header.length * 8))
      const mac = createHmac('sha512', key.subarray(0, 32)).update(header).update(iv).update(ciphertext).update(length)
      const parts = [oaep('sha256')(key), iv, ciphertext, mac.digest().subarray(0, 32)]
      return [header, ...parts.map((part) => part.toString('base64url'))].join('.')
    })()

    it('a message made by hand opens when all is right: the refusals below have no other reason', async () => {
      assert.deepEqual(await jose.decrypt(forge({}), ours.privateKey), plaintext)
      assert.deepEqual(await jose.decrypt(forge({ header: { kid: 'ours' } }), ours.privateKey), plaintext)
    })

    const good = forge({})
    const publicSecret = createHash('sha256').update(ours.publicKey.n).digest()
    const attacks: Readonly<Record<string, string>> = {
      RSA1_5: forge({ header: { alg: 'RSA1_5' }, wrap: pkcs1 }),
      'RSA1_5 that claims to be RSA-OAEP-256': forge({ wrap: pkcs1 }),
      'RSA-OAEP with SHA-1': forge({ header: { alg: 'RSA-OAEP' }, wrap: oaep('sha1') }),
      'SHA-1 that claims to be RSA-OAEP-256': forge({ wrap: oaep('sha1') }),
      'RSA-OAEP-512': forge({ header: { alg: 'RSA-OAEP-512' }, wrap: oaep('sha512') }),
      dir: forge({ header: { alg: 'dir' }, wrap: () => Buffer.alloc(0), contentKey: publicSecret }),
      'no wrapped key at all': forge({ wrap: () => Buffer.alloc(0) }),
      'a content key of zeros in the clear': forge({ wrap: (key) => key, contentKey: Buffer.alloc(32) }),
      A128GCM: forge({ header: { enc: 'A128GCM' }, contentKey: Buffer.alloc(16, 7) }),
      'a content key of 128 bits under A256GCM': forge({ contentKey: Buffer.alloc(16, 7) }),
      'A256CBC-HS512': cbc,
      compression: forge({ header: { zip: 'DEF' }, content: deflateRawSync(plaintext) }),
      'a bomb of compressed zeros': forge({ header: { zip: 'DEF' }, content: deflateRawSync(new Uint8Array(2e5)) }),
      'a compression that nobody knows': forge({ header: { zip: 'GZ' } }),
      'a critical header that nobody knows': forge({ header: { crit: ['exp'], exp: 1 } }),
      'an empty list of critical headers': forge({ header: { crit: [] } }),
      'the key of another': forge({ wrap: oaep('sha256', stranger.publicKey) }),
      'four parts': good.split('.').slice(0, 4).join('.'),
      'six parts': `${good}.`,
      nothing: '',
      dots: '....',
      'a JWS': rfc7515.compact,
    }
    for (const [name, jwe] of Object.entries(attacks)) {
      it(`is refused: ${name}`, () => assert.rejects(jose.decrypt(jwe, ours.privateKey), refusedLikeAll))
    }

    it('is refused: RFC 7516 A.1, published for RSA-OAEP with SHA-1, even with its own key', async () => {
      await assert.rejects(jose.decrypt(rfc7516.compact, parsePrivateKey(rfc7516.key)), refusedLikeAll)
    })

    it('is refused: any bit changed in any part, with one answer for all, so that there is no oracle', async () => {
      const parts = good.split('.')
      await fc.assert(
        fc.asyncProperty(fc.nat(4), fc.nat(), fc.nat(7), async (part, at, bit) => {
          const changed = parts.with(part, flipBit(parts[part]!, at, bit)).join('.')
          await assert.rejects(jose.decrypt(changed, ours.privateKey), refusedLikeAll)
        }),
      )
    })

    it('is refused: any text', async () => {
      const near = fc.array(fc.constantFrom(...good.split('.'), '', 'AA', '=')).map((parts) => parts.join('.'))
      await fc.assert(
        fc.asyncProperty(fc.oneof(fc.string(), near), async (text) => {
          fc.pre(text !== good)
          await assert.rejects(jose.decrypt(text, ours.privateKey), refusedLikeAll)
        }),
      )
    })
  })
}
