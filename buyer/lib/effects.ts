/** What a buyer needs of the world. @see DESIGN 4 */
import type { Chain } from '../../effects/chain.ts'
import type { Clock } from '../../effects/clock.ts'
import type { Log } from '../../effects/log.ts'
import type { Network } from '../../effects/network.ts'
import type { Random } from '../../effects/random.ts'
import type { FileStore } from '../../effects/store.ts'
import type { Jose } from '../../protocol/jose.ts'

export interface BuyerEffects {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly chain: Chain
  readonly files: FileStore
  readonly jose: Jose
  readonly log: Log
}
