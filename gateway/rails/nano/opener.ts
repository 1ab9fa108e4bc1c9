/** Opens the accounts of a gateway that are paid in nano. */
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { CommandError } from '../../../effects/command-error.ts'
import { createNanoConfirmations } from '../../../effects/nano-confirmations-node.ts'
import { createDial } from '../../../effects/network-node.ts'
import { fromHex, utf8 } from '../../../protocol/bytes.ts'
import { formatNanoAccount } from '../../../protocol/nano/account.ts'
import { nanoPublicKeyOf } from '../../../protocol/nano/signature.ts'
import type { AccountEntry, RailContext, RailOpener } from '../open-rails.ts'
import { createNanoRail, type NanoRail } from './index.ts'
import { type NanoSettings, nanoSettingsSchema } from './settings.ts'

/** No secret beside the vendor's own has to be kept: each entry has an account of its own, the same for ever. */
const keyOf = (accountKey: `0x${string}`, name: string): Uint8Array =>
  hkdf(sha256, fromHex(accountKey), undefined, utf8(`chrove nano account ${name}`), 32)

export const nanoRails: RailOpener = {
  schemes: ['nano'],

  async open(context, entries) {
    const parsed = Object.entries(entries).map(([name, entry]) => [name, parse(name, entry)] as const)
    const rails = new Map<string, NanoRail>()
    const close = async () => void (await Promise.all([...rails.values()].map((rail) => rail.close())))
    try {
      for (const [name, settings] of parsed) rails.set(name, await open(context, name, settings))
    } catch (error) {
      await close()
      throw error
    }
    // All that they do is to follow deposits and to pay.
    return { rails, run: async () => {}, close }
  },
}

const open = async (
  { session, keys }: Pick<RailContext, 'session' | 'keys'>,
  name: string,
  settings: NanoSettings,
): Promise<NanoRail> => {
  const { effects } = session
  const { proxy } = session.settings
  const secretKey = keyOf(keys.accountKey, name)
  const account = formatNanoAccount(nanoPublicKeyOf(secretKey))
  const dial = createDial(proxy === undefined ? {} : { proxy: new URL(proxy) })
  const sockets = settings.socket === undefined ? [] : [settings.socket]
  try {
    const confirmations = createNanoConfirmations(effects, dial, sockets, account)
    return await createNanoRail({ ...effects, confirmations }, settings, secretKey)
  } catch (error) {
    if (error instanceof TypeError) throw invalid(`account ${name}: ${error.message}`)
    throw error
  }
}

const parse = (name: string, entry: AccountEntry): NanoSettings => {
  const parsed = nanoSettingsSchema.safeParse(entry)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue?.path.length ? `, ${issue.path.join('.')}` : ''
  throw invalid(`account ${name}${place}: ${issue?.message ?? 'invalid'}`)
}

const invalid = (message: string) => new CommandError('ERR_SETTINGS_INVALID', message)
