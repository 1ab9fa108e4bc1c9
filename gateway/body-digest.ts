/** Holds a body against the digest that was announced for it, without keeping it: its last piece waits for the verdict. */
import { GatewayError } from './errors.ts'

/** A SHA-256 of what comes in pieces. */
export interface Sha256 {
  update(bytes: Uint8Array): void
  /** Ends it. @returns base64url */
  digest(): string
}

/** What may be handed on of a body whose bytes have come so far. */
export interface DigestCheck {
  /** @returns the piece before this one */
  push(piece: Uint8Array): Uint8Array | undefined
  /**
   * The body has come to its end.
   * @returns its last piece
   * @throws ERR_BODY_DIGEST: it must not come to an end for who reads it
   */
  end(): Uint8Array | undefined
}

/** @param expected base64url */
export const createDigestCheck = (sha256: Sha256, expected: string): DigestCheck => {
  let held: Uint8Array | undefined
  return {
    push(piece) {
      sha256.update(piece)
      const before = held
      held = piece
      return before
    },
    end() {
      if (sha256.digest() === expected) return held
      throw new GatewayError('ERR_BODY_DIGEST', 'the body is another than Content-Digest says')
    },
  }
}

/** The same for a stream: it breaks where the digest does not hold. */
export const checkedStream = (body: ReadableStream<Uint8Array>, check: DigestCheck): ReadableStream<Uint8Array> =>
  body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        const before = check.push(piece)
        if (before) controller.enqueue(before)
      },
      flush(controller) {
        const last = check.end()
        if (last) controller.enqueue(last)
      },
    }),
  )
