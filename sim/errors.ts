/** What can go wrong with a simulation itself. A service never sees these: they end the run. */

export type SimulationErrorCode =
  | 'ERR_SIM_DEADLOCK'
  | 'ERR_SIM_DEADLINE'
  | 'ERR_SIM_FAILED'
  | 'ERR_SIM_BUSY'
  | 'ERR_SIM_NESTED'
  | 'ERR_SIM_NOT_QUIET'
  | 'ERR_SIM_HOST'
  | 'ERR_SIM_REORG'

export class SimulationError extends Error {
  readonly code: SimulationErrorCode
  constructor(code: SimulationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SimulationError'
    this.code = code
  }
}
