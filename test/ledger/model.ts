/**
 * The reference ledger: what each call of Payments must do, from its documentation, in plain sums. It shares no code
 * with the services and knows of the contract only what is written in its interfaces.
 */
import { channelIdOf, digestOf, type ChannelSettings, type Message } from '../../protocol/typed-data.ts'

export type Hex = `0x${string}`

export const ZERO: Hex = `0x${'0'.repeat(40)}`
export const NATIVE = ZERO

const WITHDRAW_DELAY = { min: 900, max: 30 * 86_400 }
const BALANCE_MAX = 2n ** 120n - 1n

export interface PlanTerms {
  readonly token: Hex
  readonly price: bigint
  readonly periodSeconds: number
  readonly maxPeriods: number
  readonly isStreamed: boolean
}

interface Vendor {
  readonly owner: Hex
  readonly operator: Hex
  payout: Hex
  active: boolean
  /** Plan ids count from 1. */
  plans: { readonly terms: PlanTerms; onSale: boolean }[]
}

interface Order {
  /** Undefined for instant orders, on which nothing is ever due. */
  streamed: { controller: Hex; readonly vendorId: number; readonly planId: number } | undefined
  startedAt: number
  endsAt: number
  periods: number
  cancelled: boolean
  /** Of the present run. */
  withdrawn: bigint
  /** Of the runs before it. */
  arrears: bigint
}

interface Channel {
  balance: bigint
  claimed: bigint
  refunds: number
  withdrawTo: Hex
  withdrawableAt: number
}

/** All that the calls can see or change. */
export interface Ledger {
  now: number
  /** Vendor ids count from 1. */
  vendors: Vendor[]
  orders: Map<Hex, Order>
  channels: Map<Hex, Channel>
  /** By vendor and token. */
  kept: Map<string, bigint>
  /** Digests of messages that worked. */
  used: Set<Hex>
  /** By token and account. */
  balances: Map<string, bigint>
  /** What Payments may take of the stablecoin. */
  allowances: Map<Hex, bigint>
  permitNonces: Map<Hex, bigint>
  authorizationsUsed: Set<Hex>
  /** Accounts that refuse native coin now. */
  refusing: Set<Hex>
  /** What the contract must have said in this call. */
  events: Said[]
}

/** An event or an error: name and arguments, integers as bigint and addresses in lower case. */
export type Said = readonly [name: string, ...args: (string | bigint)[]]

/** Where everything is, and under which domains messages are signed. */
export interface Place {
  readonly payments: Hex
  readonly token: Hex
  readonly domain: Hex
  readonly tokenDomain: Hex
  orderIdOf(vendorId: number, planId: number, keyHash: Hex): Hex
}

/** A signature: who made it, over what. `form` says how it is spelled; only a good one counts. */
export interface Signature {
  readonly signer: Hex
  readonly digest: Hex
  readonly form: 'good' | 'high-s' | 'none'
}

export type Settings = ChannelSettings

export type Call =
  | { do: 'buy'; vendorId: number; planId: number; keyHash: Hex; periods: number; controller: Hex; value: bigint }
  | { do: 'buyWithPermit'; purchase: Message<'Purchase'>; permit: Signature; signature: Signature }
  | { do: 'buyWithAuthorization'; purchase: Message<'Purchase'>; authorization: Signature }
  | { do: 'cancel'; orderId: Hex; refundTo: Hex }
  | { do: 'cancelWithSignature'; cancellation: Message<'Cancellation'>; signature: Signature }
  | { do: 'vendorRefund'; orderId: Hex; extra: bigint }
  | { do: 'withdraw'; orderIds: readonly Hex[] }
  | { do: 'redeliver'; vendorId: number; token: Hex }
  | { do: 'deposit'; settings: Settings; amount: bigint; value: bigint }
  | { do: 'depositWithPermit'; settings: Settings; terms: DepositTerms; permit: Signature; signature: Signature }
  | { do: 'depositWithAuthorization'; settings: Settings; terms: DepositTerms; authorization: Signature }
  | { do: 'claim'; claims: readonly { settings: Settings; cumulative: bigint; signature: Signature }[] }
  | { do: 'refund'; settings: Settings; to: Hex; amount: bigint; signature: Signature }
  | { do: 'refundWithSignature'; settings: Settings; terms: RefundTerms; signature: Signature; approval: Signature }
  | { do: 'requestWithdrawal'; settings: Settings; to: Hex }
  | { do: 'requestWithdrawalWithSignature'; settings: Settings; to: Hex; deadline: bigint; signature: Signature }
  | { do: 'finalizeWithdrawal'; settings: Settings }
  | { do: 'approve'; amount: bigint }
  | { do: 'setPayout'; vendorId: number; payout: Hex }
  | { do: 'setActive'; vendorId: number; active: boolean }
  | { do: 'setPlanOnSale'; vendorId: number; planId: number; onSale: boolean }

export type DepositTerms = Omit<Message<'Deposit'>, 'channelId'>
export type RefundTerms = {
  readonly to: Hex
  readonly amount: bigint
  readonly deadline: bigint
  readonly approver: Hex
}

class Refused extends Error {
  readonly said: Said
  constructor(...said: Said) {
    super(said.join(' '))
    this.said = said
  }
}

const refuse = (name: string, ...args: (string | bigint | number)[]): never => {
  throw new Refused(name, ...args.map((arg) => (typeof arg === 'number' ? BigInt(arg) : arg)))
}

/**
 * What a call does.
 * @returns the ledger after it, which is the one before where the call is refused, and what the contract says
 */
export const carryOut = (
  before: Ledger,
  place: Place,
  call: Call,
  sender: Hex,
): { readonly after: Ledger; readonly refusal: Said | undefined } => {
  const after = structuredClone(before)
  after.events = []
  try {
    act(after, place, call, sender)
    return { after, refusal: undefined }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { after: { ...before, events: [] }, refusal: error.said }
  }
}

const act = (ledger: Ledger, place: Place, call: Call, sender: Hex): void => {
  const say = (name: string, ...args: (string | bigint | number)[]) =>
    void ledger.events.push([name, ...args.map((arg) => (typeof arg === 'number' ? BigInt(arg) : arg))])
  const idOf = (settings: Settings): Hex => channelIdOf(place.domain, settings)
  const vendorOf = (vendorId: number): Vendor =>
    ledger.vendors[vendorId - 1] ?? refuse('VendorRegistry_UnknownVendor', vendorId)
  const channelOf = (id: Hex): Channel => {
    const found = ledger.channels.get(id) ?? {
      balance: 0n,
      claimed: 0n,
      refunds: 0,
      withdrawTo: ZERO,
      withdrawableAt: 0,
    }
    ledger.channels.set(id, found)
    return found
  }
  const isAuthority = (vendorId: number, account: Hex): boolean => {
    const vendor = ledger.vendors[vendorId - 1]
    return vendor !== undefined && account !== ZERO && (vendor.owner === account || vendor.operator === account)
  }

  // Money

  const balanceOf = (token: Hex, account: Hex): bigint => ledger.balances.get(`${token} ${account}`) ?? 0n
  const move = (token: Hex, from: Hex, to: Hex, amount: bigint): void => {
    ledger.balances.set(`${token} ${from}`, balanceOf(token, from) - amount)
    ledger.balances.set(`${token} ${to}`, balanceOf(token, to) + amount)
  }
  const wouldTake = (token: Hex, to: Hex): boolean =>
    to !== place.payments && !(token === NATIVE && ledger.refusing.has(to))
  const send = (token: Hex, to: Hex, amount: bigint): void => {
    if (!wouldTake(token, to)) refuse('Payments_TransferFailed', token, to, amount)
    move(token, place.payments, to, amount)
  }
  const pull = (from: Hex, to: Hex, amount: bigint): void => {
    const allowance = ledger.allowances.get(from) ?? 0n
    if (allowance < amount) refuse('ERC20InsufficientAllowance', place.payments, allowance, amount)
    const balance = balanceOf(place.token, from)
    if (balance < amount) refuse('ERC20InsufficientBalance', from, balance, amount)
    ledger.allowances.set(from, allowance - amount)
    move(place.token, from, to, amount)
  }
  const collect = (token: Hex, to: Hex, amount: bigint, value: bigint): void => {
    const due = token === NATIVE ? amount : 0n
    if (value !== due) refuse('Payments_WrongValue', value, due)
    if (token !== NATIVE) return pull(sender, to, amount)
    move(NATIVE, sender, place.payments, amount)
    if (to !== place.payments) send(NATIVE, to, amount)
  }
  const collectByPermit = (
    token: Hex,
    from: Hex,
    to: Hex,
    amount: bigint,
    deadline: bigint,
    permit: Signature,
  ): void => {
    if (token === NATIVE) refuse('Payments_NotAToken')
    const nonce = ledger.permitNonces.get(from) ?? 0n
    const message = { owner: from, spender: place.payments, value: amount, nonce, deadline }
    if (BigInt(ledger.now) <= deadline && isBy(from, digestOf(place.tokenDomain, 'Permit', message), permit)) {
      ledger.permitNonces.set(from, nonce + 1n)
      ledger.allowances.set(from, amount)
    }
    pull(from, to, amount)
  }
  const collectByAuthorization = (
    token: Hex,
    from: Hex,
    to: Hex,
    amount: bigint,
    deadline: bigint,
    nonce: Hex,
    authorization: Signature,
  ): void => {
    if (token === NATIVE) refuse('Payments_NotAToken')
    const message = { from, to: place.payments, value: amount, validAfter: 0n, validBefore: deadline, nonce }
    const digest = digestOf(place.tokenDomain, 'ReceiveWithAuthorization', message)
    if (!isBy(from, digest, authorization)) refuse('ERC3009InvalidSignature')
    if (BigInt(ledger.now) >= deadline) refuse('ERC3009InvalidAuthorizationTime', 0n, deadline)
    if (ledger.authorizationsUsed.has(nonce)) refuse('ERC3009UsedAuthorization', from, nonce)
    ledger.authorizationsUsed.add(nonce)
    const balance = balanceOf(place.token, from)
    if (balance < amount) refuse('ERC20InsufficientBalance', from, balance, amount)
    move(place.token, from, to, amount)
  }
  /** Pays vendors what they are owed, one payout for each vendor and token; what does not go is kept. */
  const payOut = (owed: readonly { vendorId: number; token: Hex; amount: bigint }[]): void => {
    const sums = new Map<string, { vendorId: number; token: Hex; amount: bigint }>()
    for (const { vendorId, token, amount } of owed) {
      const key = `${vendorId} ${token}`
      sums.set(key, { vendorId, token, amount: amount + (sums.get(key)?.amount ?? 0n) })
    }
    for (const [key, { vendorId, token, amount }] of sums) {
      const { payout } = vendorOf(vendorId)
      if (wouldTake(token, payout)) {
        move(token, place.payments, payout, amount)
        continue
      }
      ledger.kept.set(key, amount + (ledger.kept.get(key) ?? 0n))
      say('PayoutKept', vendorId, token, payout, amount)
    }
  }

  // Signatures

  const isBy = (signer: Hex, digest: Hex, signature: Signature): boolean =>
    signature.form === 'good' && signature.signer === signer && signature.digest === digest
  const checkDeadline = (deadline: bigint): void => {
    if (BigInt(ledger.now) > deadline) refuse('Payments_SignatureExpired', deadline)
  }
  const use = (signer: Hex, digest: Hex, deadline: bigint, signature: Signature): void => {
    checkDeadline(deadline)
    if (ledger.used.has(digest)) refuse('Payments_SignatureUsed', digest)
    ledger.used.add(digest)
    if (!isBy(signer, digest, signature)) refuse('Payments_SignatureInvalid', signer)
  }

  // Orders

  const addTime = (vendorId: number, planId: number, keyHash: Hex, periods: number, asked: Hex) => {
    if (BigInt(keyHash) === 0n) refuse('Payments_ZeroKey')
    if (periods === 0) refuse('Payments_ZeroPeriods')
    const vendor = vendorOf(vendorId)
    const plan = vendor.plans[planId - 1] ?? refuse('VendorRegistry_UnknownPlan', vendorId, planId)
    if (!vendor.active || !plan.onSale) refuse('Payments_NotForSale', vendorId, planId)
    const { token, price, periodSeconds, maxPeriods, isStreamed } = plan.terms
    if (isStreamed && asked === ZERO) refuse('Payments_ZeroController')
    const controller = isStreamed ? asked : ZERO

    const orderId = place.orderIdOf(vendorId, planId, keyHash)
    const before = ledger.orders.get(orderId)
    const goesOn = before !== undefined && ledger.now < before.endsAt
    if (goesOn && before.streamed && before.streamed.controller !== controller)
      refuse('Payments_ControllerMismatch', orderId, controller, before.streamed.controller)
    const order: Order = goesOn
      ? before
      : {
          streamed: isStreamed ? { controller, vendorId, planId } : undefined,
          ...{ startedAt: ledger.now, endsAt: ledger.now, periods: 0, cancelled: false, withdrawn: 0n },
          arrears: before ? owedOf(ledger, before) : 0n,
        }
    const latest = ledger.now + maxPeriods * periodSeconds
    const endsAt = order.endsAt + periods * periodSeconds
    if (endsAt > latest) refuse('Payments_TooFarAhead', endsAt, latest)
    order.endsAt = endsAt
    order.periods += periods
    ledger.orders.set(orderId, order)
    const due = price * BigInt(periods)
    say('OrderPaid', orderId, vendorId, keyHash, planId, periods, order.startedAt, endsAt, due, controller)
    return { token, due, to: isStreamed ? place.payments : vendor.payout }
  }
  const addSignedTime = (purchase: Message<'Purchase'>) => {
    const { vendorId, planId, keyHash, periods, controller, amount } = purchase
    const bill = addTime(Number(vendorId), Number(planId), keyHash, Number(periods), controller)
    if (BigInt(amount) !== bill.due) refuse('Payments_WrongAmount', BigInt(amount), bill.due)
    return bill
  }
  /** Ends a run that goes on, and tells what was not earned. */
  const endNow = (order: Order): bigint => {
    const { price, periodSeconds } = termsOf(ledger, order)
    const unearned = (price * BigInt(order.endsAt - ledger.now)) / BigInt(periodSeconds)
    order.endsAt = ledger.now
    order.cancelled = true
    return unearned
  }
  const cancel = (orderId: Hex, refundTo: Hex): void => {
    if (refundTo === ZERO) refuse('Payments_ZeroRefundTo')
    const order = ledger.orders.get(orderId)
    if (!order?.streamed) return refuse('Payments_UnknownOrder', orderId)
    if (ledger.now >= order.endsAt) refuse('Payments_OrderOver', orderId, order.endsAt)
    const { token } = termsOf(ledger, order)
    const refunded = endNow(order)
    say('OrderCancelled', orderId, order.streamed.vendorId, refundTo, refunded, order.endsAt)
    if (refunded > 0n) send(token, refundTo, refunded)
  }

  // Payment channels

  const addDeposit = (settings: Settings, amount: bigint): void => {
    const { vendorId, payer, signer, token, withdrawDelay, salt } = settings
    if (amount === 0n) refuse('Payments_ZeroAmount')
    if (payer === ZERO || signer === ZERO) refuse('Payments_ZeroParty')
    const { min, max } = WITHDRAW_DELAY
    if (withdrawDelay < min || withdrawDelay > max)
      refuse('Payments_WithdrawDelay', BigInt(withdrawDelay), BigInt(min), BigInt(max))
    if (!vendorOf(Number(vendorId)).active) refuse('Payments_VendorInactive', BigInt(vendorId))
    const id = idOf(settings)
    const channel = channelOf(id)
    const balance = channel.balance + amount
    if (balance > BALANCE_MAX) refuse('Payments_BalanceTooLarge', balance)
    channel.balance = balance
    const named = [payer, signer, token, BigInt(withdrawDelay), salt] as const
    say('ChannelDeposited', id, BigInt(vendorId), ...named, amount, balance)
  }
  const refund = (settings: Settings, to: Hex, amount: bigint, signature: Signature): void => {
    if (to === ZERO) refuse('Payments_ZeroRefundTo')
    if (amount === 0n) refuse('Payments_ZeroAmount')
    const channelId = idOf(settings)
    const channel = channelOf(channelId)
    const left = channel.balance - channel.claimed
    if (amount > left) refuse('Payments_OverBalance', channelId, amount, left)
    if (signature.form !== 'none' || to !== settings.payer) {
      const digest = digestOf(place.domain, 'RefundRequest', { channelId, to, refunds: channel.refunds })
      if (!isBy(settings.signer, digest, signature)) refuse('Payments_SignatureInvalid', settings.signer)
    }
    channel.balance -= amount
    channel.refunds++
    say('ChannelRefunded', channelId, BigInt(settings.vendorId), to, amount)
    send(settings.token, to, amount)
  }
  const requestWithdrawal = (settings: Settings, to: Hex): void => {
    if (to === ZERO) refuse('Payments_ZeroRefundTo')
    const id = idOf(settings)
    const channel = channelOf(id)
    if (channel.balance === channel.claimed) refuse('Payments_ZeroAmount')
    channel.withdrawTo = to
    channel.withdrawableAt = ledger.now + Number(settings.withdrawDelay)
    say('WithdrawalRequested', id, BigInt(settings.vendorId), to, channel.withdrawableAt)
  }

  switch (call.do) {
    case 'buy': {
      const { token, due, to } = addTime(call.vendorId, call.planId, call.keyHash, call.periods, call.controller)
      return collect(token, to, due, call.value)
    }
    case 'buyWithPermit': {
      const { purchase, permit, signature } = call
      const deadline = BigInt(purchase.deadline)
      use(purchase.payer, digestOf(place.domain, 'Purchase', purchase), deadline, signature)
      const { token, due, to } = addSignedTime(purchase)
      return collectByPermit(token, purchase.payer, to, due, deadline, permit)
    }
    case 'buyWithAuthorization': {
      const { purchase, authorization } = call
      const nonce = digestOf(place.domain, 'Purchase', purchase)
      const { token, due, to } = addSignedTime(purchase)
      return collectByAuthorization(token, purchase.payer, to, due, BigInt(purchase.deadline), nonce, authorization)
    }
    case 'cancel': {
      const order = ledger.orders.get(call.orderId)
      if (order && order.streamed?.controller !== sender) refuse('Payments_NotController', call.orderId, sender)
      return cancel(call.orderId, call.refundTo)
    }
    case 'cancelWithSignature': {
      const { cancellation, signature } = call
      const { orderId, startedAt, refundTo, deadline } = cancellation
      const order = ledger.orders.get(orderId)
      const started = order?.startedAt ?? 0
      if (Number(startedAt) !== started) refuse('Payments_AnotherRun', orderId, BigInt(startedAt), started)
      const controller = order?.streamed?.controller ?? ZERO
      use(controller, digestOf(place.domain, 'Cancellation', cancellation), BigInt(deadline), signature)
      return cancel(orderId, refundTo)
    }
    case 'vendorRefund': {
      const { orderId, extra } = call
      const order = ledger.orders.get(orderId)
      if (!order?.streamed) return refuse('Payments_UnknownOrder', orderId)
      const { vendorId, controller } = order.streamed
      if (!isAuthority(vendorId, sender)) refuse('Payments_NotVendor', vendorId, sender)
      const unearned = ledger.now < order.endsAt ? endNow(order) : 0n
      const owed = owedOf(ledger, order) - order.arrears
      if (extra > owed) refuse('Payments_RefundTooLarge', extra, owed)
      if (unearned + extra === 0n) refuse('Payments_ZeroAmount')
      order.withdrawn += extra
      say('OrderRefunded', orderId, vendorId, controller, unearned + extra, order.endsAt)
      return send(termsOf(ledger, order).token, controller, unearned + extra)
    }
    case 'withdraw': {
      const owed = call.orderIds.flatMap((orderId) => {
        const order = ledger.orders.get(orderId) ?? refuse('Payments_UnknownOrder', orderId)
        const amount = owedOf(ledger, order)
        if (!order.streamed || amount === 0n) return []
        order.withdrawn += amount - order.arrears
        order.arrears = 0n
        const { vendorId } = order.streamed
        say('OrderWithdrawn', orderId, vendorId, vendorOf(vendorId).payout, amount)
        return [{ vendorId, token: termsOf(ledger, order).token, amount }]
      })
      return payOut(owed)
    }
    case 'redeliver': {
      const key = `${call.vendorId} ${call.token}`
      const amount = ledger.kept.get(key) ?? 0n
      if (amount === 0n) refuse('Payments_ZeroAmount')
      ledger.kept.delete(key)
      const { payout } = vendorOf(call.vendorId)
      say('PayoutRedelivered', call.vendorId, call.token, payout, amount)
      return send(call.token, payout, amount)
    }
    case 'deposit':
      addDeposit(call.settings, call.amount)
      return collect(call.settings.token, place.payments, call.amount, call.value)
    case 'depositWithPermit': {
      const { settings, terms, permit, signature } = call
      const [amount, deadline] = [BigInt(terms.amount), BigInt(terms.deadline)]
      const digest = digestOf(place.domain, 'Deposit', { channelId: idOf(settings), ...terms })
      use(settings.payer, digest, deadline, signature)
      addDeposit(settings, amount)
      return collectByPermit(settings.token, settings.payer, place.payments, amount, deadline, permit)
    }
    case 'depositWithAuthorization': {
      const { settings, terms, authorization } = call
      const [amount, deadline] = [BigInt(terms.amount), BigInt(terms.deadline)]
      const nonce = digestOf(place.domain, 'Deposit', { channelId: idOf(settings), ...terms })
      addDeposit(settings, amount)
      const { token, payer } = settings
      return collectByAuthorization(token, payer, place.payments, amount, deadline, nonce, authorization)
    }
    case 'claim': {
      const owed = call.claims.map(({ settings, cumulative, signature }) => {
        const vendorId = Number(settings.vendorId)
        vendorOf(vendorId)
        const channelId = idOf(settings)
        const channel = channelOf(channelId)
        if (cumulative <= channel.claimed) refuse('Payments_VoucherStale', channelId, cumulative, channel.claimed)
        if (cumulative > channel.balance) refuse('Payments_OverBalance', channelId, cumulative, channel.balance)
        const digest = digestOf(place.domain, 'Voucher', { channelId, cumulative })
        if (!isBy(settings.signer, digest, signature)) refuse('Payments_SignatureInvalid', settings.signer)
        const amount = cumulative - channel.claimed
        channel.claimed = cumulative
        say('ChannelClaimed', channelId, vendorId, amount, cumulative)
        return { vendorId, token: settings.token, amount }
      })
      return payOut(owed)
    }
    case 'refund': {
      const { settings, to, amount, signature } = call
      if (!isAuthority(Number(settings.vendorId), sender))
        refuse('Payments_NotVendor', BigInt(settings.vendorId), sender)
      return refund(settings, to, amount, signature)
    }
    case 'refundWithSignature': {
      const { settings, terms, signature, approval } = call
      const { to, amount, deadline, approver } = terms
      checkDeadline(deadline)
      if (!isAuthority(Number(settings.vendorId), approver))
        refuse('Payments_NotVendor', BigInt(settings.vendorId), approver)
      const channelId = idOf(settings)
      const message = { channelId, to, amount, refunds: channelOf(channelId).refunds, deadline }
      if (!isBy(approver, digestOf(place.domain, 'RefundApproval', message), approval))
        refuse('Payments_SignatureInvalid', approver)
      return refund(settings, to, amount, signature)
    }
    case 'requestWithdrawal':
      if (sender !== call.settings.payer) refuse('Payments_NotPayer', idOf(call.settings), sender)
      return requestWithdrawal(call.settings, call.to)
    case 'requestWithdrawalWithSignature': {
      const { settings, to, deadline, signature } = call
      const digest = digestOf(place.domain, 'WithdrawalRequest', { channelId: idOf(settings), to, deadline })
      use(settings.payer, digest, deadline, signature)
      return requestWithdrawal(settings, to)
    }
    case 'finalizeWithdrawal': {
      const id = idOf(call.settings)
      const channel = channelOf(id)
      if (channel.withdrawTo === ZERO) refuse('Payments_NotRequested', id)
      if (ledger.now < channel.withdrawableAt) refuse('Payments_TooEarly', id, channel.withdrawableAt)
      const [to, amount] = [channel.withdrawTo, channel.balance - channel.claimed]
      Object.assign(channel, { balance: channel.claimed, withdrawTo: ZERO, withdrawableAt: 0 })
      say('ChannelWithdrawn', id, BigInt(call.settings.vendorId), to, amount)
      if (amount > 0n) send(call.settings.token, to, amount)
      return
    }
    case 'approve':
      return void ledger.allowances.set(sender, call.amount)
    case 'setPayout':
      return void (vendorOf(call.vendorId).payout = call.payout)
    case 'setActive':
      return void (vendorOf(call.vendorId).active = call.active)
    case 'setPlanOnSale': {
      const plan = vendorOf(call.vendorId).plans[call.planId - 1]
      if (plan) plan.onSale = call.onSale
    }
  }
}

const termsOf = (ledger: Ledger, { streamed }: Order): PlanTerms => {
  const plan = streamed && ledger.vendors[streamed.vendorId - 1]?.plans[streamed.planId - 1]
  if (!plan) throw new Error('an instant order has nothing to work out')
  return plan.terms
}

/** Earned and not withdrawn, earlier runs included. A second that a cancellation cut off is the vendor's. */
export const owedOf = (ledger: Ledger, order: Order): bigint => {
  if (!order.streamed) return 0n
  const { price, periodSeconds } = termsOf(ledger, order)
  const seconds = BigInt(Math.min(ledger.now, order.endsAt) - order.startedAt)
  const [accrued, period] = [price * seconds, BigInt(periodSeconds)]
  const earned = accrued / period + (order.cancelled && accrued % period > 0n ? 1n : 0n)
  return earned - order.withdrawn + order.arrears
}

/** What its controller would get back now. */
export const refundableOf = (ledger: Ledger, order: Order): bigint => {
  if (!order.streamed || ledger.now >= order.endsAt) return 0n
  const { price, periodSeconds } = termsOf(ledger, order)
  return (price * BigInt(order.endsAt - ledger.now)) / BigInt(periodSeconds)
}
