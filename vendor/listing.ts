/** What the registry says of this vendor, read again when an event says that it changed. */
import { createContractReader, type Listing } from '../chain/contracts.ts'
import type { ChroveEvent } from '../chain/events.ts'
import type { Address } from '../chain/types.ts'
import type { Chain } from '../effects/chain.ts'
import type { Log } from '../effects/log.ts'
import { toHex } from '../protocol/bytes.ts'
import { thumbprintOf } from '../protocol/keys.ts'
import type { VendorUri } from '../protocol/vendor-uri.ts'
import { VendorError } from './errors.ts'
import type { VendorKeys } from './keys.ts'

export interface ListingWatch {
  /** As last read. @throws ERR_STARTING before it was read */
  current(): Listing
  readonly isRead: boolean
  /** Notes that it may have changed: events came, or a reorg undid some. */
  heed(events: readonly ChroveEvent[] | 'reorg'): void
  /** Reads it if it may have changed. @throws ChainError | ContractRevert */
  refresh(signal: AbortSignal): Promise<void>
}

export interface ListingParts {
  readonly chain: Chain
  readonly log: Log
  readonly vendor: VendorUri
  readonly keys: VendorKeys
}

export const createListingWatch = ({ chain, log, vendor, keys }: ListingParts): ListingWatch => {
  const { registry, vendorId } = vendor
  const reader = createContractReader(chain)
  const thumbprints = [keys.signing, keys.encryption].map(({ publicKey }) => toHex(thumbprintOf(publicKey)))
  let listing: Listing | undefined
  let isStale = true
  return {
    current() {
      if (!listing) throw new VendorError('ERR_STARTING', 'the registry has not been read yet')
      return listing
    },
    get isRead() {
      return listing !== undefined
    },
    heed(events) {
      isStale ||= events === 'reorg' || events.some((event) => 'version' in event && event.vendorId === vendorId)
    },
    async refresh(signal) {
      if (!isStale) return
      // Before the read: what changes while it is under way makes it stale again.
      isStale = false
      try {
        listing = await reader.listing(registry as Address, vendorId, 'latest', signal)
      } catch (error) {
        isStale = true
        throw error
      }
      const { signingKey, encryptionKey } = listing.vendor
      if (signingKey !== thumbprints[0] || encryptionKey !== thumbprints[1]) log.error('vendor.keys-not-registered')
    },
  }
}
