/** Two connections as one. */
import type { Duplex } from 'node:stream'

/**
 * Carries bytes both ways, each no faster than they are taken, until both connections are closed. The end of one
 * direction is passed on and leaves the other open; when one connection breaks, both do.
 * @param onBytes told of each chunk's length, as it comes from that side
 * @returns whether all bytes of both sides have arrived
 */
export type Splice = (a: Duplex, b: Duplex, onBytes?: (from: 'a' | 'b', length: number) => void) => Promise<boolean>

/** For streams of every kind. */
export const splice: Splice = (a, b, onBytes = () => {}) => {
  // Two stream pipelines would do the same with twice the listeners, and Node warns of so many.
  const follow = (from: 'a' | 'b', side: Duplex, other: Duplex) => {
    side.on('data', (chunk: Uint8Array) => onBytes(from, chunk.length))
    side.pipe(other)
  }
  const done = breakTogether(a, b)
  follow('a', a, b)
  follow('b', b, a)
  return done
}

/** Destroys each connection when the other is closed before its time. @returns whether neither was */
export const breakTogether = (a: Duplex, b: Duplex): Promise<boolean> =>
  new Promise((resolve) => {
    let isWhole = true
    let open = 2
    const follow = (side: Duplex, other: Duplex) => {
      side.on('error', () => {})
      side.once('close', () => {
        if (!side.readableEnded || !side.writableFinished) {
          isWhole = false
          other.destroy()
        }
        if (--open === 0) resolve(isWhole)
      })
    }
    follow(a, b)
    follow(b, a)
    if (a.closed || b.closed) {
      a.destroy()
      b.destroy()
      resolve(false)
    }
  })
