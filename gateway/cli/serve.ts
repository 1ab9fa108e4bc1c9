/** `chrove gateway`: charges for a service that stands behind it, until stopped. */
import type { Command } from 'commander'
import type { CommandContext, Session } from '../../effects/command.ts'
import { createSha256 } from '../../effects/digest-node.ts'
import { listenHttp } from '../../effects/http-listener.ts'
import { createHttpProxy } from '../../effects/http-proxy.ts'
import { createMetrics } from '../metrics.ts'
import { createMeteredProxy, withheldHeaders } from '../proxy.ts'
import { type GatewayParts, openGateway, type OpenGateway } from './open-gateway.ts'
import { parseSettingsFile, SETTINGS_BYTES_MAX, type GatewayFile } from './settings-file.ts'

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
  const settings = parseSettingsFile(await session.userFiles.read(config, SETTINGS_BYTES_MAX), config)
  const opened = await openGateway(session, settings, parts)
  try {
    await answer(session, settings, opened)
  } finally {
    await opened.close()
  }
}

const answer = async (session: Session, settings: GatewayFile, { gateway, run }: OpenGateway): Promise<void> => {
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
    await run(session.signal)
  } finally {
    await listener.close()
    proxy.close()
  }
}

const PEM_BYTES_MAX = 256 * 1024

const readTls = async ({ userFiles }: Session, tls: GatewayFile['tls']) =>
  tls && { key: await userFiles.read(tls.key, PEM_BYTES_MAX), cert: await userFiles.read(tls.cert, PEM_BYTES_MAX) }
