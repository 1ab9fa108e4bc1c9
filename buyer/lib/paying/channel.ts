/** Payment channels as accounts: opened by the first deposit, in the name of a key of their own that signs vouchers. */
import { paymentsCall, type ChannelState } from '../../../chain/contracts.ts'
import type { Account, Quote, SendOptions } from '../../../chain/transactions.ts'
import { ZERO_ADDRESS, type Address, type Hash, type Hex } from '../../../chain/types.ts'
import { fromHex, toHex } from '../../../protocol/bytes.ts'
import { channelIdOf, paymentsDomain, signMessage } from '../../../protocol/typed-data.ts'
import { parseVendorUri } from '../../../protocol/vendor-uri.ts'
import { channelVoucherSigner } from '../../../protocol/voucher-keys.ts'
import type { VoucherClaims } from '../../../protocol/voucher.ts'
import { generateAccount } from '../account.ts'
import { BuyerError } from '../../errors.ts'
import { alone, refuseOver } from '../buy.ts'
import { LAG_TRIES, RETRY_MS_MIN } from '../limits.ts'
import { approvalsOf, coins, explained, tooPoor } from '../offer.ts'
import { readStanding } from '../pay-by.ts'
import { amountText, type Asset } from './asset.ts'
import { addPayer, findPayer, least, most, payerOf, type Payer } from './book.ts'
import { makeDeposit, resumeDeposits } from './deposits.ts'
import { readBook, updateBook, type PayingKit } from './kit.ts'

/** The contract takes no shorter delay of a withdrawal, seconds. */
const WITHDRAW_DELAY_MIN_SECONDS = 900

/** Makes a channel's keys and settings, durably; nothing is on chain yet. */
export const createChannel = async (
  kit: PayingKit,
  vendor: string,
  asset: Asset,
  withdrawDelayMinSeconds: number,
): Promise<Payer> => {
  const { effects, market, accounts } = kit
  const { address: payer } = await accounts.payer(market)
  const { address: signer, privateKey: signerKey } = generateAccount(effects.random)
  const salt = toHex(effects.random.bytes(32)) as Hash
  const withdrawDelay = Math.max(withdrawDelayMinSeconds, WITHDRAW_DELAY_MIN_SECONDS)
  const token = asset.token ?? ZERO_ADDRESS
  const channel = { payments: market.payments, payer, signer, signerKey, token, withdrawDelay, salt }
  const made = { vendor, channel }
  const account = channelIdOf(paymentsDomain(market.chainId, market.payments), settingsOf(made))
  const entry: Payer = {
    id: account,
    account,
    scheme: 'channel',
    vendor,
    asset: asset.id,
    serviceAccount: market.payments,
    agreed: 0n,
    signed: 0n,
    deposits: [],
    channel,
  }
  // Another process may have made one since.
  const book = await updateBook(kit, (before) => (findPayer(before, entry) ? before : addPayer(before, entry)))
  return findPayer(book, entry) as Payer
}

/** As the contract has them. */
export const settingsOf = ({ vendor, channel }: Pick<Payer, 'vendor' | 'channel'>) => {
  if (!channel) throw new Error('not a channel')
  const { payer, signer, token, withdrawDelay, salt } = channel
  return { vendorId: parseVendorUri(vendor).vendorId, payer, signer, token, withdrawDelay, salt }
}

const keyOf = ({ channel }: Payer): Uint8Array => fromHex(channel?.signerKey ?? '0x')

export const channelSigner = (payer: Payer) => channelVoucherSigner(keyOf(payer))

/** What a voucher of a channel says besides: the total, signed for the contract too. */
export const channelClaims = (kit: PayingKit, payer: Payer, cumulative: bigint): Partial<VoucherClaims> => {
  const settings = settingsOf(payer)
  return {
    cumulative: String(cumulative),
    signature: signTotal(kit, payer, cumulative),
    channel: { ...settings, vendorId: String(settings.vendorId) },
  }
}

/** Deterministic (RFC 6979): signing the same again gives the same. */
export const signTotal = ({ market }: PayingKit, payer: Payer, cumulative: bigint): Hex => {
  const domain = paymentsDomain(market.chainId, market.payments)
  return signMessage(domain, 'Voucher', { channelId: payer.account as Hex, cumulative }, keyOf(payer))
}

/** Lets a channel's rest go to another account than its payer. @param refunds how many the channel has seen */
export const signRefund = ({ market }: PayingKit, payer: Payer, to: Address, refunds: number): Hex => {
  const domain = paymentsDomain(market.chainId, market.payments)
  return signMessage(domain, 'RefundRequest', { channelId: payer.account as Hex, to, refunds }, keyOf(payer))
}

/** The channel on chain. @throws ChainError */
export const channelState = async (
  { market }: PayingKit,
  payer: Payer,
  signal?: AbortSignal,
): Promise<ChannelState> => {
  const [state] = await market.reader.channels(market.payments, [payer.account as Hex], 'latest', signal)
  return state as ChannelState
}

/**
 * What can be signed for. @throws ERR_CHANNEL_CLOSING when its withdrawal is requested; ChainError
 */
export const channelBalance = async (kit: PayingKit, payer: Payer, signal?: AbortSignal): Promise<bigint> => {
  const { balance, withdrawTo } = await channelState(kit, payer, signal)
  if (withdrawTo === ZERO_ADDRESS) return balance
  const text = `the withdrawal of ${payer.account.slice(0, 10)} is requested: end it with \`chrove channels withdraw\``
  throw new BuyerError('ERR_CHANNEL_CLOSING', text)
}

/** How much to put in: what was wished for, within what caps leave, and never less than is missing. */
export const depositSize = (missing: bigint, wished: bigint, room: bigint | undefined): bigint =>
  most(missing, room === undefined ? wished : least(wished, room))

/**
 * Puts money into a channel until it holds so much; what an earlier process began counts.
 * @param needed in all
 * @param sizeFor tells how much to put in when so much is missing
 * @throws what `depositNow` throws
 */
export const fundChannel = (
  kit: PayingKit,
  payer: Payer,
  asset: Asset,
  needed: bigint,
  sizeFor: (missing: bigint) => bigint,
  signal?: AbortSignal,
): Promise<void> =>
  alone(kit, async () => {
    const from = await payerAccount(kit, payer)
    await resumeDeposits(kit, payer.id, from, signal)
    const balance = await channelBalance(kit, payer, signal)
    if (balance < needed) await depositNow(kit, payer, asset, sizeFor(needed - balance), from, {}, signal)
  })

/**
 * Puts exactly so much into a channel, because somebody said so; until that is told, saying the same again finds it.
 * @returns the deposit
 * @throws what `depositNow` throws
 */
export const depositIntoChannel = (
  kit: PayingKit,
  payer: Payer,
  asset: Asset,
  amount: bigint,
  signal?: AbortSignal,
): Promise<{ readonly id: string; readonly isResumed: boolean }> =>
  alone(kit, async () => {
    const from = await payerAccount(kit, payer)
    await resumeDeposits(kit, payer.id, from, signal)
    const { deposits } = payerOf(await readBook(kit), payer.id)
    const before = deposits.find((each) => each.untold && each.amount === amount && each.state !== 'failed')
    if (before) return { id: before.id, isResumed: true }
    await channelBalance(kit, payer, signal)
    return { id: await depositNow(kit, payer, asset, amount, from, { untold: true }, signal), isResumed: false }
  })

export const payerAccount = ({ accounts, market }: PayingKit, { channel }: Payer): Promise<Account> =>
  accounts.of(market, channel?.payer ?? ZERO_ADDRESS)

/** @throws ERR_SPEND_CAP | ERR_BALANCE; TransactionError; ChainError; what `approve` rejects with */
const depositNow = async (
  kit: PayingKit,
  payer: Payer,
  asset: Asset,
  amount: bigint,
  from: Account,
  marks: { readonly untold?: true },
  signal?: AbortSignal,
): Promise<string> => {
  const { market, settings } = kit
  const isCoin = asset.token === ZERO_ADDRESS
  const call = paymentsCall(market.payments, 'deposit', settingsOf(payer), amount)
  const quotes = isCoin
    ? [await coinQuote(from, { ...call, valueWei: amount }, signal)]
    : await tokenQuotes(kit, from, asset, amount, call, signal)
  const maxCostWei = quotes.reduce((sum, quote) => sum + quote.maxCostWei, 0n)
  refuseOver(settings, settings.approve !== undefined, { maxCostWei })
  const bill = { vendor: payer.vendor, scheme: payer.scheme, asset, amount } as const
  await settings.approve?.({ kind: 'deposit', ...bill, maxFeeWei: isCoin ? maxCostWei - amount : maxCostWei })
  settings.tell?.(`Depositing ${amountText(amount, asset)}...`)
  const [deposit, ...approvals] = quotes.toReversed() as [Quote, ...Quote[]]
  for (const approval of approvals.toReversed()) await from.send(approval, signal ? { signal } : {})
  const quote = approvals.length === 0 ? deposit : await tried(kit, from, deposit, signal)
  const send = (persist: NonNullable<SendOptions['persist']>) =>
    from.send(quote, { persist, ...(signal && { signal }) })
  return makeDeposit(kit, payer.id, amount, marks, send)
}

const coinQuote = async (
  from: Account,
  call: Parameters<Account['quote']>[0],
  signal?: AbortSignal,
): Promise<Quote> => {
  const balanceWei = await from.balanceWei(signal)
  const valueWei = call.valueWei ?? 0n
  if (balanceWei < valueWei) throw tooPoor(`this deposit takes ${coins(valueWei)}`, coins(balanceWei))
  const quote = await explained(from.quote(call, signal))
  if (balanceWei >= quote.maxCostWei) return quote
  throw tooPoor(`this deposit takes up to ${coins(quote.maxCostWei)} with its fee`, coins(balanceWei))
}

/** Gas offered for a deposit that cannot be tried before the allowance is there. */
const UNTRIED_DEPOSIT_GAS = 300_000n

/** What gives an allowance of exactly the amount, and the deposit last. */
const tokenQuotes = async (
  { market }: PayingKit,
  from: Account,
  asset: Asset,
  amount: bigint,
  call: Parameters<Account['quote']>[0],
  signal?: AbortSignal,
): Promise<readonly Quote[]> => {
  const token = asset.token ?? ZERO_ADDRESS
  const { balance, allowance } = await readStanding(market, token, from.address, signal)
  if (balance < amount) throw tooPoor(`this deposit takes ${amountText(amount, asset)}`, amountText(balance, asset))
  if (allowance >= amount) return [await explained(from.quote(call, signal))]
  const approvals = await approvalsOf(market, from, token, amount, allowance, signal)
  return [...approvals, await from.quoteUntried(call, UNTRIED_DEPOSIT_GAS, signal)]
}

/** The deposit once the allowance is there, which not every node behind one address knows of at once. */
const tried = async ({ effects: { clock } }: PayingKit, from: Account, quote: Quote, signal?: AbortSignal) => {
  for (let tries = 1; ; tries++) {
    try {
      const now = await explained(from.quote(quote.call, signal))
      return { ...quote, call: now.call, gas: least(now.gas, quote.gas) }
    } catch (error) {
      if (error instanceof BuyerError || tries === LAG_TRIES) throw error
      await clock.sleep(RETRY_MS_MIN, signal)
    }
  }
}
