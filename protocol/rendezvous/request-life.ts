/**
 * The life of a connection request, as a table: what becomes of it with each thing that can happen, and whom to tell.
 * A target that chose uniform answers is one whose refusal, silence and absence look alike to the source, in content and
 * in time: all are told when the window ends. @see SEED 002 §3.1.1, §3.1.2
 */

export type RequestState =
  /** The target has been asked. */
  | 'asked'
  /** So has one that chose uniform answers. */
  | 'asked-uniform'
  /** It will be denied, and the source is not to know before the window ends. */
  | 'withheld'
  | 'over'

export type RequestInput =
  | 'accept'
  | 'deny'
  /** The source does not want it any more, or has gone. */
  | 'cancel'
  /** The target's connection ended. */
  | 'target-gone'
  /** Nobody has answered for too long. */
  | 'window-over'

export type RequestAct =
  | 'ask-target'
  /** Both get what the other chose to share. */
  | 'exchange'
  | 'deny-source'
  /** Tells the target that its answer is not wanted any more. */
  | 'tell-target'

export interface RequestStep {
  readonly next: RequestState
  readonly acts: readonly RequestAct[]
}

const over = (...acts: readonly RequestAct[]): RequestStep => ({ next: 'over', acts })
const ignored: RequestStep = { next: 'over', acts: [] }
const withheld: RequestStep = { next: 'withheld', acts: [] }

export const requestLife = {
  asked: {
    accept: over('exchange'),
    deny: over('deny-source'),
    cancel: over('tell-target'),
    'target-gone': over('deny-source'),
    'window-over': over('deny-source', 'tell-target'),
  },
  'asked-uniform': {
    accept: over('exchange'),
    deny: withheld,
    cancel: over('tell-target'),
    'target-gone': withheld,
    'window-over': over('deny-source', 'tell-target'),
  },
  withheld: {
    accept: withheld,
    deny: withheld,
    cancel: over(),
    'target-gone': withheld,
    'window-over': over('deny-source'),
  },
  over: { accept: ignored, deny: ignored, cancel: ignored, 'target-gone': ignored, 'window-over': ignored },
} as const satisfies Record<RequestState, Record<RequestInput, RequestStep>>

/** How a request begins. */
export const beginRequest = (target: {
  /** Whether it is there and has not blocked the source. */
  readonly isReachable: boolean
  readonly isUniform: boolean
}): RequestStep => {
  if (target.isReachable) return { next: target.isUniform ? 'asked-uniform' : 'asked', acts: ['ask-target'] }
  return target.isUniform ? withheld : over('deny-source')
}
