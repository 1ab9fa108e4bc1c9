/**
 * Settings of every Chrove command: an option wins over the environment, the environment over `config.json` in the
 * home folder.
 */
import { z } from 'zod'
import { CommandError } from './command-error.ts'
import { rpcRoles } from './rpc-endpoint.ts'
import type { FileStore } from './store.ts'

const CONFIG_FILE = 'config.json'
const CONFIG_BYTES_MAX = 64 * 1024
/** Nodes of one chain: a transaction is sent to all of them. */
const RPCS_MAX = 8

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' })
const rpcUrl = z.url({ protocol: /^(https?|wss?)$/, error: 'must be an http, https, ws or wss URL' })
/** An amount, of the coin unless it says otherwise. */
const CAP = /^\d{1,40}(\.\d{1,30})?(:(coin|nano|0x[0-9a-fA-F]{40}))?$/
/** Caps in as many currencies. */
const CAPS_MAX = 16

const words = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(/\s+/).filter((word) => word !== '')),
])
const caps = words
  .pipe(
    z.array(z.string().regex(CAP, 'must be an amount such as 0.01, 0.5:nano or 2:0x… of a token')).min(1).max(CAPS_MAX),
  )
  .optional()

const shape = {
  /** JSON-RPC URLs of nodes of the chain, the preferred first; in the environment with spaces between. See `rpcRoles`. */
  rpc: words
    .pipe(z.array(rpcUrl).min(1).max(RPCS_MAX))
    .refine((urls) => rpcRoles(urls).ask.length > 0, {
      error: 'needs an http or https URL too: over ws and wss a node only tells of new blocks',
    })
    .optional(),
  /** Address of the VendorRegistry, lower case. */
  registry: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/, 'must be 0x and 40 hex digits')
    .transform((address) => address.toLowerCase() as `0x${string}`)
    .optional(),
  /** URL of a directory. */
  directory: httpUrl.optional(),
  /** URL of a relay. */
  relay: httpUrl.optional(),
  /** URL of a rendezvous. */
  rendezvous: httpUrl.optional(),
  /** PostgreSQL database of a directory, in place of a file in the home folder. */
  database: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' }).optional(),
  /** SOCKS5 proxy for every outgoing connection; it also resolves names. */
  proxy: z.url({ protocol: /^socks5h$/, error: 'must be a socks5h:// URL' }).optional(),
  /** Most of the chain's coin that one purchase may cost with its fee, in whole coins. */
  maxSpend: z
    .string()
    .regex(/^\d{1,40}(\.\d{1,18})?$/, 'must be a decimal number of coins')
    .optional(),
  /** Most that one request may cost, that one vendor may ever get, and that all may get in a day; of each currency. */
  maxPerRequest: caps,
  maxPerVendor: caps,
  maxPerDay: caps,
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).optional(),
}

const configSchema = z.strictObject(shape)

/** What a configuration file may hold; every member is optional. */
export type Settings = z.infer<typeof configSchema>
type SettingName = keyof Settings

const names = Object.keys(shape) as SettingName[]

/** `logLevel` is `CHROVE_LOG_LEVEL`, `rpc` is `CHROVE_RPC`. */
const environmentName = (name: SettingName): string =>
  `CHROVE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads settings from all three places.
 * @param options as the command line has them; members that are no settings are ignored
 * @throws ERR_SETTINGS_INVALID naming the setting and where it came from
 */
export const readSettings = async (
  options: Readonly<Record<string, unknown>>,
  environment: Environment,
  files: FileStore,
): Promise<Settings> => {
  const config = await readConfig(files)
  const chosen = names.flatMap((name): [SettingName, unknown][] => {
    const value = options[name] ?? (environment[environmentName(name)] || undefined) ?? config[name]
    return value === undefined ? [] : [[name, value]]
  })
  return parse(Object.fromEntries(chosen), 'the options or the environment')
}

/** What `config.json` holds; nothing if there is none. */
const readConfig = async (files: FileStore): Promise<Settings> => {
  const content = await files.read(CONFIG_FILE)
  if (content === undefined) return {}
  let value: unknown
  try {
    if (content.length > CONFIG_BYTES_MAX) throw new Error('too long')
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content))
  } catch {
    throw new CommandError('ERR_SETTINGS_INVALID', `${CONFIG_FILE} is not JSON: correct it or delete it`)
  }
  return parse(value, CONFIG_FILE)
}

/** Adds settings to `config.json`. */
export const saveConfig = async (files: FileStore, changes: Settings): Promise<void> => {
  const config = parse({ ...(await readConfig(files)), ...changes }, CONFIG_FILE)
  await files.write(CONFIG_FILE, new TextEncoder().encode(`${JSON.stringify(config, undefined, 2)}\n`))
}

const parse = (value: unknown, origin: string): Settings => {
  const parsed = configSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const name = issue?.path.join('.') || 'its content'
  throw new CommandError('ERR_SETTINGS_INVALID', `in ${origin}, ${name}: ${issue?.message ?? 'invalid'}`)
}
