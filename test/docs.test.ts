/**
 * Every command of the README and of docs/ is run, in order, as a reader would: the `sh` blocks of a page share one
 * terminal. Addresses of the examples become those of a market that this test starts; nothing else is changed.
 */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startEmbeddedChain } from '../scripts/embedded-chain.ts'
import { howToSet } from '../scripts/deploy/errors.ts'
import { freePort } from '../scripts/ports.ts'
import { startDirectory } from '../scripts/start/directory.ts'
import { mintDollars } from '../scripts/start/dollar.ts'
import { openShop, shops } from '../scripts/start/vendors.ts'
import { openMiningTap, startAnvil } from './anvil.ts'

const root = join(import.meta.dirname, '..')

/** Run by .ci/run itself, or by a test of their own. */
const runElsewhere = [
  'npm start',
  'npm test',
  'npm start -- --once --json',
  'npm run check',
  'npm run bench -- vendor',
  'npm run bench -- contracts',
  'npm run bench -- graphql',
  'npm run bench -- rendezvous',
  'npm run bench -- indexer',
  'npm run bench -- gateway',
  // Its file names a service and nodes of the reader's.
  'npm run chrove -- gateway --config gateway.yaml --home ./my-vendor',
  // So does this one's.
  'npm run chrove -- relay serve --paid paid.yaml --free-bytes 100000000 --home ./my-relay',
  'npm run bench -- relay',
  // test/anvil.ts starts it; here it stands in for the chains of docs/deploy.md.
  'npx anvil',
  // test/deploy.test.ts
  howToSet('SEPOLIA_RPC_URL'),
  howToSet('DEPLOYER_PRIVATE_KEY'),
  howToSet('ETHERSCAN_API_KEY'),
  'npm run deploy -- --network sepolia --verify',
]
/** Goes on until it is stopped, or until a later command of the page ends it: those run beside it. */
const serves =
  /(chrove -- (vendor serve|directory serve|proxy|relay serve|rendezvous serve|listen|send)|relay -- serve) ?/

const closers: (() => Promise<unknown>)[] = []
let examples: readonly (readonly [string, string])[]
/** What the reader has set by `npx hardhat keystore set`. */
let keystore: Readonly<Record<string, string>>
/** Pages about another chain than that of `npm start`. */
let nodeOfPage: Readonly<Record<string, string>>

before(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-docs-'))
  closers.push(() => rm(folder, { recursive: true, force: true }))
  const chain = await startEmbeddedChain()
  closers.push(() => chain.close())
  await mintDollars(chain)
  const [shop] = shops
  assert.ok(shop)
  const vendor = await openShop(shop, 0, chain, folder, { http: 0, socks5: 0 })
  closers.push(() => vendor.serving.stop())
  const directory = await startDirectory(chain, folder, 0)
  closers.push(() => directory.close())
  // What docs/deploy.md deploys to: a chain of the reader's, and one that says it is Sepolia.
  const anvil = await startAnvil()
  closers.push(() => anvil.close())
  const sepolia = await startAnvil({ chainId: 11_155_111 })
  closers.push(() => sepolia.close())
  const node = await openMiningTap(sepolia, 5)
  closers.push(() => node.close())
  keystore = { LOCALHOST_RPC_URL: anvil.url, SEPOLIA_RPC_URL: node.url, DEPLOYER_PRIVATE_KEY: chain.accounts[0] ?? '' }
  nodeOfPage = { 'docs/deploy.md': anvil.url }
  const directoryPort = await freePort()
  const relayPort = await freePort()
  const rendezvousPort = await freePort()
  examples = [
    ['http://127.0.0.1:8545', chain.url],
    ['http://127.0.0.1:4000/graphql', directory.url],
    ['0x5fbdb2315678afecb367f032d93f642f64180aa3', chain.registry],
    ['./my-', `${folder}/my-`],
    [':4350', `:${directoryPort}`],
    ['--port 4350', `--port ${directoryPort}`],
    [':4390', `:${rendezvousPort}`],
    ['--port 4390', `--port ${rendezvousPort}`],
    [':4370', `:${relayPort}`],
    ['--port 4370 --ports 4371', `--port ${relayPort} --ports 0`],
    ...(await Promise.all(['1090', '9080', '9081'].map(async (port) => [`:${port}`, `:${await freePort()}`] as const))),
  ]
})

after(async () => {
  for (const close of closers.toReversed()) await close()
})

describe('commands of the documents', async () => {
  const pages = (await readdir(join(root, 'docs'), { recursive: true })).filter((name) => name.endsWith('.md'))
  for (const page of ['README.md', ...pages.toSorted().map((name) => join('docs', name))]) {
    const lines = commandsOf(await readFile(join(root, page), 'utf8'))
    if (lines.length > 0) it(page, () => runPage(page, lines))
  }
})

it('what this test leaves to .ci/run is in .ci/run', async () => {
  const script = await readFile(join(root, '.ci/run'), 'utf8')
  for (const command of ['npm test', 'npm run check', 'npm start -- --once --json']) assert.ok(script.includes(command))
})

/** Lines of the page's `sh` blocks without comments; a line that ends in a backslash goes on. */
function commandsOf(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block)
  const lines = blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n'))
  return lines.map((line) => line.replace(/\s+#.*$/, '').trim()).filter((line) => line !== '' && !line.startsWith('#'))
}

async function runPage(page: string, lines: readonly string[]): Promise<void> {
  const environment: NodeJS.ProcessEnv = { ...process.env, ...keystore }
  const serving: ChildProcess[] = []
  const node = nodeOfPage[page]
  const replaced = node === undefined ? examples : [['http://127.0.0.1:8545', node] as const, ...examples]
  let orderId = ''
  let registry = ''
  let code = ''
  try {
    for (const line of lines) {
      if (runElsewhere.includes(line)) continue
      const [, name, value] = /^export (\w+)=(.*)$/.exec(line) ?? []
      const command = replaced
        .reduce((text, [from, to]) => text.replaceAll(from, to), line)
        .replaceAll('ORDER', orderId)
        .replaceAll('receive CODE', `receive ${code}`)
        .replaceAll('--registry REGISTRY', `--registry ${registry}`)
      if (name !== undefined && value !== undefined) {
        environment[name] = replaced.reduce((text, [from, to]) => text.replaceAll(from, to), value.replaceAll("'", ''))
      } else if (serves.test(line)) {
        const { child, told } = await serve(command, environment)
        serving.push(child)
        code = /^Code: (.*)$/m.exec(told)?.[1] ?? code
      } else {
        const output = await run(command, environment, line)
        orderId = /0x[0-9a-f]{8,64}(?=\s)/.exec(output)?.[0] ?? orderId
        registry = /^registry +(0x[0-9a-f]{40})$/m.exec(output)?.[1] ?? registry
      }
    }
  } finally {
    for (const child of serving) {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM')
    }
  }
}

const start = (command: string, env: NodeJS.ProcessEnv): ChildProcess =>
  spawn('bash', ['-c', command], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })

async function run(command: string, environment: NodeJS.ProcessEnv, shown: string): Promise<string> {
  const child = start(command, environment)
  let output = ''
  let said = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const exitCode = await new Promise((resolve) => child.once('close', resolve))
  assert.equal(exitCode, 0, `${shown}\n${output}${said}`)
  return output
}

/** Resolves when it has said that it serves, with that. */
async function serve(command: string, environment: NodeJS.ProcessEnv): Promise<{ child: ChildProcess; told: string }> {
  const child = start(command, environment)
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  let told = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      told += chunk.toString()
      if (told.includes('Ctrl-C') || /^Code: .*\n/m.test(told)) resolve()
    })
    child.once('close', () => reject(new Error(`${command} ended: ${said}`)))
  })
  return { child, told }
}
