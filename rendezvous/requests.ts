/**
 * Connection requests on their way between two clients that are there. What happens to each is decided by the table in
 * `protocol/rendezvous/request-life.ts`; here it is done. Nothing is kept for a client that is not there.
 * @see SEED 002 §3.1.1, §3.1.2
 */
import type { Clock } from '../effects/clock.ts'
import { createRateLimit } from '../effects/rate-limit.ts'
import type { FlattenedJws } from '../protocol/jose.ts'
import { parseIp } from '../protocol/ip-address.ts'
import type {
  ConnectionRequest,
  RefusalCode,
  RelayPlace,
  ServerMessage,
  SharedAddresses,
} from '../protocol/rendezvous/messages.ts'
import {
  beginRequest,
  type RequestAct,
  type RequestInput,
  requestLife,
  type RequestState,
} from '../protocol/rendezvous/request-life.ts'
import { createDeadlines } from './deadlines.ts'
import type { RendezvousMetrics } from './metrics.ts'
import type { RendezvousSettings } from './settings.ts'

/** A client that has shown who it is. */
export interface Present {
  readonly uuid: string
  /** Address that its connection comes from, and the place that counts for limits. */
  readonly host: string
  readonly place: string
  readonly isUniform: boolean
  readonly blocked: ReadonlySet<string>
  tell(message: ServerMessage): void
}

/** What a source signed, and what is for the target once it agrees. */
export interface Asked {
  readonly statement: ConnectionRequest
  readonly request: FlattenedJws
  readonly addresses: FlattenedJws
}

interface Pending {
  readonly asked: Asked
  readonly source: Present
  /** Undefined when the target is not there, or does not want to hear of the source. */
  target: Present | undefined
  state: RequestState
  /** What the target shares; once it agrees. */
  answer?: { readonly addresses: FlattenedJws; readonly hide: boolean }
}

export interface Requests {
  /** @returns why it is refused; undefined when it is on its way */
  ask(source: Present, asked: Asked): Promise<RefusalCode | undefined>
  /** The target agrees. @returns false when there is no such request to it */
  accept(target: Present, shared: SharedAddresses, addresses: FlattenedJws): boolean
  deny(target: Present, id: string): void
  cancel(source: Present, id: string): void
  /** The client's connection has ended. */
  gone(client: Present): void
  pending(): number
  close(): void
}

export interface RequestParts {
  readonly clock: Clock
  readonly metrics: RendezvousMetrics
  present(uuid: string): Present | undefined
  /** Whether a client that is not there chose uniform answers. */
  isUniform(uuid: string): Promise<boolean>
  /** A place of its own on the relay, if there is one. */
  relayPlace(): RelayPlace | undefined
}

const MINUTE_MS = 60_000
/** Requests under way from one place to one target. */
const PENDING_PER_SHARE_MAX = 4

export const createRequests = (parts: RequestParts, settings: RendezvousSettings): Requests => {
  const { clock, metrics } = parts
  const limitOf = (most: number) => createRateLimit(clock, most, MINUTE_MS)
  const [ofPlace, ofSource] = [limitOf(settings.requestsPerPlaceMinute), limitOf(settings.requestsPerSourceMinute)]
  const [ofPair, ofTarget] = [limitOf(settings.requestsPerPairMinute), limitOf(settings.requestsPerTargetMinute)]
  /** Of a place to a target: however many clients one makes, their share of what one target hears is that of a pair. */
  const ofShare = limitOf(settings.requestsPerPairMinute)
  const all = new Map<string, Pending>()
  /** Ids of the requests under way, by source, by target, and by the place they come from and the target. */
  const [bySource, byTarget, byShare] = [createIndex(), createIndex(), createIndex()]
  const windows = createDeadlines<string>(clock, settings.windowSeconds * 1000, (id) => step(id, 'window-over'))

  const step = (id: string, input: RequestInput): void => {
    const pending = all.get(id)
    if (pending) follow(id, pending, requestLife[pending.state][input])
  }

  const follow = (
    id: string,
    pending: Pending,
    { next, acts }: { next: RequestState; acts: readonly RequestAct[] },
  ) => {
    pending.state = next
    for (const act of acts) perform[act](pending, id)
    if (next !== 'over') return
    const { from, to } = pending.asked.statement
    all.delete(id)
    bySource.remove(from, id)
    byTarget.remove(to, id)
    byShare.remove(shareOf(pending.source, to), id)
    windows.clear(id)
  }

  const perform: Record<RequestAct, (pending: Pending, id: string) => void> = {
    'ask-target': ({ target, asked }) => target?.tell({ type: 'request', request: asked.request }),
    'deny-source': ({ source }, request) => {
      metrics.requested('deny-source')
      source.tell({ type: 'denied', request })
    },
    'tell-target': ({ target }, request) => target?.tell({ type: 'over', request }),
    exchange(pending, request) {
      const { asked, source, target, answer } = pending
      if (target === undefined || answer === undefined) return
      metrics.requested('exchange')
      const isHidden = asked.statement.hide || answer.hide
      const relay = parts.relayPlace()
      const common = { type: 'addresses', request, ...(relay && { relay }) } as const
      const seen = ({ host }: Present) => (isHidden || parseIp(host) === undefined ? {} : { observed: host })
      source.tell({ ...common, addresses: answer.addresses, ...seen(target) })
      target.tell({ ...common, ...(!answer.hide && { addresses: asked.addresses }), ...seen(source) })
    },
  }

  /**
   * The same for every target, there or not: that there are too many tells nothing about it. What may come to a target
   * is used up by those alone whom it might hear.
   */
  const isTooMany = (source: Present, { from, to }: ConnectionRequest, isBlocked: boolean): boolean =>
    bySource.count(from) >= settings.pendingPerSourceMax ||
    byShare.count(shareOf(source, to)) >= PENDING_PER_SHARE_MAX ||
    !ofPlace.take(source.place) ||
    !ofSource.take(from) ||
    !ofPair.take(`${from} ${to}`) ||
    !ofShare.take(shareOf(source, to)) ||
    byTarget.count(to) >= settings.pendingPerTargetMax ||
    !(isBlocked ? ofTarget.hasLeft(to) : ofTarget.take(to))

  const inputFrom = (target: Present, id: string, input: 'accept' | 'deny'): void => {
    if (all.get(id)?.target === target) step(id, input)
  }

  return {
    async ask(source, asked) {
      const { request: id, from, to } = asked.statement
      if (from !== source.uuid || to === from || all.has(id)) return 'ERR_REQUEST'
      const there = parts.present(to)
      const isBlocked = there?.blocked.has(from) === true
      if (isTooMany(source, asked.statement, isBlocked)) {
        metrics.requested('refused')
        return 'ERR_TOO_MANY'
      }
      metrics.requested('asked')
      const target = isBlocked ? undefined : there
      const pending: Pending = { asked, source, target, state: 'withheld' }
      all.set(id, pending)
      bySource.add(from, id)
      if (!isBlocked) byTarget.add(to, id)
      byShare.add(shareOf(source, to), id)
      // From now on, whatever is found out: the window is as long for all.
      windows.set(id)
      const isUniform = there?.isUniform ?? (await parts.isUniform(to))
      // The source may have gone meanwhile.
      if (all.get(id) === pending) follow(id, pending, beginRequest({ isReachable: target !== undefined, isUniform }))
      return undefined
    },

    accept(target, shared, addresses) {
      const pending = all.get(shared.request)
      if (pending?.target !== target || shared.to !== pending.source.uuid) return false
      pending.answer = { addresses, hide: shared.hide }
      step(shared.request, 'accept')
      return true
    },

    deny: (target, id) => inputFrom(target, id, 'deny'),

    cancel(source, id) {
      if (all.get(id)?.source === source) step(id, 'cancel')
    },

    gone(client) {
      for (const id of bySource.idsOf(client.uuid)) if (all.get(id)?.source === client) step(id, 'cancel')
      for (const id of byTarget.idsOf(client.uuid)) inputGone(client, id)
    },

    pending: () => all.size,
    close: () => windows.close(),
  }

  function inputGone(client: Present, id: string): void {
    const pending = all.get(id)
    if (pending?.target !== client) return
    pending.target = undefined
    step(id, 'target-gone')
  }
}

const shareOf = ({ place }: Present, to: string): string => `${place} ${to}`

/** Ids by who they belong to. */
const createIndex = () => {
  const sets = new Map<string, Set<string>>()
  return {
    add(owner: string, id: string): void {
      const ids = sets.get(owner) ?? new Set()
      sets.set(owner, ids.add(id))
    },
    remove(owner: string, id: string): void {
      const ids = sets.get(owner)
      ids?.delete(id)
      if (ids?.size === 0) sets.delete(owner)
    },
    count: (owner: string): number => sets.get(owner)?.size ?? 0,
    idsOf: (owner: string): readonly string[] => [...(sets.get(owner) ?? [])],
  }
}
