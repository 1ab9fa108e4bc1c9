/** What one program sees of the simulated chain: its node's answers, with the faults of the run. */
import { ChainError, type Chain } from '../effects/chain.ts'
import type { EdrRequest } from './edr.ts'
import { SLOW_MS_MAX, type Faults } from './faults.ts'
import { never, type Life } from './life.ts'
import type { Loop } from './loop.ts'
import type { SimRandom } from './random.ts'
import type { Trace } from './trace.ts'

export interface ChainDoorParts {
  readonly loop: Loop
  readonly random: SimRandom
  readonly faults: Faults
  readonly trace: Trace
}

/** Milliseconds, both ends included. */
const DELAY_MS_MIN = 1
const DELAY_MS_MAX = 60

/** A program waits for an answer so long, milliseconds. */
const TIMEOUT_MS = 10_000

/** A node lags so many blocks behind at most. */
const LAG_MAX = 4

/** As in the real door. */
const MESSAGE_LENGTH_MAX = 256

/** A node's answer that it does not know the block. */
export const unknownBlock = (): ChainError =>
  new ChainError('ERR_CHAIN_REFUSED', 'the node refused', {
    refusal: { rpcCode: -32001, rpcMessage: 'unknown block', data: undefined },
  })

const revertData = (data: unknown): string | undefined => {
  const bytes = typeof data === 'object' && data !== null && 'data' in data ? data.data : data
  return typeof bytes === 'string' && bytes.startsWith('0x') ? bytes : undefined
}

/** EDR's answer. @throws ChainError, ERR_CHAIN_REFUSED */
export const askNode = async (request: EdrRequest, method: string, params: readonly unknown[]): Promise<unknown> => {
  try {
    return await request(method, params)
  } catch (error) {
    const { code = -32603, message, data } = error as { code?: number; message: string; data?: unknown }
    const rpcMessage = message.slice(0, MESSAGE_LENGTH_MAX)
    const refusal = { rpcCode: code, rpcMessage, data: revertData(data) }
    throw new ChainError('ERR_CHAIN_REFUSED', 'the node refused', { refusal })
  }
}

/** @param ask gives the answer of a node that lags so many blocks behind */
export const chainDoor = (
  parts: ChainDoorParts,
  ask: (method: string, params: readonly unknown[], lag: number) => Promise<unknown>,
  host: string,
  life: Life,
): Chain => {
  const { loop, faults, trace } = parts
  const random = parts.random.fork(`rpc ${host}`)
  const delayMs = () => {
    const slow = random.chance(faults.rate('rpc-slow'))
    const extraMs = random.int(0, SLOW_MS_MAX)
    return random.int(DELAY_MS_MIN, DELAY_MS_MAX) + (slow ? extraMs : 0)
  }
  const drawFate = () => ({
    lost: random.chance(faults.rate('rpc-loss')),
    askedAnyway: random.chance(0.5),
    limited: random.chance(faults.rate('rpc-rate-limit')),
    stale: random.chance(faults.rate('rpc-stale')),
    lag: random.int(1, LAG_MAX),
    questionMs: delayMs(),
    answerMs: delayMs(),
  })

  return {
    request: async (method, params, signal) => {
      if (!life.isAlive()) return never()
      signal?.throwIfAborted()
      const fate = drawFate()
      return new Promise((resolve, reject) => {
        const finish = (outcome: () => void) => {
          stopTimer()
          signal?.removeEventListener('abort', onAbort)
          if (life.isAlive()) outcome()
        }
        const fail = (error: Error) => finish(() => reject(error))
        const onAbort = () => fail(signal?.reason as Error)
        signal?.addEventListener('abort', onAbort, { once: true })
        const stopTimer = loop.schedule(TIMEOUT_MS, () =>
          fail(new ChainError('ERR_CHAIN_TIMEOUT', 'the node did not answer in time')),
        )
        /** The question arrives; the answer comes back unless it gets lost. */
        const arrive = () => {
          trace.add('rpc', host, method)
          const answer = fate.limited
            ? Promise.reject(new ChainError('ERR_CHAIN_RATE_LIMITED', 'the node was asked too often'))
            : loop.external(() => ask(method, params, fate.stale ? fate.lag : 0))
          const back = (outcome: () => void) => {
            if (!fate.lost) loop.schedule(fate.answerMs, () => finish(outcome))
          }
          answer.then(
            (value) => back(() => resolve(value)),
            (error: Error) => back(() => reject(error)),
          )
        }
        if (!fate.lost || fate.askedAnyway) loop.schedule(fate.questionMs, arrive)
      })
    },
  }
}
