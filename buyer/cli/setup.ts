/** `init`, `account`, `backup`, `restore`: a buyer's own things. */
import type { Command } from 'commander'
import { CommandError } from '../../effects/command-error.ts'
import { saveConfig, type Settings } from '../../effects/command-settings.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { BuyerError } from '../errors.ts'
import type { Buyer } from '../lib/index.ts'
import { KEYRING_BYTES_MAX } from '../lib/limits.ts'
import { withCaps } from './caps.ts'
import { openBuyer } from './open-buyer.ts'
import { coin } from './text.ts'

export const addSetupCommands = (program: Command, context: CommandContext): void => {
  withCaps(
    program
      .command('init')
      .description('make a keyring with an account, and remember settings')
      .option('--max-spend <amount>', 'most that one purchase or deposit may cost with its fee, in coin'),
  )
    .addHelpText(
      'after',
      `
Given again, it keeps the keyring and remembers the settings that are given.

Examples:
  $ chrove init --rpc http://127.0.0.1:8545 --registry 0x5fbd...0aa3
  $ chrove init --directory http://127.0.0.1:4000 --max-spend 0.05
  $ chrove init --max-per-request 0.001 --max-per-vendor 0.1 --max-per-day 0.01`,
    )
    .action(context.action(init))

  const account = program.command('account').description('the account that pays')
  account
    .command('show', { isDefault: true })
    .description('show the address to fund, and its balance')
    .addHelpText('after', '\nExample:\n  $ chrove account')
    .action(context.action(showAccount))
  account
    .command('import')
    .description('pay from an account you have already')
    .addHelpText(
      'after',
      `
The private key is taken from CHROVE_PRIVATE_KEY, or asked for.

Example:
  $ CHROVE_PRIVATE_KEY=0x... chrove account import`,
    )
    .action(context.action(importAccount))

  program
    .command('backup')
    .argument('<file>', 'new file to write')
    .description('copy the keyring, still encrypted, to a file')
    .addHelpText('after', '\nExample:\n  $ chrove backup orders.backup')
    .action(context.action(backup))
  program
    .command('restore')
    .argument('<file>', 'file that `chrove backup` wrote')
    .description('take in a backup; nothing in the keyring is lost')
    .addHelpText(
      'after',
      `
The passphrase is that of the backup, and of the keyring if there is one.

Example:
  $ chrove restore orders.backup`,
    )
    .action(context.action(restore))
}

const init = async (session: Session): Promise<Output> => {
  const buyer = openBuyer(session)
  let created = true
  let address: string | undefined
  try {
    address = await buyer.init()
  } catch (error) {
    if (!(error instanceof BuyerError && error.code === 'ERR_KEYRING_EXISTS')) throw error
    created = false
    address = (await buyer.accounts())[0]
  }
  const { logLevel: _logLevel, ...lasting }: Settings = session.settings
  await saveConfig(session.effects.files, lasting)
  const remembered = Object.keys(lasting).join(', ') || 'none yet: give --rpc and --registry'
  return {
    json: { created, address, home: session.home, settings: Object.keys(lasting) },
    text: [
      `${created ? 'Made a keyring' : 'The keyring stays as it is'} in ${session.home}`,
      `Account:  ${address}   (send coin here to buy)`,
      `Settings: ${remembered}`,
      ...(created ? ['Keep the passphrase: without it every order is lost. `chrove backup` copies the keyring.'] : []),
    ].join('\n'),
  }
}

const showAccount = async (session: Session): Promise<Output> => {
  const buyer = openBuyer(session)
  const [address, ...others] = await buyer.accounts()
  const balanceWei = await balanceOf(session, buyer)
  return {
    json: { address, others, ...(balanceWei === undefined ? {} : { balanceWei }) },
    text: [
      `Account:  ${address}`,
      `Balance:  ${balanceWei === undefined ? 'unknown' : coin(balanceWei)}`,
      ...others.map((other) => `Also has: ${other}`),
    ].join('\n'),
  }
}

/** Undefined where no chain can be asked: the address is good to know all the same. */
const balanceOf = async ({ settings, signal, say }: Session, buyer: Buyer): Promise<bigint | undefined> => {
  if (!settings.rpc) return undefined
  try {
    return await buyer.balanceWei(signal)
  } catch (error) {
    if (signal.aborted || !(error as { code?: string }).code) throw error
    say(`The balance is unknown: ${(error as Error).message}`)
    return undefined
  }
}

const importAccount = async (session: Session): Promise<Output> => {
  const buyer: Buyer = openBuyer(session)
  const address = await buyer.importAccount(await privateKey(session))
  return { json: { address }, text: `Account ${address} pays from now on` }
}

const privateKey = async ({ environment, terminal }: Session): Promise<string> => {
  if (environment.CHROVE_PRIVATE_KEY) return environment.CHROVE_PRIVATE_KEY
  if (terminal.interactive) return terminal.askSecret('Private key: ')
  throw new CommandError('ERR_USAGE', 'set CHROVE_PRIVATE_KEY to the private key')
}

const backup = async (session: Session, path: string): Promise<Output> => {
  const content = await openBuyer(session).backup()
  await session.userFiles.create(path, content)
  return {
    json: { file: path, bytes: content.length },
    text: `Wrote ${path}: every order so far, under the keyring's passphrase`,
  }
}

const restore = async (session: Session, path: string): Promise<Output> => {
  const orders = await openBuyer(session).restore(await session.userFiles.read(path, KEYRING_BYTES_MAX))
  return { json: { orders }, text: `The keyring now has ${orders} order${orders === 1 ? '' : 's'}` }
}
