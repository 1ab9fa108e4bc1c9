/**
 * The relay's TCP face: finds out who a connection is from, keeps it until the other end of its channel is there, and joins
 * the two. From then on bytes pass as they are, as fast as the slower side takes them.
 */
import type { Duplex } from 'node:stream'
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import type { Splice } from '../effects/splice.ts'
import { takeBytes } from '../effects/take-bytes.ts'
import { otherRole, type Role } from '../protocol/relay/agreement.ts'
import { channelTable, isRefusal } from '../protocol/relay/channel.ts'
import {
  greetingOf,
  type Hello,
  HELLO_ANSWER,
  HELLO_HEAD_BYTES,
  HELLO_NONCE_BYTES,
  helloRestBytes,
  parseHello,
} from '../protocol/relay/hello.ts'
import { type Allowance, createAllowance, type Payments, unlimited } from './allowance.ts'
import { type Channel, type Channels, isThird, secretOf } from './channels.ts'
import type { RelayMetrics } from './metrics.ts'
import type { RelaySettings } from './settings.ts'

/** A hello is sent at once by whoever has one. */
const HELLO_MS = 10_000

/** One end of one stream. */
interface Seat {
  readonly connection: Duplex
  readonly generation: number
  isStapled: boolean
}

/** What a channel has open. */
interface Open {
  readonly seats: Map<string, Seat>
  readonly allowance: Allowance
  pairs: number
  /** Whether bytes have passed since the last look. */
  isLively: boolean
}

export interface Stapler {
  /** @param place of the peer */
  accept(connection: Duplex, place: string): void
  /** Whether bytes have passed on a channel since this was last asked. */
  hasMoved(channel: Channel): boolean
  /** Somebody pays for a channel from now on. */
  paid(channel: Channel): Promise<void>
  /** Breaks off what a channel has open. */
  release(channel: Channel): void
  observed(): { readonly connections: number; readonly pairs: number }
  /** Takes no more; resolves when the last pair is done. */
  drain(): Promise<void>
  close(): void
}

type Answer = keyof typeof HELLO_ANSWER

interface StaplerEffects {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: RelayMetrics
  readonly splice: Splice
  readonly payments?: Payments | undefined
}

export const createStapler = (
  { clock, random, log, metrics, splice, payments }: StaplerEffects,
  settings: RelaySettings,
  channels: Pick<Channels, 'find' | 'apply'>,
): Stapler => {
  const connections = new Set<Duplex>()
  const strangers = new Map<string, number>()
  const opened = new Map<Channel, Open>()
  let pairs = 0
  let isDraining = false
  let onIdle = () => {}

  const openOf = (channel: Channel): Open => {
    const known = opened.get(channel)
    if (known) return known
    const { freeBytes } = settings
    // What passed before a restart, and was paid for then, is no debt now.
    const allowance =
      freeBytes === undefined
        ? unlimited
        : createAllowance(channel.name, Math.max(0, freeBytes - channel.bytes), payments)
    const open: Open = { seats: new Map(), allowance, pairs: 0, isLively: true }
    opened.set(channel, open)
    return open
  }

  /** The answer to a hello; `waiting` and `stapled` have taken its seat, and been sent. */
  const judge = (
    { role, stream, generation, channel: name }: Hello,
    isFrom: (secret: string) => boolean,
    connection: Duplex,
    place: string,
  ): Answer => {
    const channel = channels.find(name)
    const secret = secretOf(channel, role)
    // Computed for channels and roles that are not there too, so that the time tells nothing.
    if (!isFrom(secret) || secret === '' || channel === undefined) return 'refused'
    if (settings.twoAddresses && isThird(channel, place)) return 'refused'
    if (isRefusal(channelTable[channel.state].staple)) return 'notProven'
    if (stream >= (channel.fields.streams ?? 1)) return 'refused'
    const open = openOf(channel)
    const key = seatKey(role, stream)
    const taken = open.seats.get(key)
    if (taken && generation <= taken.generation) return 'occupied'
    const seat: Seat = { connection, generation, isStapled: false }
    open.seats.set(key, seat)
    taken?.connection.destroy()
    connection.once('close', () => {
      if (open.seats.get(key) === seat) open.seats.delete(key)
    })
    const other = open.seats.get(seatKey(otherRole(role), stream))
    if (other === undefined || other.isStapled) {
      // At once: the peer may come before whoever called this goes on.
      connection.write(Uint8Array.of(HELLO_ANSWER.waiting))
      return 'waiting'
    }
    staple(channel, open, seat, other)
    return 'stapled'
  }

  const staple = (channel: Channel, open: Open, a: Seat, b: Seat): void => {
    const ends = [a, b]
    for (const end of ends) {
      end.isStapled = true
      end.connection.write(Uint8Array.of(HELLO_ANSWER.stapled))
    }
    pairs++
    open.pairs++
    const { allowance } = open
    const done = splice(a.connection, b.connection, (_from, length) => {
      open.isLively = true
      channel.bytes += length
      metrics.passed(length)
      if (!allowance.pass(length)) for (const end of ends) end.connection.destroy()
    })
    done
      .then((isWhole) => {
        log.debug('relay.pair-done', { isWhole })
        pairs--
        open.pairs--
        if (pairs === 0) onIdle()
      })
      .catch(() => {})
    channels.apply(channel, 'staple').catch((error: unknown) => {
      // Closed in the same moment, or the database is gone: they may not stay joined.
      log.warn('relay.staple-undone', { error: (error as Error).name })
      for (const end of ends) end.connection.destroy()
    })
  }

  const hear = async (connection: Duplex, place: string): Promise<Answer> => {
    const greeting = greetingOf(random.bytes(HELLO_NONCE_BYTES))
    connection.write(greeting)
    const head = await takeBytes(connection, HELLO_HEAD_BYTES)
    const rest = await takeBytes(connection, helloRestBytes(head))
    const { hello, isFrom } = parseHello(Buffer.concat([head, rest]), greeting)
    if (isDraining) return 'busy'
    return judge(hello, isFrom, connection, place)
  }

  /** Counts a stranger until it is known, or gone. */
  const welcome = (place: string): (() => void) | undefined => {
    const count = (strangers.get(place) ?? 0) + 1
    if (count > settings.strangersPerPlaceMax) return undefined
    strangers.set(place, count)
    return () => {
      const left = (strangers.get(place) ?? 1) - 1
      if (left === 0) strangers.delete(place)
      else strangers.set(place, left)
    }
  }

  const serve = async (connection: Duplex, place: string, becomeKnown: () => void): Promise<void> => {
    const deadline = new AbortController()
    clock.sleep(HELLO_MS, deadline.signal).then(
      () => connection.destroy(),
      () => {},
    )
    const answer = await hear(connection, place)
      // What is no hello, or breaks off, is refused like one that is false.
      .catch((): Answer => 'refused')
      .finally(() => {
        deadline.abort()
        becomeKnown()
      })
    metrics.helloed(answer)
    if (answer === 'waiting' || answer === 'stapled' || connection.destroyed) return
    // Closed by us, and not left half open to a client that never closes.
    connection.end(Uint8Array.of(HELLO_ANSWER[answer]), () => connection.destroy())
  }

  return {
    accept(connection, place) {
      const becomeKnown = welcome(place)
      if (!becomeKnown || connections.size >= settings.connectionsMax) {
        becomeKnown?.()
        metrics.helloed('busy')
        connection.destroy()
        return
      }
      connections.add(connection)
      connection.once('close', () => connections.delete(connection))
      serve(connection, place, becomeKnown).catch((error: unknown) => {
        log.error('relay.connection-fault', { error: (error as Error).name })
        connection.destroy()
      })
    },

    hasMoved(channel) {
      const open = opened.get(channel)
      if (!open?.isLively) return false
      open.isLively = false
      return open.pairs > 0
    },

    paid: (channel) => openOf(channel).allowance.ask(),

    release(channel) {
      const open = opened.get(channel)
      if (!open) return
      opened.delete(channel)
      for (const { connection } of open.seats.values()) connection.destroy()
      open.allowance.settle()
    },

    observed: () => ({ connections: connections.size, pairs }),

    async drain() {
      isDraining = true
      for (const { seats } of opened.values()) {
        for (const { connection, isStapled } of seats.values()) if (!isStapled) connection.destroy()
      }
      if (pairs > 0) await new Promise<void>((resolve) => (onIdle = resolve))
    },

    close() {
      isDraining = true
      for (const connection of connections) connection.destroy()
      for (const { allowance } of opened.values()) allowance.settle()
    },
  }
}

const seatKey = (role: Role, stream: number): string => `${role} ${stream}`
