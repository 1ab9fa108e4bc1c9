/** Those who use the simulated relay: two who send and receive, with the real client, and one who should not be there. */
import { createNativeAead } from '../../effects/aead-node.ts'
import { takeBytes } from '../../effects/take-bytes.ts'
import { encodeHello, GREETING_BYTES, HELLO_ANSWER } from '../../protocol/relay/hello.ts'
import { joinRelay, type JoinOptions, type RelayLink } from '../../relay/client/index.ts'
import type { HostEffects } from '../host.ts'
import { isFailure } from './outcome.ts'
import { DATA_PORT } from './process.ts'

const RELAY_URL = 'http://relay'

/** How the meeting went for one of its ends: `whole`, or the code of the error it was told. */
export type Outcome = string

/** Connections are made anew so often. */
const ATTEMPTS = 5
const AGAIN_MS = 3_000
const RECORD_BYTES = 700
const PAUSE_MS = 400

const withLink = async (
  effects: HostEffects,
  options: Omit<JoinOptions, 'relay' | 'streams'>,
  act: (stream: RelayLink['streams'][number]) => Promise<void>,
  onLink: () => void,
): Promise<Outcome> => {
  let link: RelayLink | undefined
  try {
    link = await joinRelay({ ...effects, aead: createNativeAead }, { relay: RELAY_URL, streams: 1, ...options })
    onLink()
    let { streams } = link
    for (let attempt = 1; ; attempt++) {
      try {
        if (attempt > 1) {
          // The relay may be about to start anew.
          await effects.clock.sleep(AGAIN_MS)
          streams = await link.reconnect()
          effects.log.info('party.again')
        }
        const [stream] = streams
        if (stream) await act(stream)
        return 'whole'
      } catch (error) {
        if (!isFailure(error) || !error.retryable || attempt >= ATTEMPTS) throw error
      }
    }
  } catch (error) {
    if (isFailure(error)) return error.code
    throw error
  } finally {
    await link?.close()
  }
}

interface Listening {
  /** Called once the two have met. */
  readonly onLink: () => void
  /** Ends the waiting for the other end. */
  readonly signal: AbortSignal
}

/** Sends everything, waits until the other end says that it has it, and ends. */
export const send = (
  effects: HostEffects,
  content: Buffer,
  { onCode, onLink, signal }: Listening & { readonly onCode: (code: string) => void },
): Promise<Outcome> =>
  withLink(
    effects,
    { role: 'sender', onCode, signal },
    async (stream) => {
      const pieces = Array.from({ length: Math.ceil(content.length / RECORD_BYTES) }, (_, at) =>
        content.subarray(at * RECORD_BYTES, (at + 1) * RECORD_BYTES),
      )
      await stream.send(Uint8Array.of(pieces.length))
      for (const piece of pieces) {
        await stream.send(piece)
        // So long that something can happen meanwhile.
        await effects.clock.sleep(PAUSE_MS)
      }
      await stream.receive()
      await stream.end()
    },
    onLink,
  )

/** Calls `onContent` with what came, whole, once. */
export const receive = (
  effects: HostEffects,
  code: string,
  { onContent, onLink, signal }: Listening & { readonly onContent: (content: Buffer) => void },
): Promise<Outcome> => {
  let known: Buffer | undefined
  return withLink(
    effects,
    { role: 'recipient', code, signal },
    async (stream) => {
      const pieces: Uint8Array[] = []
      const [count = 0] = (await stream.receive()) ?? []
      while (pieces.length < count) pieces.push((await stream.receive())?.slice() ?? new Uint8Array())
      const content = Buffer.concat(pieces)
      // It may come again when what we say does not arrive.
      if (known === undefined) onContent(content)
      else if (!known.equals(content)) throw new Error('what comes again is something else')
      known = content
      await stream.send(Uint8Array.of(1))
      await stream.receive()
    },
    onLink,
  )
}

/** What somebody does to a channel who knows its number, and a way of guessing words. */
export type Intrusion = 'join' | 'write' | 'close' | 'hello'

/** @returns whether the relay took it for a party */
export const intrude = async (effects: HostEffects, channel: string, how: Intrusion): Promise<boolean> => {
  const { network, random } = effects
  if (how === 'join') {
    let isIn = false
    await withLink(
      effects,
      { role: 'recipient', code: `${channel}-abacus-abdomen` },
      async () => {},
      () => {
        isIn = true
      },
    )
    return isIn
  }
  const uuid = drawnUuid(random.bytes(16))
  try {
    if (how === 'hello') return await helloAs(effects, channel, uuid)
    const written = how === 'close' ? { close: true } : { y: 'AAAA', hh_k: 'A'.repeat(128) }
    const body = JSON.stringify({ channel, uuid, ...written })
    const request = new Request(`${RELAY_URL}/channel`, { method: 'POST', body })
    return (await network.fetch(request, { timeoutMs: 30_000, bodyBytesMax: 65_536 })).status === 200
  } catch (error) {
    if (isFailure(error)) return false
    throw error
  }
}

const helloAs = async ({ network, clock }: HostEffects, channel: string, uuid: string): Promise<boolean> => {
  const connection = await network.connect({ host: 'relay', port: DATA_PORT }, 30_000)
  const patience = new AbortController()
  clock.sleep(60_000, patience.signal).then(
    () => connection.destroy(),
    () => {},
  )
  try {
    const greeting = await takeBytes(connection, GREETING_BYTES)
    connection.write(encodeHello({ role: 'recipient', stream: 0, generation: 9, channel }, uuid, greeting))
    const [answer] = await takeBytes(connection, 1)
    return answer === HELLO_ANSWER.waiting || answer === HELLO_ANSWER.stapled
  } finally {
    patience.abort()
    connection.destroy()
  }
}

/** @see RFC 9562 §5.4 */
const drawnUuid = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5')
