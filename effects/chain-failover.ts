/**
 * Several nodes of one chain behind one door: each question goes to the first that is well, and to the next when that
 * one fails, lags, or turns out to be of another chain. A node that failed is left alone for a while, longer each time.
 */
import { type Chain, ChainError } from './chain.ts'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import { jittered, type Random } from './random.ts'

/** A node that failed is not asked first again for so long, milliseconds: doubled with each failure up to the last. */
const PAUSE_MS_MIN = 1_000
const PAUSE_MS_MAX = 60_000
/** A node whose newest block is so many below the newest that another told is not believed to be up to date. */
const LAG_BLOCKS_MAX = 3

export interface FailoverEffects {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** How one node is. */
interface Health {
  failures: number
  /** Asked only after the others until this time. */
  pausedUntilMs: number
  /** Newest block that it told; 0 before. */
  head: number
  /** Its chain id, as it spells it; undefined before it was asked, and again after it failed. */
  chainId: string | undefined
}

interface Node extends Chain {
  readonly health: Health
}

/** Answers about the newest block are what nodes are compared by. */
const isAboutHead = (method: string, params: readonly unknown[]): boolean =>
  method === 'eth_getBlockByNumber' && params[0] === 'latest'

const headIn = (answer: unknown): number => {
  const number = Number((Object(answer) as { number?: unknown }).number)
  return Number.isSafeInteger(number) ? number : 0
}

/** Whether another node may answer better. What a contract says is no fault of the node that tells it. */
const isFault = (error: unknown): error is ChainError =>
  error instanceof ChainError && (error.code !== 'ERR_CHAIN_REFUSED' || error.data === undefined)

/**
 * @param chains one door for each node, the preferred first; at least one
 * @returns a door that asks every node at most once for each question. A signed transaction goes to all of them: it is
 * the same wherever it arrives.
 */
export const createFailoverChain = (effects: FailoverEffects, chains: readonly [Chain, ...Chain[]]): Chain => {
  const { clock, random, log } = effects
  /** The chain id of whoever answered first. */
  let agreedId: string | undefined

  const pause = (health: Health, node: number, code: string): void => {
    const boundMs = Math.min(PAUSE_MS_MIN * 2 ** health.failures++, PAUSE_MS_MAX)
    health.pausedUntilMs = clock.nowMs() + jittered(random, boundMs)
    health.chainId = undefined
    log.warn('chain.node-paused', { node, code })
  }

  const checkId = async (chain: Chain, health: Health, signal?: AbortSignal): Promise<void> => {
    health.chainId ??= String(await chain.request('eth_chainId', [], signal))
    agreedId ??= health.chainId
    if (health.chainId !== agreedId) {
      throw new ChainError('ERR_CHAIN_MALFORMED', 'the node is of another chain than the first that answered')
    }
  }

  const nodeOf = (chain: Chain, place: number): Node => {
    const health: Health = { failures: 0, pausedUntilMs: 0, head: 0, chainId: undefined }
    const ask = async (method: string, params: readonly unknown[], signal?: AbortSignal): Promise<unknown> => {
      await checkId(chain, health, signal)
      const answer = await chain.request(method, params, signal)
      if (isAboutHead(method, params)) {
        health.head = headIn(answer)
        compareHeads(place)
        if (isLagging(health)) throw new ChainError('ERR_CHAIN_LAGGING', 'the node is behind others')
      }
      health.failures = 0
      health.pausedUntilMs = 0
      return answer
    }
    return {
      health,
      async request(method, params, signal) {
        try {
          return await ask(method, params, signal)
        } catch (error) {
          if (error instanceof ChainError && error.code !== 'ERR_CHAIN_REFUSED') pause(health, place + 1, error.code)
          throw error
        }
      },
    }
  }

  const nodes = chains.map(nodeOf)

  const isWell = ({ health }: Node): boolean => health.pausedUntilMs <= clock.nowMs()
  const isLagging = ({ head }: Health): boolean =>
    nodes.some(({ health }) => health.head - head > LAG_BLOCKS_MAX && health.failures === 0)

  /** Places of nodes that are being asked how far they are. */
  const comparing = new Set<number>()
  /** Asks the other nodes that are well how far they are; nobody waits for it. */
  const compareHeads = (asking: number): void => {
    for (const [place, node] of nodes.entries()) {
      if (place === asking || !isWell(node) || comparing.has(place)) continue
      comparing.add(place)
      const chain = chains[place] ?? chains[0]
      const compared = checkId(chain, node.health)
        .then(() => chain.request('eth_getBlockByNumber', ['latest', false]))
        .then((answer) => void (node.health.head = headIn(answer)))
      compared
        .catch((error: unknown) => {
          if (!(error instanceof ChainError)) throw error
          pause(node.health, place + 1, error.code)
        })
        .finally(() => comparing.delete(place))
        .catch(() => {})
    }
  }
  /** Those that are well in their order, then those that will be soonest. */
  const inOrder = (): readonly Node[] => {
    const others = nodes.filter((node) => !isWell(node))
    const soonestFirst = others.toSorted((a, b) => a.health.pausedUntilMs - b.health.pausedUntilMs)
    return [...nodes.filter(isWell), ...soonestFirst]
  }

  const broadcast = async (params: readonly unknown[], signal?: AbortSignal): Promise<unknown> => {
    const sent = inOrder().map((node) => node.request('eth_sendRawTransaction', params, signal))
    const outcomes = await Promise.allSettled(sent)
    const taken = outcomes.find(({ status }) => status === 'fulfilled') ?? outcomes[0]
    if (taken?.status === 'fulfilled') return taken.value
    throw taken?.reason
  }

  return {
    nodes: inOrder,
    async request(method, params, signal) {
      if (method === 'eth_sendRawTransaction') return broadcast(params, signal)
      let first: unknown
      for (const node of inOrder()) {
        try {
          return await node.request(method, params, signal)
        } catch (error) {
          if (!isFault(error)) throw error
          first ??= error
        }
      }
      throw first
    },
  }
}
