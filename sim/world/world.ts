/**
 * What all actors of one run share: virtual time, network, chain, the story so far, and the first property that broke.
 */
import type { BuyerEffects } from '../../buyer/lib/index.ts'
import type { Contracts } from '../../chain/events.ts'
import type { Address } from '../../chain/types.ts'
import type { Chain } from '../../effects/chain.ts'
import type { IndexerEffects } from '../../indexer/index.ts'
import type { PayingEffects } from '../../buyer/lib/paying/index.ts'
import type { GatewayEffects } from '../../gateway/index.ts'
import type { Rail } from '../../gateway/rail.ts'
import type { EvmEffects } from '../../gateway/rails/evm/index.ts'
import type { VendorEffects } from '../../vendor/index.ts'
import { openSimChain, type Reorg, type SimChain } from '../chain.ts'
import type { SimAccount } from '../edr.ts'
import { drawFaultRates, type FaultKind, faultKinds, type FaultRates } from '../faults.ts'
import { createKeyPool, type KeyPool } from '../key-pool.ts'
import { createLoop, SIM_EPOCH_MS, type Loop } from '../loop.ts'
import { createSimNetwork, type SimNetwork } from '../network.ts'
import { createSimRandom, type SimRandom } from '../random.ts'
import { createTrace, type Trace } from '../trace.ts'
import type { Ground } from './deployment.ts'
import { createHistory, type History, type HistoryBlock } from './history.ts'
import type { Reachable, Reached } from './reached.ts'
import { createStorm, type Storm } from './storm.ts'
import type { TillEffects } from './till.ts'
import type { Token } from './token.ts'

/** A property that does not hold, and what shows it. */
export interface Breach {
  readonly property: string
  readonly message: string
}

/** Changes of real behaviour, by what is put around the effects of a service. */
export interface Sabotage {
  readonly vendor?: (effects: VendorEffects, random: SimRandom) => VendorEffects
  readonly buyer?: (effects: BuyerEffects, random: SimRandom) => BuyerEffects
  readonly indexer?: (effects: IndexerEffects, random: SimRandom) => IndexerEffects
  readonly payer?: (chain: Chain) => Chain
  readonly till?: (effects: TillEffects) => TillEffects
  readonly gateway?: (effects: GatewayEffects) => GatewayEffects
  readonly evm?: (effects: EvmEffects) => EvmEffects
  readonly rail?: (rail: Rail) => Rail
  readonly paying?: (effects: PayingEffects) => PayingEffects
  /** The bookkeeper of the money property counts what is paid out to vendors twice, in the native coin or the token. */
  readonly countsPayoutsTwice?: boolean
  readonly countsTokenPayoutsTwice?: boolean
  /** The `buy` command acknowledges what it bought before it has said so. */
  readonly acknowledgesUnsaid?: boolean
}

/** What is drawn for a whole run. */
export interface Knobs {
  readonly vendors: number
  readonly buyers: number
  readonly payers: number
  /** Between two blocks, in calm pace; milliseconds. */
  readonly blockMs: number
  /** How often services look for new blocks, milliseconds. */
  readonly pollMs: number
  /** Nodes tell services of new blocks, faults aside. */
  readonly tellsHeads: boolean
  readonly confirmations: number
  readonly finalityDepth: number
  readonly rates: FaultRates
}

export interface World {
  readonly seed: number
  readonly knobs: Knobs
  readonly loop: Loop
  readonly trace: Trace
  readonly random: SimRandom
  readonly faults: Storm
  readonly network: SimNetwork
  readonly chain: SimChain
  readonly chainId: bigint
  readonly contracts: Contracts
  readonly token: Token
  /** An account that refuses the native coin. */
  readonly refuser: Address
  readonly accounts: readonly SimAccount[]
  readonly history: History
  readonly keys: KeyPool
  readonly sabotage: Sabotage
  /** Moments of virtual time are told from the start of the run, milliseconds. */
  elapsedMs(): number
  /** One line of the story. */
  tell(text: string): void
  readonly story: readonly string[]
  reach(name: Reachable): void
  readonly reached: Reached
  /** Notes that a property does not hold; the first one counts. */
  breach(property: string, message: string): void
  breached(): Breach | undefined
  /** Makes blocks from now on, so often. */
  pace(blockMs: number): void
  reorg(plan: Reorg): Promise<readonly HistoryBlock[]>
  noteJump(host: string): void
  /** When the clock of a host last jumped; virtual milliseconds. */
  jumpedAtMs(host: string): number
}

/** Shares of the highest fault rates that runs get: some are calm, some are rough. */
const ROUGHNESS = [0, 0.1, 0.3, 0.6] as const

/** @returns the same for the same seed, whatever the commands */
const drawKnobs = (random: SimRandom): Knobs => {
  const finalityDepth = random.pick([4, 8, 12])
  const roughness = random.pick(ROUGHNESS)
  const drawn = drawFaultRates(random.fork('faults'))
  // Few answers hold anything that a later one tells of: what can be left out is, in all runs that are not calm.
  const shareOf = (kind: FaultKind) => (kind === 'rpc-omission' ? Math.sign(roughness) : roughness)
  const rates = Object.fromEntries(faultKinds.map((kind) => [kind, drawn[kind] * shareOf(kind)])) as FaultRates
  return {
    vendors: random.int(2, 3),
    buyers: random.int(2, 4),
    blockMs: random.pick([3_000, 6_000, 12_000]),
    pollMs: random.pick([4_000, 10_000, 20_000]),
    confirmations: random.int(0, 2),
    finalityDepth,
    rates,
    payers: random.int(1, 2),
    tellsHeads: random.chance(0.5),
  }
}

export const openWorld = async (ground: Ground, seed: number, sabotage: Sabotage): Promise<World> => {
  const { edr, registry, payments, token, refuser } = ground
  const contracts = { registry, payments }
  const loop = createLoop()
  const trace = createTrace(loop)
  const random = createSimRandom(seed)
  const knobs = drawKnobs(random.fork('knobs'))
  const faults = createStorm(knobs.rates)
  const network = createSimNetwork({ loop, trace, random: random.fork('network'), faults })
  const { finalityDepth } = knobs
  const chain = await openSimChain(edr, { loop, trace, random: random.fork('chain'), faults, finalityDepth })
  const history = createHistory(chain, contracts)
  const story: string[] = []
  const reached: Reached = {}
  let broken: Breach | undefined
  let blockMs = knobs.blockMs
  let cancelNext = () => {}
  /** Blocks are made and replaced one after the other. */
  let turn: Promise<unknown> = loop.runUntil(history.record(), 1)

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work)
    turn = done
    return done
  }
  const schedule = () => {
    cancelNext = loop.schedule(blockMs, () => {
      void inTurn(async () => {
        await chain.mine()
        await history.record()
      })
      schedule()
    })
  }
  await turn
  schedule()

  const jumps = new Map<string, number>()
  const elapsedMs = () => loop.nowMs() - SIM_EPOCH_MS
  const tell = (text: string) => {
    story.push(`${clockText(elapsedMs())}  ${text}`)
    trace.add('story', text)
  }
  return {
    seed,
    knobs,
    loop,
    trace,
    random,
    faults,
    network,
    chain,
    chainId: edr.chainId,
    contracts,
    token,
    refuser,
    accounts: edr.accounts,
    history,
    keys: createKeyPool(),
    sabotage,
    elapsedMs,
    tell,
    story,
    reach: (name) => {
      reached[name] = (reached[name] ?? 0) + 1
    },
    reached,
    breach: (property, message) => {
      if (broken) return
      broken = { property, message }
      tell(`BROKEN: ${property}: ${message}`)
    },
    breached: () => broken,
    pace: (ms) => {
      blockMs = ms
      cancelNext()
      schedule()
    },
    reorg: (plan) =>
      inTurn(async () => {
        await chain.reorg(plan)
        return history.record()
      }),
    noteJump: (host) => void jumps.set(host, loop.nowMs()),
    jumpedAtMs: (host) => jumps.get(host) ?? -Infinity,
  }
}

const clockText = (ms: number): string => {
  const seconds = Math.floor(ms / 1000)
  const parts = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60]
  return `${Math.floor(seconds / 86_400)}d ${parts.map((part) => String(part).padStart(2, '0')).join(':')}`
}
