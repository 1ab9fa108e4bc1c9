/** Fault rates that a command can raise for a while. */
import { createFaults, type FaultKind, type FaultRates, type Faults } from '../faults.ts'

export interface Storm extends Faults {
  /** Raises the rates of some kinds until `calm` or `heal`. */
  rage(rates: Partial<FaultRates>): void
  /** Back to the rates of the run. */
  calm(): void
}

export const createStorm = (rates: FaultRates): Storm => {
  const faults = createFaults(rates)
  let raging: Partial<FaultRates> = {}
  return {
    rate: (kind: FaultKind) => Math.max(raging[kind] ?? 0, faults.rate(kind)),
    rage: (more) => {
      raging = { ...raging, ...more }
    },
    calm: () => {
      raging = {}
    },
    heal: () => {
      raging = {}
      faults.heal()
    },
  }
}
