/** `chrove vendor claim`: cashes the vouchers that a gateway has taken. */
import type { Command } from 'commander'
import { createContractReader } from '../../chain/contracts.ts'
import { ContractRevert } from '../../chain/errors.ts'
import { createRpc } from '../../chain/rpc.ts'
import type { Call, Receipt } from '../../chain/rpc.ts'
import type { TokenFacts } from '../../chain/token.ts'
import type { Account, Quote } from '../../chain/transactions.ts'
import { type Address, type Hash, ZERO_ADDRESS } from '../../chain/types.ts'
import { nowSeconds } from '../../effects/clock.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import { paymentsDomain } from '../../protocol/typed-data.ts'
import { claimCall, readCandidates, withoutRefused } from '../rails/evm/claims.ts'
import { channelRailPrefix } from '../rails/evm/rail-ids.ts'
import { openLedgerBook } from '../rails/evm/ledger-book.ts'
import { planClaims, type PlannedClaim } from '../rails/evm/plan-claims.ts'
import { createVoucherSource, type Claimable } from '../rails/evm/vouchers.ts'

/** What a token says of itself; undefined: the chain's coin. */
type Currency = TokenFacts | undefined

interface SendChoices {
  readonly dryRun?: boolean
  readonly yes?: boolean
}

/** What the vendor's commands lend: a gateway knows no vendor's files, and speaks of money as they do. */
export interface VendorDesk {
  settingsOf(
    session: Session,
  ): Promise<{ readonly chainId: string; readonly registry: string; readonly vendorId: string }>
  accountOf(session: Session): Promise<Account>
  sendCall(
    session: Session,
    account: Account,
    call: Call,
    what: string,
    choices: SendChoices,
  ): Promise<{ readonly quote: Quote; readonly receipt?: Receipt }>
  amountOption(option: string, text: string, currency: Currency): bigint
  coins(wei: bigint): string
  currencyJson(currency: Currency): Readonly<Record<string, unknown>>
  moneyText(amount: bigint, currency: Currency): string
  readCurrencies(session: Session, tokens: Iterable<Address>): Promise<ReadonlyMap<Address, Currency>>
}

/** @param program has `chrove vendor` already */
export const addVendorClaimCommand = (program: Command, { action }: CommandContext, desk: VendorDesk): void => {
  const vendor = program.commands.find((command) => command.name() === 'vendor')
  if (!vendor) throw new TypeError('the commands of vendors come first')
  vendor
    .command('claim')
    .description('cash the vouchers of payment channels, to the payout account')
    .option('--all', 'also those that bring less than their gas costs')
    .option('--least <amount>', 'leave those that bring less, in whole units of their own currency')
    .option('--dry-run', 'only say what each would bring and cost')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
Vouchers of channels whose payer wants the rest come first: at the end of the
channel's delay the payer can take all that is not claimed. A running gateway
cashes vouchers by itself; this is for when it is not, or to have the money now.

Examples:
  chrove vendor claim --dry-run
  chrove vendor claim --least 0.01 --yes`,
    )
    .action(action((session, options: ClaimOptions) => claim(session, options, desk)))
}

interface ClaimOptions extends SendChoices {
  readonly all?: boolean
  readonly least?: string
}

/** A claim that was sent, or would be. */
interface Cashed extends PlannedClaim {
  /** Its share of the transaction's highest fee. */
  readonly maxCostWei: bigint
}

const claim = async (session: Session, options: ClaimOptions, desk: VendorDesk) => {
  const { effects, signal } = session
  const settings = await desk.settingsOf(session)
  const registry = settings.registry as Address
  const account = await desk.accountOf(session)
  const reader = createContractReader(effects.chain)
  const payments = await reader.paymentsOf(registry, 'latest', signal)
  const vouchers = await readVouchers(session, BigInt(settings.chainId), payments, BigInt(settings.vendorId))
  const currencies = await desk.readCurrencies(session, [ZERO_ADDRESS, ...vouchers.map((one) => one.settings.token)])
  const leastOf = (token: Address): bigint =>
    options.least === undefined ? 0n : desk.amountOption('--least', options.least, currencies.get(token))
  const { baseFeeWei, priorityFeeWei } = await createRpc(effects.chain).fees(signal)
  const candidates = await readCandidates(reader, payments, vouchers, signal)
  const gasPriceWei = baseFeeWei + priorityFeeWei
  const plan = planClaims(candidates, { gasPriceWei, isAll: options.all ?? false, leastOf })
  warn(session, plan.batches.flat())

  const cashed: Cashed[] = []
  const transactions: Hash[] = []
  for (const batch of plan.batches) {
    const sent = await sendBatch(session, desk, account, payments, batch, currencies, options)
    cashed.push(...sent.claims)
    transactions.push(...sent.transactions)
  }

  const describe = (one: PlannedClaim) => claimJson(one, currencies, desk)
  const json = {
    dryRun: options.dryRun ?? false,
    claims: cashed.map((one) => ({ ...describe(one), maxCostWei: one.maxCostWei })),
    skipped: plan.skipped.map(describe),
    uncovered: plan.uncovered.map(describe),
    maxCostWei: cashed.reduce((sum, { maxCostWei }) => sum + maxCostWei, 0n),
    transactions,
  }
  const lines = cashed.map((one) => claimText(one, currencies, desk))
  const [skipped, uncovered] = [plan.skipped.length, plan.uncovered.length]
  if (skipped > 0)
    lines.push(`${skipped} more would bring less than they cost, or than --least: --all takes the former.`)
  if (uncovered > 0) lines.push(`${uncovered} are worth more than their channels hold now, and cannot be cashed.`)
  const did = options.dryRun ? 'would be cashed; nothing was sent' : 'were cashed'
  return { json, text: [...lines, `${cashed.length} vouchers ${did}.`].join('\n') }
}

/** Of the gateway of this home, whether it runs or not. */
const readVouchers = async (
  { effects }: Session,
  chainId: bigint,
  payments: Address,
  vendorId: bigint,
): Promise<readonly Claimable[]> => {
  const book = await openLedgerBook(effects.sql.dialect('gateway'))
  try {
    const railIds = await book.railIds(channelRailPrefix(chainId, payments, vendorId))
    return await createVoucherSource(book, paymentsDomain(chainId, payments), railIds).all()
  } finally {
    await book.close()
  }
}

const MINUTE_SECONDS = 60

const warn = ({ say, effects }: Session, claims: readonly PlannedClaim[]): void => {
  const [first, ...more] = claims.filter(({ withdrawableAt }) => withdrawableAt > 0)
  if (!first) return
  const minutes = Math.floor((first.withdrawableAt - nowSeconds(effects.clock)) / MINUTE_SECONDS)
  const when = minutes > 0 ? `in ${minutes} minutes` : 'now'
  say(`${more.length + 1} channels are being emptied by their payers, the first can be ${when}: they are claimed first`)
}

/** One transaction; what the contract refuses meanwhile is left out. */
const sendBatch = async (
  session: Session,
  desk: VendorDesk,
  account: Account,
  payments: Address,
  batch: readonly PlannedClaim[],
  currencies: ReadonlyMap<Address, Currency>,
  choices: SendChoices,
): Promise<{ readonly claims: readonly Cashed[]; readonly transactions: readonly Hash[] }> => {
  for (let claims = batch; claims.length > 0;) {
    const what = `Cash ${claims.length} vouchers: ${sumsText(claims, currencies, desk)}`
    try {
      const { quote, receipt } = await desk.sendCall(session, account, claimCall(payments, claims), what, choices)
      const cashed = claims.map((one) => ({ ...one, maxCostWei: shareOf(quote, claims.length) }))
      return { claims: cashed, transactions: receipt ? [receipt.transactionHash] : [] }
    } catch (error) {
      const rest = error instanceof ContractRevert ? withoutRefused(claims, error) : undefined
      if (!rest) throw error
      session.say('Somebody else has cashed one of them meanwhile: it is left out')
      claims = rest
    }
  }
  return { claims: [], transactions: [] }
}

const shareOf = ({ maxCostWei }: Quote, count: number): bigint => (maxCostWei + BigInt(count) - 1n) / BigInt(count)

const sumsText = (
  claims: readonly PlannedClaim[],
  currencies: ReadonlyMap<Address, Currency>,
  { moneyText }: VendorDesk,
): string =>
  [...currencies]
    .map(([token, currency]) => {
      const alike = claims.filter(({ voucher }) => voucher.settings.token === token)
      const sum = alike.reduce((total, { gain }) => total + gain, 0n)
      return sum > 0n ? moneyText(sum, currency) : undefined
    })
    .filter((text) => text !== undefined)
    .join(' and ')

const claimJson = (
  { voucher, gain, withdrawableAt }: PlannedClaim,
  currencies: ReadonlyMap<Address, Currency>,
  { currencyJson }: VendorDesk,
) => ({
  channelId: voucher.channelId,
  cumulative: voucher.cumulative,
  ...currencyJson(currencies.get(voucher.settings.token)),
  amount: gain,
  ...(withdrawableAt > 0 ? { withdrawableAt } : {}),
})

const claimText = (
  { voucher, gain, maxCostWei }: Cashed,
  currencies: ReadonlyMap<Address, Currency>,
  { moneyText, coins }: VendorDesk,
): string =>
  `${voucher.channelId.slice(0, 10)}  brings ${moneyText(gain, currencies.get(voucher.settings.token))}, costs at most ${coins(maxCostWei)}`
