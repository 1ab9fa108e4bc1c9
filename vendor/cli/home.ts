/** The vendor's files in the home folder: its settings and its sealed keys. */
import { CommandError } from '../../effects/command-error.ts'
import type { Session } from '../../effects/command.ts'
import type { FileStore } from '../../effects/store.ts'
import { utf8 } from '../../protocol/bytes.ts'
import { parseJson } from '../../protocol/json.ts'
import { sealVendorKeys, unsealVendorKeys, type VendorKeys } from '../keys.ts'
import { vendorSettingsSchema, type VendorSettings } from '../settings.ts'

export const KEYS_FILE = 'vendor-keys.json'
/** Keys that are on their way into the registry; empty when there are none. */
const NEXT_KEYS_FILE = 'vendor-keys-next.json'
const SETTINGS_FILE = 'vendor.json'

export const readSettingsFile = async (files: FileStore): Promise<VendorSettings | undefined> => {
  const content = await files.read(SETTINGS_FILE)
  if (content === undefined) return undefined
  const parsed = vendorSettingsSchema.safeParse(parseJson(content))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue?.path.join('.') || 'its content'
  throw new CommandError('ERR_SETTINGS_INVALID', `in ${SETTINGS_FILE}, ${place}: ${issue?.message ?? 'invalid'}`)
}

export const writeSettingsFile = (files: FileStore, settings: VendorSettings): Promise<void> =>
  files.write(SETTINGS_FILE, utf8(`${JSON.stringify(settings, undefined, 2)}\n`))

/** @throws ERR_SETTING_MISSING before `chrove vendor register` */
export const requireSettings = async ({ effects }: Session): Promise<VendorSettings> => {
  const settings = await readSettingsFile(effects.files)
  if (!settings) {
    throw new CommandError('ERR_SETTING_MISSING', 'this vendor is not registered: run `chrove vendor register`')
  }
  return settings
}

/** What others of this command line need to know of the vendor; undefined before it is registered. */
export const registeredVendor = async ({ effects }: Session) => {
  const settings = await readSettingsFile(effects.files)
  if (!settings) return undefined
  const { chainId, registry, vendorId, startBlock, confirmations, finalityBlocks, pollMs } = settings
  const uri = { chainId: BigInt(chainId), registry: registry as `0x${string}`, vendorId: BigInt(vendorId) }
  return { uri, startBlock, confirmations, finalityBlocks, pollMs }
}

/** @throws ERR_SETTING_MISSING before `chrove vendor init`; ERR_SEALED_FILE for a wrong passphrase */
export const openKeys = async (session: Session): Promise<VendorKeys> => {
  const content = await session.effects.files.read(KEYS_FILE)
  if (!content) throw new CommandError('ERR_SETTING_MISSING', 'no vendor keys here: run `chrove vendor init`')
  return unsealVendorKeys(content, await session.passphrase(false))
}

/** @returns keys that `chrove vendor rotate-keys` has begun to register */
export const openNextKeys = async (session: Session): Promise<VendorKeys | undefined> => {
  const content = await session.effects.files.read(NEXT_KEYS_FILE)
  return content?.length ? unsealVendorKeys(content, await session.passphrase(false)) : undefined
}

/** Before they are registered, for keys that the registry has and nobody else would be the vendor's end. */
export const keepNextKeys = async (session: Session, keys: VendorKeys): Promise<void> => {
  const { files, random } = session.effects
  await files.write(NEXT_KEYS_FILE, sealVendorKeys(keys, await session.passphrase(false), random))
}

/** Once they are registered. */
export const takeNextKeys = async (session: Session, keys: VendorKeys): Promise<void> => {
  const { files, random } = session.effects
  await files.write(KEYS_FILE, sealVendorKeys(keys, await session.passphrase(false), random))
  await files.write(NEXT_KEYS_FILE, new Uint8Array())
}
