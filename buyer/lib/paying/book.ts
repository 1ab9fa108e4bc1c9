/**
 * What a keyring knows of accounts that pay for requests, and its changes as pure functions: each is one durable write of
 * the keyring, so that a key, what it signed and what was spent are never of different times.
 *
 * `signed` is all that a channel's vendor can take; it is written down before the vendor sees it. `agreed` is what the
 * requests so far may have cost: never more than that, for what a process that was killed knew last is lost with it.
 */
import { z } from 'zod'
import { BuyerError } from '../../errors.ts'
import { address, amount, hash, seconds, vendorUri } from '../keyring-shapes.ts'
import { unite } from '../unite.ts'

/** What is paid in: the coin or a token of a chain, or Nano. */
const assetId = z.string().regex(/^(nano|eip155:[1-9]\d{0,76}\/(coin|0x[0-9a-f]{40}))$/)

/**
 * How far a deposit is known to be. `intended`: nothing is signed. `signed`: the one transaction or block that makes it is
 * safe, and may be on its way. `failed`: it changed nothing, and never will. `paid`: it is on chain. `final`: for ever.
 */
const DEPOSIT_STATES = ['intended', 'signed', 'failed', 'paid', 'final'] as const

const depositSchema = z.strictObject({
  /** Random. */
  id: z.string().min(1),
  state: z.enum(DEPOSIT_STATES),
  amount,
  intendedAtSeconds: seconds,
  /** From `signed` on; only this is ever sent for this deposit. */
  sent: z.strictObject({ raw: z.string(), hash: z.string() }).optional(),
  /** Somebody asked for just this deposit, and was not told yet that it is made. */
  untold: z.boolean().optional(),
})

/** The channel's immutable settings, but for the vendor, which its account has; and the key of its signer. */
const channelSchema = z.strictObject({
  payments: address,
  payer: address,
  signer: address,
  signerKey: hash,
  token: address,
  withdrawDelay: z.int().min(0),
  salt: hash,
})

const payerSchema = z.strictObject({
  /** Its account, and with Nano the service's: one Nano account may pay several services. */
  id: z.string().min(1),
  /** As `Payment-Account-Address` has it. */
  account: z.string().min(1),
  scheme: z.enum(['channel', 'order', 'nano']),
  vendor: vendorUri,
  asset: assetId,
  /** Where the vendor is paid. */
  serviceAccount: z.string(),
  agreed: amount,
  /** Of a channel. */
  signed: amount,
  deposits: z.array(depositSchema),
  channel: channelSchema.optional(),
  /** Of an account that is an order: the keyring has its key there. */
  orderId: hash.optional(),
  /** Its withdrawal was asked for, or its rest given back: nothing more is paid by it. */
  closed: z.boolean().optional(),
  /** The last receipt that was kept. */
  receipt: z.strictObject({ text: z.string(), usage: z.string(), balance: z.string(), tsSeconds: seconds }).optional(),
})

/** Credit that is being bought: an order's account is known once there is an order. */
const pendingCreditSchema = z.strictObject({
  vendor: vendorUri,
  asset: assetId,
  planId: z.int().min(1),
  periods: z.int().min(1),
  amount,
  serviceAccount: z.string(),
  /** The order that gets more. */
  extend: hash.optional(),
  /** As of a deposit. */
  untold: z.boolean().optional(),
})

/** What a vendor was given power over: counted when a voucher is signed, and else when a deposit is made. */
const spentSchema = z.strictObject({
  vendor: vendorUri,
  asset: assetId,
  total: amount,
  /** Days since 1970, UTC, and what of the total is of that day. */
  day: z.int().min(0),
  today: amount,
})

export const payingBookSchema = z.strictObject({
  payers: z.array(payerSchema),
  spent: z.array(spentSchema),
  pending: z.array(pendingCreditSchema),
  /** Which vendor serves a host, as it was found out or said when it was first paid. */
  pins: z.array(z.strictObject({ host: z.string(), vendor: vendorUri })),
})

export type PayingBook = z.infer<typeof payingBookSchema>
export type Payer = z.infer<typeof payerSchema>
export type Deposit = z.infer<typeof depositSchema>
export type PendingCredit = z.infer<typeof pendingCreditSchema>

export const EMPTY_BOOK: PayingBook = { payers: [], spent: [], pending: [], pins: [] }

/** The most that may be spent in one currency, smallest units. What is undefined somebody has to agree to. */
export interface PayingCaps {
  /** What one request may cost. */
  readonly request?: bigint
  /** What one vendor may ever get. */
  readonly vendor?: bigint
  /** What all vendors may get in a day, UTC. */
  readonly day?: bigint
}

/** What is paid to whom, and when. */
export interface Spending {
  readonly vendor: string
  readonly asset: string
  readonly nowSeconds: number
  readonly caps: PayingCaps
}

const SECONDS_PER_DAY = 86_400
export const least = (...amounts: bigint[]): bigint => amounts.reduce((a, b) => (b < a ? b : a))
export const most = (...amounts: bigint[]): bigint => amounts.reduce((a, b) => (b > a ? b : a))

/** A clock that went back does not begin a day anew. */
const spentToday = (entry: PayingBook['spent'][number], nowSeconds: number): bigint =>
  entry.day >= Math.floor(nowSeconds / SECONDS_PER_DAY) ? entry.today : 0n

/** What the caps leave; undefined where there is none. */
export const leftOf = (book: PayingBook, { vendor, asset, nowSeconds, caps }: Spending): bigint | undefined => {
  const inAsset = book.spent.filter((entry) => entry.asset === asset)
  const ofVendor = inAsset.find((entry) => entry.vendor === vendor)?.total ?? 0n
  const today = inAsset.reduce((sum, entry) => sum + spentToday(entry, nowSeconds), 0n)
  const left = [
    ...(caps.vendor === undefined ? [] : [caps.vendor - ofVendor]),
    ...(caps.day === undefined ? [] : [caps.day - today]),
  ]
  return left.length === 0 ? undefined : most(0n, least(...left))
}

/** Counts what is spent; below zero takes back what was counted and not spent. */
export const spend = (book: PayingBook, by: Spending, spentNow: bigint): PayingBook => {
  const { vendor, asset, nowSeconds } = by
  if (spentNow === 0n) return book
  const now = Math.floor(nowSeconds / SECONDS_PER_DAY)
  const known = book.spent.find((entry) => entry.vendor === vendor && entry.asset === asset)
  const before = known ?? { vendor, asset, total: 0n, day: now, today: 0n }
  const entry = {
    ...before,
    total: most(0n, before.total + spentNow),
    day: Math.max(before.day, now),
    today: most(0n, spentToday(before, nowSeconds) + spentNow),
  }
  return { ...book, spent: [...book.spent.filter((each) => each !== known), entry] }
}

/** `spend`, within the caps. @throws ERR_SPEND_CAP */
export const spendWithin = (book: PayingBook, by: Spending, spentNow: bigint): PayingBook => {
  const left = leftOf(book, by)
  if (left !== undefined && spentNow > left) throw overCap()
  return spend(book, by, spentNow)
}

const overCap = () => {
  const text = 'this is more than the caps leave for this vendor or this day: raise --max-per-vendor or --max-per-day'
  return new BuyerError('ERR_SPEND_CAP', text)
}

/** @throws ERR_CHANNEL_UNKNOWN */
export const payerOf = (book: PayingBook, id: string): Payer => {
  const payer = book.payers.find((each) => each.id === id)
  if (payer) return payer
  throw new BuyerError('ERR_CHANNEL_UNKNOWN', 'the keyring has no such account: see `chrove channels`')
}

/** The account that pays this vendor in this way; a closed one pays no more. */
export const findPayer = (
  { payers }: PayingBook,
  wanted: Pick<Payer, 'vendor' | 'asset' | 'scheme' | 'serviceAccount'>,
): Payer | undefined =>
  payers.find(
    ({ vendor, asset: of, scheme, serviceAccount, closed }) =>
      !closed &&
      vendor === wanted.vendor &&
      of === wanted.asset &&
      scheme === wanted.scheme &&
      serviceAccount === wanted.serviceAccount,
  )

export const addPayer = (book: PayingBook, payer: Payer): PayingBook => ({ ...book, payers: [...book.payers, payer] })

export const changePayer = (book: PayingBook, id: string, change: (payer: Payer) => Payer): PayingBook => ({
  ...book,
  payers: book.payers.map((payer) => (payer.id === id ? change(payer) : payer)),
})

export const changeDeposit = (
  book: PayingBook,
  payerId: string,
  id: string,
  change: (deposit: Deposit) => Deposit,
): PayingBook =>
  changePayer(book, payerId, (payer) => ({
    ...payer,
    deposits: payer.deposits.map((deposit) => (deposit.id === id ? change(deposit) : deposit)),
  }))

/** All that was or may have been put in. */
export const depositedOf = ({ deposits }: Payer): bigint =>
  deposits.reduce((sum, deposit) => (deposit.state === 'failed' ? sum : sum + deposit.amount), 0n)

export const pin = (book: PayingBook, host: string, vendor: string): PayingBook => ({
  ...book,
  pins: [...book.pins.filter((each) => each.host !== host), { host, vendor }],
})

/** What has to be signed for. */
export interface Raise {
  /** What was agreed to since `agreed` was last written. */
  readonly more: bigint
  /** How much further to sign, so that not each request needs a signature. */
  readonly ahead: bigint
  /** What the vendor says it needs. */
  readonly demanded: bigint
  /** The most that such a demand can come to where this process does not know all that was agreed to. */
  readonly ceiling: bigint
  /** What is in the channel. */
  readonly deposited: bigint
}

/** More has to be put in before so much can be signed. */
export interface Missing {
  readonly missing: bigint
  /** What the caps let be put in; undefined for any amount. */
  readonly room: bigint | undefined
}

/**
 * Signs for more, on paper: what follows is to be written down before anything is signed.
 *
 * What is signed is never more than what was agreed to, the window `ahead` that it was signed with, and nothing else. Where
 * a process was killed, `agreed` may lack up to a window: then the vendor demands more than we can account for, and gets
 * what our own signatures had allowed, with what was asked for since.
 * @throws ERR_OVERCHARGED | ERR_SPEND_CAP
 */
export const raise = (
  book: PayingBook,
  id: string,
  by: Spending,
  { more, ahead, demanded, ceiling, deposited }: Raise,
): PayingBook | Missing => {
  const payer = payerOf(book, id)
  const agreed = payer.agreed + more
  const wished = most(payer.signed, agreed + ahead)
  if (demanded > most(wished, ceiling)) {
    const text = 'the vendor wants to be paid more than was asked for: it gets no more from this account'
    throw new BuyerError('ERR_OVERCHARGED', text)
  }
  const needed = most(agreed, demanded)
  const left = leftOf(book, by)
  const allowed = left === undefined ? undefined : payer.signed + left
  if (needed > payer.signed) {
    if (allowed !== undefined && needed > allowed) throw overCap()
    if (needed > deposited) {
      return { missing: needed - deposited, room: allowed === undefined ? undefined : allowed - deposited }
    }
  }
  const within = least(most(wished, needed), deposited, ...(allowed === undefined ? [] : [allowed]))
  const signed = most(payer.signed, within)
  const raised = changePayer(book, id, (before) => ({ ...before, agreed, signed }))
  return spend(raised, by, signed - payer.signed)
}

/** Takes over what an earlier state of this keyring had signed, as its own signature shows. */
export const adopt = (book: PayingBook, id: string, by: Spending, signed: bigint): PayingBook => {
  const payer = payerOf(book, id)
  if (signed <= payer.signed) return book
  return spend(
    changePayer(book, id, (before) => ({ ...before, signed })),
    by,
    signed - payer.signed,
  )
}

const further = (a: Deposit, b: Deposit): Deposit =>
  DEPOSIT_STATES.indexOf(b.state) > DEPOSIT_STATES.indexOf(a.state) ? b : a

/** Of two states of one account that which has signed and agreed to more; all deposits of either. */
export const mergeBooks = (ours: PayingBook = EMPTY_BOOK, theirs: PayingBook = EMPTY_BOOK): PayingBook => ({
  payers: unite(
    ours.payers,
    theirs.payers,
    ({ id }) => id,
    (mine, other) => ({
      ...mine,
      agreed: most(mine.agreed, other.agreed),
      signed: most(mine.signed, other.signed),
      ...((mine.closed ?? other.closed) && { closed: true }),
      deposits: unite(mine.deposits, other.deposits, ({ id }) => id, further),
    }),
  ),
  spent: unite(
    ours.spent,
    theirs.spent,
    ({ vendor, asset: of }) => `${vendor} ${of}`,
    (mine, other) => {
      const [later, earlier] = mine.day >= other.day ? [mine, other] : [other, mine]
      const today = later.day === earlier.day ? most(later.today, earlier.today) : later.today
      return { ...later, total: most(mine.total, other.total), today }
    },
  ),
  pending: unite(
    ours.pending,
    theirs.pending,
    (credit) => JSON.stringify({ ...credit, amount: String(credit.amount) }),
    (a) => a,
  ),
  pins: unite(
    ours.pins,
    theirs.pins,
    ({ host }) => host,
    (a) => a,
  ),
})
