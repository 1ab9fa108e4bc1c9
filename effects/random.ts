/** The door to unpredictable bytes. */

export interface Random {
  /** Fresh, uniformly distributed bytes; at most 65,536 a call. */
  bytes(length: number): Uint8Array
}

/** The platform's cryptographic generator. */
export const createRandom = (): Random => ({
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
})

/** Between half of a pause and all of it, milliseconds: so that those who failed together do not come again together. */
export const jittered = (random: Random, ms: number): number => {
  const [byte = 0] = random.bytes(1)
  return Math.round(ms * (0.5 + byte / 510))
}
