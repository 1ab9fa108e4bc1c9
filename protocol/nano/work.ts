/**
 * Work: a nonce that makes publishing a block cost some computing. A block is taken when the value of its work is at
 * least the threshold of its network and kind.
 * @see https://docs.nano.org/protocol-design/spam-work-and-prioritization/
 */
import { blake2b } from '@noble/hashes/blake2.js'
import { hexToBytes } from '@noble/hashes/utils.js'

/** Values of work, 64 bits. */
export interface WorkThresholds {
  /** Of blocks that send, or change the representative. */
  readonly send: bigint
  readonly receive: bigint
}

/** Of the live network since epoch 2: about 2^29 tries for a send, 2^23 for a receive. */
export const LIVE_WORK: WorkThresholds = { send: 0xffff_fff8_0000_0000n, receive: 0xffff_fe00_0000_0000n }

const WORK_BYTES = 8

/**
 * @param work 16 hex digits
 * @param root 64 hex digits: what the work is for
 */
export const nanoWorkValue = (work: string, root: string): bigint => {
  const input = new Uint8Array(WORK_BYTES + 32)
  input.set(hexToBytes(work).reverse())
  input.set(hexToBytes(root), WORK_BYTES)
  return valueOf(input)
}

/**
 * Tries nonces one after the other.
 * @param first nonce to begin with
 * @returns 16 lower-case hex digits, or undefined when none of so many is good enough
 */
export const nanoSearchWork = (root: string, threshold: bigint, first: bigint, tries: number): string | undefined => {
  const input = new Uint8Array(WORK_BYTES + 32)
  input.set(hexToBytes(root), WORK_BYTES)
  const view = new DataView(input.buffer)
  for (let i = 0; i < tries; i++) {
    const nonce = BigInt.asUintN(64, first + BigInt(i))
    view.setBigUint64(0, nonce, true)
    if (valueOf(input) >= threshold) return nonce.toString(16).padStart(2 * WORK_BYTES, '0')
  }
  return undefined
}

/** The hash is a number whose first byte is the least. */
const valueOf = (input: Uint8Array): bigint => {
  const hash = blake2b(input, { dkLen: WORK_BYTES })
  return new DataView(hash.buffer, hash.byteOffset).getBigUint64(0, true)
}
