/**
 * JWS in the compact form, taken apart and put together (RFC 7515 §7.1). Who signs, and by which algorithm, is not known
 * here: vouchers are signed by keys of several kinds, and each kind brings its own signer and verifier.
 */
import { base64url, CANONICAL_BASE64URL, fromUtf8, utf8 } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { parseJson } from './json.ts'

/** A message that claims to be signed, taken apart. Nothing in it is true before its signature is checked. */
export interface CompactJws {
  /** The protected header. It says what the sender used, never what is to be accepted. */
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Uint8Array
  /** What is signed: ASCII of the first two parts and the dot between. */
  readonly signingInput: Uint8Array
  readonly signature: Uint8Array
}

/**
 * Signs bytes with a key that it holds.
 * @returns as the algorithm's JWS form has it: ES256K r ‖ s (RFC 8812 §3.2), RS256 and Ed25519Blake2b as they are
 */
export type SignBytes = (signingInput: Uint8Array) => Promise<Uint8Array>

/**
 * Takes a compact JWS apart.
 * @throws ERR_JWS_INVALID unless it has three parts in canonical base64url and its header is a JSON object without
 *   extensions that change the meaning of the rest
 */
export const parseCompactJws = (text: string): CompactJws => {
  const [header = '', payload = '', signature = '', ...more] = text.split('.', 4)
  const parts = [header, payload, signature]
  if (more.length > 0 || header === '' || !parts.every((part) => CANONICAL_BASE64URL.test(part))) throw notJws()
  return {
    header: parseHeader(base64url.decode(header)),
    payload: base64url.decode(payload),
    signingInput: utf8(`${header}.${payload}`),
    signature: base64url.decode(signature),
  }
}

const parseHeader = (bytes: Uint8Array): Readonly<Record<string, unknown>> => {
  let header: unknown
  try {
    header = parseJson(fromUtf8(bytes))
  } catch (cause) {
    throw notJws({ cause })
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw notJws()
  // RFC 7515 §4.1.11, RFC 7797 §3: what we do not understand must not be passed over.
  if ('crit' in header || 'b64' in header) throw notJws()
  return header as Readonly<Record<string, unknown>>
}

/** Signs and writes a compact JWS. */
export const signCompactJws = async (
  header: Readonly<Record<string, unknown>>,
  payload: Uint8Array,
  sign: SignBytes,
): Promise<string> => {
  const input = `${base64url.encode(utf8(JSON.stringify(header)))}.${base64url.encode(payload)}`
  return `${input}.${base64url.encode(await sign(utf8(input)))}`
}

const notJws = (options?: ErrorOptions) => new ProtocolError('ERR_JWS_INVALID', 'not a compact JWS', options)
