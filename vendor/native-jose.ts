/**
 * `Jose` for the vendor's server, on the platform's native RSA. The formats are those of `protocol/jose.ts`, which
 * the same tests hold it against; that one costs twice the time a message (docs/decisions/0002-native-jose.md).
 */
import type { NativeRsa } from '../effects/rsa-node.ts'
import type { Random } from '../effects/random.ts'
import { base64url, CANONICAL_BASE64URL, fromUtf8, utf8 } from '../protocol/bytes.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { createJose, type Jose } from '../protocol/jose.ts'
import { parseJson } from '../protocol/json.ts'

const JWS_HEADER = base64url.encode(utf8('{"alg":"RS256"}'))
const JWE_HEADER = base64url.encode(utf8('{"alg":"RSA-OAEP-256","enc":"A256GCM"}'))
const CEK_BYTES = 32
const IV_BYTES = 12

export const createNativeJose = (rsa: NativeRsa, random: Random): Jose => ({
  // Made once in the life of a vendor.
  generateKeyPair: createJose().generateKeyPair,

  async sign(payload, key) {
    const text = encode(payload)
    const signature = await rsa.sign(utf8(`${JWS_HEADER}.${text}`), key)
    return { payload: text, protected: JWS_HEADER, signature: encode(signature) }
  },

  async verify(jws, key) {
    try {
      requireHeader(jws.protected, { alg: 'RS256' })
      const holds = await rsa.verify(utf8(`${jws.protected}.${jws.payload}`), decode(jws.signature), key)
      if (!holds) throw new Error('the signature does not hold')
      return decode(jws.payload)
    } catch (cause) {
      throw new ProtocolError('ERR_JWS_INVALID', 'signature is not a valid RS256 by this key', { cause })
    }
  },

  async encrypt(plaintext, key) {
    const fresh = random.bytes(CEK_BYTES + IV_BYTES)
    const cek = fresh.subarray(0, CEK_BYTES)
    const iv = fresh.subarray(CEK_BYTES)
    const { ciphertext, tag } = rsa.seal(plaintext, cek, iv, utf8(JWE_HEADER))
    return [JWE_HEADER, ...[await rsa.wrap(cek, key), iv, ciphertext, tag].map(encode)].join('.')
  },

  async decrypt(jwe, key) {
    try {
      const [header = '', wrapped = '', iv = '', ciphertext = '', tag = '', ...more] = jwe.split('.', 6)
      if (more.length > 0) throw new Error('not five parts')
      requireHeader(header, { alg: 'RSA-OAEP-256', enc: 'A256GCM' })
      const cek = await rsa.unwrap(decode(wrapped), key)
      const nonce = decode(iv)
      if (cek.length !== CEK_BYTES || nonce.length !== IV_BYTES) throw new Error('not A256GCM')
      return plain(rsa.open({ ciphertext: decode(ciphertext), tag: decode(tag) }, cek, nonce, utf8(header)))
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

/** Node's decoder passes over what is not base64url. @throws Error for that */
const decode = (text: string): Uint8Array => {
  if (!CANONICAL_BASE64URL.test(text)) throw new Error('not base64url')
  return plain(Buffer.from(text, 'base64url'))
}

/** The same bytes without Node's own class around them. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
