/** Putting money into an account by hand, before it is needed. */
import { BuyerError } from '../../errors.ts'
import type { Asset, CheckedOffer } from './asset.ts'
import { findPayer, type Payer } from './book.ts'
import { createChannel, depositIntoChannel } from './channel.ts'
import { buyCredit } from './credit.ts'
import { tellDeposit } from './deposits.ts'
import { readBook, type PayingKit } from './kit.ts'
import { depositNano, openNano } from './nano.ts'
import type { Place } from './place.ts'
import { payerName } from './ways.ts'

export interface Deposited {
  readonly vendor: string
  readonly account: string
  readonly scheme: Payer['scheme']
  readonly asset: Asset
  /** What was put in; of credit the next whole period. */
  readonly amount: bigint
  /** Whether an earlier process made it and was cut off before it could say so: nothing was put in now. */
  readonly isResumed: boolean
  /** For who has told of it: the same again is another deposit from then on. */
  acknowledge(): Promise<void>
}

export interface Wanted {
  /** Of several ways, this one. */
  readonly scheme?: Payer['scheme'] | undefined
  /** `coin`, a token's address, or `nano`. */
  readonly asset?: string | undefined
}

/** @throws ERR_NO_WAY_TO_PAY when no offer is like that */
export const chosenOf = ({ choices }: Place, { scheme, asset }: Wanted): CheckedOffer => {
  const chosen = choices.find(
    (each) =>
      (scheme === undefined || each.offer.scheme === scheme) && (asset === undefined || each.asset.name === asset),
  )
  if (chosen) return chosen
  throw new BuyerError(
    'ERR_NO_WAY_TO_PAY',
    'none of the ways that this service offers is like that, and paid from here',
  )
}

/** @throws ERR_SPEND_CAP | ERR_BALANCE; TransactionError; ChainError; what `approve` rejects with */
export const deposit = async (
  kit: PayingKit,
  place: Place,
  checked: CheckedOffer,
  amount: bigint,
  signal?: AbortSignal,
): Promise<Deposited> => {
  const vendor = place.vendor.name
  const { offer, asset } = checked
  const known = findPayer(await readBook(kit), payerName(vendor, checked))
  const told = (payerId: string, id: string) => ({ acknowledge: () => tellDeposit(kit, payerId, id) })
  if (offer.scheme === 'channel') {
    const payer = known ?? (await createChannel(kit, vendor, asset, offer.withdrawDelayMinSeconds))
    const { account, scheme } = payer
    const made = await depositIntoChannel(kit, payer, asset, amount, signal)
    return { vendor, account, scheme, asset, amount, isResumed: made.isResumed, ...told(payer.id, made.id) }
  }
  if (offer.scheme === 'nano') {
    const payer = known ?? (await openNano(kit, vendor, checked))
    const { account, scheme } = payer
    const made = await depositNano(kit, payer, asset, amount, signal)
    return { vendor, account, scheme, asset, amount, isResumed: made.isResumed, ...told(payer.id, made.id) }
  }
  const untold = known?.deposits.find((each) => each.untold && each.amount >= amount)
  const payer = untold ? known : await buyCredit(kit, vendor, checked, known, amount, amount, { untold: true }, signal)
  const { id, account, scheme, deposits } = payer as Payer
  const made = untold ?? deposits.at(-1)
  if (!made) throw new Error('credit that was bought has a deposit')
  return {
    vendor,
    account,
    scheme,
    asset,
    amount: made.amount,
    isResumed: untold !== undefined,
    ...told(id, made.id),
  }
}
