/**
 * What may happen, as plain data that fast-check draws and shrinks: each command is made into a call by the ledger as it
 * stands, mostly one that is right and now and then one that is wrong in one place.
 */
import fc from 'fast-check'
import { channelIdOf, digestOf } from '../../protocol/typed-data.ts'
import type { Chain, Role } from './chain.ts'
import {
  type Call,
  type Hex,
  type Ledger,
  NATIVE,
  owedOf,
  type PlanTerms,
  type Settings,
  type Signature,
  ZERO,
} from './model.ts'

const KINDS = [
  ...['buy', 'buy', 'buyWithPermit', 'buyWithAuthorization', 'cancel', 'cancelWithSignature', 'vendorRefund'],
  ...['withdraw', 'withdraw', 'redeliver', 'deposit', 'deposit', 'depositWithPermit', 'depositWithAuthorization'],
  ...['claim', 'claim', 'refund', 'refundWithSignature', 'requestWithdrawal', 'requestWithdrawalWithSignature'],
  ...['finalizeWithdrawal', 'approve', 'setPayout', 'setActive', 'setPlanOnSale', 'mood'],
] as const

/** `a`, `b` and `c` choose among what there is; what they choose depends on the kind. */
export interface Command {
  readonly kind: (typeof KINDS)[number]
  readonly a: number
  readonly b: number
  readonly c: number
  /** Seconds since the call before. */
  readonly wait: number
  /** Which one thing is wrong; most numbers change nothing. */
  readonly wrong: number
}

const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.constantFrom(...KINDS),
  a: fc.nat(999),
  b: fc.nat(999),
  c: fc.nat(999),
  wait: fc.oneof({ weight: 20, arbitrary: fc.nat(4) }, { weight: 1, arbitrary: fc.nat(2_000) }),
  wrong: fc.nat(24),
})

/** Lists of up to so many commands, half of it on average; without the size they would have about five. */
export const commandLists = (longest: number): fc.Arbitrary<readonly Command[]> =>
  fc.array(command, { minLength: 1, maxLength: longest, size: 'max' })

/**
 * When a command is sent. Some wait for the second in which a withdrawal becomes possible, or the one before: it is so far
 * away that no other waiting would meet it.
 */
export const momentOf = ({ now, channels }: Ledger, { kind, b, c, wait }: Command): number => {
  const pending = [...channels.values()].map(({ withdrawableAt }) => withdrawableAt).filter((at) => at > now)
  const waitsLong = kind === 'finalizeWithdrawal' && b % 2 === 0 && pending.length > 0
  return waitsLong ? Math.max(now, Math.min(...pending) - (c % 2)) : now + wait
}

/** A call, and who sends it. */
export interface Sent {
  readonly call: Call
  readonly sender: Hex
}

/** Messages that were signed and sent before: what a replay takes. */
export type History = Sent[]

const KEYS = 3
const CHANNELS = 6
const DELAY = 900

/** @returns undefined where nothing is to be sent: the moody account changes its mind */
export const callOf = (ledger: Ledger, chain: Chain, history: History, given: Command): Sent | undefined => {
  const { kind, a, b, c, wrong } = given
  const { place, roles } = chain
  const person = (n: number): Hex => (n % 2 === 0 ? roles.alice : roles.bob)
  const anyone = (n: number): Hex =>
    roles[(['stranger', 'operator', 'alice', 'payout', 'owner1'] as const)[n % 5] as Role]
  const target = (n: number): Hex =>
    [roles.alice, roles.bob, roles.stranger, roles.moody, wrong === 1 ? ZERO : roles.payout, place.payments][
      n % 6
    ] as Hex
  const vendorId = (n: number): number => (wrong === 2 ? 3 : 1 + (n % 2))
  const planId = (n: number): number => (wrong === 3 ? 9 : 1 + (n % 4))
  const keyHash = (n: number): Hex =>
    wrong === 4 ? `0x${'0'.repeat(64)}` : `0x${String(1 + (n % KEYS)).padStart(64, '0')}`
  const salt = (n: number): Hex => `0x${(n % 7).toString(16).padStart(64, '0')}`
  const deadline = wrong === 5 ? BigInt(ledger.now) - 1n : BigInt(ledger.now) + BigInt(c % 3)
  const ownerOf = (id: number): Hex => (id === 1 ? roles.owner1 : roles.owner2)

  const sign = (signer: Hex, digest: Hex): Signature => ({
    signer: wrong === 6 ? roles.stranger : signer,
    digest: wrong === 7 ? (`0x${'77'.repeat(32)}` as Hex) : digest,
    form: wrong === 8 ? 'high-s' : wrong === 9 ? 'none' : 'good',
  })
  const orderIds = [...ledger.orders.keys()]
  const orderId = (n: number): Hex =>
    wrong === 10 || orderIds.length === 0 ? (`0x${'ee'.repeat(32)}` as Hex) : (orderIds[n % orderIds.length] as Hex)
  const settingsOf = (n: number): Settings => {
    const which = n % CHANNELS
    return {
      vendorId: BigInt(which === 5 ? 2 : vendorId(which)),
      payer: wrong === 11 ? ZERO : person(which),
      signer: which % 3 === 0 ? person(which) : roles.signer,
      token: which < 3 ? NATIVE : place.token,
      withdrawDelay: wrong === 12 ? DELAY - 1 : DELAY + which,
      salt: salt(which),
    }
  }
  const idOf = (settings: Settings): Hex => channelIdOf(place.domain, settings)
  const channelOf = (settings: Settings) =>
    ledger.channels.get(idOf(settings)) ?? { balance: 0n, claimed: 0n, refunds: 0, withdrawTo: ZERO, withdrawableAt: 0 }
  /** A channel that something can be done with, where there is one. */
  const chosen = (n: number, isFit: (channel: ReturnType<typeof channelOf>) => boolean): Settings => {
    const fit = Array.from({ length: CHANNELS }, (_, which) => settingsOf(which)).filter((each) =>
      isFit(channelOf(each)),
    )
    return fit[n % Math.max(1, fit.length)] ?? settingsOf(n)
  }
  const funded = (n: number): Settings => chosen(n, ({ balance, claimed }) => balance > claimed)
  const permitOf = (owner: Hex, value: bigint, until: bigint): Signature => {
    const nonce = ledger.permitNonces.get(owner) ?? 0n
    const message = { owner, spender: place.payments, value, nonce, deadline: until }
    return {
      ...sign(owner, digestOf(place.tokenDomain, 'Permit', message)),
      ...(wrong === 13 && { form: 'none' as const }),
    }
  }
  const authorizationOf = (from: Hex, value: bigint, validBefore: bigint, nonce: Hex): Signature => {
    const message = { from, to: place.payments, value, validAfter: 0n, validBefore, nonce }
    const signature = sign(from, digestOf(place.tokenDomain, 'ReceiveWithAuthorization', message))
    // How a token names a high s is its own matter.
    return signature.form === 'high-s' ? { ...signature, form: 'none' } : signature
  }
  const termsOf = (id: number, plan: number): Pick<PlanTerms, 'price' | 'token' | 'maxPeriods'> =>
    ledger.vendors[id - 1]?.plans[plan - 1]?.terms ?? { price: 1n, token: NATIVE, maxPeriods: 1 }
  /** Often as many as go at once. */
  const periodsOf = (id: number, plan: number): number => {
    if (wrong === 14) return 0
    return a % 4 === 0 ? termsOf(id, plan).maxPeriods : 1 + (c % 9)
  }
  /** The controller of an order that goes on, else the buyer. */
  const controllerOf = (id: number, plan: number, key: Hex, buyer: Hex): Hex => {
    if (wrong === 15) return ZERO
    return (wrong !== 16 && ledger.orders.get(place.orderIdOf(id, plan, key))?.streamed?.controller) || buyer
  }
  const purchaseOf = () => {
    const [id, plan, key, payer] = [vendorId(a), wrong === 17 ? 1 : 3 + (b % 2), keyHash(a), person(b)]
    const periods = periodsOf(id, plan)
    const amount = termsOf(id, plan).price * BigInt(periods) + (wrong === 18 ? 1n : 0n)
    const controller = controllerOf(id, plan, key, payer)
    const until = deadline + 1n
    const named = { vendorId: BigInt(id), planId: plan, keyHash: key, periods, controller }
    return { ...named, payer, amount, salt: salt(a + b), deadline: until }
  }
  const replayed = wrong === 19 && history.length > 0 ? history[a % history.length] : undefined
  if (replayed) return replayed

  switch (kind) {
    case 'mood':
      return undefined
    case 'buy': {
      const [id, plan, key, buyer] = [vendorId(a), planId(b), keyHash(c), person(a)]
      const { price, token } = termsOf(id, plan)
      const periods = periodsOf(id, plan)
      const due = token === NATIVE ? price * BigInt(periods) : 0n
      const value = wrong === 20 ? due + 1n : due
      const controller = controllerOf(id, plan, key, buyer)
      const call: Call = { do: 'buy', vendorId: id, planId: plan, keyHash: key, periods, controller, value }
      return { call, sender: buyer }
    }
    case 'buyWithPermit': {
      const purchase = purchaseOf()
      const signature = sign(purchase.payer, digestOf(place.domain, 'Purchase', purchase))
      const permit = permitOf(purchase.payer, purchase.amount, purchase.deadline)
      return { call: { do: 'buyWithPermit', purchase, permit, signature }, sender: anyone(c) }
    }
    case 'buyWithAuthorization': {
      const purchase = purchaseOf()
      const nonce = digestOf(place.domain, 'Purchase', purchase)
      const authorization = authorizationOf(purchase.payer, purchase.amount, purchase.deadline, nonce)
      return { call: { do: 'buyWithAuthorization', purchase, authorization }, sender: anyone(c) }
    }
    case 'cancel': {
      const id = orderId(a)
      const controller = ledger.orders.get(id)?.streamed?.controller
      const sender = wrong === 21 || !controller || controller === ZERO ? roles.stranger : controller
      return { call: { do: 'cancel', orderId: id, refundTo: target(b) }, sender }
    }
    case 'cancelWithSignature': {
      const id = orderId(a)
      const order = ledger.orders.get(id)
      const startedAt = (order?.startedAt ?? 0) + (wrong === 22 ? 1 : 0)
      const cancellation = { orderId: id, startedAt, refundTo: target(b), deadline }
      const signature = sign(
        order?.streamed?.controller ?? roles.alice,
        digestOf(place.domain, 'Cancellation', cancellation),
      )
      return { call: { do: 'cancelWithSignature', cancellation, signature }, sender: anyone(c) }
    }
    case 'vendorRefund': {
      const id = orderId(a)
      const order = ledger.orders.get(id)
      const owed = order ? owedOf(ledger, order) - order.arrears : 0n
      const extra = wrong === 22 ? owed + 5n : (owed * BigInt(b % 4)) / 3n
      const vendor = order?.streamed?.vendorId ?? 1
      const sender = wrong === 21 ? roles.stranger : c % 2 === 0 ? ownerOf(vendor) : roles.operator
      return { call: { do: 'vendorRefund', orderId: id, extra }, sender }
    }
    case 'withdraw':
      return { call: { do: 'withdraw', orderIds: [orderId(a), orderId(b), orderId(c)] }, sender: anyone(a) }
    case 'redeliver':
      return {
        call: { do: 'redeliver', vendorId: vendorId(a), token: b % 2 === 0 ? NATIVE : place.token },
        sender: anyone(c),
      }
    case 'deposit': {
      const settings = settingsOf(a)
      const amount = wrong === 14 ? 0n : wrong === 22 ? 2n ** 121n : BigInt(1 + c)
      const due = settings.token === NATIVE && wrong !== 22 ? amount : 0n
      const value = wrong === 20 ? due + 1n : due
      return { call: { do: 'deposit', settings, amount, value }, sender: person(b) }
    }
    case 'depositWithPermit':
    case 'depositWithAuthorization': {
      const settings = settingsOf(wrong === 17 ? a : 3 + (a % 3))
      const terms = { amount: wrong === 14 ? 0n : BigInt(1 + c), salt: salt(b), deadline: deadline + 1n }
      const digest = digestOf(place.domain, 'Deposit', { channelId: idOf(settings), ...terms })
      const payer = settings.payer === ZERO ? roles.alice : settings.payer
      if (kind === 'depositWithAuthorization') {
        const authorization = authorizationOf(payer, terms.amount, terms.deadline, digest)
        return { call: { do: kind, settings, terms, authorization }, sender: anyone(c) }
      }
      const permit = permitOf(payer, terms.amount, terms.deadline)
      return { call: { do: kind, settings, terms, permit, signature: sign(payer, digest) }, sender: anyone(c) }
    }
    case 'claim': {
      const claims = [a, b, c].slice(0, 1 + (a % 3)).map((n) => {
        const settings = funded(n)
        const { balance, claimed } = channelOf(settings)
        const left = balance - claimed
        const part = left === 0n ? 1n : 1n + ((left - 1n) * BigInt(n % 4)) / 3n
        const cumulative = wrong === 22 ? balance + 1n : wrong === 23 ? claimed : claimed + part
        const digest = digestOf(place.domain, 'Voucher', { channelId: idOf(settings), cumulative })
        return { settings, cumulative, signature: sign(settings.signer, digest) }
      })
      const seen = new Set<string>()
      // The same channel twice is right only for a larger voucher.
      const once = claims.filter(
        ({ settings }) => wrong === 24 || (!seen.has(settings.salt) && seen.add(settings.salt)),
      )
      return { call: { do: 'claim', claims: once }, sender: anyone(b) }
    }
    case 'refund':
    case 'refundWithSignature': {
      const settings = funded(a)
      const { balance, claimed, refunds } = channelOf(settings)
      const left = balance - claimed
      const amount = wrong === 14 ? 0n : wrong === 22 ? left + 1n : (left * BigInt(1 + (b % 3)) + 2n) / 3n
      const to = b % 2 === 0 && settings.payer !== ZERO ? settings.payer : target(c)
      const channelId = idOf(settings)
      const asked = sign(settings.signer, digestOf(place.domain, 'RefundRequest', { channelId, to, refunds }))
      const signature: Signature = to === settings.payer && c % 3 === 0 ? { ...asked, form: 'none' } : asked
      const approver = wrong === 21 ? roles.stranger : c % 2 === 0 ? roles.operator : ownerOf(Number(settings.vendorId))
      if (kind === 'refund') return { call: { do: kind, settings, to, amount, signature }, sender: approver }
      const message = { channelId, to, amount, refunds, deadline }
      const approval = sign(approver, digestOf(place.domain, 'RefundApproval', message))
      const terms = { to, amount, deadline, approver }
      return { call: { do: kind, settings, terms, signature, approval }, sender: anyone(b) }
    }
    case 'requestWithdrawal': {
      const settings = funded(a)
      const sender = wrong === 21 || settings.payer === ZERO ? roles.stranger : settings.payer
      return { call: { do: kind, settings, to: target(b) }, sender }
    }
    case 'requestWithdrawalWithSignature': {
      const settings = funded(a)
      const to = target(b)
      const digest = digestOf(place.domain, 'WithdrawalRequest', { channelId: idOf(settings), to, deadline })
      const signature = sign(settings.payer === ZERO ? roles.alice : settings.payer, digest)
      return { call: { do: kind, settings, to, deadline, signature }, sender: anyone(c) }
    }
    case 'finalizeWithdrawal':
      return { call: { do: kind, settings: chosen(a, ({ withdrawTo }) => withdrawTo !== ZERO) }, sender: anyone(b) }
    case 'approve':
      return { call: { do: kind, amount: BigInt(b) * 10n }, sender: person(a) }
    case 'setPayout': {
      const id = 1 + (a % 2)
      const payout = [roles.payout, roles.moody, roles.alice, place.payments][b % 4] as Hex
      return { call: { do: kind, vendorId: id, payout }, sender: ownerOf(id) }
    }
    case 'setActive': {
      const id = 1 + (a % 2)
      return { call: { do: kind, vendorId: id, active: b % 8 !== 0 }, sender: ownerOf(id) }
    }
    case 'setPlanOnSale': {
      const id = 1 + (a % 2)
      return { call: { do: kind, vendorId: id, planId: 1 + (b % 4), onSale: c % 8 !== 0 }, sender: ownerOf(id) }
    }
  }
}
