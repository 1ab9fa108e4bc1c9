/**
 * Two TCP sockets as one, without a new piece of memory for every read. Node allocates 64 KiB whenever a socket has
 * something to read; in a program of some size it is collecting them that takes most of the time. What `onread` does for
 * sockets that connect is done here for accepted ones: they read into memory of ours, which is used again as soon as the
 * other side has taken what is in it.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { breakTogether, splice, type Splice } from './splice.ts'

/** As much as the system gives at once. */
const BUFFER_BYTES = 64 * 1024
/** Shorter reads are copied: who says little now and then needs no memory between. */
const LIGHT_BYTES = 16 * 1024
/** Buffers kept for the next to need one. */
const POOL_MAX = 64

const pool: Buffer[] = []
const takeBuffer = (): Buffer => pool.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
const giveBuffer = (buffer: Buffer): void => {
  if (pool.length < POOL_MAX) pool.push(buffer)
}

/** What all directions read into that have no buffer of their own; it is emptied before anything else is read. */
const shared = Buffer.allocUnsafeSlow(BUFFER_BYTES)

/** Node's own places for what `onread` is given. @see node:net, `new net.Socket([options])` */
interface ReadPlaces {
  readonly buffer: symbol
  readonly callback: symbol
  readonly generator: symbol
}

type Internals = Socket & Record<symbol, unknown> & { _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null }

/** Undefined where this Node keeps them elsewhere. */
const placesOf = (socket: Duplex): ReadPlaces | undefined => {
  if (!(socket instanceof Socket) || typeof (socket as Internals)._handle?.useUserBuffer !== 'function')
    return undefined
  const named = (name: string) => Object.getOwnPropertySymbols(socket).find(({ description }) => description === name)
  const [buffer, callback, generator] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map(named)
  const isKnown = buffer !== undefined && callback !== undefined && generator !== undefined
  return isKnown ? { buffer, callback, generator } : undefined
}

/** One direction, from a socket whose memory we choose. */
const carry = (from: Socket, to: Duplex, places: ReadPlaces, onBytes: (length: number) => void): void => {
  const source = from as Internals
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
  source[places.buffer] = shared
  source[places.callback] = (length: number, bytes: Buffer): boolean => {
    onBytes(length)
    if (to.destroyed || to.writableEnded) return false
    const piece = bytes.subarray(0, length)
    const isOwn = bytes === own
    to.write(isOwn ? piece : Buffer.from(piece), goOn)
    const isTaken = to.writableLength === 0
    if (isTaken && length < LIGHT_BYTES) release()
    else if (!isOwn && length === BUFFER_BYTES) own = takeBuffer()
    if (!isTaken) from.pause()
    return isTaken
  }
  source[places.generator] = () => own ?? shared
  from.once('end', () => {
    if (!to.destroyed) to.end()
  })
  from.once('close', () => {
    // What the system still has of ours it may be reading; the collector knows.
    if (to.writableLength === 0) release()
  })
  // Read before all this: it comes first.
  const early = from.read() as Buffer | null
  source._handle?.useUserBuffer?.(shared)
  if (early !== null) {
    onBytes(early.length)
    to.write(early, goOn)
  }
  if (to.writableLength === 0) from.resume()
}

export const spliceSockets: Splice = (a, b, onBytes = () => {}) => {
  const [placesA, placesB] = [placesOf(a), placesOf(b)]
  if (!placesA || !placesB || a.readableEnded || b.readableEnded) return splice(a, b, onBytes)
  const done = breakTogether(a, b)
  carry(a as Socket, b, placesA, (length) => onBytes('a', length))
  carry(b as Socket, a, placesB, (length) => onBytes('b', length))
  return done
}
