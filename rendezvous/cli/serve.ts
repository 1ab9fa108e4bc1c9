/** `chrove rendezvous serve`: introduces clients to each other until it is stopped. */
import type { Command } from 'commander'
import { z } from 'zod'
import { addTo, type CommandContext, type Session } from '../../effects/command.ts'
import { serveHttp } from '../../effects/http-server.ts'
import { createUpgrade } from '../../effects/web-socket-server.ts'
import { createJose } from '../../protocol/jose.ts'
import { RENDEZVOUS_MESSAGE_BYTES_MAX, REQUEST_WINDOW_SECONDS_MAX } from '../../protocol/limits.ts'
import { createPeerPlaces } from '../../protocol/place.ts'
import { serverNameSchema } from '../../protocol/rendezvous/statement.ts'
import { createRendezvous, type Rendezvous } from '../index.ts'
import { rendezvousSettingsSchema } from '../settings.ts'
import { ipOption, readOptions, whole } from './options.ts'

const optionsSchema = z.object({
  host: z.string().min(1).max(255).default('127.0.0.1'),
  port: whole(0, 65_535).default(4390),
  url: serverNameSchema.optional(),
  trustProxy: z.array(ipOption).default([]),
  window: whole(1, REQUEST_WINDOW_SECONDS_MAX).default(60),
  connections: whole(1, 1_000_000).default(16_384),
  drain: whole(0, 3600).default(10),
})

/** Room for requests beside the WebSockets. */
const SPARE_CONNECTIONS = 1024

export const addServeCommand = (rendezvous: Command, { action }: CommandContext): void => {
  rendezvous
    .command('serve')
    .description('let clients find each other, until stopped')
    .option('--host <host>', 'address to listen on; :: for IPv6 and IPv4 (default: 127.0.0.1)')
    .option('--port <port>', 'port to listen on; 0 lets the system choose (default: 4390)')
    .option('--url <url>', 'what clients are told, and sign (default: http://HOST:PORT)')
    .option('--relay <url>', 'relay for clients that hide or find no direct way (CHROVE_RELAY)')
    .option('--trust-proxy <address>', 'reverse proxy whose X-Forwarded-For is believed; again for more', addTo)
    .option('--window <seconds>', 'how long a client may take to answer a request (default: 60; at most 240)')
    .option('--connections <count>', 'clients at once (default: 16384)')
    .option('--drain <seconds>', 'when stopped, wait for answers for so long (default: 10)')
    .addHelpText(
      'after',
      `
It learns who asks whom, and from where; it reads nothing of what they say to
each other, and can put nobody in another's place. Keys and blocks are kept in
rendezvous.sqlite in the home folder; addresses are kept nowhere. Paths:
/clients/UUID; /connect for WebSockets; /health; /metrics.

Without TLS those on the way see who asks whom, as the server does: put it behind
a reverse proxy that has a certificate, and give --url and --trust-proxy.

Examples:
  chrove rendezvous serve --relay http://127.0.0.1:4370
  chrove rendezvous serve --host :: --url https://meet.example --trust-proxy 127.0.0.1`,
    )
    .action(action(serve, { logLevel: 'info' }))
}

const serve = async (session: Session, given: unknown): Promise<undefined> => {
  const { host, port, url, trustProxy, window, connections, drain } = readOptions(optionsSchema, given)
  let rendezvous: Rendezvous | undefined
  // Its own name may be known only once it listens.
  const upgrade = createUpgrade((offer) => rendezvous?.accept(offer) ?? 503, RENDEZVOUS_MESSAGE_BYTES_MAX)
  const fetch = (request: Request, peerHost: string) =>
    rendezvous?.fetch(request, peerHost) ?? new Response(null, { status: 503 })
  const connectionsMax = connections + SPARE_CONNECTIONS
  const placeOf = createPeerPlaces(trustProxy)
  const listener = await serveHttp(fetch, { host, port }, { connectionsMax, placeOf, upgrade })
  try {
    const { address } = listener
    const shown = address.host.includes(':') ? `[${address.host}]` : address.host
    const server = url ?? `http://${shown}:${address.port}`
    const { relay } = session.settings
    const settings = rendezvousSettingsSchema.parse({
      ...{ server, trustedProxies: trustProxy, windowSeconds: window, connectionsMax: connections },
      ...(relay !== undefined && { relay: relay.replace(/\/+$/, '') }),
    })
    rendezvous = await createRendezvous({ ...session.effects, jose: createJose() }, settings)
    const json = { url: server, listening: address }
    await session.print({ json, text: `${server}\nListening on port ${address.port}; stop with Ctrl-C.` })
    await untilAborted(session.signal)
    await rendezvous.drain(drain * 1000)
  } finally {
    await listener.close()
    await rendezvous?.close()
  }
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
