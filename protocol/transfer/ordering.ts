/** Puts blocks that come over several streams back into one row, holding no more than the window allows. */
import { ProtocolError } from '../errors.ts'
import { TRANSFER_WINDOW_BYTES } from '../limits.ts'

/** Blocks kept out of order: four times what the window holds of full ones, for each costs memory, however short. */
const AHEAD_MAX = 1024

export interface Ordering {
  /**
   * Takes a block's content.
   * @throws ERR_TRANSFER_SHAPE when it comes twice or from too far ahead
   */
  put(position: number, content: Uint8Array): void
  /** The next content of the row, if it is here. */
  take(): Uint8Array | undefined
}

/** @param from where the row begins */
export const createOrdering = (from: number): Ordering => {
  const ahead = new Map<number, Uint8Array>()
  let next = from
  return {
    put(position, content) {
      const isInWindow = position >= next && position + content.length <= next + TRANSFER_WINDOW_BYTES
      if (!isInWindow || ahead.has(position) || ahead.size === AHEAD_MAX) {
        throw new ProtocolError('ERR_TRANSFER_SHAPE', 'a block that comes twice, or too early')
      }
      ahead.set(position, content)
    },
    take() {
      const content = ahead.get(next)
      if (content === undefined) return undefined
      ahead.delete(next)
      next += content.length
      return content
    },
  }
}
