/**
 * The vendor's service: tells its prices, follows the chain for what was paid to it, opens and ends access, and hands
 * credentials to the holders of paid keys. It trusts no third party: orders come from its own chain follower.
 */
import { createBackoff } from '../chain/backoff.ts'
import { createContractReader } from '../chain/contracts.ts'
import { ContractRevert } from '../chain/errors.ts'
import { createFollower } from '../chain/follower.ts'
import type { Projection } from '../chain/projection.ts'
import { isCaughtUp, runSteps, type Step } from '../chain/run-steps.ts'
import type { Address } from '../chain/types.ts'
import { ChainError, type Chain } from '../effects/chain.ts'
import type { Clock } from '../effects/clock.ts'
import type { Heads } from '../effects/heads.ts'
import type { Log } from '../effects/log.ts'
import type { Network } from '../effects/network.ts'
import type { Random } from '../effects/random.ts'
import type { SqlStore } from '../effects/store.ts'
import type { Jose } from '../protocol/jose.ts'
import type { VendorUri } from '../protocol/vendor-uri.ts'
import { createAccessKeeper } from './access.ts'
import { createCertInfo, createTimeSigner } from './cert-info.ts'
import { createDeliveries } from './deliveries.ts'
import { createVendorHttp } from './http.ts'
import type { VendorKeys } from './keys.ts'
import { createListingWatch } from './listing.ts'
import { createPriceDocuments, paymentMethods, type PriceSource } from './price-document.ts'
import type { VendorSettings } from './settings.ts'
import { openVendorStore } from './store.ts'

export interface VendorEffects {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly chain: Chain
  readonly heads: Heads
  readonly sql: SqlStore
  readonly log: Log
  readonly jose: Jose
}

export interface Vendor {
  /** The HTTP face. */
  fetch(request: Request): Promise<Response>
  /**
   * Follows the chain, and keeps access as paid, until the signal aborts.
   * @throws FollowError when the chain is not the one that was followed
   */
  run(signal: AbortSignal): Promise<void>
  /** Ends buyers' connections too. */
  close(): Promise<void>
}

/**
 * A vendor that listens for the connections of its buyers, and lets nobody in before it runs.
 * @throws what opening the database throws
 * @throws ERR_NETWORK_ADDRESS_IN_USE
 */
export const createVendor = async (
  effects: VendorEffects,
  settings: VendorSettings,
  keys: VendorKeys,
): Promise<Vendor> => {
  const { clock, log, chain, jose } = effects
  const { brand, nativeSymbol, legacy, pollMs } = settings
  const registry = settings.registry as Address
  const vendor: VendorUri = { chainId: BigInt(settings.chainId), registry, vendorId: BigInt(settings.vendorId) }
  const store = await openVendorStore(effects.sql.dialect('vendor'), vendor.vendorId)
  const deliveries = createDeliveries(effects, settings.delivery, keys.provisioningSecret)
  const listing = createListingWatch({ chain, log, vendor, keys })
  const access = createAccessKeeper({ clock, log, store, deliveries })
  let paymentsAreRead = false

  const source = (): PriceSource => ({
    vendor,
    listing: listing.current(),
    brand,
    nativeSymbol,
    signingKey: keys.signing.publicKey,
    encryptionKey: keys.encryption.publicKey,
  })
  const signTime = createTimeSigner(jose, keys)
  const offered = () => paymentMethods(source())
  const { open: openAccess } = access
  const answering = { clock, jose, store, keys, vendor, legacy, signTime, openAccess, paymentMethods: offered }
  const certInfo = await createCertInfo(answering)
  const priceDocument = createPriceDocuments({ clock, jose, signing: keys.signing, signTime, source })
  const ready = () => listing.isRead && paymentsAreRead
  const listeners = await deliveries.listen().catch(async (error: unknown) => {
    await store.close()
    throw error
  })

  const projection: Projection = {
    recorded: () => store.recorded(),
    async apply(batch) {
      await store.apply(batch)
      listing.heed(batch.events)
    },
    async rollBack(to) {
      await store.rollBack(to)
      listing.heed('reorg')
    },
  }

  const follow = async (signal: AbortSignal): Promise<void> => {
    const payments = await createContractReader(chain).paymentsOf(registry, 'latest', signal)
    const { startBlock: fromBlock, finalityBlocks, confirmations } = settings
    const contracts = { registry, payments }
    const following = { chainId: vendor.chainId, contracts, fromBlock, finalityBlocks, confirmations, pollMs }
    const follower = createFollower(effects, following, projection)
    const step = async (): Promise<Step> => {
      const done = await follower.step(signal)
      paymentsAreRead ||= isCaughtUp(done)
      return done
    }
    await runSteps(effects, step, pollMs, signal)
  }

  /** Repeats until the signal aborts; passing faults of the chain are waited out. */
  const repeat = async (signal: AbortSignal, turn: () => Promise<void>): Promise<void> => {
    const backoff = createBackoff(effects)
    let failed = false
    while (!signal.aborted) {
      try {
        if (failed) await backoff.pause(signal)
        await turn()
        failed = false
        backoff.reset()
        await clock.sleep(pollMs, signal)
      } catch (error) {
        if (signal.aborted) return
        // A node that lags, or a reorg, may not know this vendor yet.
        if (!(error instanceof ChainError || error instanceof ContractRevert)) throw error
        log.warn('vendor.chain-fault', { code: error.code })
        failed = true
      }
    }
  }

  return {
    fetch: createVendorHttp({ certInfo, priceDocument, ready }, log),

    async run(signal) {
      // One part that fails stops the others, so that nothing goes on half alive.
      const failing = new AbortController()
      const until = AbortSignal.any([signal, failing.signal])
      const turns = [() => follow(until), () => listing.refresh(until), access.settle]
      await Promise.all(turns.map((turn) => repeat(until, turn).catch((error: unknown) => failing.abort(error))))
      if (failing.signal.aborted && !signal.aborted) throw failing.signal.reason
    },

    async close() {
      await Promise.all(listeners.map((listener) => listener.close()))
      await store.close()
    },
  }
}
