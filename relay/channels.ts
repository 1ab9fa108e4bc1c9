/**
 * The channels of a relay: who may join, what each party may write, when one is forgotten. What may follow what stands in
 * `protocol/relay/channel.ts`; connections are stapled by `stapler.ts`.
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import { base64url, equalBytes, utf8 } from '../protocol/bytes.ts'
import { opensProof, type Role, ROLES } from '../protocol/relay/agreement.ts'
import { type ChannelInput, channelTable, isOver, isRefusal } from '../protocol/relay/channel.ts'
import type { ChannelRequest, ChannelView, JoinAnswer, JoinRequest } from '../protocol/relay/messages.ts'
import { RelayError, type RelayErrorCode, relayProblems } from './errors.ts'
import type { RelayMetrics } from './metrics.ts'
import { createRateLimit } from '../effects/rate-limit.ts'
import type { RelaySettings } from './settings.ts'
import type { KeptChannel, RelayStore } from './store.ts'

/** How long what is over is remembered, so that the other party learns of it, milliseconds. */
const OVER_MS = 120_000
/** Names are drawn from a hundred times as many as are taken: who tries one at random mostly finds nobody there. */
const NAMES_PER_CHANNEL = 100
const NAMES_MIN = 1_000
const DRAWS_MAX = 64
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

export interface Channel extends KeptChannel {
  /** Where each party was last seen; unknown after a restart. */
  readonly places: Partial<Record<Role, string>>
  /** Where it was made from, until a restart. */
  readonly maker: string | undefined
  /** Where the recipient guessed from, or knew: what counts as a guess until the sender opens the proof. */
  guesser: string | undefined
  /** When something last happened, by the relay's clock. */
  touchedMs: number
  /** Ends the request of a party that waits for news. */
  readonly waiting: Partial<Record<Role, () => void>>
}

export interface Channels {
  join(request: JoinRequest, place: string): Promise<JoinAnswer>
  /** @param signal aborts when nobody waits for the answer any more */
  post(request: ChannelRequest, place: string, signal: AbortSignal): Promise<ChannelView>
  find(name: string): Channel | undefined
  /** One that is not over. @throws ERR_CHANNEL_UNKNOWN | ERR_CHANNEL_OVER */
  live(name: string): Channel
  /** @throws RelayError when the table says no */
  apply(channel: Channel, input: ChannelInput): Promise<void>
  /** Forgets what is idle or over. @returns their names */
  sweep(isLive: (channel: Channel) => boolean): Promise<readonly string[]>
  count(): number
  /** No more channels; those that wait for news are answered. */
  drain(): void
}

interface ChannelEffects {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly store: RelayStore
  readonly metrics: RelayMetrics
}

type Write = Pick<KeptChannel['fields'], 'x' | 'y' | 'hh_k' | 'h_k' | 'streams'>

/** Who may write what. */
const WRITERS = { x: 'sender', y: 'recipient', hh_k: 'recipient', h_k: 'sender' } as const satisfies Record<
  Exclude<keyof Write, 'streams'>,
  Role
>

/**
 * @param ports where TCP connections come in, as far as they are known
 * @param onOver told of a channel when it is over, or forgotten
 */
export const createChannels = async (
  { clock, random, log, store, metrics }: ChannelEffects,
  settings: RelaySettings,
  ports: readonly number[],
  onOver: (channel: Channel) => void,
): Promise<Channels> => {
  const channels = new Map<string, Channel>()
  const made = new Map<string, number>()
  const joins = createRateLimit(clock, settings.joinsPerMinute, MINUTE_MS)
  const wrongCodes = createRateLimit(clock, settings.wrongCodesPerHour, HOUR_MS)
  let isDraining = false

  for (const kept of await store.all()) channels.set(kept.name, awaken(kept, undefined, clock.nowMs()))

  const change = async (channel: Channel): Promise<void> => {
    channel.version++
    channel.touchedMs = clock.nowMs()
    await store.save(keptOf(channel))
    for (const role of ROLES) channel.waiting[role]?.()
  }

  const apply = async (channel: Channel, input: ChannelInput, write: Write = {}): Promise<void> => {
    const outcome = channelTable[channel.state][input]
    if (isRefusal(outcome)) throw refusal(outcome)
    if (outcome === channel.state) return
    channel.state = outcome
    Object.assign(channel.fields, write)
    const changed = change(channel)
    if (isOver(outcome)) {
      metrics.over(outcome === 'burned' ? 'burned' : 'closed')
      onOver(channel)
    }
    if (outcome === 'burned') log.info('relay.burned', { input })
    if (input === 'proof' && channel.guesser !== undefined) {
      wrongCodes.giveBack(channel.guesser)
      channel.guesser = undefined
    }
    await changed
  }

  /**
   * The recipient is the one who guesses, with its answer: the sender's words were drawn. It is charged then, so that no
   * number of answers at once is more than one address has.
   */
  const answer = (channel: Channel, place: string, write: Write): Promise<void> => {
    const outcome = channelTable[channel.state].answer
    if (isRefusal(outcome)) throw refusal(outcome)
    if (!wrongCodes.take(place)) throw tooManyWrong()
    channel.guesser = place
    return apply(channel, 'answer', write)
  }

  const freeName = (): string => {
    let names = NAMES_MIN
    while (names < channels.size * NAMES_PER_CHANNEL) names *= 10
    for (let draw = 0; draw < DRAWS_MAX; draw++) {
      const drawn = Number(BigInt(`0x${bytesToHex(random.bytes(8))}`) % BigInt(names - 1)) + 1
      if (!channels.has(String(drawn))) return String(drawn)
    }
    throw new RelayError('ERR_BUSY', 'no name was found that is free: try again')
  }

  const makeChannel = async ({ channel: wanted, curve = 'p256' }: JoinRequest, place: string): Promise<Channel> => {
    if (!settings.curves.includes(curve))
      throw new RelayError('ERR_CURVE', `this relay offers ${settings.curves.join(', ')}`)
    const taken = wanted === undefined ? undefined : channels.get(wanted)
    if (taken) await apply(taken, 'sender-joins')
    if (channels.size >= settings.channelsMax)
      throw new RelayError('ERR_BUSY', 'the relay has no room for more channels')
    const mine = made.get(place) ?? 0
    if (mine >= settings.channelsPerPlaceMax)
      throw new RelayError('ERR_TOO_MANY', 'too many channels are open for this address: close one')
    made.set(place, mine + 1)
    const name = wanted ?? freeName()
    const secrets = { sender: drawUuid(random) }
    const kept: KeptChannel = { name, suite: curve, state: 'waiting', version: 0, secrets, fields: {}, bytes: 0 }
    const channel = awaken(kept, place, clock.nowMs())
    channel.places.sender = place
    channels.set(name, channel)
    await change(channel)
    return channel
  }

  const joinAsRecipient = async (name: string | undefined, place: string): Promise<Channel> => {
    if (!wrongCodes.hasLeft(place)) throw tooManyWrong()
    const channel = channels.get(name ?? '')
    if (!channel) throw unknownChannel()
    const outcome = channelTable[channel.state]['recipient-joins']
    if (isRefusal(outcome)) throw refusal(outcome)
    channel.secrets.recipient = drawUuid(random)
    channel.places.recipient = place
    await apply(channel, 'recipient-joins')
    return channel
  }

  /** Whose secret it is; strangers learn no more than they must. */
  const roleOf = (channel: Channel, uuid: string): Role => {
    const given = utf8(uuid)
    const role = ROLES.find((each) => equalBytes(utf8(channel.secrets[each] ?? ''), given))
    if (role) return role
    if (channel.secrets.recipient !== undefined) throw refusal('ERR_CHANNEL_FULL')
    throw new RelayError('ERR_NOT_A_PARTY', 'join the channel first')
  }

  const checkPlace = (channel: Channel, role: Role, place: string): void => {
    if (!settings.twoAddresses) channel.places[role] = place
    else if (isThird(channel, place)) throw refusal('ERR_CHANNEL_FULL')
    else channel.places[role] ??= place
  }

  const perform = async (channel: Channel, role: Role, request: ChannelRequest, place: string): Promise<void> => {
    const { x, y, hh_k, h_k, streams } = request
    const isWrong = Object.entries(WRITERS).find(
      ([field, writer]) => request[field as keyof typeof WRITERS] !== undefined && writer !== role,
    )
    if (isWrong) throw new RelayError('ERR_ROLE', `${isWrong[0]} is written by the ${isWrong[1]}`)
    if (x !== undefined) return apply(channel, 'share', { x, ...(streams !== undefined && { streams }) })
    if (y !== undefined && hh_k !== undefined) {
      const most = channel.fields.streams ?? 1
      if ((streams ?? 1) > most) throw new RelayError('ERR_REQUEST_SHAPE', 'more streams than the sender takes')
      return answer(channel, place, { y, hh_k, streams: streams ?? 1 })
    }
    if (y !== undefined || hh_k !== undefined)
      throw new RelayError('ERR_REQUEST_SHAPE', 'y and hh_k are written together')
    if (h_k !== undefined) {
      const opened = opensProof(base64url.decode(channel.fields.hh_k ?? ''), base64url.decode(h_k))
      return apply(channel, opened ? 'proof' : 'wrong-proof', opened ? { h_k } : {})
    }
    if (request.close) return apply(channel, request.wrong ? 'wrong-words' : 'close')
  }

  /** Until the channel is another than the party knows, or it has waited long enough. One request of each party waits. */
  const news = async (
    channel: Channel,
    role: Role,
    { since, waitMs = 0 }: ChannelRequest,
    signal: AbortSignal,
  ): Promise<void> => {
    if (channel.version !== since || isOver(channel.state) || isDraining || waitMs === 0) return
    channel.waiting[role]?.()
    const waiting = new AbortController()
    const wake = () => waiting.abort()
    channel.waiting[role] = wake
    await clock.sleep(waitMs, AbortSignal.any([waiting.signal, signal])).catch(() => {})
    if (channel.waiting[role] === wake) delete channel.waiting[role]
  }

  const checkJoins = (place: string): void => {
    if (isDraining) throw new RelayError('ERR_DRAINING', 'the relay takes no more channels: try another')
    if (!joins.take(place))
      throw new RelayError('ERR_TOO_MANY', 'too many channels were joined from this address: wait')
  }

  const remove = (channel: Channel): void => {
    channels.delete(channel.name)
    for (const role of ROLES) channel.waiting[role]?.()
    if (channel.maker === undefined) return
    const left = (made.get(channel.maker) ?? 1) - 1
    if (left === 0) made.delete(channel.maker)
    else made.set(channel.maker, left)
  }

  return {
    apply,
    find: (name) => channels.get(name),
    live(name) {
      const channel = channels.get(name)
      if (!channel) throw unknownChannel()
      if (isOver(channel.state)) throw refusal('ERR_CHANNEL_OVER')
      return channel
    },
    count: () => channels.size,

    async join(request, place) {
      checkJoins(place)
      const { role } = request
      const channel = await (role === 'sender' ? makeChannel(request, place) : joinAsRecipient(request.channel, place))
      metrics.joined(role)
      return { ...viewOf(channel), uuid: channel.secrets[role] ?? '', ports: [...ports] }
    },

    async post(request, place, signal) {
      const channel = channels.get(request.channel)
      if (!channel) throw unknownChannel()
      const role = roleOf(channel, request.uuid)
      checkPlace(channel, role, place)
      channel.touchedMs = clock.nowMs()
      await perform(channel, role, request, place)
      await news(channel, role, request, signal)
      return viewOf(channel)
    },

    async sweep(isLive) {
      const nowMs = clock.nowMs()
      const gone: Channel[] = []
      const counted: Promise<void>[] = []
      for (const channel of channels.values()) {
        if (isLive(channel)) {
          channel.touchedMs = nowMs
          // What has passed is not free again after a restart.
          if (settings.freeBytes !== undefined) counted.push(store.save(keptOf(channel)))
        }
        const keptMs = isOver(channel.state) ? OVER_MS : settings.idleSeconds * 1000
        if (nowMs - channel.touchedMs >= keptMs) gone.push(channel)
      }
      for (const channel of gone) {
        remove(channel)
        if (!isOver(channel.state)) metrics.over('expired')
        onOver(channel)
      }
      const names = gone.map(({ name }) => name)
      await Promise.all([...counted, store.forget(names)])
      return names
    },

    drain() {
      isDraining = true
      for (const channel of channels.values()) for (const role of ROLES) channel.waiting[role]?.()
    },
  }
}

/** Whether a channel is between two other places, as far as they are known. */
export const isThird = ({ places }: Channel, place: string): boolean =>
  ROLES.every((role) => places[role] !== undefined && places[role] !== place)

/** Whether the secret of the role is right is for the caller to find out; a role that nobody has yet has none. */
export const secretOf = (channel: Channel | undefined, role: Role): string => channel?.secrets[role] ?? ''

const awaken = (kept: KeptChannel, maker: string | undefined, nowMs: number): Channel => ({
  ...kept,
  places: {},
  maker,
  guesser: undefined,
  touchedMs: nowMs,
  waiting: {},
})

const keptOf = ({ name, suite, state, version, secrets, fields, bytes }: Channel): KeptChannel => ({
  name,
  suite,
  state,
  version,
  secrets,
  fields,
  bytes,
})

const viewOf = ({ name, version, suite, state, secrets, fields }: Channel): ChannelView => ({
  channel: name,
  version,
  curve: suite,
  full: secrets.recipient !== undefined,
  stapled: state === 'stapled',
  ...(state === 'burned' || state === 'closed' ? { ended: state } : {}),
  ...fields,
})

const refusal = (code: RelayErrorCode): RelayError => new RelayError(code, relayProblems[code].title.toLowerCase())
const tooManyWrong = () =>
  new RelayError('ERR_TOO_MANY_WRONG_CODES', 'too many wrong codes came from this address: wait')
const unknownChannel = () => new RelayError('ERR_CHANNEL_UNKNOWN', 'it never was, or is forgotten')

/** @see RFC 9562 §5.4 */
const drawUuid = (random: Random): string => {
  const bytes = random.bytes(16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytesToHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
