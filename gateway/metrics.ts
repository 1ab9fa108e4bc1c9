/** What the gateway tells those who run it, in Prometheus' text form. No label holds an account, a path or an amount. */
import { Counter, Gauge, Registry } from 'prom-client'

export interface Observed {
  readonly ready: boolean
  readonly underWay: number
}

export interface Metrics {
  /** An answer has ended. */
  ended(status: number): void
  text(observed: Observed): Promise<string>
  readonly contentType: string
}

export const createMetrics = (): Metrics => {
  const registry = new Registry()
  const registers = [registry]
  const answers = new Counter({
    name: 'chrove_gateway_answers_total',
    help: 'Answers by what they were: served, unpaid (402), refused (other 4xx), failed (5xx)',
    labelNames: ['kind'] as const,
    registers,
  })
  const ready = new Gauge({
    name: 'chrove_gateway_ready',
    help: '1 while the deposits of all accounts are followed up to date',
    registers,
  })
  const underWay = new Gauge({ name: 'chrove_gateway_requests', help: 'Requests under way', registers })
  return {
    ended: (status) => answers.inc({ kind: kindOf(status) }),
    text(observed) {
      ready.set(Number(observed.ready))
      underWay.set(observed.underWay)
      return registry.metrics()
    },
    contentType: registry.contentType,
  }
}

const kindOf = (status: number): string => {
  if (status === 402) return 'unpaid'
  if (status >= 500) return 'failed'
  return status >= 400 ? 'refused' : 'served'
}
