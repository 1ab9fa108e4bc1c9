/** `chrove vendor withdraw`: what is earned goes to the payout account. */
import type { Command } from 'commander'
import { paymentsCall } from '../../chain/contracts.ts'
import { ContractRevert } from '../../chain/errors.ts'
import type { PayoutKept } from '../../chain/events.ts'
import type { Call, Receipt } from '../../chain/rpc.ts'
import type { Account } from '../../chain/transactions.ts'
import type { Address } from '../../chain/types.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import { coinIn, earnedIn, readEarnings, sumsJson, sumsText, type Earnings, type Sum } from './earnings.ts'
import { openKeys, requireSettings } from './home.ts'
import { coins, moneyText } from './money.ts'
import { eventsOf, openAccount, sendCall, type SendChoices } from './send.ts'

/** Orders paid out in one transaction: about 2 million gas, far below any block's limit. */
const ORDERS_PER_WITHDRAWAL = 50

export const addWithdrawCommand = (vendor: Command, { action }: CommandContext): void => {
  vendor
    .command('withdraw')
    .description('send what is earned to the payout account')
    .option('--dry-run', 'only say what would be paid out and what it would cost')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
What the payout account once refused, and is kept for it, is sent again first.

Example:
  chrove vendor withdraw --dry-run`,
    )
    .action(action(withdraw))
}

/** A transaction of this command. */
interface Step {
  readonly call: Call
  readonly what: string
}

const withdraw = async (session: Session, choices: SendChoices) => {
  const settings = await requireSettings(session)
  const account = await openAccount(session, await openKeys(session))
  const read = await readEarnings(session, settings)
  const due = read.earnings.filter(({ state }) => state.earned > 0n)
  const earned = earnedIn(read, due)
  if (due.length === 0 && read.kept.length === 0) {
    const json = { orders: 0, earnedWei: 0n, earned: [], kept: [] }
    return { json, text: 'Nothing is earned that was not withdrawn.' }
  }

  const done: Receipt[] = []
  let maxCostWei = 0n
  const send = async ({ call, what }: Step): Promise<void> => {
    const { quote, receipt } = await sendCall(session, account, call, what, choices)
    maxCostWei += quote.maxCostWei
    if (receipt) done.push(receipt)
  }
  const redelivered = await redeliver(session, account, BigInt(settings.vendorId), read, send)
  for (let start = 0; start < due.length; start += ORDERS_PER_WITHDRAWAL) {
    const some = due.slice(start, start + ORDERS_PER_WITHDRAWAL)
    const call = paymentsCall(
      read.payments,
      'withdraw',
      some.map(({ order }) => order.orderId),
    )
    await send({ call, what: `Withdraw ${sumsText(earnedIn(read, some))} from ${some.length} orders` })
  }

  const refused = await keptBy(session, settings.registry as Address, done)
  for (const { token, amount } of refused) {
    const what = moneyText(amount, read.currencies.get(token))
    session.say(`The payout account did not take ${what}: it is kept; set another payout and withdraw again`)
  }
  const json = {
    orders: due.length,
    earnedWei: coinIn(earned),
    earned: sumsJson(earned),
    kept: sumsJson(read.kept),
    maxCostWei,
    transactions: done.map(({ transactionHash }) => transactionHash),
    dryRun: choices.dryRun ?? false,
  }
  const sent = [...redelivered, ...earned]
  const text = choices.dryRun
    ? `${sumsText(sent)} could be withdrawn for at most ${coins(maxCostWei)}; nothing was sent.`
    : `Withdrew ${sumsText(sent)}, and what was earned meanwhile.`
  return { json, text }
}

/** Sends what is kept. @returns what could be */
const redeliver = async (
  session: Session,
  account: Account,
  vendorId: bigint,
  { payments, kept }: Earnings,
  send: (step: Step) => Promise<void>,
): Promise<readonly Sum[]> => {
  const sent: Sum[] = []
  for (const { token, amount, currency } of kept) {
    const call = paymentsCall(payments, 'redeliver', vendorId, token)
    const money = moneyText(amount, currency)
    try {
      await account.quote(call, session.signal)
    } catch (error) {
      if (!(error instanceof ContractRevert)) throw error
      session.say(`The payout account still does not take ${money}: set another payout`)
      continue
    }
    await send({ call, what: `Send ${money} again that the payout account refused` })
    sent.push({ amount, currency })
  }
  return sent
}

const keptBy = async (session: Session, registry: Address, receipts: readonly Receipt[]): Promise<PayoutKept[]> => {
  const events = await Promise.all(receipts.map((receipt) => eventsOf(session, registry, receipt)))
  return events.flat().filter((event) => event.type === 'PayoutKept')
}
