/**
 * Nano as an account: a send to the service is credit there. The signed block is written down before it is published, and
 * only that block is ever published for a deposit; a second one after the same block could only take its place.
 */
import { nowSeconds } from '../../../effects/clock.ts'
import { base64url } from '../../../protocol/bytes.ts'
import { BuyerError } from '../../errors.ts'
import { alone } from '../buy.ts'
import { amountText, type Asset, type CheckedOffer } from './asset.ts'
import {
  addPayer,
  changeDeposit,
  changePayer,
  depositedOf,
  findPayer,
  least,
  leftOf,
  most,
  payerOf,
  spend,
  spendWithin,
  type Deposit,
  type Payer,
} from './book.ts'
import { readBook, spendingOf, updateBook, type NanoWallet, type PayingKit } from './kit.ts'

const walletOf = ({ settings }: PayingKit): NanoWallet => {
  if (settings.nano) return settings.nano
  throw new BuyerError('ERR_NO_WAY_TO_PAY', 'there is no Nano wallet here')
}

/** Makes an entry for the wallet's account with a service; nothing is paid yet. */
export const openNano = async (kit: PayingKit, vendor: string, { offer, asset }: CheckedOffer): Promise<Payer> => {
  const { account } = walletOf(kit)
  const { serviceAccount } = offer
  const entry: Payer = {
    ...{ id: `${account} ${serviceAccount}`, account, scheme: 'nano', vendor, asset: asset.id, serviceAccount },
    ...{ agreed: 0n, signed: 0n, deposits: [] },
  }
  const book = await updateBook(kit, (before) => (findPayer(before, entry) ? before : addPayer(before, entry)))
  return findPayer(book, entry) as Payer
}

/** Vouchers of an account are signed by its own key. @throws ERR_NO_WAY_TO_PAY unless it is the wallet's */
export const nanoSigner = (kit: PayingKit, { account }: Payer) => {
  const wallet = walletOf(kit)
  if (wallet.account === account) return wallet.signer
  throw new BuyerError('ERR_NO_WAY_TO_PAY', 'this account is another one than that of the Nano wallet here')
}

/**
 * Sends until so much was put in; what an earlier process began counts.
 * @param needed in all
 * @param wished how much to send at once, where the caps let it
 * @throws ERR_SPEND_CAP | ERR_BALANCE, and what the wallet throws
 */
export const fundNano = (
  kit: PayingKit,
  payer: Payer,
  asset: Asset,
  needed: bigint,
  wished: bigint,
  signal?: AbortSignal,
): Promise<Payer> =>
  alone(kit, async () => {
    await resumeNano(kit, payer, asset, signal)
    const now = payerOf(await readBook(kit), payer.id)
    const missing = needed - depositedOf(now)
    if (missing <= 0n) return now
    const by = spendingOf(kit, payer.vendor, asset)
    const left = leftOf(await readBook(kit), by)
    await sendNano(kit, payer, asset, most(missing, left === undefined ? wished : least(wished, left)), {}, signal)
    return payerOf(await readBook(kit), payer.id)
  })

/** As `depositIntoChannel`. */
export const depositNano = (
  kit: PayingKit,
  payer: Payer,
  asset: Asset,
  amount: bigint,
  signal?: AbortSignal,
): Promise<{ readonly id: string; readonly isResumed: boolean }> =>
  alone(kit, async () => {
    await resumeNano(kit, payer, asset, signal)
    const { deposits } = payerOf(await readBook(kit), payer.id)
    const before = deposits.find((each) => each.untold && each.amount === amount && each.state !== 'failed')
    if (before) return { id: before.id, isResumed: true }
    return { id: await sendNano(kit, payer, asset, amount, { untold: true }, signal), isResumed: false }
  })

const sendNano = async (
  kit: PayingKit,
  payer: Payer,
  asset: Asset,
  amount: bigint,
  marks: { readonly untold?: true },
  signal?: AbortSignal,
): Promise<string> => {
  const { effects, settings } = kit
  const wallet = walletOf(kit)
  const by = spendingOf(kit, payer.vendor, asset)
  // Refused before anybody is asked.
  spendWithin(await readBook(kit), by, amount)
  const bill = { vendor: payer.vendor, scheme: payer.scheme, asset, amount, maxFeeWei: 0n } as const
  await settings.approve?.({ kind: 'deposit', ...bill })
  settings.tell?.(`Sending ${amountText(amount, asset)}...`)
  const sent = await wallet.prepare(payer.serviceAccount, amount, signal)
  const id = base64url.encode(effects.random.bytes(16))
  const deposit: Deposit = { id, state: 'signed', amount, intendedAtSeconds: nowSeconds(effects.clock), sent, ...marks }
  await updateBook(kit, (book) =>
    changePayer(spendWithin(book, by, amount), payer.id, (before) => ({
      ...before,
      deposits: [...before.deposits, deposit],
    })),
  )
  await publish(kit, payer, asset, deposit, signal)
  return id
}

/** Publishes again what an earlier process signed and did not see through. */
const resumeNano = async (kit: PayingKit, payer: Payer, asset: Asset, signal?: AbortSignal): Promise<void> => {
  for (const deposit of payerOf(await readBook(kit), payer.id).deposits) {
    if (deposit.state === 'signed') await publish(kit, payer, asset, deposit, signal).catch(rethrowPassing)
  }
}

/** What can never be is no reason not to go on. */
const rethrowPassing = (error: unknown): void => {
  if (!(error instanceof BuyerError) || error.code !== 'ERR_NANO_LOST') throw error
}

const publish = async (
  kit: PayingKit,
  payer: Payer,
  asset: Asset,
  { id, sent, amount }: Deposit,
  signal?: AbortSignal,
): Promise<void> => {
  const outcome = await walletOf(kit).publish(sent?.raw ?? '', signal)
  const state = outcome === 'sent' ? 'final' : 'failed'
  await updateBook(kit, (book) => {
    const changed = changeDeposit(book, payer.id, id, (before) => ({ ...before, state }))
    return outcome === 'sent' ? changed : spend(changed, spendingOf(kit, payer.vendor, asset), -amount)
  })
  if (outcome === 'sent') return
  throw new BuyerError('ERR_NANO_LOST', 'another block of this Nano account was made at the same time: try again')
}
