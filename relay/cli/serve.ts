/** `chrove relay serve`: carries what others send to each other, until it is stopped. */
import type { Command } from 'commander'
import { z } from 'zod'
import { CommandError } from '../../effects/command-error.ts'
import { addTo, type CommandContext, type Session } from '../../effects/command.ts'
import { serveHttp } from '../../effects/http-server.ts'
import type { Address } from '../../effects/network.ts'
import { spliceSockets } from '../../effects/splice-node.ts'
import { createPeerPlaces } from '../../protocol/place.ts'
import type { Payments } from '../allowance.ts'
import { createRelay, type Relay } from '../index.ts'
import { type RelaySettings, relaySettingsSchema } from '../settings.ts'

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(min).max(max))

const words = z.string().transform((text) => text.split(','))

const optionsSchema = z.object({
  host: z.string().min(1).max(255).default('127.0.0.1'),
  port: whole(0, 65_535).default(4370),
  ports: words.pipe(z.array(whole(0, 65_535)).min(1).max(64)).default([4371, 4372, 4373, 4374]),
  curves: words.optional(),
  twoAddresses: z.boolean().optional(),
  trustProxy: z.array(z.string()).optional(),
  idle: whole(1, 86_400).optional(),
  channelsPerAddress: whole(1, 1_000_000).optional(),
  joinsPerMinute: whole(1, 1_000_000).optional(),
  requestsPerMinute: whole(1, 1_000_000).optional(),
  freeBytes: whole(0, Number.MAX_SAFE_INTEGER).optional(),
  paid: z.string().min(1).optional(),
  drain: whole(0, 86_400).default(30),
})

/** HTTP connections may be silent for as long as a request may wait for news, and a little longer. */
const HTTP_IDLE_MS = 60_000

export interface RunningPayments extends Payments {
  /** Follows what is paid in, until the signal aborts. @throws what makes it stop */
  run(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** From a file of settings to whoever charges by them; a relay holds no money itself. */
export type OpenPayments = (session: Session, config: string) => Promise<RunningPayments>

/** @param openPayments without it all that passes is free, or does not pass */
export const addServeCommand = (relay: Command, { action }: CommandContext, openPayments?: OpenPayments): void => {
  const command = relay.command('serve')
  if (openPayments)
    command.option('--paid <file>', 'prices and accounts, as YAML: bytes beyond the free ones (none) are paid for')
  command
    .description('let those who share a code send to each other, until stopped')
    .option('--host <host>', 'address to listen on; :: for IPv6 and IPv4 (default: 127.0.0.1)')
    .option('--port <port>', 'port of HTTP; 0 lets the system choose (default: 4370)')
    .option('--ports <list>', 'ports that data passes through (default: 4371,4372,4373,4374)')
    .option('--curves <list>', 'curves offered, of p256, p384, p521 and siec (default: p256,p384,p521)')
    .option('--two-addresses', 'no more than two addresses use a channel, whatever secrets a third one has')
    .option('--trust-proxy <address>', 'reverse proxy whose X-Forwarded-For is believed; again for more', addTo)
    .option('--idle <seconds>', 'forget a channel on which nothing happens for so long (default: 600)')
    .option('--channels-per-address <count>', 'channels that one address may have open (default: 64)')
    .option('--joins-per-minute <count>', 'channels that one address may join in a minute (default: 60)')
    .option('--requests-per-minute <count>', 'requests of one address in a minute (default: 600)')
    .option('--free-bytes <bytes>', 'what may pass on one channel (default: no bound)')
    .option('--drain <seconds>', 'when stopped, let transfers under way end for so long (default: 30)')
    .addHelpText(
      'after',
      `
Anyone may run a relay, and nobody has to trust one: it carries what it cannot
read. Paths: /join and /channel for clients; /limits; /health; /metrics.
Channels are kept in relay.sqlite in the home folder, so that a relay that is
started anew goes on with them. The log holds no address.

Example:
  chrove relay serve --host :: --home ./relay`,
    )
    .action(action((session, given: unknown) => serve(session, given, openPayments), { logLevel: 'info' }))
}

const serve = async (session: Session, given: unknown, open: OpenPayments | undefined): Promise<undefined> => {
  const { paid, ...options } = readOptions(given)
  const payments = paid === undefined ? undefined : await open?.(session, paid)
  try {
    await serveOn(session, options, payments)
  } finally {
    await payments?.close()
  }
}

const serveOn = async (
  session: Session,
  { http, drainMs, settings }: Omit<ServeOptions, 'paid'>,
  payments: RunningPayments | undefined,
): Promise<void> => {
  const relay = await createRelay(
    { ...session.effects, splice: spliceSockets, ...(payments && { payments }) },
    settings,
  )
  const failing = new AbortController()
  const until = AbortSignal.any([session.signal, failing.signal])
  const enough = new AbortController()
  const charging = payments?.run(enough.signal).catch((error: unknown) => failing.abort(error))
  try {
    await answer(session, relay, http, settings, drainMs, until)
    if (failing.signal.aborted) throw failing.signal.reason
  } finally {
    await relay.close()
    enough.abort()
    await charging
  }
}

const answer = async (
  session: Session,
  relay: Relay,
  http: Address,
  { connectionsMax, trustedProxies }: RelaySettings,
  drainMs: number,
  until: AbortSignal,
): Promise<void> => {
  const placeOf = createPeerPlaces(trustedProxies)
  const options = { idleMs: HTTP_IDLE_MS, connectionsMax, placeOf }
  const listener = await serveHttp((request, peerHost) => relay.fetch(request, peerHost), http, options)
  const { host, port } = listener.address
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  try {
    await session.print({
      json: { url, ports: relay.ports },
      text: `${url}\nData passes through ports ${relay.ports.join(', ')}. Stop with Ctrl-C.`,
    })
    await relay.run(until)
    if (relay.pairs() > 0) session.say(`${relay.pairs()} connections are under way; Ctrl-C again breaks them off`)
    await relay.drain(drainMs)
  } finally {
    await listener.close()
  }
}

interface ServeOptions {
  readonly http: Address
  readonly drainMs: number
  readonly paid: string | undefined
  readonly settings: RelaySettings
}

const readOptions = (given: unknown): ServeOptions => {
  const options = check(optionsSchema, given)
  const { host, port, ports, drain, idle, trustProxy, channelsPerAddress, paid, freeBytes, ...same } = options
  const settings = {
    tcp: { host, ports },
    trustedProxies: trustProxy,
    idleSeconds: idle,
    channelsPerPlaceMax: channelsPerAddress,
    freeBytes: freeBytes ?? (paid === undefined ? undefined : 0),
    ...same,
  }
  return { http: { host, port }, drainMs: drain * 1000, paid, settings: check(relaySettingsSchema, settings) }
}

const check = <Value>(schema: z.ZodType<Value>, value: unknown): Value => {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const name = String(issue?.path[0])
  const option = optionNames[name] ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  throw new CommandError('ERR_USAGE', `--${option}: ${issue?.message ?? 'invalid'}`)
}

/** Settings whose option has another name. */
const optionNames: Readonly<Record<string, string>> = {
  trustedProxies: 'trust-proxy',
  idleSeconds: 'idle',
  channelsPerPlaceMax: 'channels-per-address',
}
