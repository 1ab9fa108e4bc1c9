/**
 * The prober: asks vendors' endpoints for their price documents as a buyer would, and notes what came of it
 * (DESIGN 11). It names no vendor and no endpoint in its log.
 */
import type { Kysely } from 'kysely'
import { type Clock, nowSeconds } from '../../effects/clock.ts'
import type { Log } from '../../effects/log.ts'
import type { FetchLimits, Network } from '../../effects/network.ts'
import type { Random } from '../../effects/random.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { type EndpointReport, examineEndpoint } from '../../protocol/examine-endpoint.ts'
import type { Jose } from '../../protocol/jose.ts'
import { PRICE_DOCUMENT_BYTES_MAX } from '../../protocol/limits.ts'
import { chainText } from '../../protocol/text.ts'
import { PROBE_ROUND_MAX, PROBE_TIMEOUT_MS, PROBES_AT_ONCE } from '../limits.ts'
import type { Database } from '../schema.ts'
import type { Source } from '../store.ts'
import { allowedAt, type Reach } from './destination.ts'
import { createProbeStore, type DueProbe, type ProbeResult } from './store.ts'

export interface ProberEffects {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly network: Network
  readonly jose: Jose
}

export interface ProberSettings extends Reach {
  /** An endpoint that holds is asked no more often than this, milliseconds. */
  readonly intervalMs: number
  /** Between rounds, milliseconds: no host is asked more often, whoever registers it how often. */
  readonly pauseMs: number
}

export interface Prober {
  /**
   * Asks some endpoints whose time has come, and writes down what came of it.
   * @returns how many were asked
   * @throws the signal's reason; then nothing is written down
   */
  round(signal?: AbortSignal): Promise<number>
  /** Another number after each change of what is told of probes: what was answered of them is good for one. */
  revision(): number
}

export const createProber = (
  effects: ProberEffects,
  db: Kysely<Database>,
  source: Source,
  settings: ProberSettings,
): Prober => {
  const { clock, random, log } = effects
  const store = createProbeStore(db, source)
  const draw = () => new DataView(random.bytes(4).buffer).getUint32(0) / 2 ** 32
  const spreading = { intervalMs: settings.intervalMs, draw }

  const probe = async (due: DueProbe, signal?: AbortSignal): Promise<ProbeResult> => {
    const startedMs = clock.nowMs()
    const triedAt = nowSeconds(clock)
    const asker = {
      jose: effects.jose,
      nowSeconds: () => nowSeconds(clock),
      ask: (url: URL) => ask(effects.network, settings, url, signal),
      anchor: (planIds: readonly number[]) => store.anchor(due.vendor_id, planIds),
    }
    const report = await examineEndpoint(asker, chainText(fromHex(due.endpoint)).text, signal)
    const reachable = report.outcome === 'acceptable' || report.outcome === 'untrusted'
    const took = Math.max(0, Math.min(clock.nowMs() - startedMs, PROBE_TIMEOUT_MS))
    const { outcome } = report
    const latencyMs = reachable ? took : 0
    return { ...due, triedAt, reachable, verified: outcome === 'acceptable', code: codeOf(report), latencyMs }
  }

  const round = async (signal?: AbortSignal): Promise<number> => {
    const nowMs = clock.nowMs()
    await store.follow(nowMs, spreading)
    const due = await store.due(nowMs, PROBE_ROUND_MAX)
    const results = await mapAtOnce(due, PROBES_AT_ONCE, (each) => probe(each, signal))
    signal?.throwIfAborted()
    const { told, untold } = sortOut(results, settings)
    const endedMs = clock.nowMs()
    await store.record(told, endedMs, spreading)
    await store.postpone(untold, endedMs, spreading)
    if (due.length > 0) {
      log.debug('probe.round', { asked: due.length, verified: told.filter(({ verified }) => verified).length })
    }
    return due.length
  }

  return { round, revision: store.revision }
}

const ask = async (network: Network, reach: Reach, url: URL, signal: AbortSignal | undefined): Promise<Response> => {
  const allow = allowedAt(url, reach)
  const limits: FetchLimits = {
    timeoutMs: PROBE_TIMEOUT_MS,
    bodyBytesMax: PRICE_DOCUMENT_BYTES_MAX,
    ...(signal ? { signal } : {}),
    ...(allow ? { allow } : {}),
  }
  return network.fetch(new Request(url), limits)
}

/**
 * What says something of the endpoints, and what says nothing. An onion address cannot be asked without a proxy; and
 * where nothing but the proxy's faults came back, the proxy may be the one that is down.
 */
const sortOut = (results: readonly ProbeResult[], { proxied }: Reach) => {
  const isOfProxy = ({ code }: ProbeResult) => code === 'ERR_NETWORK_PROXY'
  const works = proxied && !results.every(isOfProxy)
  const isTold = (result: ProbeResult) => works || !isOfProxy(result)
  return { told: results.filter(isTold), untold: results.filter((result) => !isTold(result)) }
}

/** The first check that does not hold says most: later ones may follow from it. */
const codeOf = ({ outcome, code, examination }: EndpointReport): string => {
  if (outcome === 'acceptable') return ''
  if (code !== undefined) return code
  const failed = examination?.findings.find(({ holds }) => !holds)
  return failed ? `ERR_PRICE_${failed.check.toUpperCase()}` : 'ERR_PRICE_UNREGISTERED'
}

/** Results in the order of the items, so many computed at the same time. */
const mapAtOnce = async <Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> => {
  const results: Result[] = []
  const waiting = items.entries()
  const worker = async () => {
    for (const [index, item] of waiting) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return results
}
