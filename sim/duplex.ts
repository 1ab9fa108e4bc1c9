/** A TCP connection without a network card: two streams joined by a wire for each direction. */
import { Duplex } from 'node:stream'

/** One direction of a connection. */
export interface Wire {
  /** The pieces, at least one, in which a chunk travels; together they are the chunk. */
  split(chunk: Uint8Array): readonly Uint8Array[]
  /** Calls `deliver` when what was sent arrives: in the order of sending, or never. */
  carry(deliver: () => void): void
}

const noop = () => {}

const connectionReset = (): Error => Object.assign(new Error('connection reset by peer'), { code: 'ECONNRESET' })

/** One end. Half-open both ways; a break destroys it and never throws for want of an `error` listener. */
export class SimConnection extends Duplex {
  readonly #wire: Wire
  #peer: SimConnection | undefined
  /** Lets the peer write on, once more has been read here. */
  #resume: (() => void) | undefined
  #dead = false

  private constructor(wire: Wire) {
    super({ allowHalfOpen: true })
    this.#wire = wire
    this.on('error', noop)
  }

  /**
   * @param there carries what the first end writes
   * @param back carries what the second end writes
   */
  static pair(there: Wire, back: Wire): readonly [SimConnection, SimConnection] {
    const first = new SimConnection(there)
    const second = new SimConnection(back)
    first.#peer = second
    second.#peer = first
    return [first, second]
  }

  /** The connection broke. */
  reset(): void {
    if (!this.#dead) this.destroy(connectionReset())
  }

  /** The program at this end is gone: it hears nothing more, and the peer's end breaks. */
  abandon(): void {
    if (this.#dead) return
    this.#dead = true
    this.#tell((peer) => peer.reset())
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#send(chunk, done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done)
  }

  override _read(): void {
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }

  override _final(done: () => void): void {
    if (this.#dead) return
    this.#tell((peer) => peer.#receiveEnd())
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const unread = this.#resume !== undefined || this.readableLength > 0
    if (!this.#dead) {
      if (error !== null || unread) this.#tell((peer) => peer.reset())
      else if (!this.writableFinished) this.#tell((peer) => peer.#receiveEnd())
    }
    done(error)
  }

  #tell(act: (peer: SimConnection) => void): void {
    this.#wire.carry(() => {
      if (this.#peer !== undefined) act(this.#peer)
    })
  }

  #send(chunk: Buffer, done: () => void): void {
    if (this.#dead) return
    if (chunk.length === 0) return done()
    const pieces = this.#wire.split(Uint8Array.from(chunk))
    pieces.forEach((piece, at) => {
      const accepted = at === pieces.length - 1 ? done : noop
      this.#tell((peer) => peer.#receive(piece, accepted))
    })
  }

  #receive(piece: Uint8Array, accepted: () => void): void {
    if (this.#dead) return
    if (this.destroyed) this.#tell((peer) => peer.reset())
    else if (this.push(piece)) accepted()
    else this.#resume = accepted
  }

  #receiveEnd(): void {
    if (!this.#dead && !this.destroyed) this.push(null)
  }
}
