/**
 * What clients of a rendezvous sign: JSON in its canonical form, which names its purpose, so that no signature for one
 * is good for another, and the server it was made for, so that none is good elsewhere.
 */
import { z } from 'zod'
import { base64url, equalBytes } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { type FlattenedJws, flattenedJwsSchema, type Jose } from '../jose.ts'
import { canonicalJson, parseJson } from '../json.ts'
import type { RsaPrivateKey, RsaPublicKey } from '../keys.ts'
import { SIGNED_TIME_WINDOW_SECONDS, STATEMENT_TEXT_MAX } from '../limits.ts'

/** A server's name: the URL that its clients are given, without a slash at the end. */
export const serverNameSchema = z
  .string()
  .max(256)
  .regex(/^https?:\/\/[^\s/?#]+(\/[^\s?#]*[^\s?#/])?$/, 'must be an http or https URL without a slash at its end')

/** Unix seconds. */
export const timeSchema = z.int().min(0)

const text = z.string().max(STATEMENT_TEXT_MAX)

/** A signed statement as it travels. */
export const signedSchema = z.strictObject({
  payload: flattenedJwsSchema.shape.payload.max(STATEMENT_TEXT_MAX),
  protected: text.max(128),
  signature: text.max(1024),
})

export const signStatement = (jose: Jose, statement: object, key: RsaPrivateKey): Promise<FlattenedJws> =>
  jose.sign(canonicalJson(statement), key)

/**
 * What a statement says, whoever signed it.
 * @throws ERR_STATEMENT
 */
export const readStatement = <Statement>(schema: z.ZodType<Statement>, jws: FlattenedJws): Statement => {
  try {
    const payload = base64url.decode(jws.payload)
    const value = parseJson(payload)
    if (!equalBytes(canonicalJson(value), payload)) throw new Error('not canonical')
    return schema.parse(value)
  } catch (cause) {
    throw new ProtocolError('ERR_STATEMENT', 'not a statement of this kind, in canonical JSON', { cause })
  }
}

/**
 * What a statement says, signed by this key.
 * @throws ERR_STATEMENT | ERR_JWS_INVALID
 */
export const verifyStatement = async <Statement>(
  jose: Jose,
  schema: z.ZodType<Statement>,
  jws: FlattenedJws,
  key: RsaPublicKey,
): Promise<Statement> => {
  const statement = readStatement(schema, jws)
  await jose.verify(jws, key)
  return statement
}

/** @throws ERR_SIGNED_TIME */
export const requireRecent = (tsSeconds: number, nowSeconds: number): void => {
  if (Math.abs(nowSeconds - tsSeconds) <= SIGNED_TIME_WINDOW_SECONDS) return
  const window = `${SIGNED_TIME_WINDOW_SECONDS} seconds`
  throw new ProtocolError('ERR_SIGNED_TIME', `signed time is more than ${window} from now: check the clock`)
}
