/**
 * `Jose` for the vendor's server, on the platform's native RSA. The formats are those of `protocol/jose.ts`, which
 * the same tests hold it against; that one costs twice the time a message (docs/decisions/0002-native-jose.md).
 */
import type { NativeRsa } from '../effects/rsa-node.ts'
import type { Random } from '../effects/random.ts'
import { base64url, fromUtf8, utf8 } from '../protocol/bytes.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { createJose, type Jose } from '../protocol/jose.ts'
import { parseJson } from '../protocol/json.ts'

const JWS_ALGORITHMS = { alg: 'RS256' } as const
const JWE_ALGORITHMS = { alg: 'RSA-OAEP-256', enc: 'A256GCM' } as const
const JWS_HEADER = base64url.encode(utf8(JSON.stringify(JWS_ALGORITHMS)))
const JWE_HEADER = base64url.encode(utf8(JSON.stringify(JWE_ALGORITHMS)))
const JWE_HEADER_BYTES = utf8(JWE_HEADER)
const CEK_BYTES = 32
const IV_BYTES = 12

export const createNativeJose = (rsa: NativeRsa, random: Random): Jose => ({
  // Made once in the life of a vendor.
  generateKeyPair: createJose().generateKeyPair,

  async sign(payload, key) {
    const text = encode(payload)
    const signature = await rsa.sign(Buffer.from(`${JWS_HEADER}.${text}`), key)
    return { payload: text, protected: JWS_HEADER, signature: encode(signature) }
  },

  async verify(jws, key) {
    try {
      if (jws.protected !== JWS_HEADER) requireHeader(jws.protected, JWS_ALGORITHMS)
      const signed = Buffer.from(`${jws.protected}.${jws.payload}`)
      const holds = await rsa.verify(signed, decode(jws.signature), key)
      if (!holds) throw new Error('the signature does not hold')
      return plain(decode(jws.payload))
    } catch (cause) {
      throw new ProtocolError('ERR_JWS_INVALID', 'signature is not a valid RS256 by this key', { cause })
    }
  },

  async encrypt(plaintext, key) {
    const fresh = random.bytes(CEK_BYTES + IV_BYTES)
    const cek = fresh.subarray(0, CEK_BYTES)
    const iv = fresh.subarray(CEK_BYTES)
    const { ciphertext, tag } = rsa.seal(plaintext, cek, iv, JWE_HEADER_BYTES)
    const wrapped = encode(await rsa.wrap(cek, key))
    return `${JWE_HEADER}.${wrapped}.${encode(iv)}.${encode(ciphertext)}.${encode(tag)}`
  },

  async decrypt(jwe, key) {
    try {
      const [header = '', wrapped = '', iv = '', ciphertext = '', tag = '', ...more] = jwe.split('.', 6)
      if (more.length > 0) throw new Error('not five parts')
      if (header !== JWE_HEADER) requireHeader(header, JWE_ALGORITHMS)
      const cek = await rsa.unwrap(decode(wrapped), key)
      const nonce = decode(iv)
      if (cek.length !== CEK_BYTES || nonce.length !== IV_BYTES) throw new Error('not A256GCM')
      const sealed = { ciphertext: decode(ciphertext), tag: decode(tag) }
      return plain(rsa.open(sealed, cek, nonce, Buffer.from(header)))
    } catch {
      throw new ProtocolError('ERR_JWE_INVALID', 'not a RSA-OAEP-256 and A256GCM message to this key')
    }
  },
})

/** @throws Error unless the header names these algorithms and nothing that changes the meaning of the rest */
const requireHeader = (text: string, algorithms: Readonly<Record<string, string>>): void => {
  const header = parseJson(fromUtf8(decode(text))) as Record<string, unknown> | null
  if (typeof header !== 'object' || header === null) throw new Error('not a header')
  for (const [name, value] of Object.entries(algorithms)) if (header[name] !== value) throw new Error(`not ${name}`)
  if ('crit' in header || 'zip' in header || 'b64' in header) throw new Error('extensions are not understood')
}

const encode = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url')

/** @throws Error for other spellings than `encode`'s, which Node's decoder reads too */
const decode = (text: string): Uint8Array => {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw new Error('not base64url')
  return bytes
}

/** The same bytes without Node's own class around them. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
