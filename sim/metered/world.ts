/** The world of metered access: a service with its gateway, clients that pay it, and somebody on the way between them. */
import { gateWebCrypto } from '../web-crypto.ts'
import type { Ground } from '../world/deployment.ts'
import { openWorld, type Sabotage, type World } from '../world/world.ts'
import { createEve, type Eve } from './eve.ts'
import { createPayer, type Payer } from './payer.ts'
import { createShop, type Shop } from './shop.ts'

export interface Metered {
  readonly world: World
  readonly shop: Shop
  readonly payers: readonly Payer[]
  readonly eve: Eve
  /** Of real WebCrypto, when the run is over. */
  close(): void
}

/** Virtual time within which everybody is ready. */
const OPENING_MS = 600_000

export const openMetered = async (ground: Ground, seed: number, sabotage: Sabotage): Promise<Metered> => {
  const world = await openWorld(ground, seed, sabotage)
  const shop = createShop(world)
  const eve = createEve(world)
  const payers = Array.from({ length: world.knobs.buyers }, (_, index) => createPayer(world, shop, eve, index))
  const close = gateWebCrypto(world.loop)
  const opening = async () => {
    await shop.register()
    for (const payer of payers) await payer.init()
  }
  try {
    await world.loop.runUntil(opening(), OPENING_MS)
  } catch (error) {
    close()
    throw error
  }
  for (const each of [shop, ...payers]) each.start()
  world.tell(`a service and ${payers.length} clients are open`)
  return { world, shop, payers, eve, close }
}
