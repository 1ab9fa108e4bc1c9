/**
 * Both ends of a channel: joins it, proves to the other end that the words are the same, and opens the streams between
 * them. The relay is not trusted with anything but carrying bytes.
 */
import type { CreateByteReader } from '../../effects/byte-reader.ts'
import type { Clock } from '../../effects/clock.ts'
import type { Network } from '../../effects/network.ts'
import type { Random } from '../../effects/random.ts'
import { base64url } from '../../protocol/bytes.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { CHANNEL_STREAMS_MAX, RELAY_WAIT_MS_MAX } from '../../protocol/limits.ts'
import type { CreateAead } from '../../protocol/relay/aead.ts'
import {
  type Agreed,
  type Agreement,
  agreementEntropyBytes,
  beginAgreement,
  isProof,
  type Role,
  sharedSecret,
} from '../../protocol/relay/agreement.ts'
import { CODE_ENTROPY_BYTES, drawWords, formatCode, parseCode, type TransferCode } from '../../protocol/relay/code.ts'
import { GENERATION_MAX } from '../../protocol/relay/hello.ts'
import type { ChannelRequest, ChannelView, JoinAnswer } from '../../protocol/relay/messages.ts'
import type { SuiteName } from '../../protocol/relay/suites.ts'
import { connectStream } from './connect.ts'
import { RelayClientError } from './errors.ts'
import { createRelayDoor, type RelayDoor } from './relay-door.ts'
import type { SecureStream } from './secure-stream.ts'

export interface RelayClientEffects {
  readonly clock: Clock
  readonly random: Random
  readonly network: Pick<Network, 'fetch' | 'connect'>
  /** `createNativeAead` where there is one: records are many. */
  readonly aead: CreateAead
  /** `createSocketReader` where connections are sockets: much faster. */
  readonly reader?: CreateByteReader
}

export interface JoinOptions {
  /** URL of the relay. */
  readonly relay: string
  readonly role: Role
  /** The recipient's; a sender without one is given one. */
  readonly code?: string
  /** Most connections wanted, 1 to 8: both ends use the smaller number of the two. */
  readonly streams: number
  /** The sender's choice. */
  readonly suite?: SuiteName
  /**
   * Pays for what passes, at a relay that charges: asked before each time the streams are opened.
   * @param url for `POST`, which takes payments as `docs/vouchers.md` says
   */
  readonly pay?: (url: string, signal: AbortSignal) => Promise<void>
  /** Told of a sender's code as soon as somebody can join with it. */
  readonly onCode?: (code: string) => void
  /** Ends the waiting for the other end, which has no bound of its own. */
  readonly signal?: AbortSignal
}

export interface RelayLink {
  /** Its name at the relay. */
  readonly channel: string
  /** In the same order at both ends, all of them stapled. */
  readonly streams: readonly SecureStream[]
  /** 32 bytes that both ends share and nobody else knows. */
  readonly secret: Uint8Array
  /**
   * Opens all streams anew, after one of them broke; the old ones are closed. Both ends have to do it.
   * @throws ERR_PEER_ABSENT | ERR_RELAY_UNREACHABLE | ERR_STREAM_BROKEN, when the same may succeed later; ERR_CHANNEL_OVER
   */
  reconnect(signal?: AbortSignal): Promise<readonly SecureStream[]>
  /** Closes the streams, and the channel at the relay; the keys are wiped. */
  close(): Promise<void>
}

/** How long one end waits at its connections for the other, milliseconds. */
const PEER_MS = 60_000
/** Between two questions without news, milliseconds; doubled with each failure in a row, which makes about two minutes. */
const PAUSE_MS = 500
const FAILURES_MAX = 7

/**
 * Waits for the other end, for as long as it takes, and gives the streams to it.
 * @throws RelayClientError; the signal's reason
 */
export const joinRelay = async (effects: RelayClientEffects, options: JoinOptions): Promise<RelayLink> => {
  const door = createRelayDoor(effects.network, options.relay)
  const most = Math.max(1, Math.min(CHANNEL_STREAMS_MAX, options.streams))
  const party = await (options.role === 'sender' ? joinAsSender : joinAsRecipient)(effects, door, options)
  try {
    const agreed = await party.agree(most)
    const link = createLink(effects, options, door, party.joined, agreed)
    const streams = await link.reconnect(options.signal)
    return { ...link, streams }
  } catch (error) {
    const wrong = error instanceof RelayClientError && error.code === 'ERR_WRONG_CODE'
    await leave(door, party.joined, wrong)
    throw error
  }
}

interface Party {
  readonly joined: JoinAnswer
  agree(most: number): Promise<AgreedLink>
}

interface AgreedLink extends Agreed {
  /** How many. */
  readonly streams: number
}

/** SEED 003, the sender's side: steps 1 to 4, and 8 to 10. */
const joinAsSender = async (effects: RelayClientEffects, door: RelayDoor, options: JoinOptions): Promise<Party> => {
  const { signal, suite, onCode } = options
  const given = options.code === undefined ? undefined : readCode(options.code)
  const wanted = { ...(given && { channel: given.channel }), ...(suite && { curve: suite }) }
  const joined = await door.join({ role: 'sender', ...wanted }, signal)
  const words = given?.words ?? drawWords(effects.random.bytes(CODE_ENTROPY_BYTES))
  if (joined.curve !== (suite ?? 'p256') || (given && joined.channel !== given.channel)) {
    await leave(door, joined, false)
    throw weakened()
  }
  const agreement = begin(effects, joined, 'sender', words)
  return {
    joined,
    async agree(most) {
      await door.post({ ...partyOf(joined), x: base64url.encode(agreement.share), streams: most }, signal)
      onCode?.(formatCode({ channel: joined.channel, words }))
      const answered = await until(
        effects.clock,
        door,
        joined,
        signal,
        ({ y, hh_k }) => y !== undefined && hh_k !== undefined,
      )
      const { y = '', hh_k = '', streams = 1 } = answered
      if (streams > most) throw weakened()
      const agreed = agreeOn(agreement, y, streams)
      if (!isProof(agreed.hhK, base64url.decode(hh_k))) throw wrongCode()
      await door.post({ ...partyOf(joined), h_k: base64url.encode(agreed.hK) }, signal)
      return { ...agreed, streams }
    },
  }
}

/** SEED 003, the recipient's side: steps 5 to 7, and 10. */
const joinAsRecipient = async (effects: RelayClientEffects, door: RelayDoor, options: JoinOptions): Promise<Party> => {
  const { signal } = options
  const { channel, words } = readCode(options.code ?? '')
  const joined = await door.join({ role: 'recipient', channel }, signal)
  if (joined.channel !== channel) {
    await leave(door, { ...joined, channel }, false)
    throw weakened()
  }
  return {
    joined,
    async agree(most) {
      const {
        x = '',
        curve,
        streams: offered = 1,
      } = await until(effects.clock, door, joined, signal, ({ x: share }) => share !== undefined)
      const agreement = begin(effects, { ...joined, curve }, 'recipient', words)
      const streams = Math.min(most, offered)
      const agreed = agreeOn(agreement, x, streams)
      const answer = { y: base64url.encode(agreement.share), hh_k: base64url.encode(agreed.hhK), streams }
      await door.post({ ...partyOf(joined), ...answer }, signal)
      const { h_k = '' } = await until(effects.clock, door, joined, signal, ({ h_k: proof }) => proof !== undefined)
      if (!isProof(agreed.hK, base64url.decode(h_k))) throw wrongCode()
      return { ...agreed, streams }
    },
  }
}

const begin = (
  { random }: RelayClientEffects,
  { channel, curve: suite }: Pick<JoinAnswer, 'channel' | 'curve'>,
  role: Role,
  words: readonly string[],
): Agreement => beginAgreement({ suite, channel, role, words }, random.bytes(agreementEntropyBytes(suite)))

/** A share that is none is taken for a wrong code: whoever sent it learns nothing from how it fails. */
const agreeOn = (agreement: Agreement, peerShare: string, streams: number): Agreed => {
  try {
    return agreement.agree(base64url.decode(peerShare), streams)
  } catch (error) {
    if (error instanceof ProtocolError) throw wrongCode()
    throw error
  }
}

const readCode = (text: string): TransferCode => {
  try {
    return parseCode(text)
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause
    throw new RelayClientError('ERR_CODE_INVALID', cause.message, { cause })
  }
}

const partyOf = ({ channel, uuid }: JoinAnswer) => ({ channel, uuid })

/** Asks until the channel is as it is waited for; a relay that is away for a while, to be started anew, is waited for too. */
const until = async (
  clock: Clock,
  door: RelayDoor,
  joined: JoinAnswer,
  signal: AbortSignal | undefined,
  isThere: (view: ChannelView) => boolean,
): Promise<ChannelView> => {
  let view: ChannelView = joined
  let failures = 0
  while (!isThere(view)) {
    if (view.ended === 'burned') throw wrongCode()
    if (view.ended === 'closed') throw new RelayClientError('ERR_CHANNEL_OVER', 'the other end has closed the channel')
    const request: ChannelRequest = { ...partyOf(joined), since: view.version, waitMs: RELAY_WAIT_MS_MAX }
    try {
      const news = await door.post(request, signal)
      // It waits for us; one that does not is asked no more often than this.
      if (news.version === view.version) await clock.sleep(PAUSE_MS, signal)
      view = news
      failures = 0
    } catch (error) {
      if (!(error instanceof RelayClientError && error.retryable) || ++failures > FAILURES_MAX) throw error
      await clock.sleep(PAUSE_MS * 2 ** failures, signal)
    }
  }
  return view
}

const leave = async (door: RelayDoor, joined: JoinAnswer, isWrong: boolean): Promise<void> => {
  const request: ChannelRequest = { ...partyOf(joined), close: true, ...(isWrong ? { wrong: true } : {}) }
  // Nobody is helped by hearing that the relay is gone too.
  await door.post(request).catch(() => {})
}

/** SEED 003, steps 11 to 18. */
const createLink = (
  effects: RelayClientEffects,
  { relay, role, pay }: JoinOptions,
  door: RelayDoor,
  joined: JoinAnswer,
  { session, streams: count }: AgreedLink,
): RelayLink => {
  const { channel, uuid, ports } = joined
  const host = new URL(relay).hostname.replace(/^\[|\]$/g, '')
  let generation = 0
  let open: readonly SecureStream[] = []
  const closeAll = () => {
    for (const stream of open) stream.close()
    open = []
  }

  const connectAll = async (failing: AbortController, signal: AbortSignal): Promise<readonly SecureStream[]> => {
    const connecting = Array.from({ length: count }, (_, stream) => {
      const port = ports[stream % ports.length] ?? 0
      const hello = { role, stream, generation, channel }
      // With one that fails all do: those that stand would wait for nothing.
      return connectStream(effects, { address: { host, port }, hello, uuid, session, signal }).catch(
        (error: unknown) => {
          failing.abort(error)
          throw error
        },
      )
    })
    const settled = await Promise.allSettled(connecting)
    open = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const failed = settled.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
    return open
  }

  return {
    channel,
    streams: open,
    secret: sharedSecret(session),

    async reconnect(signal) {
      closeAll()
      const patience = new AbortController()
      const failing = new AbortController()
      const absent = new RelayClientError('ERR_PEER_ABSENT', 'the other end did not come to its connections')
      effects.clock.sleep(PEER_MS, patience.signal).then(
        () => failing.abort(absent),
        () => {},
      )
      try {
        const enough = AbortSignal.any([failing.signal, ...(signal ? [signal] : [])])
        await pay?.(door.payUrl(channel), enough)
        return await connectAll(failing, enough)
      } catch (error) {
        closeAll()
        throw error
      } finally {
        patience.abort()
        generation = Math.min(generation + 1, GENERATION_MAX)
      }
    },

    async close() {
      closeAll()
      session.fill(0)
      await leave(door, joined, false)
    },
  }
}

const wrongCode = () =>
  new RelayClientError('ERR_WRONG_CODE', 'the two ends had not the same code, or somebody came between: use a new code')
const weakened = () => new RelayClientError('ERR_RELAY_ANSWER', 'the relay does not give what it was asked for')
