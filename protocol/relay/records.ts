/**
 * What travels through stapled connections: records of at most 64 KiB, each sealed with the number it has in its
 * direction, so that none can be changed, left out, repeated or moved, not even to another stream. The last one tells how
 * much there was; a connection that ends without it was cut off.
 *
 *   record  := header ciphertext tag
 *   header  := kind (1 byte: 0 data, 1 end), length of the ciphertext (3 bytes, big-endian); authenticated
 *   nonce   := 4 zero bytes, number of the record from 0 (8 bytes, big-endian)
 *   end     := bytes of all data before it (8 bytes, big-endian), SHA-256 over the headers and tags of all records before it
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { equalBytes } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { RECORD_BYTES_MAX } from '../limits.ts'
import { type Aead, AEAD_NONCE_BYTES, AEAD_TAG_BYTES } from './aead.ts'

export const RECORD_HEADER_BYTES = 4
const KIND = { data: 0, end: 1 } as const
const END_BYTES = 8 + 32

export interface Sealer {
  /**
   * @param plaintext at most 64 KiB
   * @returns what goes over the wire, in pieces
   * @throws ERR_RECORD when it is longer
   */
  data(plaintext: Uint8Array): readonly Uint8Array[]
  /** The last record; nothing is sealed after it. */
  end(): readonly Uint8Array[]
}

export interface Opener {
  /**
   * Bytes of the record that follow its header.
   * @throws ERR_RECORD when it is no header
   */
  restLength(header: Uint8Array): number
  /**
   * @param rest as long as `restLength` said
   * @returns the data; undefined for the end
   * @throws ERR_RECORD when it is not the very record that comes next
   */
  open(header: Uint8Array, rest: Uint8Array): Uint8Array | undefined
}

/** Counts the records of one direction, for both of its ends. */
const createCounter = () => {
  const nonce = new Uint8Array(AEAD_NONCE_BYTES)
  const numberAt = new DataView(nonce.buffer)
  const digest = sha256.create()
  let records = 0n
  let bytes = 0n
  return {
    /** Of the next record. */
    nonce: (): Uint8Array => {
      numberAt.setBigUint64(4, records)
      return nonce
    },
    add(header: Uint8Array, tag: Uint8Array, length: number): void {
      digest.update(header).update(tag)
      records++
      bytes += BigInt(length)
    },
    summary(): Uint8Array {
      const summary = new Uint8Array(END_BYTES)
      new DataView(summary.buffer).setBigUint64(0, bytes)
      summary.set(digest.clone().digest(), 8)
      return summary
    },
  }
}

/** @param aead of a key that seals nothing else, now or ever */
export const createSealer = (aead: Aead): Sealer => {
  const counter = createCounter()
  let hasEnded = false
  const seal = (kind: number, plaintext: Uint8Array): readonly Uint8Array[] => {
    if (hasEnded) throw new Error('nothing is sealed after the end')
    const { length } = plaintext
    const header = Uint8Array.of(kind, length >> 16, length >> 8, length)
    const [ciphertext, tag] = aead.seal(counter.nonce(), header, plaintext)
    counter.add(header, tag, length)
    return [header, ciphertext, tag]
  }
  return {
    data(plaintext) {
      if (plaintext.length > RECORD_BYTES_MAX)
        throw new ProtocolError('ERR_RECORD', `a record holds at most ${RECORD_BYTES_MAX} bytes`)
      return seal(KIND.data, plaintext)
    },
    end() {
      const last = seal(KIND.end, counter.summary())
      hasEnded = true
      return last
    },
  }
}

/** @param aead of the key that the peer seals with */
export const createOpener = (aead: Aead): Opener => {
  const counter = createCounter()
  return {
    restLength(header) {
      const [kind, high = 0, middle = 0, low = 0] = header
      const length = (high << 16) | (middle << 8) | low
      const isSound = kind === KIND.end ? length === END_BYTES : kind === KIND.data && length <= RECORD_BYTES_MAX
      if (!isSound) throw forged()
      return length + AEAD_TAG_BYTES
    },
    open(header, rest) {
      const length = rest.length - AEAD_TAG_BYTES
      const tag = rest.subarray(length)
      const plaintext = aead.open(counter.nonce(), header, rest.subarray(0, length), tag)
      if (plaintext === undefined) throw forged()
      if (header[0] === KIND.data) {
        counter.add(header, tag, length)
        return plaintext
      }
      if (!equalBytes(plaintext, counter.summary())) throw forged()
      return undefined
    },
  }
}

const forged = () => new ProtocolError('ERR_RECORD', 'not the record that comes next: it was changed on the way')
