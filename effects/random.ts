/** The door to unpredictable bytes. */

export interface Random {
  /** Fresh, uniformly distributed bytes; at most 65,536 a call. */
  bytes(length: number): Uint8Array
}

/** The platform's cryptographic generator. */
export const createRandom = (): Random => ({
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
})
