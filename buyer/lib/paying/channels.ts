/** The accounts of a keyring as the chain has them, and taking out what is left when the vendor does not give it back. */
import { paymentsCall } from '../../../chain/contracts.ts'
import { ZERO_ADDRESS, type Address, type Hash } from '../../../chain/types.ts'
import type { Call } from '../../../chain/rpc.ts'
import { BuyerError } from '../../errors.ts'
import { parseRecipient } from '../account.ts'
import { alone, refuseOver } from '../buy.ts'
import { explained } from '../offer.ts'
import { chainSeconds } from '../signed-purchase.ts'
import { assetOfId, type Asset } from './asset.ts'
import { changePayer, depositedOf, type Payer } from './book.ts'
import { channelState, payerAccount, settingsOf } from './channel.ts'
import { resumeDeposits } from './deposits.ts'
import { readBook, updateBook, type PayingKit } from './kit.ts'

export interface AccountView {
  readonly account: string
  readonly scheme: Payer['scheme']
  readonly vendor: string
  /** Undefined where it is of another chain than the settings. */
  readonly asset: Asset | undefined
  /** Put in, less what came back; of a channel as the chain has it. Smallest unit, as all here. */
  readonly deposited: bigint
  /** What requests may have cost. */
  readonly agreed: bigint
  /** What the vendor can take of a channel; of others all that was put in is the vendor's already. */
  readonly signed: bigint
  /** What the vendor took out of a channel. */
  readonly claimed: bigint
  /** `open`, `closing` while a withdrawal waits, or `closed` to new payments. */
  readonly standing: 'open' | 'closing' | 'closed'
  /** Unix seconds from which a withdrawal can be ended; 0 if none is requested. */
  readonly withdrawableAtSeconds: number
  /** By the last receipt. */
  readonly balanceByVendor: bigint | undefined
}

/** @throws ChainError */
export const listAccounts = async (kit: PayingKit, signal?: AbortSignal): Promise<readonly AccountView[]> => {
  const { payers } = await readBook(kit)
  return Promise.all(payers.map((payer) => viewOf(kit, payer, signal)))
}

const viewOf = async (kit: PayingKit, payer: Payer, signal?: AbortSignal): Promise<AccountView> => {
  const { account, scheme, vendor, agreed, signed, closed, receipt } = payer
  const asset = await assetOfId(kit.market, payer.asset, signal)
  const state = payer.channel && asset && (await channelState(kit, payer, signal))
  const isClosing = state !== undefined && state.withdrawTo !== ZERO_ADDRESS
  return {
    ...{ account, scheme, vendor, asset, agreed, signed },
    deposited: state?.balance ?? depositedOf(payer),
    claimed: state?.claimed ?? 0n,
    standing: isClosing ? 'closing' : closed ? 'closed' : 'open',
    withdrawableAtSeconds: state?.withdrawableAt ?? 0,
    balanceByVendor: receipt && BigInt(receipt.balance),
  }
}

export interface Withdrawal {
  readonly account: string
  readonly step: 'requested' | 'withdrawn'
  readonly asset: Asset
  /** What came back, or will at most; smallest unit. */
  readonly amount: bigint
  readonly to: Address
  /** Unix seconds from which it can be ended. */
  readonly withdrawableAtSeconds: number
  readonly transactionHash: Hash
  readonly feeWei: bigint
}

/** @throws ERR_CHANNEL_UNKNOWN unless the text is a channel's id, or the start of exactly one, 6 digits or more */
const findChannel = (payers: readonly Payer[], text: string): Payer => {
  const wanted = text.toLowerCase()
  const [found, ...more] = payers.filter(({ account, channel }) => channel && account.startsWith(wanted))
  if (found && more.length === 0 && /^0x[0-9a-f]{6,64}$/.test(wanted)) return found
  throw new BuyerError('ERR_CHANNEL_UNKNOWN', 'no single channel of this keyring has this id: see `chrove channels`')
}

/**
 * Takes the next step of a withdrawal: asks for it, or once its delay is over ends it.
 * @param to any account; the one that paid when it is left out
 * @throws ERR_CHANNEL_UNKNOWN | ERR_WITHDRAWAL_EARLY | ERR_BALANCE | ERR_SPEND_CAP; TransactionError; ChainError
 */
export const withdraw = (
  kit: PayingKit,
  channel: string,
  to: string | undefined,
  signal?: AbortSignal,
): Promise<Withdrawal> =>
  alone(kit, async () => {
    const payer = findChannel((await readBook(kit)).payers, channel)
    const from = await payerAccount(kit, payer)
    await resumeDeposits(kit, payer.id, from, signal)
    const asset = await assetOfId(kit.market, payer.asset, signal)
    if (!asset)
      throw new BuyerError('ERR_OTHER_CHAIN', 'this channel is on another chain: give the --rpc of a node of it')
    const state = await channelState(kit, payer, signal)
    const amount = state.balance - state.claimed
    if (amount === 0n) throw new BuyerError('ERR_BALANCE', 'nothing is left in this channel')
    const isRequested = state.withdrawTo !== ZERO_ADDRESS
    if (isRequested && (await chainSeconds(kit.market, signal)) < state.withdrawableAt) {
      const text = `the vendor has until ${isoText(state.withdrawableAt)} to cash what it is owed: try again then`
      throw new BuyerError('ERR_WITHDRAWAL_EARLY', text)
    }
    const recipient = isRequested ? state.withdrawTo : to === undefined ? from.address : parseRecipient(to)
    const { payments } = kit.market
    const call: Call = isRequested
      ? paymentsCall(payments, 'finalizeWithdrawal', settingsOf(payer))
      : paymentsCall(payments, 'requestWithdrawal', settingsOf(payer), recipient)
    // From now on nothing is paid by it: the vendor is not to serve what it may not be able to cash.
    await updateBook(kit, (book) => changePayer(book, payer.id, (before) => ({ ...before, closed: true })))
    const quote = await explained(from.quote(call, signal))
    refuseOver(kit.settings, true, { maxCostWei: quote.maxCostWei })
    const { transactionHash, feeWei } = await from.send(quote, signal ? { signal } : {})
    const { withdrawableAt } = await channelState(kit, payer, signal)
    return {
      ...{ account: payer.account, step: isRequested ? 'withdrawn' : 'requested', asset, amount, to: recipient },
      ...{ withdrawableAtSeconds: withdrawableAt, transactionHash, feeWei },
    }
  })

/** Sweden writes dates as ISO 8601 does. */
const utc = new Intl.DateTimeFormat('sv-SE', { timeZone: 'UTC', dateStyle: 'short', timeStyle: 'short' })
const isoText = (unixSeconds: number): string => `${utc.format(unixSeconds * 1000)} UTC`
