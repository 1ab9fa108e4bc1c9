/** `chrove gateway`: charges for a service that stands behind it, until stopped. */
import type { Command } from 'commander'
import type { CommandContext, Session } from '../../effects/command.ts'
import { base64urlOfText, createSha256, hmacSha256, sha256 } from '../../effects/digest-node.ts'
import { listenHttp } from '../../effects/http-listener.ts'
import { createHttpProxy } from '../../effects/http-proxy.ts'
import { createAsideSqlStore } from '../../effects/store-node.ts'
import { postgresDialect } from '../../effects/store-postgres.ts'
import { turn } from '../../effects/turn-node.ts'
import type { Jose } from '../../protocol/jose.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { createGateway, type Gateway } from '../index.ts'
import { createMetrics } from '../metrics.ts'
import { createMeteredProxy, withheldHeaders } from '../proxy.ts'
import { openRails, type RailContext, type RailOpener } from '../rails/open-rails.ts'
import { parseSettingsFile, SETTINGS_BYTES_MAX, type GatewayFile } from './settings-file.ts'

/** What the command line lends: keys and settings are the vendor's, and a gateway knows no vendor's files. */
export interface GatewayParts {
  openKeys(session: Session): Promise<RailContext['keys']>
  vendorOf(session: Session): Promise<RailContext['vendor']>
  createJose(session: Session): Jose
  readonly openers: readonly RailOpener[]
}

const HELP = `
The file says what costs what, and where it is paid to:

  listen: 0.0.0.0:8402
  upstream: http://127.0.0.1:3000
  hosts: [api.example.com]
  accounts:
    nano: { scheme: nano, rpc: "http://127.0.0.1:7076", representative: nano_1… }
  price: "0.0001"
  routes:
    - match: GET /status
      price: free
    - match: /videos/*
      price: "0.00000000001"
      per: bit

Keys are those of \`chrove vendor init\` in the home folder. Without TLS it
speaks HTTP/1.1 and HTTP/2 with prior knowledge. Also: /health, 503 until
deposits are followed up to date; /metrics; REFUND, and POST /refund.

Example:
  CHROVE_PASSPHRASE=… chrove gateway --config gateway.yaml --home ./my-vendor`

export const addGatewayCommand = (program: Command, { action }: CommandContext, parts: GatewayParts): void => {
  program
    .command('gateway')
    .description('charge for each request to a service behind this proxy, until stopped')
    .requiredOption('--config <file>', 'settings, as YAML')
    .addHelpText('after', HELP)
    .action(action((session, { config }: { config: string }) => serve(session, config, parts), { logLevel: 'info' }))
}

const serve = async (session: Session, config: string, parts: GatewayParts): Promise<undefined> => {
  const { effects, userFiles } = session
  const settings = parseSettingsFile(await userFiles.read(config, SETTINGS_BYTES_MAX), config)
  const keys = await parts.openKeys(session)
  const vendor = await parts.vendorOf(session)
  const opened = await openRails(parts.openers, { session, keys, vendor }, settings.accounts)
  try {
    const native = { turn, sha256, hmac: hmacSha256, encode: base64urlOfText }
    const service = { keys, rails: opened.rails, ...(vendor && { vendor: formatVendorUri(vendor.uri) }) }
    const jose = parts.createJose(session)
    const { database } = settings
    // The ledger is written with every request.
    const sql =
      database === undefined ? createAsideSqlStore(session.home) : { dialect: () => postgresDialect(database) }
    const gateway = await createGateway({ ...effects, ...native, sql, jose }, settings, service)
    try {
      await answer(session, settings, gateway, opened)
    } finally {
      await gateway.close()
    }
  } finally {
    await opened.close()
  }
}

const answer = async (
  session: Session,
  settings: GatewayFile,
  gateway: Gateway,
  rails: { run(signal: AbortSignal): Promise<void> },
): Promise<void> => {
  const { listen, upstream, scheme, tls } = settings
  const proxy = createHttpProxy({ upstream, scheme: tls ? 'https' : scheme, withheld: withheldHeaders })
  const metered = createMeteredProxy({ gateway, proxy, metrics: createMetrics(), createSha256 })
  const listener = await listenHttp({ address: listen, method: 'REFUND', tls: await readTls(session, tls), ...metered })
  const { host, port } = listener.address
  try {
    await session.print({
      json: { listening: { host, port }, hosts: settings.hosts },
      text: `Charging for ${upstream.href} on port ${port}; stop with Ctrl-C.`,
    })
    const failing = new AbortController()
    const until = AbortSignal.any([session.signal, failing.signal])
    const fail = (error: unknown) => failing.abort(error)
    await Promise.all([gateway.run(until).catch(fail), rails.run(until).catch(fail)])
    if (failing.signal.aborted && !session.signal.aborted) throw failing.signal.reason
  } finally {
    await listener.close()
    proxy.close()
  }
}

const PEM_BYTES_MAX = 256 * 1024

const readTls = async ({ userFiles }: Session, tls: GatewayFile['tls']) =>
  tls && { key: await userFiles.read(tls.key, PEM_BYTES_MAX), cert: await userFiles.read(tls.cert, PEM_BYTES_MAX) }
