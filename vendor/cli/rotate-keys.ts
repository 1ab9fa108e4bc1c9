/** `chrove vendor rotate-keys`: new keys for the same vendor. */
import type { Command } from 'commander'
import { createContractReader, registryCall } from '../../chain/contracts.ts'
import type { Address } from '../../chain/types.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import { createJose } from '../../protocol/jose.ts'
import { isRegistered, registeredForm, rotateVendorKeys, type VendorKeys } from '../keys.ts'
import { KEYS_FILE, keepNextKeys, openKeys, openNextKeys, requireSettings, takeNextKeys } from './home.ts'
import { coins } from './money.ts'
import { openAccount, sendCall, settlePending, type SendChoices } from './send.ts'

export const addRotateKeysCommand = (vendor: Command, { action }: CommandContext): void => {
  vendor
    .command('rotate-keys')
    .description('replace the keys that sign and decrypt, when somebody else may have them')
    .option('--dry-run', 'only say what it would cost')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
The new keys are stored before they are registered. Restart \`chrove vendor serve\`
afterwards: until then buyers refuse it. Customers keep what they were given, and
the vendor's account stays as it is. Run it again if it was interrupted. Where the
registry has other keys than this home, it registers those of this home.

Example:
  chrove vendor rotate-keys --yes`,
    )
    .action(action(rotateKeys))
}

const rotateKeys = async (session: Session, choices: SendChoices) => {
  const settings = await requireSettings(session)
  const registry = settings.registry as Address
  const vendorId = BigInt(settings.vendorId)
  const keys = await openKeys(session)
  const account = await openAccount(session, keys)
  await settlePending(session, account)
  const { vendor } = await createContractReader(session.effects.chain).listing(
    registry,
    vendorId,
    'latest',
    session.signal,
  )
  const begun = await openNextKeys(session)
  if (begun && isRegistered(begun, vendor)) return taken(session, begun)

  const next = begun ?? (isRegistered(keys, vendor) ? await makeKeys(session, keys) : keys)
  if (!choices.dryRun) await keepNextKeys(session, next)
  const { signingKey, encryptionKey } = registeredForm(next)
  const call = registryCall(registry, 'setKeys', vendorId, signingKey, encryptionKey)
  const { quote, receipt } = await sendCall(session, account, call, `Register new keys of vendor ${vendorId}`, choices)
  if (receipt) return taken(session, next, receipt.transactionHash)
  const { maxCostWei } = quote
  return { json: { dryRun: true, maxCostWei }, text: `It would cost at most ${coins(maxCostWei)}; nothing was sent.` }
}

const makeKeys = (session: Session, keys: VendorKeys): Promise<VendorKeys> => {
  session.say('Making two RSA keys …')
  return rotateVendorKeys(createJose(), keys)
}

const taken = async (session: Session, keys: VendorKeys, transaction?: string) => {
  await takeNextKeys(session, keys)
  const text = `Registered. Restart \`chrove vendor serve\` now, and keep ${KEYS_FILE}: it holds the new keys.`
  return { json: { dryRun: false, ...registeredForm(keys), transaction }, text }
}
