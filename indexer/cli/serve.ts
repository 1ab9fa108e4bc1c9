/** `chrove directory serve`: follows the chain and answers GraphQL until it is stopped. */
import type { Command } from 'commander'
import { z } from 'zod'
import { type Address, parseAddress } from '../../chain/types.ts'
import { CommandError } from '../../effects/command-error.ts'
import { addTo, type CommandContext, type Session } from '../../effects/command.ts'
import { sha256 } from '../../effects/digest-node.ts'
import { serveHttp } from '../../effects/http-server.ts'
import { postgresDialect } from '../../effects/store-postgres.ts'
import { createJose } from '../../protocol/jose.ts'
import { type AllowedDocuments, allowDocuments } from '../graphql/allowed-documents.ts'
import { createIndexer, type IndexerSettings, type Probing } from '../index.ts'
import { DOCUMENTS_FILE_BYTES_MAX, PROBE_INTERVAL_MS, PROBE_PAUSE_MS, REGISTRIES_MAX } from '../limits.ts'
import { createDirectories } from '../several.ts'

const whole = (max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().max(max))

const optionsSchema = z.object({
  host: z.string().min(1).max(255).default('127.0.0.1'),
  port: whole(65_535).default(4350),
  fromBlock: whole(Number.MAX_SAFE_INTEGER).default(0),
  confirmations: whole(1000).default(0),
  finalityBlocks: whole(100_000).default(64),
  probe: z.enum(['off', 'on', 'local']).default('off'),
  pollMs: whole(600_000).pipe(z.int().min(10)).default(2_000),
  documents: z.string().min(1).optional(),
  also: z
    .array(
      z
        .string()
        .transform((text) => parseAddress(text))
        .pipe(z.custom<Address>(Boolean, 'must be an address')),
    )
    .max(REGISTRIES_MAX)
    .default([]),
})

export const addServeCommand = (directory: Command, { action }: CommandContext): void => {
  directory
    .command('serve')
    .description('follow the registry and answer GraphQL, until stopped')
    .option('--host <host>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <port>', 'port to listen on; 0 lets the system choose (default: 4350)')
    .option('--from-block <number>', 'first block that can hold an event: that of the deployment (default: 0)')
    .option('--confirmations <blocks>', 'follow only up to this many blocks below the newest (default: 0)')
    .option('--finality-blocks <blocks>', 'blocks after which nothing is undone (default: 64)')
    .option('--probe <mode>', "ask vendors' endpoints for price documents: off, on, local (default: off)")
    .option('--poll-ms <milliseconds>', 'how often to look for new blocks (default: 2000)')
    .option('--also <address>', 'another registry of the same chain; again for more', addTo)
    .option(
      '--database <url>',
      'PostgreSQL database to keep it in (CHROVE_DATABASE; default: a file in the home folder)',
    )
    .option('--documents <file-or-folder>', 'answer the documents in it and no others (default: all)')
    .addHelpText(
      'after',
      `
Each registry that --also names is a directory of its own, with its own file, and
is asked at /0x…/graphql, /0x…/ready and /0x…/metrics.

The database is directory.sqlite in the home folder, or the PostgreSQL
database that --database names, which should hold nothing else. Where other users of the machine can
see its processes, give a URL with a password as CHROVE_DATABASE. Paths: /graphql, and a page
to try it with in a browser; /health; /ready, 503 until caught up; /metrics.

With --probe on, vendors see this machine's address; with --proxy, the proxy's.
Private addresses are never asked; --probe local asks them too, for development.

Example:
  chrove directory serve --rpc http://127.0.0.1:8545 --registry 0x… --home ./directory`,
    )
    .action(action(serve, { logLevel: 'info' }))
}

const serve = async (session: Session, given: unknown): Promise<undefined> => {
  const { host, port, probe, documents, also, ...following } = readOptions(given)
  const registry = parseAddress(session.settings.registry ?? '')
  if (!registry) throw new CommandError('ERR_SETTING_MISSING', 'no registry is set: give --registry or CHROVE_REGISTRY')

  const allowed = documents === undefined ? {} : { allowed: await readDocuments(session, documents) }
  const { database } = session.settings
  if (database !== undefined && also.length > 0) {
    throw new CommandError('ERR_USAGE', '--also keeps files: a PostgreSQL database is of one registry')
  }
  const sql = database === undefined ? session.effects.sql : { dialect: () => postgresDialect(database) }
  const effects = { ...session.effects, sql, sha256 }
  const open = (of: Address, keptIn: Pick<IndexerSettings, 'database'> = {}) =>
    createIndexer(effects, { registry: of, ...keptIn, ...following, ...allowed }, probingOf(session, probe))
  const others = [...new Set(also)].filter((other) => other !== registry)
  const directories = createDirectories(
    new Map([
      [registry, open(registry)],
      ...others.map((other) => [other, open(other, { database: `directory-${other}` })] as const),
    ]),
  )
  try {
    const listener = await serveHttp((request) => directories.fetch(request), { host, port })
    const { address } = listener
    const shown = address.host.includes(':') ? `[${address.host}]` : address.host
    const url = `http://${shown}:${address.port}/graphql`
    const urls = [url, ...others.map((other) => url.replace(/graphql$/, `${other}/graphql`))]
    await session.print({ json: { url, urls }, text: `${urls.join('\n')}\nStop with Ctrl-C.` })
    try {
      await directories.run(session.signal)
    } finally {
      await listener.close()
    }
  } finally {
    await directories.close()
  }
}

const probingOf = ({ effects, settings }: Session, mode: 'off' | 'on' | 'local'): Probing | undefined =>
  mode === 'off'
    ? undefined
    : {
        network: effects.network,
        jose: createJose(),
        addresses: mode === 'local' ? 'any' : 'public',
        proxied: settings.proxy !== undefined,
        intervalMs: PROBE_INTERVAL_MS,
        pauseMs: PROBE_PAUSE_MS,
      }

const readDocuments = async ({ userFiles }: Session, path: string): Promise<AllowedDocuments> => {
  const names = await userFiles.list(path)
  const paths = names ? names.filter(isDocument).map((name) => `${path}/${name}`) : [path]
  if (paths.length === 0) throw new CommandError('ERR_USAGE', `--documents: ${path} has no .graphql or .json files`)
  const read = async (name: string) => ({ name, content: await userFiles.read(name, DOCUMENTS_FILE_BYTES_MAX) })
  return allowDocuments(await Promise.all(paths.map(read)))
}

const isDocument = (name: string): boolean => /\.(graphql|gql|json)$/.test(name)

const readOptions = (given: unknown): z.infer<typeof optionsSchema> => {
  const parsed = optionsSchema.safeParse(given)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const option = String(issue?.path[0]).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  throw new CommandError('ERR_USAGE', `--${option}: ${issue?.message ?? 'invalid'}`)
}
