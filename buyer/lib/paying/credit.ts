/**
 * Credit as an account: plans that a vendor sells as credit, bought in the name of an RSA key (SEED 004). The purchase is
 * one like any other, with the same journal; here is only what it is for.
 */
import type { Hash } from '../../../chain/types.ts'
import type { TokenFacts } from '../../../chain/token.ts'
import { formatKeyId, keyIdOf, publicKeyOf } from '../../../protocol/keys.ts'
import { rsaVoucherSigner } from '../../../protocol/voucher-keys.ts'
import { nowSeconds } from '../../../effects/clock.ts'
import { BuyerError } from '../../errors.ts'
import { buy } from '../buy.ts'
import { acknowledge, changedNothing } from '../journal.ts'
import { findOrder } from '../keyring-content.ts'
import { coins } from '../offer.ts'
import type { Asset, CheckedOffer } from './asset.ts'
import {
  addPayer,
  changePayer,
  least,
  leftOf,
  spend,
  spendWithin,
  type Deposit,
  type Payer,
  type PayingBook,
  type PendingCredit,
} from './book.ts'
import { readBook, spendingOf, updateBook, type PayingKit } from './kit.ts'

/** Signs vouchers with the key of the order. */
export const creditSigner = async ({ keyring }: PayingKit, { orderId }: Payer) =>
  rsaVoucherSigner(findOrder(await keyring.read(), orderId ?? '').key)

/**
 * Buys credit of at least so much, for an account or for a new one. What an earlier process began is ended instead.
 * @param extended gets more
 * @returns the account, with the credit
 * @throws what `buy` throws; ERR_SPEND_CAP when it is more than the caps leave
 */
export const buyCredit = async (
  kit: PayingKit,
  vendor: string,
  { offer, asset, plan }: CheckedOffer,
  extended: Payer | undefined,
  missing: bigint,
  wished: bigint,
  marks: { readonly untold?: true },
  signal?: AbortSignal,
): Promise<Payer> => {
  const open = pendingOf(await readBook(kit), vendor, asset)
  if (open) return endCredit(kit, open, asset, signal)
  if (!plan) throw new Error('an offer of credit has a plan')
  const by = spendingOf(kit, vendor, asset)
  let pending: PendingCredit | undefined
  await updateBook(kit, (book) => {
    // Whoever comes second ends what the first has begun.
    pending = pendingOf(book, vendor, asset)
    if (pending) return book
    const left = leftOf(book, by)
    const wishedFor = left === undefined ? wished : least(wished, left)
    const periods = Math.max(
      periodsFor(missing, plan.price),
      Math.min(Number(wishedFor / plan.price), plan.maxPeriods, PERIODS_MAX),
    )
    pending = {
      ...{ vendor, asset: asset.id, planId: plan.planId, periods, amount: plan.price * BigInt(periods) },
      serviceAccount: offer.serviceAccount,
      ...(extended?.orderId && { extend: extended.orderId }),
      ...marks,
    }
    return { ...spendWithin(book, by, pending.amount), pending: [...book.pending, pending] }
  })
  return endCredit(kit, pending as unknown as PendingCredit, asset, signal)
}

const pendingOf = ({ pending }: PayingBook, vendor: string, asset: Asset): PendingCredit | undefined =>
  pending.find((credit) => credit.vendor === vendor && credit.asset === asset.id)

/** As many as the contract counts. */
const PERIODS_MAX = 65_535
const periodsFor = (amount: bigint, price: bigint): number => Math.max(1, Number((amount + price - 1n) / price))

/** Buys what is written down, or finds that it was bought; then writes that down. */
const endCredit = async (
  kit: PayingKit,
  pending: PendingCredit,
  asset: Asset,
  signal?: AbortSignal,
): Promise<Payer> => {
  const { vendor, planId, periods, extend, amount } = pending
  const wanted = extend ? { extend, periods } : { vendor, planId, periods }
  const { settings, keyring, effects } = kit
  let bought: Awaited<ReturnType<typeof buy>>
  try {
    bought = await buy(kit, wanted, {
      ...(settings.spendCapWei === undefined ? {} : { spendCapWei: settings.spendCapWei }),
      capIn: (token) => capOf(settings.spendCapWei, token, amount),
      approve: async ({ maxFeeWei }) => {
        refuseUnbounded(kit, maxFeeWei)
        await settings.approve?.({ kind: 'deposit', vendor, scheme: 'order', asset, amount, maxFeeWei })
        settings.tell?.('Buying credit...')
      },
      ...(signal && { signal }),
    })
  } catch (error) {
    if (isLasting(error)) {
      await updateBook(kit, (book) => forget(spend(book, spendingOf(kit, vendor, asset), -amount), pending))
    }
    throw error
  }
  const { orderId, purchaseId } = bought
  const { key } = findOrder(await keyring.read(), orderId)
  const account = formatKeyId(keyIdOf(publicKeyOf(key)))
  const deposit: Deposit = {
    id: purchaseId,
    state: 'paid',
    amount,
    intendedAtSeconds: nowSeconds(effects.clock),
    ...untoldOf(pending),
  }
  const book = await updateBook(kit, (before) => credited(forget(before, pending), pending, account, orderId, deposit))
  // Only now: until it is counted, buying the same gives the same.
  await acknowledge(keyring, { orderId, purchaseId })
  return book.payers.find((payer) => payer.account === account) as Payer
}

const untoldOf = ({ untold }: PendingCredit) => (untold ? { untold } : {})

const credited = (book: PayingBook, pending: PendingCredit, account: string, orderId: Hash, deposit: Deposit) => {
  const { vendor, asset, serviceAccount } = pending
  const fresh: Payer = {
    ...{
      id: account,
      account,
      scheme: 'order',
      vendor,
      asset,
      serviceAccount,
      agreed: 0n,
      signed: 0n,
      deposits: [],
      orderId,
    },
  }
  const known = book.payers.some((payer) => payer.account === account)
  return changePayer(known ? book : addPayer(book, fresh), account, (payer) => ({
    ...payer,
    deposits: payer.deposits.some(({ id }) => id === deposit.id) ? payer.deposits : [...payer.deposits, deposit],
  }))
}

const forget = (book: PayingBook, pending: PendingCredit): PayingBook => ({
  ...book,
  pending: book.pending.filter(
    (each) => !(each.vendor === pending.vendor && each.asset === pending.asset && each.periods === pending.periods),
  ),
})

/** Whether the purchase is known not to have been made. */
const isLasting = (error: unknown): boolean => {
  if (changedNothing(error)) return true
  const { retryable, code } = error as { retryable?: unknown; code?: unknown }
  return retryable === false && typeof code === 'string' && error instanceof Error
}

/** Of the coin the cap has the fee in it; of a token the price is what was counted already. */
const capOf = (spendCapWei: bigint | undefined, token: TokenFacts | undefined, amount: bigint): bigint => {
  if (token) return amount
  return spendCapWei ?? UNBOUNDED
}
const UNBOUNDED = 2n ** 128n

const refuseUnbounded = ({ settings }: PayingKit, maxFeeWei: bigint): void => {
  if (settings.approve ?? settings.spendCapWei !== undefined) return
  throw new BuyerError('ERR_SPEND_CAP', `nobody agrees to a fee of up to ${coins(maxFeeWei)}, and it has no cap`)
}
