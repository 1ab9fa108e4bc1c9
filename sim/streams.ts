/** Streams between a sender and a recipient without anything in between: records in memory, and a break where it is wanted. */
import { NetworkError } from '../effects/network.ts'

/** One end of a stream of records. */
export interface SimStream {
  send(record: Uint8Array): Promise<void>
  receive(): Promise<Uint8Array | undefined>
  end(): Promise<void>
  close(): void
}

export interface SimStreamsOptions {
  /** Records that pass, in both directions and over all streams together, before everything breaks. */
  readonly recordsMax?: number
  /** Looks at each record on its way. @returns what arrives instead; undefined when it is lost with all that follows */
  readonly onRecord?: (record: Uint8Array, from: 'first' | 'second') => Uint8Array | undefined
}

/** Records under way in one direction of a stream, before the writer waits. */
const CAPACITY = 4

const broken = () => new NetworkError('ERR_NETWORK_UNREACHABLE', 'the simulated stream broke')

interface Pipe {
  readonly records: (Uint8Array | 'end')[]
  wake: () => void
}

/** @returns the ends of the first and of the second party, in the same order */
export const createSimStreams = (
  count: number,
  { recordsMax = Infinity, onRecord = (record) => record }: SimStreamsOptions = {},
): readonly [SimStream[], SimStream[]] => {
  let passed = 0
  let isBroken = false
  const pipes: Pipe[] = []
  const breakAll = () => {
    isBroken = true
    for (const pipe of pipes) pipe.wake()
  }
  const createPipe = (): Pipe => {
    const pipe: Pipe = { records: [], wake: () => {} }
    pipes.push(pipe)
    return pipe
  }
  /** Waiters of both ends look again whenever something changes. */
  const until = async (pipe: Pipe, isSo: () => boolean): Promise<void> => {
    const mayGoOn = () => isBroken || isSo()
    while (!mayGoOn()) {
      const before = pipe.wake
      await new Promise<void>((resolve) => {
        pipe.wake = () => {
          before()
          resolve()
        }
      })
    }
    if (isBroken) throw broken()
  }
  const changed = (pipe: Pipe) => {
    const { wake } = pipe
    pipe.wake = () => {}
    wake()
  }

  const end = (out: Pipe, into: Pipe, name: 'first' | 'second'): SimStream => {
    let ended = false
    return {
      async send(record) {
        await until(out, () => out.records.length < CAPACITY)
        const arriving = passed < recordsMax ? onRecord(record.slice(), name) : undefined
        passed += 1
        if (arriving === undefined) {
          breakAll()
          throw broken()
        }
        out.records.push(arriving)
        changed(out)
      },
      async receive() {
        if (ended) return undefined
        await until(into, () => into.records.length > 0)
        const record = into.records.shift()
        changed(into)
        ended = record === 'end'
        return record === 'end' ? undefined : record
      },
      async end() {
        if (isBroken) throw broken()
        out.records.push('end')
        changed(out)
      },
      close: breakAll,
    }
  }
  const first: SimStream[] = []
  const second: SimStream[] = []
  for (let at = 0; at < count; at++) {
    const [there, back] = [createPipe(), createPipe()]
    first.push(end(there, back, 'first'))
    second.push(end(back, there, 'second'))
  }
  return [first, second]
}
