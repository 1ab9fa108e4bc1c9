/**
 * From an introduction to a connection: all ways at once, from both sides, and the relay after a head start or when
 * somebody hides. On each way the two prove themselves to each other; the source takes the first on which they do.
 */
import type { Duplex } from 'node:stream'
import type { Address, AllowIp, Network } from '../../effects/network.ts'
import { takeBytes } from '../../effects/take-bytes.ts'
import { formatIp, isPublicIp, parseIp } from '../../protocol/ip-address.ts'
import {
  answerAsTarget,
  beginAsSource,
  knockOf,
  otherSide,
  type PeerKeys,
  SHARE_BYTES,
  type Side,
} from '../../protocol/peer-handshake.ts'
import type { Doorman } from './doorman.ts'
import type { ClientEffects, PeerStream } from './effects.ts'
import { RendezvousClientError } from './errors.ts'
import type { Identity } from './identity.ts'
import type { Introduction } from './introductions.ts'
import { relayDuplex } from './relay-duplex.ts'
import { within } from './within.ts'

export interface MeetSettings {
  readonly identity: Identity
  /** Where connections are taken, if they are. */
  readonly doorman: Doorman | undefined
  /** Connect to private addresses too: of the local network, or of this machine. */
  readonly allowPrivate: boolean
  /** Whether all connections go out through a proxy. */
  readonly isProxied: boolean
}

export interface PeerConnection {
  readonly stream: PeerStream
  readonly way: 'direct' | 'relay'
}

type MeetEffects = Pick<
  ClientEffects,
  'clock' | 'random' | 'network' | 'jose' | 'aead' | 'secure' | 'joinRelay' | 'log'
>

/** For one connection to be made, and for the two to prove themselves on it, milliseconds. */
const CONNECT_MS = 10_000
const HANDSHAKE_MS = 20_000
/** How long connections of the peer are waited for, milliseconds. */
const LISTEN_MS = 20_000
/** How long direct ways are tried before the relay is, too, milliseconds. */
const HEAD_START_MS = 3_000
/** For all of it, milliseconds. */
const MEET_MS = 90_000
/** Connections of which one request may become: whoever saw the knock can repeat it, and each costs a signature. */
const ATTEMPTS_MAX = 16
/** Before the relay is asked again for a channel that the other has not opened yet, milliseconds. */
const RELAY_PAUSE_MS = 500

/**
 * @throws ERR_PEER_UNREACHABLE; the signal's reason
 */
export const meet = async (
  effects: MeetEffects,
  introduction: Introduction,
  settings: MeetSettings,
  signal: AbortSignal,
): Promise<PeerConnection> => {
  const { clock, network, secure, aead, log } = effects
  const { meeting, side, isHidden, relay } = introduction
  const met = Promise.withResolvers<PeerConnection>()
  const over = new AbortController()
  const until = AbortSignal.any([signal, over.signal])
  const allow: AllowIp = settings.allowPrivate ? () => true : isPublicIp
  /** Once there is a connection the others are broken off, which is no failure. */
  const note = (way: string, error: unknown): void => {
    if (!until.aborted) log.debug('peer.way-failed', { way, code: String((error as { code?: unknown }).code) })
  }
  const uses: Promise<void>[] = []
  let chosen: Duplex | undefined

  /** Proves and uses a connection; destroys it when it is not the one. */
  const tryOut = async (connection: Duplex, dialer: Side, way: PeerConnection['way']): Promise<void> => {
    const choose = (): boolean => {
      chosen ??= connection
      return chosen === connection
    }
    const destroy = () => void connection.destroy()
    until.addEventListener('abort', destroy)
    try {
      if (until.aborted || uses.length > ATTEMPTS_MAX) return destroy()
      const proving = prove(effects, introduction, settings.identity, dialer, connection, choose)
      const keys = await within(clock, HANDSHAKE_MS, connection, proving)
      if (keys === undefined) return destroy()
      until.removeEventListener('abort', destroy)
      const ciphers = { sending: aead(keys.sending), receiving: aead(keys.receiving) }
      met.resolve({ stream: secure(connection, ciphers), way })
    } catch (error) {
      destroy()
      // The other may believe that it is the one.
      if (chosen === connection) over.abort()
      note(way, error)
    } finally {
      until.removeEventListener('abort', destroy)
    }
  }
  const use = (...how: Parameters<typeof tryOut>): Promise<void> => {
    const trying = tryOut(...how)
    uses.push(trying)
    return trying
  }

  const dial = async (address: Address): Promise<void> => {
    const connection = await network.connect(address, CONNECT_MS, until, allow)
    connection.write(knockOf(meeting.request, side))
    await use(connection, side, 'direct')
  }

  const listen = async ({ expect }: Doorman): Promise<void> => {
    const stop = expect(
      meeting.request,
      otherSide(side),
      (connection) => void use(connection, otherSide(side), 'direct'),
    )
    try {
      await clock.sleep(LISTEN_MS, until)
    } finally {
      stop()
    }
  }

  const goThroughRelay = async (isLast: boolean): Promise<void> => {
    if (relay === undefined) return
    if (!isLast) await clock.sleep(HEAD_START_MS, until)
    const role = side === 'source' ? 'sender' : 'recipient'
    const outward = settings.isProxied ? network : restrict(network, allow)
    for (;;) {
      try {
        const link = await effects.joinRelay(
          { ...effects, network: outward },
          { relay: relay.url, code: relay.code, role, streams: 1, signal: until },
        )
        const [stream] = link.streams
        if (stream)
          await use(
            relayDuplex(stream, () => void link.close()),
            'source',
            'relay',
          )
        return
      } catch (error) {
        // The sender opens the channel, and may come later than the recipient.
        if ((error as { code?: string }).code !== 'ERR_CHANNEL_UNKNOWN') throw error
        await clock.sleep(RELAY_PAUSE_MS, until)
      }
    }
  }

  const candidates = isHidden ? [] : candidatesOf(introduction)
  const doorman = isHidden ? undefined : settings.doorman
  const isRelayAlone = candidates.length === 0 && doorman === undefined
  const ways = [...candidates.map(dial), ...(doorman ? [listen(doorman)] : []), goThroughRelay(isRelayAlone)]
  const quietly = ways.map((way) => way.catch((error: unknown) => note('any', error)))
  const fail = () => met.reject(unreachable())
  void Promise.all(quietly)
    .then(() => Promise.all(uses))
    .then(fail)
  until.addEventListener('abort', fail, { once: true })
  clock.sleep(MEET_MS, until).then(fail, () => {})
  try {
    return await met.promise
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    over.abort()
  }
}

/**
 * Both sides prove that they are the ones of the meeting.
 * @param choose whether this connection may be the one; asked when the peer is proven
 * @returns undefined when another one was chosen
 */
const prove = async (
  { jose, random, aead }: MeetEffects,
  { meeting, side }: Introduction,
  { keys }: Identity,
  dialer: Side,
  connection: Duplex,
  choose: () => boolean,
): Promise<PeerKeys | undefined> => {
  const secret = random.bytes(SHARE_BYTES)
  const tools = { jose, createAead: aead, privateKey: keys.privateKey, secret }
  try {
    if (side === 'source') {
      const { first, secondBytes, check } = beginAsSource(meeting, dialer, tools)
      connection.write(first)
      const proven = await check(await takeBytes(connection, secondBytes))
      if (!choose()) return undefined
      connection.write(await proven.third())
      return proven.keys
    }
    const first = await takeBytes(connection, SHARE_BYTES)
    const { second, thirdBytes, check } = await answerAsTarget(meeting, dialer, tools, first)
    connection.write(second)
    const agreed = await check(await takeBytes(connection, thirdBytes))
    return choose() ? agreed : undefined
  } finally {
    secret.fill(0)
  }
}

/** Where the peer may take connections: each address once. */
const candidatesOf = ({ shared: { port, hosts }, observed }: Introduction): readonly Address[] => {
  if (port === undefined) return []
  const all = [...(observed === undefined ? [] : [observed]), ...hosts].flatMap((host) => parseIp(host) ?? [])
  return [...new Set(all.map(formatIp))].map((host) => ({ host, port }))
}

/** A server names the relay; it must not make us speak to our own machine or network. */
const restrict = (network: Network, allow: AllowIp): Pick<Network, 'fetch' | 'connect'> => ({
  fetch: (request, limits) => network.fetch(request, { ...limits, allow }),
  connect: (address, timeoutMs, signal) => network.connect(address, timeoutMs, signal, allow),
})

const unreachable = () =>
  new RendezvousClientError('ERR_PEER_UNREACHABLE', 'neither a direct way nor a relay leads to the other client')
