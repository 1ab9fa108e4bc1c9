/** One stream between sender and recipient, as a transfer uses it: encrypted, authenticated, in order, or broken. */

export interface SecureStream {
  /** @param record at most 64 KiB; one at a time. @throws when the stream broke */
  send(record: Uint8Array): Promise<void>
  /** The next record; undefined at the end that the other side has made. @throws when the stream broke */
  receive(): Promise<Uint8Array | undefined>
  /** Nothing follows. */
  end(): Promise<void>
  close(): void
}
