/** What a transfer takes from the world. */
import type { Clock } from '../../effects/clock.ts'
import type { Hasher } from '../../effects/digest-node.ts'
import type { Folders } from '../../effects/folders.ts'
import type { Packer } from '../../effects/packer.ts'

export interface TransferEffects {
  readonly clock: Clock
  readonly folders: Folders
  readonly packer: Packer
  createHasher(): Hasher
}
