/** `chrove vendor refund`: gives a buyer money back. */
import type { Command } from 'commander'
import { paymentsCall } from '../../chain/contracts.ts'
import { ContractRevert } from '../../chain/errors.ts'
import type { OrderRefunded } from '../../chain/events.ts'
import type { Receipt } from '../../chain/rpc.ts'
import { type Address, type Hex, ZERO_ADDRESS } from '../../chain/types.ts'
import { ChainError } from '../../effects/chain.ts'
import { CommandError } from '../../effects/command-error.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import { readEarnings, type Earning, type Earnings } from './earnings.ts'
import { openKeys, requireSettings } from './home.ts'
import { amountOption, coins, currencyJson, moneyText, type Currency } from './money.ts'
import { eventsOf, openAccount, sendCall, settlePending, type SendChoices } from './send.ts'

export const addRefundCommand = (vendor: Command, { action }: CommandContext): void => {
  vendor
    .command('refund')
    .argument('<order>', 'id of the order, or its first digits')
    .description('end an order and return what is not earned')
    .option('--extra <amount>', 'return so much of what is earned and not withdrawn too')
    .option('--dry-run', 'only say what would be returned and what it would cost')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
The money goes to the account that may cancel the order, in the currency of its
plan. Of an order that is over, only --extra can be returned.

Examples:
  chrove vendor refund 0x1f3a9c --dry-run
  chrove vendor refund 0x1f3a9c --extra 0.5 --yes`,
    )
    .action(action(refund))
}

interface RefundOptions extends SendChoices {
  readonly extra?: string
}

const refund = async (session: Session, wanted: string, options: RefundOptions) => {
  const settings = await requireSettings(session)
  const registry = settings.registry as Address
  const account = await openAccount(session, await openKeys(session))
  // Before anything is read: what an interrupted command returned is not to be returned again.
  const interrupted = await settlePending(session, account)
  const read = await readEarnings(session, settings)
  const { order, state, token } = findOrder(read, wanted)
  const currency = read.currencies.get(token)
  const earlier = interrupted && (await refundIn(session, registry, interrupted, order.orderId))
  if (earlier) return refunded(earlier, currency, 'An interrupted command returned')

  const extra = options.extra === undefined ? 0n : amountOption('--extra', options.extra, currency)
  const expected = state.refundable + extra
  if (state.controller === ZERO_ADDRESS) throw refusal('an instant order is paid out already: send the money yourself')
  if (expected === 0n) throw refusal('this order is over: say with --extra how much of what it earned goes back')

  const call = paymentsCall(read.payments, 'vendorRefund', order.orderId, extra)
  const what = `Return ${moneyText(expected, currency)} of order ${order.orderId.slice(0, 10)} to ${state.controller}`
  const { quote, receipt } = await tried(sendCall(session, account, call, what, options), currency)
  if (!receipt) {
    const { maxCostWei } = quote
    const { orderId } = order
    const json = { orderId, refundTo: state.controller, ...currencyJson(currency), refunded: expected, maxCostWei }
    return { json: { dryRun: true, ...json }, text: `${what}: costs at most ${coins(maxCostWei)}; nothing was sent.` }
  }
  const event = await refundIn(session, registry, receipt, order.orderId)
  if (!event) throw new ChainError('ERR_CHAIN_MALFORMED', 'the node tells of a refund without saying what was returned')
  return refunded(event, currency, 'Returned')
}

const refundIn = async (session: Session, registry: Address, receipt: Receipt, orderId: Hex) =>
  (await eventsOf(session, registry, receipt)).find(
    (event): event is OrderRefunded => event.type === 'OrderRefunded' && event.orderId === orderId,
  )

const refunded = (
  { orderId, refundTo, refunded: amount, evidence }: OrderRefunded,
  currency: Currency,
  did: string,
) => {
  const transaction = evidence.transactionHash
  return {
    json: { dryRun: false, orderId, refundTo, ...currencyJson(currency), refunded: amount, transaction },
    text: `${did} ${moneyText(amount, currency)} of order ${orderId} to ${refundTo}.`,
  }
}

const refusal = (message: string) => new CommandError('ERR_USAGE', message)

/** @throws ERR_USAGE unless the text is the id of an order of this vendor, or the start of exactly one */
const findOrder = ({ earnings }: Earnings, text: string): Earning => {
  const start = text.toLowerCase()
  const [found, ...others] = earnings.filter(({ order }) => order.orderId.startsWith(start))
  if (found && others.length === 0 && /^0x[0-9a-f]{6,64}$/.test(start)) return found
  throw refusal('no single order of this vendor has this id: give more of its digits')
}

/** Says in the order's currency what the contract says in smallest units. */
const tried = async <T>(sending: Promise<T>, currency: Currency): Promise<T> => {
  try {
    return await sending
  } catch (error) {
    if (!(error instanceof ContractRevert && error.reason === 'Payments_RefundTooLarge')) throw error
    const max = moneyText(error.args.max as bigint, currency)
    throw refusal(`--extra can be ${max} at most: what is earned in this run and not withdrawn`)
  }
}
