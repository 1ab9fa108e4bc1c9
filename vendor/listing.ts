/** What the registry says of this vendor, read again when an event says that it changed. */
import { createContractReader, type Listing } from '../chain/contracts.ts'
import type { ChroveEvent } from '../chain/events.ts'
import { createTokenReader, type TokenFacts } from '../chain/token.ts'
import { type Address, ZERO_ADDRESS } from '../chain/types.ts'
import type { Chain } from '../effects/chain.ts'
import type { Log } from '../effects/log.ts'
import type { VendorUri } from '../protocol/vendor-uri.ts'
import { VendorError } from './errors.ts'
import { isRegistered, type VendorKeys } from './keys.ts'

/** The listing, and what the tokens of plans on sale say of themselves. */
export interface PricedListing extends Listing {
  readonly tokens: ReadonlyMap<Address, TokenFacts>
}

export interface ListingWatch {
  /** As last read. @throws ERR_STARTING before it was read */
  current(): PricedListing
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
  const tokens = createTokenReader(chain)
  let listing: PricedListing | undefined
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
        const read = await reader.listing(registry as Address, vendorId, 'latest', signal)
        const paidIn = new Set(read.plans.filter(({ onSale }) => onSale).map(({ token }) => token))
        paidIn.delete(ZERO_ADDRESS)
        const facts = await Promise.all([...paidIn].map((token) => tokens.facts(token, signal)))
        listing = { ...read, tokens: new Map(facts.map((each) => [each.address, each])) }
      } catch (error) {
        isStale = true
        throw error
      }
      if (!isRegistered(keys, listing.vendor)) log.error('vendor.keys-not-registered')
    },
  }
}
