/**
 * How often things go wrong in one run. Each kind of fault is on or off and has its own rate, drawn from the seed:
 * runs differ in character, and a fault that hides another one is absent from half of them.
 */
import type { SimRandom } from './random.ts'

/** The highest rate drawn for each kind; probability for one message, chunk or RPC call. */
const rateMax = {
  /** An HTTP request or a TCP connection attempt vanishes: its sender times out. */
  'request-loss': 0.3,
  /** The service handled the request; its answer vanishes. */
  'response-loss': 0.3,
  /** The request reaches the service twice, at different times. */
  duplicate: 0.3,
  /** The message takes up to `SLOW_MS_MAX` longer, so that later ones overtake it. */
  slow: 0.5,
  /** The connection breaks: instead of an answer, or at a chunk of a stream. */
  reset: 0.1,
  /** An answer's body ends early and looks complete. */
  truncate: 0.1,
  /** A chunk of a stream arrives as several. */
  rechunk: 1,
  'rpc-loss': 0.3,
  'rpc-slow': 0.5,
  /** The node answers 429. */
  'rpc-rate-limit': 0.3,
  /** The node answers as of some blocks ago. */
  'rpc-stale': 0.5,
  /** A node that lies refuses a range of blocks. */
  'rpc-range-limit': 0.5,
  /** It gives each log twice. */
  'rpc-duplicate': 0.3,
  /** It gives logs of another block. */
  'rpc-other-block': 0.3,
  /** It leaves a log out. */
  'rpc-omission': 1,
} as const

export type FaultKind = keyof typeof rateMax
export type FaultRates = Readonly<Record<FaultKind, number>>

export const faultKinds = Object.keys(rateMax) as readonly FaultKind[]

/** How much longer a slow message may take. */
export const SLOW_MS_MAX = 8_000

const ratesOf = (rate: (kind: FaultKind) => number): FaultRates =>
  Object.fromEntries(faultKinds.map((kind) => [kind, rate(kind)])) as FaultRates

/** Nothing goes wrong. */
export const calm: FaultRates = ratesOf(() => 0)

/** Nothing goes wrong but this. */
export const only = (rates: Partial<FaultRates>): FaultRates => ({ ...calm, ...rates })

/**
 * The rates of one run.
 * @param kinds those that may be on at all
 */
export const drawFaultRates = (random: SimRandom, kinds: readonly FaultKind[] = faultKinds): FaultRates =>
  ratesOf((kind) => {
    const stream = random.fork(kind)
    return kinds.includes(kind) && stream.chance(0.5) ? stream.unit() * rateMax[kind] : 0
  })

/** The rates in force, shared by all doors of a world. */
export interface Faults {
  rate(kind: FaultKind): number
  /** Nothing goes wrong from now on: the liveness phase. */
  heal(): void
}

export const createFaults = (rates: FaultRates = calm): Faults => {
  let inForce = rates
  return {
    rate: (kind) => inForce[kind],
    heal: () => {
      inForce = calm
    },
  }
}
