/**
 * Every ban bites where it should and leaves alone where it should. The offending files are written below a copy of
 * the configuration, all of them linted in one run.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

interface Case {
  readonly source: string
  /** Part of what the developer is told. */
  readonly says: string
  readonly bitesIn: readonly string[]
  readonly allowedIn: readonly string[]
}

const product = ['chain', 'vendor', 'indexer/graphql', 'buyer/cli', 'gateway', 'relay', 'rendezvous', 'web', 'protocol']
const services = ['indexer', 'vendor', 'gateway', 'relay', 'rendezvous', 'buyer', 'web']

/** `*` in a place stands for a file name of the case's own. */
const inEach = (folders: readonly string[]) => folders.map((folder) => `${folder}/*.ts`)
const doors = [
  ...['effects/*.ts', 'vendor/*/main.ts', 'scripts/*.ts', 'test/*.ts'],
  ...['vendor/*.test.ts', 'vendor/*/testing.ts', 'vendor/test-*.ts'],
]

const effect = (source: string, says: string, alsoInSim = false): Case => ({
  source,
  says,
  bitesIn: inEach(alsoInSim ? [...product, 'sim'] : product),
  allowedIn: alsoInSim ? doors : [...doors, 'sim/*.ts'],
})

const everywhere = (source: string, says: string): Case => ({
  source,
  says,
  bitesIn: [...inEach([...product, 'effects', 'sim', 'scripts', 'test']), 'vendor/*/main.ts', 'vendor/*.test.ts'],
  allowedIn: [],
})

const moduleCases = (names: readonly string[], says: string) =>
  names.map((name) => effect(`import { one } from '${name}'\nexport const two = one`, says))

const effects: readonly Case[] = [
  effect('export const now = () => Date.now()', 'use effects.clock', true),
  effect('export const now = () => new Date().getTime()', 'use effects.clock', true),
  effect('export const now = () => performance.now()', 'use effects.clock', true),
  effect('export const later = (run: () => void) => setTimeout(run, 1)', 'use effects.clock', true),
  effect('export const often = (run: () => void) => setInterval(run, 1)', 'use effects.clock', true),
  {
    ...effect('export const soon = (run: () => void) => setImmediate(run)', 'use effects.clock', true),
    allowedIn: [...doors, 'sim/quiet.ts'],
  },
  effect('export const limit = () => AbortSignal.timeout(1)', 'use effects.clock', true),
  effect("import { one } from 'node:timers/promises'\nexport const two = one", 'use effects.clock', true),
  ...moduleCases(['node:perf_hooks', 'node:timers'], 'use effects.clock').map((one) => ({
    ...one,
    allowedIn: doors,
  })),
  effect('export const draw = () => Math.random()', 'use effects.random', true),
  effect('export const draw = () => { const { random } = Math; return random }', 'use effects.random', true),
  effect('export const draw = () => crypto.getRandomValues(new Uint8Array(1))', 'use effects.random', true),
  effect('export const draw = () => crypto.randomUUID()', 'use effects.random', true),
  effect("import { randomBytes } from 'node:crypto'\nexport const draw = randomBytes", 'use effects.random', true),
  effect("import { randomBytes } from 'ethers'\nexport const draw = randomBytes", 'use effects.random', true),
  effect(
    "import { Wallet } from 'ethers'\nexport const draw = () => Wallet.createRandom()",
    'use effects.random',
    true,
  ),
  effect(
    "export const draw = () => crypto.subtle.generateKey('AES-GCM', false, [])",
    'draw the key from effects.random',
  ),
  ...moduleCases(['node:crypto'], 'Use effects.random for randomness'),
  effect("export const ask = () => fetch('http://vendor.example')", 'use effects.network', true),
  effect("export const open = () => new WebSocket('ws://vendor.example')", 'use effects.network', true),
  effect("export const open = () => new EventSource('http://vendor.example')", 'use effects.network', true),
  ...moduleCases(
    ['node:net', 'node:tls', 'node:dgram', 'node:dns', 'node:http', 'node:https', 'node:http2', 'undici', 'socks'],
    'use effects.network',
  ),
  ...moduleCases(['node:fs', 'node:fs/promises', 'better-sqlite3'], 'use effects.store'),
  effect('export const home = () => process.env', 'main.ts reads it and passes settings'),
  ...moduleCases(['node:os', 'node:child_process', 'node:worker_threads'], 'main.ts reads it and passes settings'),
  ...moduleCases(['pino', 'node:readline'], 'use effects.log'),
  effect("export const door = async () => import('node:fs')", 'use effects.store'),
  effect('export const now = () => globalThis.Date', 'Name the global itself'),
]

const web = (source: string): Case => ({
  source,
  says: 'A browser runs this code unchanged',
  bitesIn: ['protocol/*.ts', 'buyer/lib/*.ts'],
  allowedIn: ['buyer/cli/*.ts', 'buyer/lib/*.test.ts', 'vendor/*.ts', 'protocol/*.test.ts'],
})

const webOnly: readonly Case[] = [
  web("import { join } from 'node:path'\nexport const two = join"),
  web("import type { Duplex } from 'node:stream'\nexport type Two = Duplex"),
  web("export const bytes = () => Buffer.from('x')"),
]

const style: readonly Case[] = [
  everywhere('export default 1', 'Prefer named exports'),
  everywhere('export const one = (two: any) => two as string', 'any'),
  everywhere('// @ts-ignore\nexport const one: string = 2', '@ts-ignore'),
  everywhere("export const say = () => console.log('x')", 'Use effects.log or effects.terminal'),
  everywhere("import { it } from 'node:test'\nit.only('x', () => {})", 'hide all other tests'),
  everywhere("import { it } from 'node:test'\nit.skip('x', () => {})", 'Say why'),
  everywhere('export namespace one {\n  export const two = 1\n}', 'namespace'),
  everywhere('const work = async () => 1\nexport const one = () => {\n  work()\n}', 'must be awaited'),
  everywhere('export const one = (two: number) => {\n  const three = two\n}', 'never used'),
  everywhere("import { Duplex } from 'stream'\nexport const two = Duplex", 'node:'),
  everywhere('// oxlint-disable-next-line no-var\nexport const one = 1', 'Unused'),
]

/** What each folder may import, said a second time so that a slip in the configuration shows. */
const direction: readonly Case[] = [
  ...(['protocol', 'effects', 'chain', ...services, 'sim', 'test', 'scripts', 'types'] as const).map((target) => {
    const importers: Readonly<Record<string, readonly string[]>> = {
      protocol: ['chain', ...services],
      effects: ['chain', ...services],
      chain: services,
      types: services,
    }
    const may = [target, ...(importers[target] ?? [])]
    const ours = ['protocol', 'effects', 'chain', ...services]
    const isHelper = ['sim', 'test', 'scripts'].includes(target)
    return {
      source: `import { one } from '../${target}/one.ts'\nexport const two = one`,
      says: 'see DESIGN 2',
      bitesIn: inEach(ours.filter((folder) => !may.includes(folder))),
      allowedIn: [
        ...inEach([...ours.filter((folder) => may.includes(folder)), 'sim', 'test', 'scripts']),
        ...(isHelper ? ours.map((folder) => `${folder}/*.test.ts`) : []),
      ],
    }
  }),
  {
    source: "import { one } from '../../vendor/one.ts'\nexport const two = one",
    says: 'see DESIGN 2',
    bitesIn: ['indexer/graphql/*.ts', 'gateway/*/main.ts', 'indexer/graphql/*.test.ts'],
    allowedIn: ['vendor/provisioners/*.ts'],
  },
  {
    source: "import { one } from '../vendor/one.ts'\nexport const two = one",
    says: 'see DESIGN 2',
    bitesIn: ['relay/main.ts', 'effects/*.test.ts'],
    allowedIn: ['buyer/main.ts'],
  },
  {
    source: "import type { One } from '../chain/../vendor/one.ts'\nexport type Two = One",
    says: 'shortest path',
    bitesIn: inEach(['indexer', 'protocol', 'effects']),
    allowedIn: [],
  },
  ...['testing', 'test-shop'].map((helper) => ({
    source: `import { one } from './${helper}.ts'\nexport const two = one`,
    says: 'Only tests may use',
    bitesIn: inEach(['indexer', 'protocol', 'sim']),
    allowedIn: ['indexer/*.test.ts', 'indexer/test-*.ts'],
  })),
]

/** Two files that import each other, beside the cases. */
const cycle: readonly (readonly [string, string])[] = [
  ['chain/round.ts', "import { two } from './trip.ts'\nexport const one = () => two"],
  ['chain/trip.ts', "import { one } from './round.ts'\nexport const two = () => one"],
]

const cases = [...effects, ...webOnly, ...style, ...direction].map((one, at) => {
  const place = (pattern: string) => pattern.replace('*', `case-${at}`)
  return { ...one, bitesIn: one.bitesIn.map(place), allowedIn: one.allowedIn.map(place) }
})

const run = (program: string, parameters: readonly string[], cwd: string) =>
  new Promise<string>((resolve) => {
    const path = join(root, 'node_modules', '.bin', program)
    execFile(process.execPath, [path, ...parameters], { cwd, maxBuffer: 64 * 1024 * 1024 }, (_, output) =>
      resolve(output),
    )
  })

const write = async (folder: string, files: Iterable<readonly [string, string]>) => {
  for (const [path, source] of files) {
    await mkdir(join(folder, dirname(path)), { recursive: true })
    await writeFile(join(folder, path), `${source}\n`)
  }
}

interface Diagnostic {
  readonly message: string
  readonly help?: string
  readonly filename: string
}

describe('the linter', () => {
  let folder: string
  const said = new Map<string, string>()

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chrove-bans-'))
    await mkdir(join(folder, 'scripts/check'), { recursive: true })
    for (const path of ['oxlint.config.ts', 'scripts/check/bans.ts', 'tsconfig.json', 'package.json']) {
      await copyFile(join(root, path), join(folder, path))
    }
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    const files = cases.flatMap((one) => [...one.bitesIn, ...one.allowedIn].map((path) => [path, one.source] as const))
    await write(folder, [...cycle, ...files])
    const output = await run('oxlint', ['--format=json', '.'], folder)
    const { diagnostics } = JSON.parse(output) as { diagnostics: readonly Diagnostic[] }
    for (const { filename, message, help = '' } of diagnostics) {
      said.set(filename, `${said.get(filename) ?? ''}${message} ${help}\n`)
    }
  })
  after(() => rm(folder, { recursive: true }))

  for (const { source, says, bitesIn, allowedIn } of cases) {
    it(`says “${says}” of ${JSON.stringify(source)}`, () => {
      for (const path of bitesIn) assert.ok(said.get(path)?.includes(says), `${path} passes: ${said.get(path) ?? ''}`)
      for (const path of allowedIn) assert.ok(!said.get(path)?.includes(says), `${path} is refused: ${said.get(path)}`)
    })
  }

  it('finds modules that import each other', () => {
    for (const [path] of cycle) assert.match(said.get(path) ?? '', /cycle/)
  })
})

describe('the type checker', () => {
  const refused: readonly (readonly [string, string, string])[] = [
    ['an enum', 'export enum One {\n  Two,\n}', 'TS1294'],
    ['a namespace', 'export namespace One {\n  export const two = 1\n}', 'TS1294'],
    ['a parameter property', 'export class One {\n  constructor(readonly two: number) {}\n}', 'TS1294'],
    [
      'a type imported as a value',
      "import { Duplex, DuplexOptions } from 'node:stream'\nexport const one: DuplexOptions = Duplex",
      'TS1484',
    ],
    ['an import without its ending', "import { one } from './one'\nexport const two = one", 'TS2835'],
  ]
  let folder: string
  let output: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chrove-bans-'))
    for (const path of ['tsconfig.json', 'package.json']) await copyFile(join(root, path), join(folder, path))
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    await write(folder, [
      ['one.ts', 'export const one = 1'],
      ...refused.map(([, source], at) => [`case-${at}.ts`, source] as const),
    ])
    output = await run('tsc', ['--project', 'tsconfig.json', '--pretty', 'false'], folder)
  })
  after(() => rm(folder, { recursive: true }))

  for (const [at, [what, , code]] of refused.entries()) {
    it(`refuses ${what}`, () => {
      assert.match(output, new RegExp(`^case-${at}\\.ts.*${code}`, 'm'))
    })
  }

  it('accepts what Node runs as it is', () => {
    assert.doesNotMatch(output, /^one\.ts/m)
  })
})
