/**
 * Collecting what was paid for: the buyer's `code` and the vendor's answer, both JWE with JWS inside, safe on plain
 * HTTP. The code says "the holder of this key asks this vendor now"; the answer says "the vendor gives this to that
 * question".
 * @see SEED 000 cert.info; DESIGN 7
 */
import { z } from 'zod'
import { base64url, equalBytes, toHex, utf8Padded } from './bytes.ts'
import { serverListSchema, type Server } from './credentials.ts'
import { ProtocolError } from './errors.ts'
import { canonicalJson, parseJson } from './json.ts'
import { flattenedJwsSchema, type FlattenedJws, type Jose } from './jose.ts'
import { keyIdOf, parsePublicKey, type RsaKeyPair, type RsaPrivateKey, type RsaPublicKey } from './keys.ts'
import {
  ANSWER_PADDING_BYTES,
  CODE_BYTES_MAX,
  CERT_INFO_ANSWER_BYTES_MAX,
  NONCE_BYTES,
  SIGNED_TIME_WINDOW_SECONDS,
} from './limits.ts'

const REQUEST = 'my_subscribe'

const codeSchema = z.object({
  key: z.looseObject({}),
  signature: flattenedJwsSchema,
  request: z.literal(REQUEST),
})

const nonceSchema = z.string().regex(new RegExp(`^[\\w-]{${Math.ceil((NONCE_BYTES * 4) / 3)}}$`))

const claimsSchema = z.object({
  ts: z.int().min(0),
  aud: z.string().max(256),
  nonce: nonceSchema,
  plan: z.int().min(1).max(0xffffffff).optional(),
})

export interface Question {
  /** The vendor's URI: the code is good for no other vendor. */
  readonly vendor: string
  readonly tsSeconds: number
  /** 16 fresh random bytes. */
  readonly nonce: Uint8Array
  /** Which order, for a key that has several; else the one that runs longest. */
  readonly planId?: number
}

/** Writes the `code` of a question. */
export const sealCode = async (
  jose: Jose,
  question: Question,
  buyer: RsaKeyPair,
  vendorEncryptionKey: RsaPublicKey,
): Promise<string> => {
  const claims = {
    ts: question.tsSeconds,
    aud: question.vendor,
    nonce: base64url.encode(question.nonce),
    ...(question.planId === undefined ? {} : { plan: question.planId }),
  }
  const signature = await jose.sign(canonicalJson(claims), buyer.privateKey)
  const { kty, n, e } = buyer.publicKey
  return jose.encrypt(canonicalJson({ key: { kty, n, e }, signature, request: REQUEST }), vendorEncryptionKey)
}

export interface OpenedCode {
  readonly key: RsaPublicKey
  /** 32 bytes; `keyHash` of the orders. */
  readonly keyId: Uint8Array
  readonly tsSeconds: number
  /** What must not come twice: the nonce, or in a legacy code its signature. */
  readonly onceOnly: string
  /** base64url, to be echoed in the answer; absent in a legacy code. */
  readonly nonce?: string
  readonly planId?: number
}

export interface CodePolicy {
  readonly vendor: string
  readonly nowSeconds: number
  /** Accept the original's codes, whose signature covers the bare time and so names no vendor. */
  readonly legacy: boolean
}

/**
 * Reads a `code` and checks all that can be checked without memory.
 * @throws ERR_CODE_SHAPE | ERR_JWE_INVALID | ERR_JSON_INVALID | ERR_KEY_INVALID | ERR_JWS_INVALID | ERR_AUDIENCE |
 *   ERR_SIGNED_TIME
 */
export const openCode = async (
  jose: Jose,
  code: string,
  decryptionKey: RsaPrivateKey,
  policy: CodePolicy,
): Promise<OpenedCode> => {
  if (code.length > CODE_BYTES_MAX) throw new ProtocolError('ERR_CODE_SHAPE', `code is over ${CODE_BYTES_MAX} bytes`)
  const envelope = codeSchema.safeParse(parseJson(await jose.decrypt(code, decryptionKey)))
  if (!envelope.success) {
    throw new ProtocolError('ERR_CODE_SHAPE', `code holds {key, signature, request: "${REQUEST}"}`)
  }
  const key = parsePublicKey(envelope.data.key)
  const signed = parseJson(await jose.verify(envelope.data.signature, key))

  if (policy.legacy && typeof signed === 'number' && Number.isSafeInteger(signed)) {
    checkSignedTime(signed, policy.nowSeconds)
    return { key, keyId: keyIdOf(key), tsSeconds: signed, onceOnly: envelope.data.signature.signature }
  }

  const claims = claimsSchema.safeParse(signed)
  if (!claims.success) throw new ProtocolError('ERR_CODE_SHAPE', 'the signature in a code covers {ts, aud, nonce}')
  const { ts, aud, nonce, plan } = claims.data
  if (aud !== policy.vendor) throw new ProtocolError('ERR_AUDIENCE', 'code was made for another vendor')
  checkSignedTime(ts, policy.nowSeconds)
  const opened = { key, keyId: keyIdOf(key), tsSeconds: ts, onceOnly: nonce, nonce }
  return plan === undefined ? opened : { ...opened, planId: plan }
}

const checkSignedTime = (tsSeconds: number, nowSeconds: number): void => {
  if (Math.abs(nowSeconds - tsSeconds) > SIGNED_TIME_WINDOW_SECONDS) {
    const window = `${SIGNED_TIME_WINDOW_SECONDS} seconds`
    throw new ProtocolError('ERR_SIGNED_TIME', `signed time is more than ${window} from now: check the clock`)
  }
}

const orderSchema = z.object({
  id: z.string().regex(/^0x[0-9a-f]{64}$/),
  vendor: z.string().max(256),
  plan: z.int().min(1).max(0xffffffff),
})

const answerSchema = z.object({
  service_type: z.string().max(64),
  service_content: z.object({ server_list: serverListSchema }),
  ts: z.int().min(0),
  expires: z.int().min(0),
  order: orderSchema,
  nonce: nonceSchema.optional(),
  signature_str_ts: flattenedJwsSchema,
  content_signature: flattenedJwsSchema,
})

export interface Answer {
  readonly servers: readonly Server[]
  readonly tsSeconds: number
  /** End of the paid time, unix seconds. */
  readonly expiresSeconds: number
  readonly order: { readonly id: string; readonly vendor: string; readonly plan: number }
}

export interface AnswerSigner {
  readonly privateKey: RsaPrivateKey
  /** By the same key over the decimal `tsSeconds` of the answer: one serves all answers of a second. */
  readonly timeSignature: FlattenedJws
}

/** Writes the answer to an opened code: signed by the vendor, padded, encrypted to the buyer. */
export const sealAnswer = async (
  jose: Jose,
  answer: Answer,
  code: OpenedCode,
  { privateKey, timeSignature }: AnswerSigner,
): Promise<string> => {
  const content = {
    service_type: 'proxy',
    service_content: { server_list: answer.servers },
    ts: answer.tsSeconds,
    expires: answer.expiresSeconds,
    order: answer.order,
    ...(code.nonce === undefined ? {} : { nonce: code.nonce }),
  }
  const content_signature = await jose.sign(canonicalJson(content), privateKey)
  const answered = { ...content, signature_str_ts: timeSignature, content_signature }
  // White space after JSON is not part of it, so padding needs no member of its own.
  return jose.encrypt(utf8Padded(JSON.stringify(answered), ANSWER_PADDING_BYTES), code.key)
}

export interface AnswerPolicy {
  readonly question: Question
  readonly vendorSigningKey: RsaPublicKey
  readonly nowSeconds: number
}

/**
 * Reads an answer and checks that this vendor gave it to this question.
 * @throws ERR_ANSWER_SHAPE | ERR_JWE_INVALID | ERR_JSON_INVALID | ERR_JWS_INVALID | ERR_NONCE | ERR_AUDIENCE |
 *   ERR_SIGNED_TIME
 */
export const openAnswer = async (
  jose: Jose,
  jwe: string,
  buyerKey: RsaPrivateKey,
  { question, vendorSigningKey, nowSeconds }: AnswerPolicy,
): Promise<Answer> => {
  if (jwe.length > CERT_INFO_ANSWER_BYTES_MAX) throw new ProtocolError('ERR_ANSWER_SHAPE', 'answer is too long')
  const document = parseJson(await jose.decrypt(jwe, buyerKey))
  const parsed = answerSchema.safeParse(document)
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.join('.') ?? ''
    throw new ProtocolError('ERR_ANSWER_SHAPE', `answer does not have the shape of credentials: see "${path}"`)
  }
  const answer = parsed.data
  const { signature_str_ts: _ts, content_signature, ...content } = document as Record<string, unknown> & typeof answer
  const signed = await jose.verify(content_signature, vendorSigningKey)
  if (!equalBytes(signed, canonicalJson(content))) {
    throw new ProtocolError('ERR_JWS_INVALID', 'answer differs from what the vendor signed')
  }
  if (answer.nonce !== base64url.encode(question.nonce)) {
    throw new ProtocolError('ERR_NONCE', 'answer is not to this question')
  }
  if (answer.order.vendor !== question.vendor) throw new ProtocolError('ERR_AUDIENCE', 'answer is of another vendor')
  checkSignedTime(answer.ts, nowSeconds)
  return {
    servers: answer.service_content.server_list,
    tsSeconds: answer.ts,
    expiresSeconds: answer.expires,
    order: answer.order,
  }
}

/** keyId in the form of the chain. */
export const keyHashOf = (key: { readonly n: string }): `0x${string}` => toHex(keyIdOf(key))
