/**
 * `Payment-Proof: <n>.<HMAC-SHA256>`: shows that whoever holds a voucher's `key` makes this very request now. On plain
 * HTTP everybody on the way reads the voucher; without its key, which is encrypted within, they can neither use it again
 * nor change what is asked for.
 * @see docs/vouchers.md
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { base64url, utf8 } from './bytes.ts'

/** What a proof is about. */
export interface ProvedRequest {
  /** Counts the requests of one voucher: each number once, in about rising order. From 1. */
  readonly counter: number
  readonly method: string
  /** Path and query, as they stand in the request line. */
  readonly target: string
  /** The header, or empty. */
  readonly idempotencyKey: string
  /** `Payment-Amount`, or empty. */
  readonly amount: string
  /** SHA-256 of the body, base64url, as `Content-Digest` announces it (RFC 9530); `-` where the body is not proved. */
  readonly bodyDigest: string
}

/** The body's digest where there is none, or where it is made while it is sent. */
export const UNPROVED_BODY = '-'

/** Requests of one voucher may overtake each other by so many. */
export const PROOF_WINDOW = 1024

/** The text that is authenticated. Each part is free of line feeds: HTTP has none in them. */
export const proofText = ({ counter, method, target, idempotencyKey, amount, bodyDigest }: ProvedRequest): string =>
  `${counter}\n${method}\n${target}\n${idempotencyKey}\n${amount}\n${bodyDigest}`

/** The header. @param key of the voucher, 32 bytes */
export const formatProof = (key: Uint8Array, request: ProvedRequest): string =>
  `${request.counter}.${base64url.encode(hmac(sha256, key, utf8(proofText(request))))}`

export interface Proof {
  readonly counter: number
  /** base64url of 32 bytes, in the one spelling. */
  readonly mac: string
}

const PROOF = /^([1-9]\d{0,14})\.([\w-]{42}[AEIMQUYcgkosw048])$/

/** Reads the header; undefined for what is none. */
export const parseProof = (text: string): Proof | undefined => {
  const [, counter, mac] = PROOF.exec(text) ?? []
  return counter === undefined || mac === undefined ? undefined : { counter: Number(counter), mac }
}

const SHA_256_MEMBER = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,|$)/

/**
 * The SHA-256 that `Content-Digest` announces, base64url; undefined when it announces none.
 * @see RFC 9530 §2
 */
export const announcedDigest = (contentDigest: string): string | undefined =>
  SHA_256_MEMBER.exec(contentDigest)?.[1]?.replace('=', '').replaceAll('+', '-').replaceAll('/', '_')

/** `Content-Digest` of a body. @param digest base64url of its SHA-256 */
export const formatContentDigest = (digest: string): string =>
  `sha-256=:${digest.replaceAll('-', '+').replaceAll('_', '/')}=:`
