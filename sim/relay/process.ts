/**
 * A relay on a simulated machine: the real one, behind doors that write down all it gets to see. A hostile one is the same
 * with hands of its own: it changes, repeats, reorders, swaps and cuts off what passes, and lies in its answers.
 */
import { createRelay } from '../../relay/index.ts'
import { relaySettingsSchema } from '../../relay/settings.ts'
import type { SimConnection } from '../duplex.ts'
import type { HostEffects } from '../host.ts'
import type { SimRandom } from '../random.ts'

/** What a relay may know of those who use it, over all of its lives. */
export interface Seen {
  /** All bytes of requests and connections, as Latin-1. */
  readonly text: string[]
  /** Secrets of roles that were given out, by channel and role. */
  readonly given: Map<string, Set<string>>
}

export type Hostility = 'none' | 'change' | 'repeat' | 'reorder' | 'swap' | 'truncate' | 'lie'

/** Of chunks and answers, the share that a hostile relay lays hands on. */
const TOUCHED = 0.3
export const DATA_PORT = 4371

export const startRelay = async (
  { network, clock, random, sql, log }: HostEffects,
  seen: Seen,
  hostility: Hostility,
): Promise<void> => {
  const hands = random.fork('hostile')
  const listen: typeof network.listen = (address, accept) =>
    network.listen(address, (connection, peer) => {
      watch(connection as SimConnection, seen, hostility, hands)
      accept(connection, peer)
    })
  const settings = relaySettingsSchema.parse({ tcp: { host: '::', ports: [DATA_PORT] } })
  const relay = await createRelay({ clock, random, network: { listen }, sql, log }, settings)
  network.serve(80, async (request, peer) => {
    const asked = await request.clone().text()
    seen.text.push(asked)
    const answer = await relay.fetch(request, peer.host)
    if (answer.status !== 200) return answer
    const told = (await answer.json()) as Record<string, unknown>
    const { channel, uuid } = told
    if (typeof uuid === 'string') {
      const key = `${String(channel)} ${(JSON.parse(asked) as { role: string }).role}`
      seen.given.set(key, (seen.given.get(key) ?? new Set()).add(uuid))
    }
    return Response.json(hostility === 'lie' && hands.chance(TOUCHED) ? lied(told, hands) : told)
  })
  void relay.run(new AbortController().signal)
}

/** Another answer of the right shape. */
const lied = (told: Record<string, unknown>, hands: SimRandom): Record<string, unknown> => {
  const fields = ['x', 'y', 'hh_k', 'h_k'].filter((field) => typeof told[field] === 'string')
  if (fields.length === 0) return hands.chance(0.5) ? { ...told, full: true } : { ...told, curve: 'p384' }
  const [one, other] = [hands.pick(fields), hands.pick(fields)]
  if (one !== other) return { ...told, [one]: told[other], [other]: told[one] }
  const value = String(told[one])
  return { ...told, [one]: `${value[0] === 'A' ? 'B' : 'A'}${value.slice(1)}` }
}

/** Chunks of other connections, to be swapped in. */
const elsewhere = new WeakMap<Seen, Buffer>()

/** Looks at what comes in on a connection before the relay does, and lays hands on it. */
const watch = (connection: SimConnection, seen: Seen, hostility: Hostility, hands: SimRandom): void => {
  const push = connection.push.bind(connection)
  let held: Buffer | undefined
  let isCut = false
  connection.push = (given: unknown) => {
    if (isCut) return true
    if (!(given instanceof Uint8Array)) {
      if (held) push(held)
      return push(given)
    }
    const chunk = Buffer.from(given)
    seen.text.push(chunk.toString('latin1'))
    const other = elsewhere.get(seen)
    elsewhere.set(seen, chunk)
    if (held) {
      push(chunk)
      const later = held
      held = undefined
      return push(later)
    }
    if (hostility === 'none' || hostility === 'lie' || !hands.chance(TOUCHED)) return push(chunk)
    if (hostility === 'truncate') {
      isCut = true
      push(chunk.subarray(0, hands.int(0, chunk.length - 1)))
      return push(null)
    }
    if (hostility === 'reorder') {
      held = chunk
      return true
    }
    if (hostility === 'repeat') {
      push(chunk)
      return push(Buffer.from(chunk))
    }
    if (hostility === 'swap') return push(other ?? chunk)
    const changed = Buffer.from(chunk)
    const at = hands.int(0, changed.length - 1)
    changed[at] = (changed[at] ?? 0) ^ (1 << hands.int(0, 7))
    return push(changed)
  }
}
