/** `channels`: accounts that pay for requests, and the way out when a vendor is gone. */
import type { Command } from 'commander'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { amountText } from '../lib/paying/asset.ts'
import type { AccountView } from '../lib/paying/channels.ts'
import { openPaying } from './open-paying.ts'
import { coin, table, timeText } from './text.ts'

export const addChannelCommands = (program: Command, context: CommandContext): void => {
  const channels = program.command('channels').description('accounts that pay for requests')
  channels
    .command('list', { isDefault: true })
    .description('what is in each, and what is signed for')
    .addHelpText('after', '\nExample:\n  $ chrove channels --json')
    .action(context.action(list))
  channels
    .command('withdraw')
    .argument('<channel>', 'id of a payment channel, or its first digits')
    .description('take out what is left, when the vendor does not give it back')
    .option('--to <address>', 'account that gets the money; any')
    .addHelpText(
      'after',
      `
The first time it asks for the withdrawal; the vendor then has some time to cash
what it is owed. After that, the same command gets the money. While the vendor
answers, chrove refund is faster.

Examples:
  $ chrove channels withdraw 0x1f3a9c
  $ chrove channels withdraw 0x1f3a9c --to 0x7099...79c8`,
    )
    .action(context.action(withdraw))
}

const list = async (session: Session): Promise<Output> => {
  const paying = await openPaying(session, {})
  const accounts = await paying.accounts(session.signal)
  return {
    json: { accounts: accounts.map(({ asset, ...account }) => ({ ...account, asset: asset?.name })) },
    text: accounts.length === 0 ? 'No accounts' : listText(accounts),
  }
}

const HEADINGS = ['ACCOUNT', 'VENDOR', 'STATE', 'IN IT', 'SIGNED', 'USED']

const listText = (accounts: readonly AccountView[]): string => {
  const rows = accounts.map(({ account, vendor, scheme, standing, asset, deposited, signed, agreed }) => {
    const money = (amount: bigint) => (asset ? amountText(amount, asset) : 'elsewhere')
    const isSigned = scheme === 'channel'
    const state = `${scheme} ${standing}`
    const number = vendor.slice(vendor.lastIndexOf('/') + 1)
    return [account.slice(0, 10), number, state, money(deposited), isSigned ? money(signed) : 'all', money(agreed)]
  })
  const waiting = accounts.filter(({ withdrawableAtSeconds }) => withdrawableAtSeconds > 0)
  return [
    table(HEADINGS, rows, 'IN IT'),
    ...waiting.map(
      ({ account, withdrawableAtSeconds }) =>
        `What is left of ${account.slice(0, 10)} can be taken out from ${timeText(withdrawableAtSeconds)}`,
    ),
  ].join('\n')
}

const withdraw = async (session: Session, channel: string, { to }: { readonly to?: string }): Promise<Output> => {
  const paying = await openPaying(session, {})
  const { step, amount, asset, feeWei, withdrawableAtSeconds, ...done } = await paying.withdraw(
    channel,
    to,
    session.signal,
  )
  const money = amountText(amount, asset)
  return {
    json: { step, amount, asset: asset.name, feeWei, withdrawableAtSeconds, ...done },
    text:
      step === 'withdrawn'
        ? `${money} went to ${done.to}, fee ${coin(feeWei)}`
        : `The withdrawal of up to ${money} is requested, fee ${coin(feeWei)}\nThe same again from ${timeText(withdrawableAtSeconds)} on gets it`,
  }
}
