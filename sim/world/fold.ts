/** The market after one more event, by plain rules that share no code with the services. */
import type { ChroveEvent, RegistryEvent, VendorRegistered } from '../../chain/events.ts'
import { ZERO_ADDRESS, type Hex } from '../../chain/types.ts'
import { afterChannelEvent } from './fold-channels.ts'
import { afterOrderEvent } from './fold-orders.ts'
import { complain, holding, keptKey, planKey, plus, put, type MarketModel, type VendorModel } from './model.ts'

const hexOf = ({ bytes }: { readonly bytes: Uint8Array }): Hex => `0x${Buffer.from(bytes).toString('hex')}`

/** @param seconds time of the event's block */
export const afterEvent = (market: MarketModel, event: ChroveEvent, seconds: number): MarketModel => {
  switch (event.type) {
    case 'VendorRegistered':
      return registered(market, event)
    case 'OrderPaid':
    case 'OrderCancelled':
    case 'OrderRefunded':
    case 'OrderWithdrawn':
      return afterOrderEvent(market, event, seconds)
    case 'ChannelDeposited':
    case 'ChannelClaimed':
    case 'ChannelRefunded':
    case 'WithdrawalRequested':
    case 'ChannelWithdrawn':
      return afterChannelEvent(market, event, seconds)
    case 'PayoutKept': {
      // It had been counted as gone.
      const kept = plus(market.kept, keptKey(event.vendorId, event.token), event.amount)
      return holding({ ...market, kept }, event.token, event.amount)
    }
    case 'PayoutRedelivered': {
      const key = keptKey(event.vendorId, event.token)
      const due = market.kept.get(key) ?? 0n
      const next = holding({ ...market, kept: plus(market.kept, key, -event.amount) }, event.token, -event.amount)
      const isRight = event.amount === due && due > 0n && event.payout === market.vendors.get(event.vendorId)?.payout
      return isRight ? next : complain(next, `vendor ${event.vendorId} was sent ${event.amount} of ${due} kept for it`)
    }
    default:
      return vendorChanged(market, event)
  }
}

const registered = (market: MarketModel, event: VendorRegistered): MarketModel => {
  const { vendorId, owner, operator, payout, signingKey, encryptionKey, version } = event
  const texts = { endpoints: event.endpoints.map(hexOf), profile: hexOf(event.profile) }
  const vendor = { owner, pendingOwner: ZERO_ADDRESS, operator, payout, active: true, version, planCount: 0 }
  return { ...market, vendors: put(market.vendors, vendorId, { ...vendor, signingKey, encryptionKey, ...texts }) }
}

type VendorChange = Exclude<RegistryEvent, VendorRegistered>

const vendorChanged = (market: MarketModel, event: VendorChange): MarketModel => {
  const before = market.vendors.get(event.vendorId)
  if (!before) return complain(market, `${event.type} of vendor ${event.vendorId}, which there is not`)
  const changed = (change: Partial<VendorModel>, plans = market.plans): MarketModel => ({
    ...market,
    plans,
    vendors: put(market.vendors, event.vendorId, { ...before, ...change, version: event.version }),
  })
  switch (event.type) {
    case 'EndpointsChanged':
      return changed({ endpoints: event.endpoints.map(hexOf) })
    case 'KeysChanged':
      return changed({ signingKey: event.signingKey, encryptionKey: event.encryptionKey })
    case 'ProfileChanged':
      return changed({ profile: hexOf(event.profile) })
    case 'ActiveChanged':
      return changed({ active: event.active })
    case 'OperatorChanged':
      return changed({ operator: event.operator })
    case 'PayoutChanged':
      return changed({ payout: event.payout })
    case 'OwnershipTransferStarted':
      return changed({ pendingOwner: event.pendingOwner })
    case 'OwnershipTransferred':
      return changed({ owner: event.owner, pendingOwner: ZERO_ADDRESS })
    case 'PlanAdded': {
      const { vendorId, planId, token, price, periodSeconds, maxPeriods, settlement } = event
      const plan = { terms: { token, price, periodSeconds, maxPeriods, settlement }, onSale: true }
      return changed({ planCount: planId }, put(market.plans, planKey(vendorId, planId), plan))
    }
    case 'PlanSaleChanged': {
      const key = planKey(event.vendorId, event.planId)
      const plan = market.plans.get(key)
      if (!plan) return complain(market, `PlanSaleChanged of plan ${key}, which there is not`)
      return changed({}, put(market.plans, key, { ...plan, onSale: event.onSale }))
    }
  }
}
