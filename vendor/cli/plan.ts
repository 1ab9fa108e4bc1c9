/** `chrove vendor plan`: what is for sale. A plan never changes; a new price is a new plan. */
import type { Command } from 'commander'
import { createContractReader, registryCall } from '../../chain/contracts.ts'
import { tokenAmountText } from '../../chain/token.ts'
import { ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { CommandError } from '../../effects/command-error.ts'
import { duration } from '../../effects/command-options.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import { formatAmount, formatPeriod, NATIVE_DECIMALS } from '../../protocol/amount.ts'
import { openKeys, requireSettings } from './home.ts'
import { amountOption, coins, currencyJson, moneyText, readCurrencies, tokenOption } from './money.ts'
import { wholeNumber } from './options.ts'
import { eventsOf, openAccount, sendCall, type SendChoices } from './send.ts'

const UINT32_MAX = 0xffffffff
const planNumber = wholeNumber(1, UINT32_MAX)

export const addPlanCommands = (vendor: Command, { action }: CommandContext): void => {
  const plan = vendor.command('plan').description('add, list, stop and resume plans')
  plan
    .command('add')
    .description('put a new plan on sale')
    .requiredOption('--price <amount>', 'for one period, such as 0.002')
    .option('--token <address>', 'ERC-20 that the price is in (default: the coin of the chain)')
    .requiredOption('--period <time>', 'length of a period, such as 1d, 12h or 3600', duration)
    .requiredOption('--title <text>', 'name that buyers see')
    .option('--max-periods <n>', 'how many periods may be paid ahead', wholeNumber(1, 0xffff), 12)
    .option('--settlement <how>', 'streamed: earned by the second, rest refundable; instant: all at once', 'streamed')
    .option('--dry-run', 'only say what it would cost')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
A token has to move exactly what it is told: with one that takes a fee or
rebases, every purchase fails.

Examples:
  chrove vendor plan add --title 'One month' --price 0.002 --period 30d
  chrove vendor plan add --title 'One month' --price 2.5 --token 0x8335...2913 \\
    --period 30d`,
    )
    .action(action(add))
  plan.command('list').description('show all plans').action(action(list))
  for (const [name, onSale] of [['stop', false] as const, ['resume', true] as const]) {
    plan
      .command(`${name} <plan>`)
      .description(onSale ? 'sell a stopped plan again' : 'sell no more of a plan; running orders go on')
      .option('--dry-run', 'only say what it would cost')
      .option('--yes', 'do not ask')
      .addHelpText('after', `\nExample:\n  chrove vendor plan ${name} 2`)
      .action(
        action((session, id: string, choices: SendChoices) => setOnSale(session, planNumber(id), onSale, choices)),
      )
  }
}

interface AddOptions extends SendChoices {
  readonly price: string
  readonly token?: string
  readonly period: number
  readonly title: string
  readonly maxPeriods: number
  readonly settlement: string
}

const add = async (session: Session, options: AddOptions) => {
  const currency = options.token === undefined ? undefined : await tokenOption(session, options.token)
  const price = amountOption('--price', options.price, currency)
  const settlement = options.settlement.toLowerCase()
  if (settlement !== 'streamed' && settlement !== 'instant') {
    throw new CommandError('ERR_USAGE', '--settlement is streamed or instant')
  }
  const settings = await requireSettings(session)
  const registry = settings.registry as Address
  const account = await openAccount(session, await openKeys(session))
  const call = registryCall(registry, 'addPlan', BigInt(settings.vendorId), {
    token: currency?.address ?? ZERO_ADDRESS,
    price,
    periodSeconds: options.period,
    maxPeriods: options.maxPeriods,
    settlement: settlement === 'instant' ? 'Instant' : 'Streamed',
    title: options.title,
  })
  const cost = `${moneyText(price, currency)} per ${formatPeriod(options.period)}`
  const { quote, receipt } = await sendCall(session, account, call, `Add plan "${options.title}": ${cost}`, options)
  if (!receipt) return dryRun(quote.maxCostWei)
  const added = (await eventsOf(session, registry, receipt)).find((event) => event.type === 'PlanAdded')
  const planId = added?.planId
  const json = { planId, price, ...currencyJson(currency), transaction: receipt.transactionHash }
  return { json, text: `Plan ${planId} is on sale: ${cost}.` }
}

const list = async (session: Session) => {
  const { registry, vendorId, nativeSymbol } = await requireSettings(session)
  const reader = createContractReader(session.effects.chain)
  const { plans } = await reader.listing(registry as Address, BigInt(vendorId), 'latest', session.signal)
  const currencies = await readCurrencies(
    session,
    plans.map(({ token }) => token),
  )
  const rows = plans.map((plan, index) => ({
    planId: index + 1,
    title: plan.title.text,
    price: plan.price,
    token: plan.token,
    ...currencyJson(currencies.get(plan.token)),
    periodSeconds: plan.periodSeconds,
    maxPeriods: plan.maxPeriods,
    settlement: plan.settlement.toLowerCase(),
    onSale: plan.onSale,
  }))
  const line = (row: (typeof rows)[number]) => {
    const currency = currencies.get(row.token)
    const amount = currency
      ? tokenAmountText(row.price, currency)
      : `${formatAmount(row.price, NATIVE_DECIMALS)} ${nativeSymbol}`
    const state = row.onSale ? '' : ' (stopped)'
    return `${row.planId}  ${amount} per ${formatPeriod(row.periodSeconds)}, ${row.settlement}${state}  ${row.title.replaceAll('\n', ' ')}`
  }
  return { json: { plans: rows }, text: rows.map(line).join('\n') || 'No plans yet: run `chrove vendor plan add`.' }
}

const setOnSale = async (session: Session, planId: number, onSale: boolean, choices: SendChoices) => {
  const { registry, vendorId } = await requireSettings(session)
  const account = await openAccount(session, await openKeys(session))
  const call = registryCall(registry as Address, 'setPlanOnSale', BigInt(vendorId), planId, onSale)
  const what = onSale ? `Sell plan ${planId} again` : `Stop selling plan ${planId}`
  const { quote, receipt } = await sendCall(session, account, call, what, choices)
  if (!receipt) return dryRun(quote.maxCostWei)
  const text = `Plan ${planId} is ${onSale ? 'on sale again' : 'no longer on sale'}.`
  return { json: { planId, onSale, transaction: receipt.transactionHash }, text }
}

const dryRun = (maxCostWei: bigint) => ({
  json: { dryRun: true, maxCostWei },
  text: `This would cost at most ${coins(maxCostWei)}; nothing was sent.`,
})
