/**
 * A Nano network as seen from one node: blocks come in, are voted on, and are confirmed some time later. Of blocks that
 * want the same place one wins, and not always the one that came first.
 */
import { nanoBlockHash, type WorkedBlock } from '../../protocol/nano/block.ts'
import type { WorkThresholds } from '../../protocol/nano/work.ts'
import type { Loop } from '../loop.ts'
import type { SimRandom } from '../random.ts'
import { type BlockStatus, createNanoLedger, type LedgerBlock } from './ledger.ts'

/** How the network behaves; may be changed while it runs. */
export interface NanoWeather {
  /** An election takes so long, milliseconds, both ends included. */
  electionMs: readonly [min: number, max: number]
  /** Probability that a block which came second wins. */
  upset: number
  /** Probabilities that a confirmation is not told, and is told twice. */
  lost: number
  doubled: number
  /** A confirmation is told so much later at most, milliseconds. */
  lateMs: number
}

export const fairWeather = (): NanoWeather => ({ electionMs: [200, 900], upset: 0, lost: 0, doubled: 0, lateMs: 20 })

export interface NanoNetworkParts {
  readonly loop: Pick<Loop, 'schedule' | 'nowMs'>
  readonly random: SimRandom
  readonly genesis: WorkedBlock
  readonly work: WorkThresholds
}

export type NanoNetwork = ReturnType<typeof createNanoNetwork>

/** Where a block wants to be. */
const placeOf = ({ account, previous }: WorkedBlock): string => `${account} ${previous}`

export const createNanoNetwork = ({ loop, random, genesis, work }: NanoNetworkParts) => {
  const ledger = createNanoLedger(genesis, work)
  const weather = fairWeather()
  /** For each place that is voted on: who wants it, in the order of arrival. */
  const elections = new Map<string, WorkedBlock[]>()
  /** Blocks that depend on what is not confirmed yet. */
  const postponed = new Set<string>()
  const listeners = new Set<(confirmed: LedgerBlock) => void>()

  const dependsOnUnconfirmed = ({ previous, link }: WorkedBlock): boolean =>
    [previous, link].some((hash) => ledger.get(hash)?.confirmed === false)

  const announce = (entry: LedgerBlock) => {
    const times = random.chance(weather.lost) ? 0 : random.chance(weather.doubled) ? 2 : 1
    const tell = () => listeners.forEach((listener) => listener(entry))
    for (let i = 0; i < times; i++) loop.schedule(random.int(0, weather.lateMs), tell)
  }

  const begin = (block: WorkedBlock) => {
    const place = placeOf(block)
    const candidates = elections.get(place)
    if (candidates) {
      if (!candidates.some((other) => nanoBlockHash(other) === nanoBlockHash(block))) candidates.push(block)
      return
    }
    elections.set(place, [block])
    loop.schedule(random.int(...weather.electionMs), () => decide(place))
  }

  const decide = (place: string) => {
    const candidates = elections.get(place)
    const [first] = candidates ?? []
    if (!candidates || !first) return
    if (dependsOnUnconfirmed(first)) {
      postponed.add(place)
      return
    }
    elections.delete(place)
    const upset = candidates.length > 1 && random.chance(weather.upset)
    const winner = upset ? random.pick(candidates.slice(1)) : first
    enforce(winner, candidates)
  }

  /** The winner is in the ledger and confirmed, whoever was there before. */
  const enforce = (winner: WorkedBlock, candidates: readonly WorkedBlock[]) => {
    const hash = nanoBlockHash(winner)
    if (!ledger.get(hash)) {
      const rival = candidates.map(nanoBlockHash).find((other) => ledger.get(other))
      if (rival !== undefined) ledger.rollBack(rival)
      if (ledger.process(winner) !== 'progress') return
    }
    for (const entry of ledger.confirm(hash)) announce(entry)
    const waiting = [...postponed]
    postponed.clear()
    for (const place of waiting) decide(place)
  }

  return {
    ledger,
    weather,

    /** A block arrives, from whomever. */
    publish(block: WorkedBlock): BlockStatus {
      const status = ledger.process(block)
      const held = ledger.get(nanoBlockHash(block))
      if (status === 'progress' || (status === 'old' && held?.confirmed === false)) begin(block)
      if (status === 'fork') {
        const rival = ledger.chain(block.account).find((entry) => placeOf(entry.block) === placeOf(block))
        if (rival && !rival.confirmed) {
          begin(rival.block)
          begin(block)
        }
      }
      return status
    },

    /** @returns stops */
    onConfirmed(listener: (confirmed: LedgerBlock) => void): () => void {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },

    /** The node forgets blocks that are not confirmed, and elections; what it keeps is voted on again. */
    forget(keep: (entry: LedgerBlock) => boolean) {
      elections.clear()
      postponed.clear()
      for (const entry of ledger.unconfirmed()) if (ledger.get(entry.hash) && !keep(entry)) ledger.rollBack(entry.hash)
      for (const entry of ledger.unconfirmed()) begin(entry.block)
    },
  }
}
