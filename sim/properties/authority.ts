/**
 * Nothing happens that its owner did not want: behind each event stands a transaction of whoever may do that, or a
 * signature of theirs that says exactly this and was used once.
 */
import type { ChroveEvent } from '../../chain/events.ts'
import type { Address, Hex } from '../../chain/types.ts'
import { channelIdOf, digestOf, paymentsDomain, signerOf, type Message } from '../../protocol/typed-data.ts'
import { refundable, planOf, type MarketModel } from '../world/model.ts'
import type { PaymentsCall } from '../world/payments-calls.ts'
import type { World } from '../world/world.ts'
import type { Happening, Retold } from './retell.ts'

const PROPERTY = 'only who may'

type Call<Name extends PaymentsCall['name']> = Extract<PaymentsCall, { readonly name: Name }>['args']
type Purchase = Call<'buyWithPermit'>['purchase']
type Deposit = Call<'depositWithPermit'>['terms']

/** An event of one type, in its circumstances. */
type Circumstances<Type extends ChroveEvent['type']> = Omit<Happening, 'event'> & {
  readonly event: Extract<ChroveEvent, { readonly type: Type }>
}

/** EIP-712 separators, and where they are good. */
interface Places {
  readonly payments: Address
  readonly domain: Hex
  readonly tokenDomain: Hex
}

const isAuthority = ({ vendors }: MarketModel, vendorId: bigint, account: Address): boolean => {
  const vendor = vendors.get(vendorId)
  return vendor !== undefined && [vendor.owner, vendor.operator].includes(account)
}

/** Whether a payer authorised the token to hand over an amount for what has this digest. */
const isAuthorised = (
  { payments, tokenDomain }: Places,
  payer: Address,
  { amount, deadline }: Pick<Deposit, 'amount' | 'deadline'>,
  nonce: Hex,
  authorization: Hex,
): boolean => {
  const transfer = { from: payer, to: payments, value: amount, validAfter: 0, validBefore: deadline, nonce }
  return signerOf(tokenDomain, 'ReceiveWithAuthorization', transfer, authorization) === payer
}

const wasBought = (places: Places, { event, before, transaction: { call } }: Circumstances<'OrderPaid'>): boolean => {
  const isSame = (asked: Pick<Purchase, 'vendorId' | 'planId' | 'keyHash' | 'periods' | 'controller'>): boolean => {
    const { vendorId, planId, keyHash, periods, controller } = event
    const isInstant = planOf(before, event)?.terms.settlement === 'Instant'
    const isTheirs = isInstant || asked.controller === controller
    const isOrder = asked.vendorId === vendorId && asked.planId === planId && asked.keyHash === keyHash
    return isOrder && asked.periods === periods && isTheirs
  }
  switch (call?.name) {
    case 'buy':
      return isSame(call.args)
    case 'buyWithPermit': {
      const { purchase, signature } = call.args
      const isSigned = signerOf(places.domain, 'Purchase', purchase, signature) === purchase.payer
      return isSame(purchase) && purchase.amount === event.amount && isSigned
    }
    case 'buyWithAuthorization': {
      const { purchase, authorization } = call.args
      const nonce = digestOf(places.domain, 'Purchase', purchase)
      const isSigned = isAuthorised(places, purchase.payer, purchase, nonce, authorization)
      return isSame(purchase) && purchase.amount === event.amount && isSigned
    }
    default:
      return false
  }
}

const wasCancelled = (
  { domain }: Places,
  { event, before, transaction: { call, from } }: Circumstances<'OrderCancelled'>,
): boolean => {
  const { orderId, refundTo } = event
  const order = before.orders.get(orderId)
  if (!order || (call?.name !== 'cancel' && call?.name !== 'cancelWithSignature')) return false
  if (call.args.orderId !== orderId || call.args.refundTo !== refundTo) return false
  if (call.name === 'cancel') return from === order.controller
  const { startedAt, deadline, signature } = call.args
  const message = { orderId, startedAt, refundTo, deadline }
  return startedAt === order.startedAt && signerOf(domain, 'Cancellation', message, signature) === order.controller
}

const wasRefunded = ({ event, before, seconds, transaction: { call, from } }: Circumstances<'OrderRefunded'>) => {
  const order = before.orders.get(event.orderId)
  const plan = order && planOf(before, order)
  if (!order || !plan || call?.name !== 'vendorRefund' || call.args.orderId !== event.orderId) return false
  const isExact = event.refunded === refundable(order, plan, seconds) + call.args.extra
  return isExact && isAuthority(before, order.vendorId, from)
}

const wasDeposited = (places: Places, { event, transaction: { call } }: Circumstances<'ChannelDeposited'>): boolean => {
  const { channelId } = event
  const isSame = (settings: Message<'Channel'>) => channelIdOf(places.domain, settings) === channelId
  if (!isSame(event)) return false
  switch (call?.name) {
    case 'deposit':
      return isSame(call.args.settings) && call.args.amount === event.amount
    case 'depositWithPermit':
    case 'depositWithAuthorization': {
      const { settings, terms } = call.args
      const message = { channelId, ...terms }
      const isSigned =
        call.name === 'depositWithPermit'
          ? signerOf(places.domain, 'Deposit', message, call.args.signature) === settings.payer
          : isAuthorised(
              places,
              settings.payer,
              terms,
              digestOf(places.domain, 'Deposit', message),
              call.args.authorization,
            )
      return isSame(settings) && terms.amount === event.amount && isSigned
    }
    default:
      return false
  }
}

/** A voucher of the channel's signer says so. */
const wasClaimed = ({ domain }: Places, { event, transaction: { call } }: Circumstances<'ChannelClaimed'>): boolean =>
  call?.name === 'claim' &&
  call.args.claims.some(({ settings, cumulative, signature }) => {
    const { channelId, claimed } = event
    if (cumulative !== claimed || channelIdOf(domain, settings) !== channelId) return false
    return signerOf(domain, 'Voucher', { channelId, cumulative }, signature) === settings.signer
  })

/** The vendor agreed, and the channel's signer named the account unless it is the payer's. */
const wasGivenBack = (
  { domain }: Places,
  { event, before, transaction: { call, from } }: Circumstances<'ChannelRefunded'>,
): boolean => {
  const { channelId, vendorId, to, amount } = event
  const channel = before.channels.get(channelId)
  if (!channel || (call?.name !== 'refund' && call?.name !== 'refundWithSignature')) return false
  const { refunds, settings } = channel
  const { signature } = call.args
  const asked = { channelId, to, refunds }
  const isNamed =
    signature === '0x' ? to === settings.payer : signerOf(domain, 'RefundRequest', asked, signature) === settings.signer
  if (call.name === 'refund') return isNamed && call.args.amount === amount && isAuthority(before, vendorId, from)
  const { terms, approval } = call.args
  const approved = { ...asked, amount, deadline: terms.deadline }
  const isApproved = signerOf(domain, 'RefundApproval', approved, approval) === terms.approver
  return isNamed && isApproved && isAuthority(before, vendorId, terms.approver)
}

const wasRequested = (
  { domain }: Places,
  { event, before, transaction: { call, from } }: Circumstances<'WithdrawalRequested'>,
): boolean => {
  const { channelId, to } = event
  const payer = before.channels.get(channelId)?.settings.payer
  if (call?.name === 'requestWithdrawal') return from === payer && call.args.to === to
  if (call?.name !== 'requestWithdrawalWithSignature' || call.args.to !== to) return false
  const { deadline, signature } = call.args
  return signerOf(domain, 'WithdrawalRequest', { channelId, to, deadline }, signature) === payer
}

const wasWanted = (places: Places, happening: Happening): boolean => {
  const { event, before, transaction } = happening
  const { from } = transaction
  switch (event.type) {
    case 'VendorRegistered':
      return event.owner === from
    case 'OperatorChanged':
    case 'PayoutChanged':
    case 'OwnershipTransferStarted':
      return before.vendors.get(event.vendorId)?.owner === from
    case 'OwnershipTransferred':
      return before.vendors.get(event.vendorId)?.pendingOwner === from && event.owner === from
    case 'EndpointsChanged':
    case 'KeysChanged':
    case 'ProfileChanged':
    case 'ActiveChanged':
    case 'PlanAdded':
    case 'PlanSaleChanged':
      return isAuthority(before, event.vendorId, from)
    case 'OrderPaid':
      return wasBought(places, { ...happening, event })
    case 'OrderCancelled':
      return wasCancelled(places, { ...happening, event })
    case 'OrderRefunded':
      return wasRefunded({ ...happening, event })
    case 'ChannelDeposited':
      return wasDeposited(places, { ...happening, event })
    case 'ChannelClaimed':
      return wasClaimed(places, { ...happening, event })
    case 'ChannelRefunded':
      return wasGivenBack(places, { ...happening, event })
    case 'WithdrawalRequested':
      return wasRequested(places, { ...happening, event })
    // Anyone may send people what is theirs; how much and where to, the model says.
    case 'OrderWithdrawn':
    case 'ChannelWithdrawn':
    case 'PayoutKept':
    case 'PayoutRedelivered':
      return true
  }
}

/** What was signed to be carried out once, as text; undefined for calls that stand for themselves. */
const signedOnce = (call: PaymentsCall | undefined): string | undefined => {
  switch (call?.name) {
    case 'buyWithPermit':
    case 'buyWithAuthorization':
      return textOf(call.args.purchase)
    case 'depositWithPermit':
    case 'depositWithAuthorization':
      return textOf([call.args.settings, call.args.terms])
    case 'cancelWithSignature':
    case 'requestWithdrawalWithSignature':
      return call.args.signature
    case 'refundWithSignature':
      return call.args.approval
    default:
      return undefined
  }
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}` : each))

/** Looks at everything that happened on the chain as it stands. */
export const checkAuthority = (
  { contracts, chainId, token, breach }: World,
  { transactions, happenings }: Retold,
): void => {
  const { payments } = contracts
  const places = { payments, domain: paymentsDomain(chainId, payments), tokenDomain: token.domain }
  for (const happening of happenings) {
    const { type, evidence } = happening.event
    if (!wasWanted(places, happening))
      breach(PROPERTY, `${type} in block ${evidence.blockNumber} by ${happening.transaction.from}, who may not`)
  }
  const used = new Set<string>()
  for (const { call, succeeded } of transactions) {
    const signed = succeeded ? signedOnce(call) : undefined
    if (signed === undefined) continue
    if (used.has(signed)) breach(PROPERTY, `${call?.name}: what was signed once was carried out twice`)
    used.add(signed)
  }
}
