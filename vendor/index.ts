/**
 * The vendor's service: tells its prices, follows the chain for what was paid to it, opens and ends access, and hands
 * credentials to the holders of paid keys. It trusts no third party: orders come from its own chain follower.
 */
import { createBackoff } from '../chain/backoff.ts'
import { createContractReader, type Listing } from '../chain/contracts.ts'
import { createFollower } from '../chain/follower.ts'
import type { Projection } from '../chain/projection.ts'
import type { Address } from '../chain/types.ts'
import { ChainError, type Chain } from '../effects/chain.ts'
import { nowSeconds, type Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Network } from '../effects/network.ts'
import type { Random } from '../effects/random.ts'
import type { SqlStore } from '../effects/store.ts'
import { equalBytes, fromHex } from '../protocol/bytes.ts'
import type { Jose } from '../protocol/jose.ts'
import { thumbprintOf, type RsaPublicKey } from '../protocol/keys.ts'
import type { VendorUri } from '../protocol/vendor-uri.ts'
import { createCertInfo, createTimeSigner } from './cert-info.ts'
import { createDeliveries } from './deliveries.ts'
import { VendorError } from './errors.ts'
import { createVendorHttp } from './http.ts'
import type { VendorKeys } from './keys.ts'
import type { PaidOrder } from './orders.ts'
import { createPriceDocuments, paymentMethods, type PriceSource } from './price-document.ts'
import { reconcile } from './reconcile.ts'
import type { VendorSettings } from './settings.ts'
import { openVendorStore } from './store.ts'

export interface VendorEffects {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly chain: Chain
  readonly sql: SqlStore
  readonly log: Log
  readonly jose: Jose
}

export interface Vendor {
  /** The HTTP face. */
  fetch(request: Request): Promise<Response>
  /**
   * Listens for buyers' connections, follows the chain, and keeps access as paid, until the signal aborts.
   * @throws FollowError when the chain is not the one that was followed
   */
  run(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** @throws what opening the database throws */
export const createVendor = async (
  effects: VendorEffects,
  settings: VendorSettings,
  keys: VendorKeys,
): Promise<Vendor> => {
  const { clock, log, jose } = effects
  const contracts = createContractReader(effects.chain)
  const registry = settings.registry as Address
  const vendor: VendorUri = { chainId: BigInt(settings.chainId), registry, vendorId: BigInt(settings.vendorId) }
  const store = await openVendorStore(effects.sql.dialect('vendor'), vendor.vendorId)
  const deliveries = createDeliveries(effects, settings.delivery, keys.provisioningSecret)
  let listing: Listing | undefined
  let listingIsStale = true
  let open: readonly PaidOrder[] = []

  const priceSource = (): PriceSource => {
    if (!listing) throw new VendorError('ERR_STARTING', 'the registry has not been read yet')
    const { brand, nativeSymbol } = settings
    const { signing, encryption } = keys
    return { vendor, listing, brand, nativeSymbol, signingKey: signing.publicKey, encryptionKey: encryption.publicKey }
  }
  const signTime = createTimeSigner(jose, keys)
  const certInfo = await createCertInfo({
    clock,
    jose,
    store,
    keys,
    vendor,
    legacy: settings.legacy,
    signTime,
    provisionerFor: deliveries.provisionerFor,
    paymentMethods: () => paymentMethods(priceSource()),
  })
  const priceDocument = createPriceDocuments({ clock, jose, signing: keys.signing, signTime, source: priceSource })
  const fetch = createVendorHttp({ certInfo, priceDocument, ready: () => listing !== undefined }, log)

  const refreshListing = async (signal: AbortSignal): Promise<void> => {
    listingIsStale = false
    try {
      listing = await contracts.listing(registry, vendor.vendorId, 'latest', signal)
    } catch (error) {
      listingIsStale = true
      throw error
    }
    const { signingKey, encryptionKey } = listing.vendor
    const listed = (key: RsaPublicKey, thumbprint: string) => equalBytes(thumbprintOf(key), fromHex(thumbprint))
    if (!listed(keys.signing.publicKey, signingKey) || !listed(keys.encryption.publicKey, encryptionKey)) {
      log.error('vendor.keys-not-registered')
    }
  }

  const settleAccess = async (): Promise<void> => {
    const { provision, revoke } = reconcile(await store.runningOrders(nowSeconds(clock)), open)
    for (const order of revoke) await deliveries.provisionerFor(order).revoke(order)
    for (const order of provision) await deliveries.provisionerFor(order).provision(order)
    if (revoke.length + provision.length === 0) return
    const ended = new Set(revoke)
    const changed = new Set(provision.map(({ orderId }) => orderId))
    open = [...open.filter((order) => !ended.has(order) && !changed.has(order.orderId)), ...provision]
    log.info('vendor.access', { opened: provision.length, ended: revoke.length, open: open.length })
  }

  /** The store, watched: what changes the listing or an order is acted on at the next turn. */
  const projection: Projection = {
    recorded: () => store.recorded(),
    async apply(batch) {
      await store.apply(batch)
      listingIsStale ||= batch.events.some((event) => 'version' in event && event.vendorId === vendor.vendorId)
    },
    async rollBack(to) {
      await store.rollBack(to)
      listingIsStale = true
    },
  }

  /** Repeats until the signal aborts; passing faults of the chain are waited out. */
  const repeat = async (signal: AbortSignal, pauseMs: number, turn: () => Promise<void>): Promise<void> => {
    const backoff = createBackoff(effects)
    while (!signal.aborted) {
      try {
        await turn()
        backoff.reset()
        await clock.sleep(pauseMs, signal)
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof ChainError)) throw error
        log.warn('vendor.chain-fault', { code: error.code })
        await backoff.pause(signal)
      }
    }
  }

  const follow = async (signal: AbortSignal): Promise<void> => {
    const payments = await contracts.paymentsOf(registry, 'latest', signal)
    const { chainId } = vendor
    const { startBlock: fromBlock, finalityBlocks, confirmations, pollMs } = settings
    const addresses = { registry, payments }
    const following = { chainId, contracts: addresses, fromBlock, finalityBlocks, confirmations, pollMs }
    await createFollower(effects, following, projection).run(signal)
  }

  return {
    fetch,
    async run(signal) {
      const listeners = await deliveries.listen()
      try {
        // One that fails stops the others, so that nothing goes on half alive.
        const failing = new AbortController()
        const until = AbortSignal.any([signal, failing.signal])
        const parts = [
          repeat(until, settings.pollMs, () => follow(until)),
          repeat(until, settings.pollMs, () => (listingIsStale ? refreshListing(until) : Promise.resolve())),
          repeat(until, settings.pollMs, settleAccess),
        ]
        await Promise.all(parts.map((part) => part.catch((error: unknown) => stopAll(failing, error))))
        if (failing.signal.aborted && !signal.aborted) throw failing.signal.reason
      } finally {
        await Promise.all(listeners.map((listener) => listener.close()))
      }
    },
    close: () => store.close(),
  }
}

const stopAll = (failing: AbortController, error: unknown): void => {
  if (!failing.signal.aborted) failing.abort(error)
}
