/** `credentials`, `orders`, `cancel`: what is paid for. */
import type { Command } from 'commander'
import { duration } from '../../effects/command-options.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import type { Server } from '../../protocol/credentials.ts'
import type { Credentials, OrderView } from '../lib/index.ts'
import { openBuyer, wholeNumber } from './open-buyer.ts'
import { SIGN_ONLY, VALID_FOR, writeSigned } from './signed.ts'
import { coin, money, oneLine, table, tableMoney, timeText } from './text.ts'

const WAIT_SECONDS_MAX = 86_400

export const addOrderCommands = (program: Command, context: CommandContext): void => {
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
    .option(...SIGN_ONLY)
    .option(...VALID_FOR, duration)
    .addHelpText(
      'after',
      `
Examples:
  $ chrove cancel 0x1f3a9c --refund-to 0x7099...79c8
  $ chrove cancel 0x1f3a9c --refund-to 0x7099...79c8 --sign-only cancel.json`,
    )
    .action(context.action(cancel))
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
  const returned = tableMoney(list.map(({ token }) => token))
  const rows = list.map((order) => orderRow(order, returned.money))
  const shown = list.length === 0 ? 'No orders' : table(HEADINGS, rows)
  const text = [shown, ...returned.notes, ...list.flatMap(notesOf)]
  return { json: { orders: list, resumed }, text: text.join('\n') }
}

const HEADINGS = ['ORDER', 'VENDOR', 'PLAN', 'STATE', 'ENDS', 'TO RETURN']

const orderRow = (
  { orderId, vendor, planId, standing, endsAtSeconds, refundable, token }: OrderView,
  moneyText: typeof money,
): string[] => [
  orderId.slice(0, 10),
  vendor.slice(vendor.lastIndexOf('/') + 1),
  String(planId),
  standing,
  endsAtSeconds === 0 ? '' : timeText(endsAtSeconds),
  refundable === 0n ? '' : moneyText(refundable, token),
]

const notesOf = ({ orderId, acknowledged, sendableUntilSeconds }: OrderView): string[] => {
  const order = orderId.slice(0, 10)
  return [
    ...(acknowledged ? [] : [`A purchase of ${order} was cut off: the same \`buy\` tells of it first`]),
    ...(sendableUntilSeconds === 0
      ? []
      : [`What was signed for ${order} can be sent until ${timeText(sendableUntilSeconds)}`]),
  ]
}

interface CancelOptions {
  readonly refundTo: string
  readonly signOnly?: string
  readonly validFor?: number
}

const cancel = async (session: Session, order: string, options: CancelOptions): Promise<Output> => {
  const { refundTo, signOnly, validFor } = options
  const { signal } = session
  const buyer = openBuyer(session)
  if (signOnly !== undefined) {
    const validity = validFor === undefined ? {} : { validSeconds: validFor }
    const signed = await buyer.signCancellation(order, refundTo, { ...validity, signal })
    const { orderId } = signed.cancellation
    const written = await writeSigned(session, signOnly, signed, signed.cancellation.deadline)
    return { json: { orderId, ...written.json }, text: `Order ${orderId} ends once this is sent\n${written.text}` }
  }
  const cancelled = await buyer.cancel(order, refundTo, signal)
  const { orderId, refunded, token, feeWei } = cancelled
  return {
    json: { ...cancelled },
    text: `Order ${orderId} is cancelled: ${money(refunded, token)} went to ${cancelled.refundTo}, fee ${coin(feeWei)}`,
  }
}
