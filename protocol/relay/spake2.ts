/**
 * SPAKE2: two who share a few words agree on a strong key, and whoever relays or alters what they say gets one guess at
 * the words and nothing to try further guesses on. Pure; the parts are in the order of the RFC. Side A is the sender.
 * @see RFC 9382
 */
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { concatBytes } from '@noble/hashes/utils.js'
import { utf8 } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import type { Suite } from './suites.ts'

export type Side = 'A' | 'B'

/** Bytes beyond the order's from which a scalar is reduced: what is left of a bias is below 2^-128. */
const SPARE_BYTES = 16

/** How many uniform bytes `scalarFrom` takes. */
export const scalarEntropyBytes = ({ orderBytes }: Suite): number => orderBytes + SPARE_BYTES

/** A scalar from 1 to the order less 1. */
export const scalarFrom = ({ group }: Suite, uniform: Uint8Array): bigint =>
  (bytesToNumberBE(uniform) % (group.Fn.ORDER - 1n)) + 1n

/** What one side sends: pA = x·P + w·M, or pB = y·P + w·N. §3.3 */
export const shareOf = (suite: Suite, side: Side, w: bigint, secret: bigint): Uint8Array =>
  suite.group.BASE.multiply(secret)
    .add(blinding(suite, side, w))
    .toBytes(false)

/**
 * The group element K that both sides come to, encoded. §3.3
 * @param peerShare uncompressed, and nothing else
 * @throws ERR_PAKE_SHARE when it is no point of the curve, or one that makes the result predictable
 */
export const sharedElement = (
  suite: Suite,
  side: Side,
  w: bigint,
  secret: bigint,
  peerShare: Uint8Array,
): Uint8Array => {
  const peer = decodeShare(suite, peerShare)
  const unblinded = peer.subtract(blinding(suite, side === 'A' ? 'B' : 'A', w))
  // The cofactor of every suite is 1, so that the identity is the only point of small order.
  if (unblinded.is0()) throw badShare()
  return unblinded.multiply(secret).toBytes(false)
}

const blinding = ({ M, N }: Suite, side: Side, w: bigint) => (side === 'A' ? M : N).multiply(w)

const decodeShare = ({ group, shareBytes }: Suite, bytes: Uint8Array) => {
  if (bytes.length !== shareBytes || bytes[0] !== 4) throw badShare()
  try {
    const point = group.fromBytes(bytes)
    point.assertValidity()
    return point
  } catch {
    throw badShare()
  }
}

const badShare = () => new ProtocolError('ERR_PAKE_SHARE', 'this is no share of the key exchange')

export interface Exchanged {
  /** Identities of the two sides. */
  readonly A: Uint8Array
  readonly B: Uint8Array
  readonly pA: Uint8Array
  readonly pB: Uint8Array
  readonly K: Uint8Array
  readonly w: bigint
}

/** TT: everything that both sides must agree on. §3.3 */
export const transcriptOf = (suite: Suite, { A, B, pA, pB, K, w }: Exchanged): Uint8Array =>
  concatBytes(...[A, B, pA, pB, K, numberToBytesBE(w, suite.orderBytes)].flatMap((part) => [le64(part.length), part]))

const le64 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true)
  return bytes
}

export interface KeySchedule {
  /** Shared with whoever uses the exchange; half as long as the hash. */
  readonly Ke: Uint8Array
  readonly Ka: Uint8Array
  readonly KcA: Uint8Array
  readonly KcB: Uint8Array
  /** What A proves its key with, and what B does. */
  readonly cA: Uint8Array
  readonly cB: Uint8Array
}

/** @param aad what else both must agree on. §3.4, §4 */
export const scheduleOf = ({ hash }: Suite, transcript: Uint8Array, aad: Uint8Array): KeySchedule => {
  const [Ke, Ka] = halves(hash(transcript))
  const [KcA, KcB] = halves(hkdf(hash, Ka, undefined, concatBytes(utf8('ConfirmationKeys'), aad), hash.outputLen))
  return { Ke, Ka, KcA, KcB, cA: hmac(hash, KcA, transcript), cB: hmac(hash, KcB, transcript) }
}

const halves = (bytes: Uint8Array): readonly [Uint8Array, Uint8Array] => [
  bytes.slice(0, bytes.length / 2),
  bytes.slice(bytes.length / 2),
]
