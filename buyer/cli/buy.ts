/** `buy`: paying for time, at once or by what others send. */
import { Option, type Command } from 'commander'
import type { TokenFacts } from '../../chain/token.ts'
import { CommandError } from '../../effects/command-error.ts'
import { duration } from '../../effects/command-options.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { formatPeriod, NATIVE_DECIMALS, parseAmount } from '../../protocol/amount.ts'
import { BuyerError } from '../errors.ts'
import type { Buyer, Caps, Offer, PayBy, PayWish, QuoteOptions, SignOptions, Wanted } from '../lib/index.ts'
import { openBuyer, wholeNumber } from './open-buyer.ts'
import { SIGN_ONLY, VALID_FOR, writeSigned } from './signed.ts'
import { coin, money, oneLine, timeText } from './text.ts'

const PERIODS_MAX = 65_535
const PLAN_MAX = 0xffffffff

export const addBuyCommand = (program: Command, context: CommandContext): void => {
  program
    .command('buy')
    .argument('[vendor]', 'vendor URI, or number in the registry')
    .argument('[plan]', 'number of the plan')
    .description('pay for time of a plan, with a fresh key')
    .option('--periods <n>', 'how many periods', '1')
    .option('--max-spend <amount>', "refuse if more can be spent, in the plan's currency; of the coin with the fee")
    .addOption(
      new Option('--pay-by <way>', 'how a token is paid (default: the cheapest that it has)').choices([
        'authorization',
        'permit',
        'allowance',
      ] satisfies PayBy[]),
    )
    .option(...SIGN_ONLY)
    .option(...VALID_FOR, duration)
    .option('--dry-run', 'say what would be spent, and send nothing')
    .option('--yes', 'do not ask whether the price is right')
    .option('--extend <order>', 'pay for more time of an order, with its key')
    .addHelpText(
      'after',
      `
The price is read from the chain. The key is saved before anything is paid, so
a purchase that was cut off, at any moment, is neither lost nor paid twice: the
same command again tells what became of it.

A plan may be priced in a token; fees are paid in the chain's coin, and the
spend cap of the settings bounds them. With --yes a token needs --max-spend.
Who has no coin signs the purchase (--sign-only) and lets anybody send it.

Examples:
  $ chrove buy 1 2 --dry-run
  $ chrove buy 1 2 --periods 3 --max-spend 0.01 --yes
  $ chrove buy --extend 0x1f3a9c --yes
  $ chrove buy 1 3 --sign-only purchase.json`,
    )
    // The settings' cap is of the coin, this one of the plan's currency.
    .action(context.action(buy, { ownOptions: ['maxSpend'] }))
}

interface BuyCommandOptions {
  readonly periods: string
  readonly maxSpend?: string
  readonly payBy?: PayBy
  readonly signOnly?: string
  readonly validFor?: number
  readonly dryRun?: true
  readonly yes?: true
  readonly extend?: string
}

const wantedOf = (vendor: string | undefined, plan: string | undefined, options: BuyCommandOptions): Wanted => {
  const periods = wholeNumber('--periods', options.periods, PERIODS_MAX)
  if (options.extend !== undefined) {
    if (vendor !== undefined) throw new CommandError('ERR_USAGE', 'give a vendor and plan, or --extend, not both')
    return { extend: options.extend, periods }
  }
  if (vendor === undefined || plan === undefined) {
    throw new CommandError('ERR_USAGE', 'give a vendor and the number of a plan, or --extend ORDER')
  }
  return { vendor, planId: wholeNumber('plan', plan, PLAN_MAX), periods }
}

const wishOf = ({ payBy, signOnly }: BuyCommandOptions): PayWish => ({
  ...(payBy && { payBy }),
  signOnly: signOnly !== undefined,
})

const capsOf = ({ maxSpend }: BuyCommandOptions): Pick<Caps, 'capIn'> =>
  maxSpend === undefined ? {} : { capIn: (token) => amountOf(maxSpend, token) }

/** An amount of the plan's currency; of smallest units where a token does not tell its decimals. */
const amountOf = (text: string, token: TokenFacts | undefined): bigint => {
  const decimals = token ? (token.decimals ?? 0) : NATIVE_DECIMALS
  const amount = parseAmount(text, decimals)
  if (amount !== undefined) return amount
  throw new CommandError('ERR_USAGE', `--max-spend is a number with at most ${decimals} decimals, for this plan`)
}

const buy = async (
  session: Session,
  vendor: string | undefined,
  plan: string | undefined,
  options: BuyCommandOptions,
): Promise<Output | undefined> => {
  const buyer = openBuyer(session)
  const wanted = wantedOf(vendor, plan, options)
  if (options.dryRun) return dryRun(session, buyer, wanted, { ...capsOf(options), ...wishOf(options) })
  const approve = async (offer: Offer): Promise<void> => {
    session.say(offerText(offer))
    if (!options.yes) await session.confirm(questionOf(offer))
    else if (offer.token && options.maxSpend === undefined) throw unbounded()
    session.say(options.signOnly === undefined ? 'Paying...' : 'Signing...')
  }
  const choices = { approve, ...capsOf(options), ...wishOf(options), signal: session.signal }
  const { signOnly, validFor } = options
  if (signOnly !== undefined) return sign(session, buyer, wanted, signOnly, { ...choices, validFor })

  const { offer, purchaseId, ...order } = await buyer.buy(wanted, choices)
  const fee = order.transactionHash ? `fee ${coin(order.feeWei)}` : 'sent by another account'
  await session.print({
    json: { dryRun: false, resumed: offer === undefined, order, ...(offer ? { offer } : {}) },
    text: [
      ...(offer ? [] : [EARLIER]),
      `Order ${order.orderId}`,
      `Paid until ${timeText(order.endsAtSeconds)}, ${fee}`,
      `Next: chrove credentials ${order.orderId.slice(0, 10)}`,
    ].join('\n'),
  })
  // Only now: who has not seen this and tries again is not to pay again.
  await buyer.acknowledge({ orderId: order.orderId, purchaseId })
  return undefined
}

/** Symbol and decimals are the token's own word, so what is paid without asking has to be bounded by a person. */
const unbounded = (): BuyerError => {
  const text = 'nobody is asked (--yes), so say with --max-spend how much of the token may be paid'
  return new BuyerError('ERR_SPEND_CAP', text)
}

const EARLIER = `Nothing is paid now: an earlier command bought this and was cut off before it could say so
To buy once more, give the same command again`

/** Signs a purchase for others to send, and writes it to a file. */
const sign = async (
  session: Session,
  buyer: Buyer,
  wanted: Wanted,
  file: string,
  { validFor, ...choices }: SignOptions & { readonly validFor: number | undefined },
): Promise<undefined> => {
  const options = { ...choices, ...(validFor === undefined ? {} : { validSeconds: validFor }) }
  const { orderId, purchaseId, signed, offer } = await buyer.sign(wanted, options)
  const written = await writeSigned(session, file, signed, signed.purchase.deadline)
  await session.print({
    json: { dryRun: false, resumed: offer === undefined, orderId, ...written.json, ...(offer ? { offer } : {}) },
    text: [
      ...(offer
        ? []
        : ['Nothing new is signed: an earlier command signed this and was cut off before it could say so']),
      `Order ${orderId}, once it is sent`,
      written.text,
    ].join('\n'),
  })
  await buyer.acknowledge({ orderId, purchaseId })
  return undefined
}

/** Says what `buy` would do. */
const dryRun = async ({ signal }: Session, buyer: Buyer, wanted: Wanted, options: QuoteOptions): Promise<Output> => {
  const nothingSent = 'Nothing was sent (--dry-run)'
  const earlier = await buyer.unacknowledged(wanted, signal)
  if (earlier) {
    const text = [
      `The same was begun before and cut off, as order ${earlier.orderId}`,
      'Buying ends that, and pays nothing unless it failed',
      nothingSent,
    ]
    const { orderId } = earlier
    return { json: { dryRun: true, resumed: true, order: { orderId } }, text: text.join('\n') }
  }
  const offer = await buyer.quote(wanted, { ...options, signal })
  return { json: { dryRun: true, resumed: false, offer }, text: `${offerText(offer)}\n${nothingSent}` }
}

const offerText = (offer: Offer): string => {
  const { periods, periodSeconds, settlement, token } = offer
  const refund = settlement === 'Streamed' ? 'unused time can be returned' : 'NOTHING can be returned'
  return [
    `Plan ${offer.planId} "${oneLine(offer.title)}" of ${offer.vendor}`,
    `Time:    ${periods} x ${formatPeriod(periodSeconds)}; ${refund}`,
    `Price:   ${priceOf(offer)}`,
    ...(token ? [`Token:   ${token.address}${token.symbol ? `, which calls itself ${token.symbol}` : ''}`] : []),
    `Fee:     ${feeText(offer)}`,
    `Account: ${offer.account} has ${token ? `${money(token.balance, token)} and ` : ''}${coin(offer.balanceWei)}`,
  ].join('\n')
}

const priceOf = ({ priceWei, token }: Offer): string => (token ? money(token.price, token) : coin(priceWei))

const feeText = ({ maxFeeWei, token }: Offer): string => {
  const most = `at most ${coin(maxFeeWei)}`
  if (!token) return most
  const { payBy, transactions } = token
  if (transactions === 0) return 'none: whoever sends it pays'
  if (transactions === 1) return `${most}, in one transaction (by ${payBy})`
  return `${most}, in ${transactions} transactions: an allowance of the price first, then the purchase`
}

const questionOf = (offer: Offer): string =>
  offer.token?.transactions === 0
    ? `Sign for ${priceOf(offer)}?`
    : `Pay ${priceOf(offer)} and a fee of at most ${coin(offer.maxFeeWei)}?`
