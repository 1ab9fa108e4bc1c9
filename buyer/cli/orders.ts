/** `buy`, `credentials`, `orders`, `cancel`: what is paid for. */
import type { Command } from 'commander'
import { CommandError } from '../../effects/command-error.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { formatAmount, formatPeriod, NATIVE_DECIMALS } from '../../protocol/amount.ts'
import type { Server } from '../../protocol/credentials.ts'
import type { Buyer, Credentials, Offer, OrderView, Wanted } from '../lib/index.ts'
import { openBuyer, wholeNumber } from './open-buyer.ts'
import { coin, oneLine, table, timeText } from './text.ts'

const PERIODS_MAX = 65_535
const PLAN_MAX = 0xffffffff
const WAIT_SECONDS_MAX = 86_400

export const addOrderCommands = (program: Command, context: CommandContext): void => {
  program
    .command('buy')
    .argument('[vendor]', 'vendor URI, or number in the registry')
    .argument('[plan]', 'number of the plan')
    .description('pay for time of a plan, with a fresh key')
    .option('--periods <n>', 'how many periods', '1')
    .option('--max-spend <amount>', 'refuse if price and fee can exceed this, in coin')
    .option('--dry-run', 'say what would be spent, and send nothing')
    .option('--yes', 'do not ask whether the price is right')
    .option('--extend <order>', 'pay for more time of an order, with its key')
    .addHelpText(
      'after',
      `
The price is read from the chain. The key is saved before anything is paid, so
a purchase that was cut off, at any moment, is neither lost nor paid twice: the
same command again tells what became of it.

Examples:
  $ chrove buy 1 2 --dry-run
  $ chrove buy 1 2 --periods 3 --max-spend 0.01 --yes
  $ chrove buy --extend 0x1f3a9c --yes`,
    )
    .action(context.action(buy))
  program
    .command('credentials')
    .argument('<order>', 'id of the order, or its first digits')
    .description('collect what was paid for')
    .option('--refresh', 'ask the vendor even if credentials are kept here')
    .option('--wait <seconds>', 'how long to wait for a vendor that has not seen the payment', '180')
    .addHelpText('after', '\nExample:\n  $ chrove credentials 0x1f3a9c')
    .action(context.action(credentials))
  program
    .command('orders')
    .description('all orders, as the chain has them')
    .addHelpText('after', '\nExample:\n  $ chrove orders --json')
    .action(context.action(orders))
  program
    .command('cancel')
    .argument('<order>', 'id of the order, or its first digits')
    .description('end an order, and get back what is not used')
    .requiredOption('--refund-to <address>', 'account that gets the money; any')
    .addHelpText('after', '\nExample:\n  $ chrove cancel 0x1f3a9c --refund-to 0x7099...79c8')
    .action(context.action(cancel))
}

interface BuyCommandOptions {
  readonly periods: string
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

const buy = async (
  session: Session,
  vendor: string | undefined,
  plan: string | undefined,
  options: BuyCommandOptions,
): Promise<Output | undefined> => {
  const buyer = openBuyer(session)
  const wanted = wantedOf(vendor, plan, options)
  if (options.dryRun) return dryRun(session, buyer, wanted)
  const approve = async (offer: Offer): Promise<void> => {
    session.say(offerText(offer))
    if (!options.yes)
      await session.confirm(`Pay ${coin(offer.priceWei)} and a fee of at most ${coin(offer.maxFeeWei)}?`)
    session.say('Paying...')
  }
  const { offer, ...order } = await buyer.buy(wanted, { approve, signal: session.signal })
  await session.print({
    json: { dryRun: false, resumed: offer === undefined, order, ...(offer ? { offer } : {}) },
    text: [
      ...(offer ? [] : [EARLIER]),
      `Order ${order.orderId}`,
      `Paid until ${timeText(order.endsAtSeconds)}, fee ${coin(order.feeWei)}`,
      `Next: chrove credentials ${order.orderId.slice(0, 10)}`,
    ].join('\n'),
  })
  // Only now: who has not seen this and tries again is not to pay again.
  await buyer.acknowledge(order)
  return undefined
}

const EARLIER = `Nothing is paid now: an earlier command bought this and was cut off before it could say so
To buy once more, give the same command again`

/** Says what `buy` would do. */
const dryRun = async ({ signal }: Session, buyer: Buyer, wanted: Wanted): Promise<Output> => {
  const nothingSent = 'Nothing was sent (--dry-run)'
  const earlier = await buyer.unacknowledged(wanted, signal)
  if (earlier) {
    const text = [
      `The same was begun before and cut off, as order ${earlier.orderId}`,
      'Buying ends that, and pays nothing unless it failed',
      nothingSent,
    ]
    return { json: { dryRun: true, resumed: true, order: earlier }, text: text.join('\n') }
  }
  const offer = await buyer.quote(wanted, signal)
  return { json: { dryRun: true, resumed: false, offer }, text: `${offerText(offer)}\n${nothingSent}` }
}

const offerText = (offer: Offer): string => {
  const { periods, periodSeconds, settlement } = offer
  const refund = settlement === 'Streamed' ? 'unused time can be returned' : 'NOTHING can be returned'
  return [
    `Plan ${offer.planId} "${oneLine(offer.title)}" of ${offer.vendor}`,
    `Time:    ${periods} x ${formatPeriod(periodSeconds)}; ${refund}`,
    `Price:   ${coin(offer.priceWei)}`,
    `Fee:     at most ${coin(offer.maxFeeWei)}`,
    `Account: ${offer.account} has ${coin(offer.balanceWei)}`,
  ].join('\n')
}

const credentials = async (
  session: Session,
  order: string,
  { refresh = false, wait }: { readonly refresh?: boolean; readonly wait: string },
): Promise<Output> => {
  const waitMs = wholeNumber('--wait', wait, WAIT_SECONDS_MAX) * 1000
  const { signal, say: tell } = session
  const collected = await openBuyer(session).collect(order, { refresh, waitMs, tell, signal })
  return { json: { ...collected }, text: credentialsText(collected) }
}

const credentialsText = ({ orderId, servers, expiresSeconds }: Credentials): string =>
  [
    ...servers.map((server) => `${oneLine(server.server_name)}\n  ${serverText(server)}`),
    `Paid until ${timeText(expiresSeconds)}`,
    ...(servers.some(({ type }) => type === 'socks5') ? [`Next: chrove proxy ${orderId.slice(0, 10)}`] : []),
  ].join('\n')

const serverText = (server: Server): string => {
  const host = server.config.address.includes(':') ? `[${server.config.address}]` : server.config.address
  const place = `${oneLine(host)}:${server.config.port}`
  if (server.type === 'ss') {
    return `shadowsocks ${place} method ${oneLine(server.config.method)} key ${oneLine(server.config.key)}`
  }
  const scheme = server.type === 'socks5' ? 'socks5h' : 'https'
  const login = [server.config.username, server.config.password].map(encodeURIComponent).join(':')
  return `${scheme}://${login}@${place}`
}

const orders = async (session: Session): Promise<Output> => {
  const buyer = openBuyer(session)
  // What an interrupted purchase left is ended first, so that the list tells the truth.
  const resumed = await buyer.resume(session.signal)
  const list = await buyer.orders(session.signal)
  const untold = list.filter(({ acknowledged }) => !acknowledged)
  const text = [
    list.length === 0 ? 'No orders' : table(HEADINGS, list.map(orderRow)),
    ...untold.map(
      ({ orderId }) => `A purchase of ${orderId.slice(0, 10)} was cut off: the same \`buy\` tells of it first`,
    ),
  ]
  return { json: { orders: list, resumed }, text: text.join('\n') }
}

const HEADINGS = ['ORDER', 'VENDOR', 'PLAN', 'STATE', 'ENDS', 'COIN TO RETURN']

const orderRow = ({ orderId, vendor, planId, standing, endsAtSeconds, refundableWei }: OrderView): string[] => [
  orderId.slice(0, 10),
  vendor.slice(vendor.lastIndexOf('/') + 1),
  String(planId),
  standing,
  endsAtSeconds === 0 ? '' : timeText(endsAtSeconds),
  refundableWei === 0n ? '' : formatAmount(refundableWei, NATIVE_DECIMALS),
]

const cancel = async (
  session: Session,
  order: string,
  { refundTo }: { readonly refundTo: string },
): Promise<Output> => {
  const cancelled = await openBuyer(session).cancel(order, refundTo, session.signal)
  const { refundedWei, feeWei } = cancelled
  return {
    json: { ...cancelled },
    text: `Order ${cancelled.orderId} is cancelled: ${coin(refundedWei)} went to ${cancelled.refundTo}, fee ${coin(feeWei)}`,
  }
}
