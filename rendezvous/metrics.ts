/** What the rendezvous tells those who run it, in Prometheus' text form. No label holds an address, a UUID or a key. */
import { Counter, Gauge, Registry } from 'prom-client'
import type { RequestAct } from '../protocol/rendezvous/request-life.ts'

/** What is looked at when somebody asks. */
export interface Observed {
  readonly connections: number
  readonly present: number
  readonly pending: number
}

export type RequestOutcome = Extract<RequestAct, 'exchange' | 'deny-source'> | 'asked' | 'refused'

export interface RendezvousMetrics {
  registered(outcome: string): void
  requested(outcome: RequestOutcome): void
  /** A connection ended, and who ended it. */
  ended(why: string): void
  text(observed: Observed): Promise<string>
  readonly contentType: string
}

const GAUGES = {
  connections: ['chrove_rendezvous_connections', 'WebSockets that are open'],
  present: ['chrove_rendezvous_present', 'Clients that are there'],
  pending: ['chrove_rendezvous_pending', 'Connection requests that wait for their answer'],
} as const satisfies Record<keyof Observed, readonly [name: string, help: string]>

export const createRendezvousMetrics = (): RendezvousMetrics => {
  const registry = new Registry()
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name: `chrove_rendezvous_${name}`, help, labelNames, registers })
  const registrations = counter('registrations_total', 'Registrations by what came of them', 'outcome')
  const requests = counter('requests_total', 'Connection requests by what came of them', 'outcome')
  const endings = counter('endings_total', 'WebSockets that ended, by why', 'why')
  const gauges = Object.entries(GAUGES).map(([key, [name, help]]) => ({
    key: key as keyof Observed,
    gauge: new Gauge({ name, help, registers }),
  }))
  return {
    registered: (outcome) => registrations.inc({ outcome }),
    requested: (outcome) => requests.inc({ outcome }),
    ended: (why) => endings.inc({ why }),
    text(observed) {
      for (const { key, gauge } of gauges) gauge.set(observed[key])
      return registry.metrics()
    },
    contentType: registry.contentType,
  }
}
