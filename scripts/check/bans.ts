/**
 * What our code may not name, where, and what to use instead. Tables only: `oxlint.config.ts` turns them into rules,
 * `bans.test.ts` shows that each bites.
 */

export interface Ban {
  readonly names: readonly string[]
  readonly use: string
}

const clock = 'Time is an effect: use effects.clock.'
const random = 'Randomness is an effect: use effects.random.'
const network = 'The network is an effect: use effects.network.'
const main = 'The environment is an effect: main.ts reads it and passes settings.'
const store = 'Storage is an effect: use effects.store.'
const log = 'Output is an effect: use effects.log or effects.terminal.'

const wallClock = { names: ['Date', 'performance'], use: clock } as const satisfies Ban
const turns = { names: ['setImmediate'], use: clock } as const satisfies Ban
const timers = { names: ['setTimeout', 'setInterval'], use: clock } as const satisfies Ban
const sockets = { names: ['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'], use: network } as const satisfies Ban
const environment = { names: ['process'], use: main } as const satisfies Ban

/** Every way around the names above and below. */
const aliases = {
  names: ['globalThis', 'global', 'self', 'window', 'frames'],
  use: 'Name the global itself, so that its own rule applies.',
} as const satisfies Ban

/** Not even where effects live: programs say things through a door, scripts through process.stdout. */
const consoleBan = {
  names: ['console'],
  use: 'Use effects.log or effects.terminal; a script writes to process.stdout.',
} as const satisfies Ban

/** Globals of Node that a browser lacks. */
const nodeGlobals = {
  names: ['Buffer', '__dirname', '__filename', 'require'],
  use: 'A browser runs this code unchanged: use Web APIs, such as Uint8Array.',
} as const satisfies Ban

export const globalBans = {
  everywhere: [consoleBan],
  product: [consoleBan, wallClock, turns, timers, sockets, environment, aliases],
  web: [consoleBan, wallClock, turns, timers, sockets, environment, aliases, nodeGlobals],
  simulator: [consoleBan, wallClock, turns, timers, sockets],
  simulatorTurns: [consoleBan, wallClock, timers, sockets],
  simulatorGenesis: [consoleBan, turns, timers, sockets],
} as const satisfies Record<string, readonly Ban[]>

export interface PropertyBan {
  readonly object?: string
  readonly property: string
  readonly use: string
}

const unseeded: readonly PropertyBan[] = [
  { object: 'Math', property: 'random', use: random },
  { object: 'crypto', property: 'getRandomValues', use: random },
  { object: 'crypto', property: 'randomUUID', use: random },
  { property: 'createRandom', object: 'Wallet', use: random },
  { property: 'createRandom', object: 'HDNodeWallet', use: random },
]

/** Of node:test. An option can say why, and the runner prints it. */
const testOnly: readonly PropertyBan[] = ['describe', 'it', 'test', 'suite'].flatMap((object) => [
  { object, property: 'only', use: 'It would hide all other tests: name the test on the command line instead.' },
  { object, property: 'skip', use: "Say why, for the runner to print: { skip: 'reason' }." },
  { object, property: 'todo', use: 'Write the test, or open an issue.' },
])

export const propertyBans = {
  everywhere: testOnly,
  simulator: [...testOnly, ...unseeded, { object: 'AbortSignal', property: 'timeout', use: clock }],
  product: [
    ...testOnly,
    ...unseeded,
    { object: 'AbortSignal', property: 'timeout', use: clock },
    { property: 'generateKey', use: 'Randomness is an effect: draw the key from effects.random.' },
  ],
} as const satisfies Record<string, readonly PropertyBan[]>

/** Modules that act; naming their types is no act. */
export const moduleBans = {
  product: [
    { names: ['node:fs', 'node:fs/promises', 'better-sqlite3', 'node:sqlite'], use: store },
    {
      // prettier-ignore
      names: [
        'node:net', 'node:tls', 'node:dgram', 'node:dns', 'node:dns/promises',
        'node:http', 'node:https', 'node:http2', 'undici', 'socks', '@hono/node-server',
      ],
      use: network,
    },
    { names: ['node:timers', 'node:timers/promises', 'node:perf_hooks'], use: clock },
    { names: ['node:crypto'], use: 'Use effects.random for randomness, @noble or crypto.subtle for computing.' },
    { names: ['node:os', 'node:process', 'node:child_process', 'node:worker_threads', 'node:cluster'], use: main },
    { names: ['pino', 'node:readline', 'node:readline/promises', 'node:console'], use: log },
  ],
  simulator: [{ names: ['node:timers', 'node:timers/promises', 'node:perf_hooks'], use: clock }],
} as const satisfies Record<string, readonly Ban[]>

/** Functions that draw for themselves, in whatever module they live. */
export const unseededImports = {
  names: ['randomBytes', 'randomUUID', 'randomInt', 'getRandomValues', 'webcrypto'],
  use: random,
} as const satisfies Ban

/** Folders of ours, each with those it may import (DESIGN 2). `types` is what TypeChain writes. */
export const imports: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  effects: [],
  chain: ['protocol', 'effects'],
  indexer: ['protocol', 'effects', 'chain', 'types'],
  vendor: ['protocol', 'effects', 'chain', 'types'],
  gateway: ['protocol', 'effects', 'chain', 'types'],
  relay: ['protocol', 'effects', 'chain', 'types'],
  rendezvous: ['protocol', 'effects', 'chain', 'types'],
  buyer: ['protocol', 'effects', 'chain', 'types'],
  web: ['protocol', 'effects', 'chain', 'types'],
}

/** May be imported by each other and by tests only. */
export const glueFolders = ['sim', 'test', 'scripts'] as const
