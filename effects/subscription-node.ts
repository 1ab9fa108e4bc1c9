/**
 * Subscriptions over WebSockets, by which a node tells that there is something new. A connection that breaks, or on which
 * nothing comes, is made again after a pause. Nothing that comes is believed to be more than a hint.
 */
import type { ChainErrorCode } from './chain.ts'
import type { Clock } from './clock.ts'
import type { Heads } from './heads.ts'
import type { Log } from './log.ts'
import { jittered, type Random } from './random.ts'
import { parseRpcEndpoint, type RpcEndpoint } from './rpc-endpoint.ts'
import type { Dial } from './tcp-node.ts'
import { openWebSocket } from './web-socket.ts'

/** A header is about 2 KiB as JSON, with what some chains add to it a few more. */
export const MESSAGE_BYTES_MAX = 64 * 1024
/** For connection, handshake and the answer to the subscription, milliseconds; a proxy may have to build a circuit. */
export const SUBSCRIBE_MS_MAX = 60_000
/** A connection on which nothing comes for so long, milliseconds, may be one whose other end is gone. */
export const SILENCE_MS_MAX = 180_000
/** Before a connection is made again, milliseconds: doubled with each one that told nothing, up to the last. */
export const PAUSE_MS_MIN = 1_000
export const PAUSE_MS_MAX = 60_000

export interface SubscriptionEffects {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** What a message is: there is something new, the subscription stands, the other end lives, or it must be given up. */
export type Meaning = 'told' | 'subscribed' | 'alive' | 'ERR_CHAIN_REFUSED' | 'ERR_CHAIN_MALFORMED'

/** How one kind of node is subscribed to. */
export interface SubscriptionDialect {
  /** Names of log events. */
  readonly opened: string
  readonly closed: string
  /** Asks for the subscription. */
  readonly subscribe: string
  /** Asks for an answer, where it is usual that nothing is told for long. */
  readonly ping?: string
  /** @param message undefined for what is no JSON */
  meaningOf(message: unknown): Meaning
}

/** Undefined for what is no JSON, which no message is. */
const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Opens nothing before somebody listens; then one connection for each URL and listener.
 * @param dial opens every connection, so that none goes around the proxy
 * @throws TypeError when a URL is none for WebSockets, without repeating it
 */
export const createSubscriptions = (
  effects: SubscriptionEffects,
  dial: Dial,
  urls: readonly string[],
  dialect: SubscriptionDialect,
): Heads => {
  const { clock, random, log } = effects
  const endpoints = urls.map((url) => parseRpcEndpoint(url, 'heads'))

  /** One connection from its begin to its end. @returns why it ended @throws the signal's reason */
  const listenOnce = async (
    endpoint: RpcEndpoint,
    onSubscribed: () => void,
    onTold: () => void,
    signal: AbortSignal,
  ): Promise<ChainErrorCode> => {
    const ended = Promise.withResolvers<ChainErrorCode>()
    const watching = new AbortController()
    const state = { isSubscribed: false, hasHeard: false }
    const socket = openWebSocket(dial, endpoint, MESSAGE_BYTES_MAX, {
      open: () => socket.send(dialect.subscribe),
      message: (text) => {
        state.hasHeard = true
        const meaning = dialect.meaningOf(parse(text ?? ''))
        if (meaning === 'told') return onTold()
        if (meaning === 'alive') return
        if (meaning !== 'subscribed') return ended.resolve(meaning)
        if (!state.isSubscribed) onSubscribed()
        state.isSubscribed = true
      },
      close: () => ended.resolve('ERR_CHAIN_UNREACHABLE'),
    })
    const waitForSilence = async (until: AbortSignal): Promise<ChainErrorCode> => {
      await clock.sleep(SUBSCRIBE_MS_MAX, until)
      while (state.isSubscribed && state.hasHeard) {
        state.hasHeard = false
        if (dialect.ping !== undefined) socket.send(dialect.ping)
        await clock.sleep(SILENCE_MS_MAX, until)
      }
      return 'ERR_CHAIN_TIMEOUT'
    }
    try {
      return await Promise.race([ended.promise, waitForSilence(AbortSignal.any([signal, watching.signal]))])
    } finally {
      watching.abort()
      socket.destroy()
    }
  }

  const keepListening = async (
    endpoint: RpcEndpoint,
    node: number,
    tell: () => void,
    signal: AbortSignal,
  ): Promise<void> => {
    let boundMs = PAUSE_MS_MIN
    const onSubscribed = () => {
      log.info(dialect.opened, { node })
      tell()
    }
    const onTold = () => {
      boundMs = PAUSE_MS_MIN
      tell()
    }
    while (!signal.aborted) {
      try {
        const code = await listenOnce(endpoint, onSubscribed, onTold, signal)
        log.warn(dialect.closed, { node, code })
        const pauseMs = jittered(random, boundMs)
        boundMs = Math.min(boundMs * 2, PAUSE_MS_MAX)
        await clock.sleep(pauseMs, signal)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  return {
    listen(tell, signal) {
      // Two messages may have come at once, and the first have been the last that is wanted.
      const tellOn = () => {
        if (!signal.aborted) tell()
      }
      for (const [place, endpoint] of endpoints.entries()) void keepListening(endpoint, place + 1, tellOn, signal)
    },
  }
}
