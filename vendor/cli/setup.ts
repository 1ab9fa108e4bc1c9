/** `chrove vendor init` and `register`: from nothing to a vendor on the registry. */
import type { Command } from 'commander'
import { registryCall } from '../../chain/contracts.ts'
import type { VendorRegistered } from '../../chain/events.ts'
import { createRpc, type Receipt } from '../../chain/rpc.ts'
import { parseAddress, ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { CommandError } from '../../effects/command-error.ts'
import { saveConfig } from '../../effects/command-settings.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import { toHex, fromHex } from '../../protocol/bytes.ts'
import { createJose } from '../../protocol/jose.ts'
import { parseJson } from '../../protocol/json.ts'
import { formatProfile } from '../../protocol/profile.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { createAccount } from '../../chain/transactions.ts'
import { generateVendorKeys, registeredForm, sealVendorKeys } from '../keys.ts'
import { vendorSettingsSchema, type VendorSettings } from '../settings.ts'
import { KEYS_FILE, openKeys, readSettingsFile, writeSettingsFile } from './home.ts'
import { coins } from './money.ts'
import { eventsOf, openAccount, sendCall, settlePending, type SendChoices } from './send.ts'
import { collect, hostAndPort } from './options.ts'

export const addSetupCommands = (vendor: Command, { action }: CommandContext): void => {
  vendor
    .command('init')
    .description("make the vendor's keys and account, in one sealed file")
    .addHelpText(
      'after',
      `
A new account is made, or the one whose private key CHROVE_PRIVATE_KEY holds is used.

Example:
  chrove vendor init --home ./my-vendor --rpc http://127.0.0.1:8545`,
    )
    .action(action(init))

  vendor
    .command('register')
    .description('put the vendor on the registry and write vendor.json')
    .requiredOption('--title <text>', 'name that buyers see')
    .requiredOption('--endpoint <url>', 'where buyers reach `chrove vendor serve`; repeat for several', collect)
    .requiredOption('--listen <host:port>', 'where `chrove vendor serve` listens', hostAndPort)
    .option('--description <text>', 'a sentence about the service', '')
    .option('--logo <url>', 'picture; shown only to those who ask for it', '')
    .option('--service <type>', 'proxy, api, relay or rendezvous; repeat for several', collect)
    .option('--region <code>', 'where the servers are, such as NL; repeat for several', collect)
    .option('--payout <address>', 'account that gets the money (default: the account of this vendor)')
    .option('--operator <address>', 'second account that may change all but owner and payout')
    .option('--socks5 <host:port>', 'deliver accounts on an embedded SOCKS5 proxy, reached here', hostAndPort)
    .option('--socks5-listen <host:port>', 'where that proxy listens (default: its port, all addresses)', hostAndPort)
    .option('--allow-private', 'let buyers reach private and loopback addresses through it')
    .option('--servers <json>', 'deliver this list of servers to every buyer (the shape of server_list)')
    .option('--confirmations <blocks>', 'how deep a payment must be to count', '2')
    .option('--symbol <text>', "symbol of the chain's coin", 'ETH')
    .option('--legacy', "accept the original system's requests")
    .option('--dry-run', 'only say what it would cost')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
Example:
  chrove vendor register --title 'Flying Ghost' --region NL \\
    --endpoint http://203.0.113.5:8080 --listen 0.0.0.0:8080 \\
    --socks5 203.0.113.5:1080`,
    )
    .action(action(register))
}

const init = async (session: Session) => {
  const { files, random, clock, chain } = session.effects
  if (await files.read(KEYS_FILE)) {
    throw new CommandError('ERR_USAGE', `${KEYS_FILE} is here already: use another --home for another vendor`)
  }
  const given = session.environment.CHROVE_PRIVATE_KEY
  if (given !== undefined && !/^0x[0-9a-f]{64}$/i.test(given)) {
    throw new CommandError('ERR_USAGE', 'CHROVE_PRIVATE_KEY is 0x and 64 hex digits')
  }
  const passphrase = await session.passphrase(true)
  session.say('Making two RSA keys …')
  const accountKey = (given?.toLowerCase() ?? toHex(random.bytes(32))) as `0x${string}`
  const keys = await generateVendorKeys({ jose: createJose(), random }, accountKey)
  await files.write(KEYS_FILE, sealVendorKeys(keys, passphrase, random))
  await rememberChain(session)
  const { address } = createAccount({ chain, clock }, 1n, fromHex(accountKey))
  const json = { account: address, ...registeredForm(keys) }
  const text = `Account ${address}\nKeep ${KEYS_FILE} and its passphrase: they are the vendor. Give the account some coins\nfor fees, then run \`chrove vendor register\`.`
  return { json, text }
}

interface RegisterOptions extends SendChoices {
  readonly title: string
  readonly endpoint: readonly string[]
  readonly listen: { readonly host: string; readonly port: number }
  readonly description: string
  readonly logo: string
  readonly service?: readonly string[]
  readonly region?: readonly string[]
  readonly payout?: string
  readonly operator?: string
  readonly socks5?: { readonly host: string; readonly port: number }
  readonly socks5Listen?: { readonly host: string; readonly port: number }
  readonly allowPrivate?: boolean
  readonly servers?: string
  readonly confirmations: string
  readonly symbol: string
  readonly legacy?: boolean
}

const register = async (session: Session, options: RegisterOptions) => {
  const { files, chain } = session.effects
  const registry = session.settings.registry as Address | undefined
  if (!registry) throw new CommandError('ERR_SETTING_MISSING', 'which registry? give --registry ADDRESS')
  const existing = await readSettingsFile(files)
  if (existing) throw new CommandError('ERR_USAGE', `vendor ${existing.vendorId} is registered from this home already`)
  const keys = await openKeys(session)
  const account = await openAccount(session, keys)
  const rpc = createRpc(chain)
  const startBlock = (await rpc.block('latest', session.signal))?.number ?? 0
  // Checked whole before anything is paid; the id is the only thing not yet known.
  const settingsOf = (vendorId: bigint, block: number): VendorSettings =>
    settingsFrom(options, { chainId: String(chainIdText), registry, vendorId: String(vendorId), startBlock: block })
  const chainIdText = await rpc.chainId(session.signal)
  settingsOf(1n, startBlock)

  const interrupted = await settlePending(session, account)
  const call = registryCall(registry, 'register', {
    operator: addressOption(options.operator, '--operator') ?? ZERO_ADDRESS,
    payout: addressOption(options.payout, '--payout') ?? account.address,
    ...registeredForm(keys),
    endpoints: [...options.endpoint],
    profile: profileFrom(options),
  })
  const registered =
    (interrupted && (await registrationIn(session, registry, interrupted))) ??
    (await sendRegistration(session, account, call, registry, options))
  if ('maxCostWei' in registered) {
    const text = `Registering would cost at most ${coins(registered.maxCostWei)}; nothing was sent.`
    return { json: { dryRun: true, maxCostWei: registered.maxCostWei }, text }
  }
  const { vendorId, evidence } = registered
  await writeSettingsFile(files, settingsOf(vendorId, evidence.blockNumber))
  await rememberChain(session)
  const uri = formatVendorUri({ chainId: chainIdText, registry, vendorId })
  const json = { vendorId, uri, transaction: evidence.transactionHash }
  return { json, text: `Registered as ${uri}\nNext: \`chrove vendor plan add\`, then \`chrove vendor serve\`.` }
}

/** So that later commands need not be told again. */
const rememberChain = ({ settings, effects }: Session): Promise<void> => {
  const { rpc, registry, proxy } = settings
  return saveConfig(effects.files, {
    ...(rpc === undefined ? {} : { rpc }),
    ...(registry === undefined ? {} : { registry }),
    ...(proxy === undefined ? {} : { proxy }),
  })
}

const sendRegistration = async (
  session: Session,
  account: Awaited<ReturnType<typeof openAccount>>,
  call: ReturnType<typeof registryCall>,
  registry: Address,
  choices: SendChoices,
): Promise<VendorRegistered | { readonly maxCostWei: bigint }> => {
  const { quote, receipt } = await sendCall(session, account, call, 'Register this vendor', choices)
  if (!receipt) return { maxCostWei: quote.maxCostWei }
  const registered = await registrationIn(session, registry, receipt)
  if (!registered) throw new Error('the registration was mined without its event')
  return registered
}

const registrationIn = async (
  session: Session,
  registry: Address,
  receipt: Receipt,
): Promise<VendorRegistered | undefined> =>
  (await eventsOf(session, registry, receipt)).find((event) => event.type === 'VendorRegistered')

const profileFrom = ({ title, description, logo, service, region }: RegisterOptions): string =>
  formatProfile({ title, description, logo, serviceTypes: service ?? ['proxy'], regions: region ?? [] })

type Identity = Pick<VendorSettings, 'chainId' | 'registry' | 'vendorId' | 'startBlock'>

/** @throws ERR_USAGE for options that make no working vendor */
const settingsFrom = (options: RegisterOptions, identity: Identity): VendorSettings => {
  const { title, description, logo, socks5, servers } = options
  const socks5Delivery = socks5 && {
    type: 'socks5',
    serverName: title,
    address: socks5.host,
    port: socks5.port,
    listen: options.socks5Listen ?? { host: '::', port: socks5.port },
    allowPrivate: options.allowPrivate ?? false,
  }
  const staticDelivery = servers === undefined ? undefined : { type: 'static', servers: parseJson(servers) }
  const delivery = [socks5Delivery ?? staticDelivery].filter((entry) => entry !== undefined)
  if (delivery.length === 0 || (socks5Delivery && staticDelivery)) {
    throw new CommandError('ERR_USAGE', 'what do buyers get? give --socks5 or --servers, and edit vendor.json for more')
  }
  const parsed = vendorSettingsSchema.safeParse({
    ...identity,
    confirmations: Number(options.confirmations),
    nativeSymbol: options.symbol,
    listen: options.listen,
    legacy: options.legacy ?? false,
    brand: { title, description, logo },
    delivery,
  })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new CommandError('ERR_USAGE', `${issue?.path.join('.') ?? 'options'}: ${issue?.message ?? 'invalid'}`)
}

const addressOption = (text: string | undefined, option: string): Address | undefined => {
  if (text === undefined) return undefined
  const address = parseAddress(text)
  if (!address) throw new CommandError('ERR_USAGE', `${option} is 0x and 40 hex digits`)
  return address
}
