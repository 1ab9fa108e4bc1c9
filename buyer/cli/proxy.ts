/** `proxy`: a local SOCKS5 proxy that leads through a bought one. */
import type { Command } from 'commander'
import { CommandError } from '../../effects/command-error.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Socks5Server } from '../../protocol/credentials.ts'
import { BuyerError } from '../errors.ts'
import type { Credentials } from '../lib/index.ts'
import { createLocalProxy } from './local-proxy.ts'
import { openBuyer } from './open-buyer.ts'
import { oneLine, timeText } from './text.ts'

export const addProxyCommand = (program: Command, context: CommandContext): void => {
  program
    .command('proxy')
    .argument('<order>', 'id of the order, or its first digits')
    .description('browse through what was paid for: a local SOCKS5 proxy that needs no login')
    .option('--listen <address>', 'port of this machine, 0 for any free one', '127.0.0.1:1080')
    .addHelpText(
      'after',
      `
Only programs of this machine can use it. It runs until Ctrl-C.

Examples:
  $ chrove proxy 0x1f3a9c
  $ curl --socks5-hostname 127.0.0.1:1080 https://example.com/`,
    )
    .action(context.action(proxy))
}

const proxy = async (session: Session, order: string, options: { readonly listen: string }): Promise<undefined> => {
  const { effects, signal, say: tell } = session
  const port = parseListen(options.listen)
  const credentials = await openBuyer(session).collect(order, { tell, signal })
  const server = socks5Of(credentials)
  const { address: host, port: serverPort, username, password } = server.config
  const bought = { address: { host, port: serverPort }, username, password }
  const listener = await createLocalProxy(effects, bought).listen(port)
  const { address } = listener
  const { orderId, expiresSeconds } = credentials
  await session.print({
    json: { orderId, listening: address, server: server.server_name, expiresSeconds },
    text: [
      `SOCKS5 proxy on ${address.host}:${address.port}, through ${oneLine(server.server_name)}`,
      `Paid until ${timeText(expiresSeconds)}; Ctrl-C stops it`,
      `Try: curl --socks5-hostname ${address.host}:${address.port} https://example.com/`,
    ].join('\n'),
  })
  await untilAborted(signal)
  await listener.close()
  return undefined
}

const parseListen = (text: string): number => {
  const [, port] = /^(?:(?:127\.0\.0\.1|localhost):)?(\d{1,5})$/.exec(text) ?? []
  if (port !== undefined && Number(port) <= 65_535) return Number(port)
  const why = 'it asks for no login, so it listens on this machine only'
  throw new CommandError('ERR_USAGE', `--listen is 127.0.0.1:PORT: ${why}`)
}

const socks5Of = ({ servers }: Credentials): Socks5Server => {
  const server = servers.find((each) => each.type === 'socks5')
  if (server) return server
  const text = 'this order gives no SOCKS5 server: see `chrove credentials` for what it gives'
  throw new BuyerError('ERR_NO_SOCKS5_SERVER', text)
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
