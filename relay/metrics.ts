/** What the relay tells those who run it, in Prometheus' text form. No label holds an address or a channel. */
import { Counter, Gauge, Registry } from 'prom-client'
import type { Role } from '../protocol/relay/agreement.ts'

/** What is looked at when somebody asks. */
export interface Observed {
  readonly channels: number
  readonly connections: number
  readonly pairs: number
}

export interface RelayMetrics {
  joined(role: Role): void
  over(how: 'closed' | 'burned' | 'expired'): void
  /** How a hello was answered. */
  helloed(outcome: string): void
  passed(bytes: number): void
  text(observed: Observed): Promise<string>
  readonly contentType: string
}

const GAUGES = {
  channels: ['chrove_relay_channels', 'Channels that are remembered'],
  connections: ['chrove_relay_connections', 'TCP connections that are open'],
  pairs: ['chrove_relay_pairs', 'Pairs of connections that are stapled'],
} as const satisfies Record<keyof Observed, readonly [name: string, help: string]>

export const createRelayMetrics = (): RelayMetrics => {
  const registry = new Registry()
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name: `chrove_relay_${name}`, help, labelNames, registers })
  const joins = counter('joins_total', 'Parties that joined channels', 'role')
  const overs = counter('channels_over_total', 'Channels by how they ended', 'how')
  const hellos = counter('hellos_total', 'TCP connections by how their hello was answered', 'outcome')
  const bytes = counter('bytes_total', 'Bytes that passed, both ways together')
  const gauges = Object.entries(GAUGES).map(([key, [name, help]]) => ({
    key: key as keyof Observed,
    gauge: new Gauge({ name, help, registers }),
  }))
  return {
    joined: (role) => joins.inc({ role }),
    over: (how) => overs.inc({ how }),
    helloed: (outcome) => hellos.inc({ outcome }),
    passed: (count) => bytes.inc(count),
    text(observed) {
      for (const { key, gauge } of gauges) gauge.set(observed[key])
      return registry.metrics()
    },
    contentType: registry.contentType,
  }
}
