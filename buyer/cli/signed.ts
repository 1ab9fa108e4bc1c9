/** What is signed for others to send: writing it to a file, and `send-signed`, by which anybody sends it. */
import type { Command } from 'commander'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { formatPeriod } from '../../protocol/amount.ts'
import { SIGNED_ORDER_BYTES_MAX } from '../../protocol/limits.ts'
import { formatSignedOrder, parseSignedOrder, type SignedOrder } from '../../protocol/signed-order.ts'
import type { Delivery } from '../lib/index.ts'
import { openBuyer } from './open-buyer.ts'
import { coin, money, oneLine, timeText } from './text.ts'

/** Options of the commands that can sign instead of sending. */
export const SIGN_ONLY = [
  '--sign-only <file>',
  'send nothing: write it, signed, to a new file that anybody can send',
] as const
export const VALID_FOR = ['--valid-for <time>', 'how long what is signed can be sent (default: 1d)'] as const

/** @param deadline unix seconds */
export const writeSigned = async ({ userFiles }: Session, file: string, signed: SignedOrder, deadline: bigint) => {
  await userFiles.create(file, formatSignedOrder(signed))
  const sendableUntilSeconds = Number(deadline)
  return {
    json: { file, sendableUntilSeconds },
    text: [
      `Wrote ${file}: good until ${timeText(sendableUntilSeconds)}, and nothing in it is secret`,
      `Next: somebody with coin for the fee runs chrove send-signed ${file}`,
    ].join('\n'),
  }
}

export const addSendSignedCommand = (program: Command, context: CommandContext): void => {
  program
    .command('send-signed')
    .argument('<file>', 'what `--sign-only` of `buy` or `cancel` wrote')
    .description('send what somebody else signed, and pay the fee for it')
    .option('--dry-run', 'say what it does and costs, and send nothing')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
It is tried on the chain first. Who sends it can neither change it nor gain by
it; the spend cap of the settings bounds the fee.

Example:
  $ chrove send-signed purchase.json`,
    )
    .action(context.action(sendSigned))
}

interface SendSignedOptions {
  readonly dryRun?: true
  readonly yes?: true
}

const sendSigned = async (session: Session, file: string, options: SendSignedOptions): Promise<Output> => {
  const { signal } = session
  const signed = parseSignedOrder(await session.userFiles.read(file, SIGNED_ORDER_BYTES_MAX))
  const buyer = openBuyer(session)
  if (options.dryRun) {
    const delivery = await buyer.quoteSigned(signed, signal)
    return { json: { dryRun: true, delivery }, text: `${deliveryText(delivery)}\nNothing was sent (--dry-run)` }
  }
  const approve = async (delivery: Delivery): Promise<void> => {
    session.say(deliveryText(delivery))
    if (!options.yes) await session.confirm(`Pay a fee of at most ${coin(delivery.maxFeeWei)} for it?`)
    session.say('Sending...')
  }
  const sent = await buyer.sendSigned(signed, { approve, signal })
  const { kind, orderId, endsAtSeconds, feeWei } = sent
  const done = kind === 'purchase' ? 'is paid until' : 'is cancelled and ended at'
  return {
    json: { dryRun: false, ...sent },
    text: `Order ${orderId} ${done} ${timeText(endsAtSeconds)}, fee ${coin(feeWei)}`,
  }
}

const deliveryText = (delivery: Delivery): string => {
  const { orderId, purchase, refundTo, sendableUntilSeconds, maxFeeWei, account, balanceWei } = delivery
  const what = purchase
    ? [
        `Purchase of plan ${purchase.planId} "${oneLine(purchase.title)}" of ${purchase.vendor}`,
        `Time:    ${purchase.periods} x ${formatPeriod(purchase.periodSeconds)}`,
        `Price:   ${money(purchase.price, purchase.token)}, paid by ${purchase.payer}`,
      ]
    : [`Cancellation of order ${orderId}`, `Refund:  what is not used, to ${refundTo}`]
  return [
    ...what,
    `Good until ${timeText(sendableUntilSeconds)}`,
    `Fee:     at most ${coin(maxFeeWei)}`,
    `Account: ${account} has ${coin(balanceWei)}`,
  ].join('\n')
}
