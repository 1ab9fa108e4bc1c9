/**
 * The market world: vendors with their tills, buyers, payers, a directory, a page, and those who mean no good, on one
 * chain and network.
 */
import { createAdversary, type Adversary } from './adversary.ts'
import { createBuyerActor, type BuyerActor } from './buyer.ts'
import type { Ground } from './deployment.ts'
import { createIndexerActor, type IndexerActor } from './indexer.ts'
import { openPage } from './page.ts'
import { createPayer, type Payer } from './payer.ts'
import { createRelayer, type Relayer } from './relayer.ts'
import { createTill, type Till } from './till.ts'
import { createVendorActor, type Exchange, type VendorActor } from './vendor.ts'
import { openWorld, type Sabotage, type World } from './world.ts'

export interface Market {
  readonly world: World
  readonly vendors: readonly VendorActor[]
  readonly buyers: readonly BuyerActor[]
  readonly payers: readonly Payer[]
  /** One for each vendor, in the same sequence. */
  readonly tills: readonly Till[]
  readonly relayer: Relayer
  readonly indexer: IndexerActor
  readonly adversary: Adversary
}

/** Virtual time within which everybody is registered. */
const OPENING_MS = 600_000

/** @param onExchange sees every answer to /cert.info before the network does */
export const openMarketWorld = async (
  ground: Ground,
  seed: number,
  sabotage: Sabotage,
  onExchange: (world: World, exchange: Exchange) => Promise<void>,
): Promise<Market> => {
  const world = await openWorld(ground, seed, sabotage)
  const adversary = createAdversary(world)
  const seen = async (exchange: Exchange) => {
    adversary.overhear(exchange)
    await onExchange(world, exchange)
  }
  const vendors = Array.from({ length: world.knobs.vendors }, (_, index) => createVendorActor(world, index, seen))
  const buyers = Array.from({ length: world.knobs.buyers }, (_, index) => createBuyerActor(world, index))
  const tills = vendors.map((_, index) => createTill(world, index))
  const relayer = createRelayer(world)
  const payers = Array.from({ length: world.knobs.payers }, (_, index) => createPayer(world, relayer, index))
  const indexer = createIndexerActor(world)
  const opening = async () => {
    await openPage(world)
    for (const vendor of vendors) await vendor.register()
    for (const buyer of buyers) await buyer.init()
  }
  await world.loop.runUntil(opening(), OPENING_MS)
  for (const each of [...vendors, ...tills]) each.start()
  indexer.start()
  world.tell(`${vendors.length} vendors, ${buyers.length} buyers, ${payers.length} payers and a directory are open`)
  return { world, vendors, buyers, payers, tills, relayer, indexer, adversary }
}
