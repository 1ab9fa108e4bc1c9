/** What the directory tells those who run it, in Prometheus' text form. No label holds an address or a query. */
import { Counter, Gauge, Registry } from 'prom-client'

/** How a GraphQL request ended. */
export type Outcome = 'answered' | 'not-modified' | 'refused' | 'failed'

/** What is looked at when somebody asks. */
export interface Observed {
  readonly ready: boolean
  readonly cacheBytes: number
  readonly headBlock: number
  readonly lagSeconds: number
  readonly gaps: number
  readonly undecodableLogs: number
}

export interface Metrics {
  /** A GraphQL request has ended. */
  ended(outcome: Outcome): void
  /** An answer was looked for among those that are kept. */
  lookedUp(result: 'hit' | 'miss'): void
  /** @param observe what cannot be told now is left out */
  text(observe: () => Promise<Partial<Observed>>): Promise<string>
  readonly contentType: string
}

const GAUGES = {
  ready: ['chrove_directory_ready', '1 while the directory has caught up with its chain'],
  cacheBytes: ['chrove_directory_cache_bytes', 'Bytes of the answers that are kept'],
  headBlock: ['chrove_directory_head_block', 'Number of the newest block that was read'],
  lagSeconds: ['chrove_directory_lag_seconds', 'How much older that block is than now'],
  gaps: ['chrove_directory_gaps', 'Holes and repetitions in the counters of the chain'],
  undecodableLogs: [
    'chrove_directory_undecodable_logs',
    'Logs of the followed contracts that are none of their events',
  ],
} as const satisfies Record<keyof Observed, readonly [name: string, help: string]>

export const createMetrics = (): Metrics => {
  const registry = new Registry()
  const registers = [registry]
  const requests = new Counter({
    name: 'chrove_directory_graphql_requests_total',
    help: 'GraphQL requests by how they ended',
    labelNames: ['outcome'] as const,
    registers,
  })
  const lookups = new Counter({
    name: 'chrove_directory_cache_lookups_total',
    help: 'Answers looked for among those that are kept',
    labelNames: ['result'] as const,
    registers,
  })
  const gauges = Object.entries(GAUGES).map(([key, [name, help]]) => ({
    key: key as keyof Observed,
    gauge: new Gauge({ name, help, registers }),
  }))
  return {
    ended: (outcome) => requests.inc({ outcome }),
    lookedUp: (result) => lookups.inc({ result }),
    async text(observe) {
      const observed = await observe()
      for (const { key, gauge } of gauges) {
        const value = observed[key]
        // A gauge without a value is not shown; what is not known is not 0.
        gauge.reset()
        if (value === undefined) gauge.remove()
        else gauge.set(Number(value))
      }
      return registry.metrics()
    },
    contentType: registry.contentType,
  }
}
