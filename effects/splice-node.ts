/** Two TCP sockets as one, without a new piece of memory for every read. */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { asSocket, READ_BYTES, readInto } from './socket-memory.ts'
import { breakTogether, splice, type Splice } from './splice.ts'

/** Shorter reads are copied: who says little now and then needs no memory between. */
const LIGHT_BYTES = 16 * 1024
/** Buffers kept for the next to need one. */
const POOL_MAX = 64

const pool: Buffer[] = []
const takeBuffer = (): Buffer => pool.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES)
const giveBuffer = (buffer: Buffer): void => {
  if (pool.length < POOL_MAX) pool.push(buffer)
}

/** What all directions read into that have no buffer of their own; it is emptied before anything else is read. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES)

const carry = (from: Socket, to: Duplex, onBytes: (length: number) => void): void => {
  /** Of this direction alone, while much comes through it. */
  let own: Buffer | undefined
  const release = () => {
    if (own) giveBuffer(own)
    own = undefined
  }
  // Nothing is read while something is on its way, so that what is in the buffer stays there until it has left.
  const goOn = () => {
    if (!from.destroyed && to.writableLength === 0) from.resume()
  }
  const read = (length: number, bytes: Uint8Array): boolean => {
    onBytes(length)
    if (to.destroyed || to.writableEnded) return false
    const piece = bytes.subarray(0, length)
    const isOwn = bytes === own
    to.write(isOwn ? piece : Buffer.from(piece), goOn)
    const isTaken = to.writableLength === 0
    if (isTaken && length < LIGHT_BYTES) release()
    else if (!isOwn && length === READ_BYTES) own = takeBuffer()
    if (!isTaken) from.pause()
    return isTaken
  }
  const early = (bytes: Uint8Array): void => {
    onBytes(bytes.length)
    to.write(bytes, goOn)
  }
  readInto(from, { early, memory: () => own ?? shared, read })
  from.once('end', () => {
    if (!to.destroyed) to.end()
  })
  from.once('close', () => {
    // What the system still has of ours it may be reading; the collector knows.
    if (to.writableLength === 0) release()
  })
  if (to.writableLength === 0) from.resume()
}

export const spliceSockets: Splice = (a, b, onBytes = () => {}) => {
  const [first, second] = [asSocket(a), asSocket(b)]
  if (!first || !second) return splice(a, b, onBytes)
  const done = breakTogether(a, b)
  carry(first, b, (length) => onBytes('a', length))
  carry(second, a, (length) => onBytes('b', length))
  return done
}
