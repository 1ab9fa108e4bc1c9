/**
 * Whether to compress the next block. It pays when what it saves on the way costs more time than the compressor; both
 * are measured as the transfer goes, because content and networks change.
 */

/** What has been measured weighs half as much after so many bytes, so that a change of content shows soon. */
const HALF_LIFE_BYTES = 4 * 1024 * 1024
/** A block that shrinks by no more than this part is sent as it is: unpacking is work, too. */
const WORTH = 1 / 32
/** Blocks that are not tried after one that did not pay; doubles from the first to the second. */
const PAUSE_MIN = 4
const PAUSE_MAX = 64

export interface Packing {
  /** Whether to try it with the next block. */
  tries(): boolean
  /**
   * Tells what trying gave.
   * @param tookMs of work
   * @returns whether to send it packed
   */
  tried(rawBytes: number, packedBytes: number, tookMs: number): boolean
  /** Tells how long the network took for a record. */
  sent(bytes: number, tookMs: number): void
}

export const createPacking = (): Packing => {
  const work = createRate(0)
  const way = createRate(Infinity)
  let pause = 0
  let skips = 0
  return {
    tries() {
      if (skips === 0) return true
      skips -= 1
      return false
    },
    tried(rawBytes, packedBytes, tookMs) {
      work.add(rawBytes, tookMs)
      const savedBytes = rawBytes - packedBytes
      const isSmaller = savedBytes > rawBytes * WORTH
      const pays = isSmaller && savedBytes * way.msPerByte() >= rawBytes * work.msPerByte()
      pause = pays ? 0 : Math.min(Math.max(pause * 2, PAUSE_MIN), PAUSE_MAX)
      skips = pause
      return isSmaller
    },
    sent: (bytes, tookMs) => way.add(bytes, tookMs),
  }
}

/** Time for a byte, the latest counting most. */
const createRate = (unknown: number) => {
  let bytes = 0
  let ms = 0
  return {
    add(moreBytes: number, moreMs: number) {
      const kept = 0.5 ** (moreBytes / HALF_LIFE_BYTES)
      bytes = bytes * kept + moreBytes
      ms = ms * kept + moreMs
    },
    msPerByte: () => (bytes === 0 ? unknown : ms / bytes),
  }
}
