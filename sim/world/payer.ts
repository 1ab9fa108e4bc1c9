/**
 * A payer: somebody with a stablecoin and no library, who calls the contracts directly in every form they have. Buys
 * plans, keeps payment channels with vendors, and signs what others send.
 */
import type { Chain } from '../../effects/chain.ts'
import { createSimHost } from '../host.ts'
import { accountOf } from './accounts.ts'
import { createPayerChannels, type PayerChannels } from './payer-channels.ts'
import { createPayerOrders, type PayerOrders } from './payer-orders.ts'
import { createPerson } from './person.ts'
import type { Relayer } from './relayer.ts'
import { createSpending } from './spending.ts'
import type { World } from './world.ts'

export interface Payer {
  readonly name: string
  readonly orders: PayerOrders
  readonly channels: PayerChannels
}

export const createPayer = (world: World, relayer: Relayer, index: number): Payer => {
  const { loop, network, random, trace, accounts, sabotage } = world
  const name = `payer-${index + 1}`
  const effects = createSimHost({ loop, network, random, trace }, name).boot()
  const honest: Chain = world.chain.door(name, effects.life)
  const chain = sabotage.payer?.(honest) ?? honest
  const doors = { ...effects, chain }
  const person = createPerson(world, name, accountOf(accounts, 'payer', index), doors)
  const spending = createSpending(world, relayer, person, doors)
  return {
    name,
    orders: createPayerOrders(world, relayer, person, spending, doors),
    channels: createPayerChannels(world, relayer, person, accountOf(accounts, 'signer', index), spending, doors),
  }
}
