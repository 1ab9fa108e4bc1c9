/** How far a transfer is, for who shows it. */
export interface Progress {
  /** `checking` compares what arrived at an earlier attempt. */
  readonly phase: 'checking' | 'moving'
  /** Bytes of the row that are done, and of all of it; heads count, so they are some more than the files have. */
  readonly length: number
  readonly total: number
}
