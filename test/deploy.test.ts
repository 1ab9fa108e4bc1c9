/** `npm run deploy` against anvil: a node that we did not write, and that stands in for public chains by its number. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { Wallet } from 'ethers'
import { artifacts } from 'hardhat'
import { createContractReader } from '../chain/contracts.ts'
import type { Address } from '../chain/types.ts'
import { serveHttp } from '../effects/http-server.ts'
import { createNodeEffects } from '../effects/node.ts'
import type { Terminal } from '../effects/terminal.ts'
import hardhatConfig from '../hardhat.config.ts'
import { deployerOf, openDeployChain } from '../scripts/deploy/chain.ts'
import { runDeploy } from '../scripts/deploy/command.ts'
import { howToSet, type DeployError } from '../scripts/deploy/errors.ts'
import { openMiningTap, startAnvil, type Anvil, type AnvilOptions } from './anvil.ts'
import { startChild, tapChain, type ChainTap } from './child.ts'

const root = join(import.meta.dirname, '..')
const SEPOLIA = 11_155_111
/** Of no chain that anybody has: journals are kept by chain, and those of other chains are not touched. */
const CHAIN_ID = 931_337
/** EIP-3860, EIP-7825. */
const INIT_CODE_BYTES_MAX = 49_152
const TRANSACTION_GAS_MAX = 2 ** 24

/** Where a keystore would be: this one is empty, and nobody's own. */
let home: string
const closers: (() => Promise<unknown>)[] = []

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'chrove-deploy-'))
  closers.push(() => rm(home, { recursive: true, force: true }))
})

after(async () => {
  for (const close of closers.toReversed()) await close()
})

/** An anvil that lasts as long as a test, or as all of them. */
const openNode = async (options: AnvilOptions, test?: TestContext): Promise<Anvil> => {
  const node = await startAnvil(options)
  if (test) test.after(() => node.close())
  else closers.push(() => node.close())
  return node
}

const keystoreAt = (folder: string) => ({ HOME: folder, XDG_CONFIG_HOME: folder })

const deployer = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
  startChild('scripts/deploy.ts', [...args, '--json'], { ...keystoreAt(home), ...environment })

/** Runs the script to its end, on a node of this machine. */
const deployTo = async (url: string, ...args: string[]) => {
  const child = deployer(['--network', 'localhost', ...args], { LOCALHOST_RPC_URL: url })
  const [answer, { exitCode, said }] = await Promise.all([child.answer, child.ended])
  assert.equal(said.trim().split('\n').length, 1, 'one line and nothing else')
  return { exitCode, ...answer } as Record<string, unknown> & { exitCode: number }
}

interface Failed {
  readonly code: string
  readonly message: string
}

/** What a run is refused with, in this process: sooner than in its own. */
const refusalOn = async (
  network: string,
  environment: Readonly<Record<string, string>>,
  { yes = true, terminal = silent } = {},
): Promise<Failed> => {
  const options = { network, dryRun: false, verify: false, yes }
  const running = withEnvironment({ ...keystoreAt(home), ...environment }, () => runDeploy(options, terminal))
  return running.then(
    () => assert.fail('it was done'),
    (error: Failed) => error,
  )
}

/** A way to the node that lasts as long as the tests. */
const lasting = async (opening: Promise<ChainTap>): Promise<string> => {
  const tap = await opening
  closers.push(() => tap.close())
  return tap.url
}

const balanceOf = async (node: Anvil, account: unknown) =>
  BigInt((await node.request('eth_getBalance', [account, 'latest'])) as string)
const sentBy = async (node: Anvil, account: unknown) =>
  Number(await node.request('eth_getTransactionCount', [account, 'pending']))
/** Its first account, which pays unless told otherwise. */
const payerOf = async (node: Anvil) => ((await node.request('eth_accounts')) as string[])[0]
const headOf = async (node: Anvil) => Number(await node.request('eth_blockNumber'))

describe('a chain without CreateX', () => {
  let node: Anvil
  let planned: Record<string, unknown>
  let deployed: Record<string, unknown>
  before(async () => {
    node = await openNode({ chainId: CHAIN_ID })
    planned = await deployTo(node.url, '--dry-run')
  })

  it('is told what deploying takes, and nothing is sent', async () => {
    assert.equal(planned.exitCode, 0)
    assert.equal(planned.alreadyDeployed, false)
    assert.equal(await headOf(node), 0)
  })

  it('gets CreateX and both contracts, where the dry run said and for no more', async () => {
    const payer = await payerOf(node)
    const earlier = await balanceOf(node, payer)
    deployed = await deployTo(node.url)
    assert.equal(deployed.exitCode, 0)
    for (const name of ['registry', 'payments', 'chainId']) assert.equal(deployed[name], planned[name])
    assert.ok(earlier - (await balanceOf(node, payer)) <= BigInt(String(planned.maxCostWei)))
    assert.ok(Number(deployed.gasUsed) <= Number(planned.gas))
    assert.ok(Number(planned.gas) <= TRANSACTION_GAS_MAX)
  })

  it('has a registry that vouches for its Payments', async () => {
    const { chain } = createNodeEffects({ service: 'test', home, rpc: node.url, logLevel: 'silent' })
    const reader = createContractReader(chain)
    assert.equal(await reader.paymentsOf(deployed.registry as Address), deployed.payments)
    assert.equal(await reader.vendorCount(deployed.registry as Address), 0n)
  })

  it('is left alone the second time', async () => {
    const [head, sent] = [await headOf(node), await sentBy(node, deployed.deployer)]
    const again = await deployTo(node.url)
    assert.equal(again.exitCode, 0)
    assert.equal(again.alreadyDeployed, true)
    assert.equal(again.registry, deployed.registry)
    assert.deepEqual([await headOf(node), await sentBy(node, deployed.deployer)], [head, sent])
  })

  it('gives the same addresses to another deployer on another chain', async (t) => {
    const other = await openNode({ chainId: CHAIN_ID + 1, args: ['--mnemonic-seed-unsafe', '7'] }, t)
    const there = await deployTo(other.url)
    assert.equal(there.exitCode, 0)
    assert.equal(there.chainId, CHAIN_ID + 1)
    assert.notEqual(there.deployer, deployed.deployer)
    assert.deepEqual([there.registry, there.payments], [deployed.registry, deployed.payments])
  })

  it('is deployed to again when a reorg took the contracts away', async () => {
    await node.request('anvil_reorg', [1, []])
    const again = await deployTo(node.url)
    assert.equal(again.exitCode, 0)
    assert.equal(again.alreadyDeployed, false)
    assert.equal(again.registry, deployed.registry)
  })

  it('with something else at the address is not taken for a chain with a registry', async () => {
    const code = String(await node.request('eth_getCode', [deployed.registry, 'latest']))
    await node.request('anvil_setCode', [deployed.registry, `${code.slice(0, -2)}00`])
    const { exitCode, error } = await deployTo(node.url)
    assert.equal(exitCode, 1)
    assert.equal((error as Failed).code, 'ERR_DEPLOY_WRONG_CODE')
    await node.request('anvil_setCode', [deployed.registry, code])
  })
})

it('the contracts are small enough to be created in one transaction', async () => {
  const { bytecode } = await artifacts.readArtifact('VendorRegistry')
  assert.ok(bytecode.length / 2 - 1 <= INIT_CODE_BYTES_MAX)
})

it('no money is sent for CreateX through a node that would not take its transaction', async (t) => {
  const node = await openNode({ chainId: CHAIN_ID }, t)
  const LOCALHOST_RPC_URL = await lasting(
    tapChain(node.url, (side, _count, call) => {
      if (side === 'answer' || !call.includes('eth_sendRawTransaction')) return
      const { id } = JSON.parse(call) as { id: number }
      const message = 'only replay-protected (EIP-155) transactions allowed over RPC'
      return Response.json({ jsonrpc: '2.0', id, error: { code: -32_000, message } })
    }),
  )
  const { code, message } = await refusalOn('localhost', { LOCALHOST_RPC_URL })
  assert.equal(code, 'ERR_DEPLOY_FACTORY')
  assert.match(message, /replay-protected.*--rpc.allow-unprotected-txs/)
  assert.equal(await headOf(node), 0)
})

it('no more is spent than was said, when fees rise in between', async (t) => {
  const node = await openNode({ chainId: CHAIN_ID }, t)
  const LOCALHOST_RPC_URL = await lasting(
    tapChain(node.url, async (side, _count, call) => {
      // Below what CreateX's transaction pays, far above what was looked at.
      const baseFee = `0x${(90n * 10n ** 9n).toString(16)}`
      if (side === 'answer' && call.includes('eth_sendTransaction')) {
        await node.request('anvil_setNextBlockBaseFeePerGas', [baseFee])
      }
    }),
  )
  const payer = await payerOf(node)
  assert.equal((await refusalOn('localhost', { LOCALHOST_RPC_URL })).code, 'ERR_DEPLOY_FEES_ROSE')
  assert.equal(await sentBy(node, payer), 1, 'money for CreateX')
  assert.equal((await deployTo(node.url)).exitCode, 0, 'what was agreed to now is enough')
  assert.equal(await sentBy(node, payer), 2)
})

/** Ten times what it takes on a busy machine: one that pays twice may wait for ever. */
const LIMIT = { timeout: 300_000 }

describe('a run that is killed', LIMIT, () => {
  /** Deploys, and dies at a call; where that is a question, the node does not get it. */
  const deployAndDie = async (node: Anvil, isFatal: (side: 'question' | 'answer', call: string) => boolean) => {
    const url = await lasting(
      tapChain(node.url, async (side, _count, call) => {
        if (!isFatal(side, call)) return
        await child.kill()
        throw new Error('nobody is there any more')
      }),
    )
    const child = deployer(['--network', 'localhost'], { LOCALHOST_RPC_URL: url })
    assert.equal((await child.ended).exitCode, null)
  }
  /** Where it sends something that the account signs; or, with `Raw`, what CreateX's author has signed. */
  const sending = (fatalSide: 'question' | 'answer', what: '' | 'Raw' = '', times = 1) => {
    let sent = 0
    return (side: string, call: string) =>
      side === fatalSide && call.includes(`"eth_send${what}Transaction"`) && ++sent === times
  }

  it('after each thing it sends goes on from there, and pays once', async (t) => {
    const node = await openNode({ chainId: CHAIN_ID }, t)
    const account = await payerOf(node)
    await deployAndDie(node, sending('answer'))
    assert.equal(await sentBy(node, account), 1, 'money for CreateX')
    await deployAndDie(node, sending('question', 'Raw'))
    assert.equal(await sentBy(node, account), 1, 'CreateX itself, which somebody else has signed')
    await deployAndDie(node, sending('answer'))
    assert.equal(await sentBy(node, account), 2, 'the contracts')
    const { exitCode, alreadyDeployed } = await deployTo(node.url)
    assert.deepEqual([exitCode, alreadyDeployed], [0, true])
    assert.equal(await sentBy(node, account), 2)
  })

  it('while CreateX is on its way waits for what it has sent', async (t) => {
    const node = await openNode({ chainId: CHAIN_ID }, t)
    const account = await payerOf(node)
    await node.request('evm_setAutomine', [false])
    await deployAndDie(node, sending('answer'))
    assert.equal(((await deployTo(node.url)).error as Failed).code, 'ERR_DEPLOY_WAITING')
    await node.request('evm_mine')
    await deployAndDie(node, sending('answer', 'Raw'))
    assert.equal((await deployTo(await lasting(openMiningTap(node, 1)))).exitCode, 0)
    assert.equal(await sentBy(node, account), 2)
  })

  it('before it learns whether its transaction is sent sends no second one beside it', async (t) => {
    const node = await openNode({ chainId: CHAIN_ID }, t)
    const account = await payerOf(node)
    await deployAndDie(node, sending('question', '', 2))
    assert.equal(await sentBy(node, account), 1, 'the node has not got it')
    await node.request('evm_setAutomine', [false])
    await deployAndDie(node, sending('answer'))
    const { exitCode, error } = await deployTo(node.url)
    assert.deepEqual([exitCode, (error as Failed).code], [3, 'ERR_DEPLOY_WAITING'])
    await node.request('evm_mine')
    assert.equal((await deployTo(node.url)).alreadyDeployed, true)
    assert.equal(await sentBy(node, account), 2)
  })

  it('while it waits for a block goes on waiting for the same transaction', async (t) => {
    const node = await openNode({ chainId: CHAIN_ID }, t)
    const account = await payerOf(node)
    await deployAndDie(node, sending('question', '', 2))
    await node.request('evm_setAutomine', [false])
    await deployAndDie(node, (side, call) => side === 'answer' && call.includes('eth_getTransactionReceipt'))
    const { transactions } = (await node.request('eth_getBlockByNumber', ['pending', false])) as PendingBlock
    const { exitCode, transaction } = await deployTo(await lasting(openMiningTap(node, 1)))
    assert.equal(exitCode, 0)
    assert.deepEqual([transaction], transactions)
    assert.equal(await sentBy(node, account), 2)
  })
})

interface PendingBlock {
  readonly transactions: readonly string[]
}

describe('a public chain', () => {
  const key = new Wallet(`0x${'5e'.repeat(32)}`)
  let node: Anvil
  let settings: Record<string, string>
  before(async () => {
    node = await openNode({ chainId: SEPOLIA })
    // What ought to be refused and is not shall end all the same.
    const url = await lasting(openMiningTap(node, 5))
    settings = { SEPOLIA_RPC_URL: url, DEPLOYER_PRIVATE_KEY: key.privateKey }
  })

  it('needs a node and a key, and says how to set them', async () => {
    for (const name of ['SEPOLIA_RPC_URL', 'DEPLOYER_PRIVATE_KEY']) {
      const { [name]: _, ...others } = settings
      const { code, message } = await refusalOn('sepolia', others)
      assert.equal(code, 'ERR_SETTING_MISSING')
      assert.ok(message.endsWith(howToSet(name)), message)
    }
  })

  it('can be looked at without a key', async () => {
    const { SEPOLIA_RPC_URL = '' } = settings
    const child = deployer(['--network', 'sepolia', '--dry-run'], { SEPOLIA_RPC_URL })
    const { ok, alreadyDeployed } = await child.answer
    assert.deepEqual([ok, alreadyDeployed], [true, false])
  })

  it('needs an account with money, and says which and how much', async () => {
    const { code, message } = await refusalOn('sepolia', settings)
    assert.equal(code, 'ERR_DEPLOY_UNFUNDED')
    const [, account, needs] = /^(0x\S+) has 0 coin on sepolia and may need (\S+) coin/.exec(message) ?? []
    assert.equal(account, key.address.toLowerCase())
    assert.ok(Number(needs) > 0)
  })

  it('costs money, so that somebody has to agree', async () => {
    await node.request('anvil_setBalance', [key.address, `0x${(10n ** 18n).toString(16)}`])
    const asked: string[] = []
    const unwilling: Terminal = {
      ...silent,
      interactive: true,
      confirm: (question) => Promise.resolve(asked.push(question) < 0),
    }
    for (const terminal of [silent, unwilling]) {
      assert.equal((await refusalOn('sepolia', settings, { yes: false, terminal })).code, 'ERR_NOT_CONFIRMED')
    }
    assert.match(asked.join(), /^Deploy to sepolia for at most 0\.\d+ coin\?$/)
    assert.equal(await sentBy(node, key.address), 0)
  })

  it('that is a rollup costs what it asks for publishing, too', async (t) => {
    const base = await openNode({ chainId: 8453 }, t)
    const environment = { ...keystoreAt(home), BASE_RPC_URL: base.url }
    const options = { network: 'base', dryRun: true, verify: false, yes: false }
    const costs: bigint[] = []
    for (const answer of [0, 250]) {
      // The oracle of OP chains: here it gives the same answer to everything.
      const code = `0x60${answer.toString(16).padStart(2, '0')}60005260206000f3`
      await base.request('anvil_setCode', ['0x420000000000000000000000000000000000000f', code])
      const { json } = await withEnvironment(environment, () => runDeploy(options, silent))
      costs.push(json.maxCostWei as bigint)
    }
    assert.equal(costs[1], (costs[0] ?? 0n) + 250n)
  })

  it('is not mistaken for another', async () => {
    const { code, message } = await refusalOn('base', { ...settings, BASE_RPC_URL: node.url })
    assert.equal(code, 'ERR_DEPLOY_WRONG_CHAIN')
    assert.match(message, /base is chain 8453, and the node is of chain 11155111/)
  })

  it('that cannot be reached may be tried again', async () => {
    const refusal = await refusalOn('sepolia', { ...settings, SEPOLIA_RPC_URL: 'http://127.0.0.1:1' })
    assert.deepEqual([refusal.code, (refusal as unknown as DeployError).retryable], ['ERR_DEPLOY_NODE', true])
  })

  it('gives no secret away in what goes wrong', async () => {
    const wrong = { SEPOLIA_RPC_URL: 'http://nowhere.invalid/v3/hidden', DEPLOYER_PRIVATE_KEY: '0xhidden' }
    for (const url of [wrong.SEPOLIA_RPC_URL, 'hidden', node.url]) {
      const { message } = await refusalOn('sepolia', { ...wrong, SEPOLIA_RPC_URL: url })
      assert.doesNotMatch(message, /hidden/)
    }
  })
})

it('what is wrong with the command line is said, with an exit code', async () => {
  const mistakes: [string[], RegExp][] = [
    [[], /name a network/],
    [['--network', 'nowhere'], /base, gnosis, localhost, sepolia/],
    [['--network', 'localhost', '--fast'], /--fast/],
  ]
  for (const [args, says] of mistakes) {
    const child = deployer(args)
    const { code, message } = (await child.answer).error as Failed
    assert.deepEqual([(await child.ended).exitCode, code], [2, 'ERR_USAGE'])
    assert.match(message, says)
  }
})

describe("Hardhat's keystore", () => {
  const PASSWORD = 'correct horse'
  const key = new Wallet(`0x${'4b'.repeat(32)}`)

  /** Runs a command as a person would, who answers its questions in turn. */
  const type = async (command: string, folder: string, answers: readonly string[]) => {
    const child = spawn('bash', ['-c', command], { cwd: root, env: { PATH: process.env.PATH, ...keystoreAt(folder) } })
    const left = [...answers]
    let said = ''
    let heard = 0
    const hear = (chunk: Buffer) => {
      said += chunk.toString()
      if (!said.slice(heard).endsWith(': ')) return
      heard = said.length
      child.stdin.write(`${left.shift()}\n`)
      // It would wait for more.
      if (left.length === 0) child.stdin.end()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    const [exitCode] = (await once(child, 'close')) as [number]
    assert.equal(exitCode, 0, said)
  }

  it('holds what the messages say to set in it', async (t) => {
    const node = await openNode({ chainId: SEPOLIA }, t)
    const folder = await mkdtemp(join(home, 'keystore-'))
    await type(howToSet('SEPOLIA_RPC_URL'), folder, [PASSWORD, PASSWORD, node.url])
    await type(howToSet('DEPLOYER_PRIVATE_KEY'), folder, [PASSWORD, key.privateKey])
    const asked: string[] = []
    const terminal: Terminal = {
      ...silent,
      interactive: true,
      askSecret: async (question) => {
        asked.push(question)
        return PASSWORD
      },
    }
    const chain = await withEnvironment(keystoreAt(folder), () =>
      openDeployChain('sepolia', terminal, { watchOnly: false }),
    )
    assert.equal(await deployerOf(chain), key.address.toLowerCase())
    assert.equal(asked.length, 1, 'one password for both')
    await assert.rejects(
      withEnvironment(keystoreAt(folder), () => openDeployChain('sepolia', silent, { watchOnly: false })),
      /ERR_PASSPHRASE_MISSING|nobody is here/,
    )
    await chain.connection.close()
  })
})

describe('--verify', () => {
  const key = new Wallet(`0x${'7e'.repeat(32)}`)

  it('publishes what the bytecode on a public chain was built from, and says which services want a key', async (t) => {
    t.mock.method(globalThis.console, 'log', () => {})
    const node = await openNode({ chainId: SEPOLIA }, t)
    await node.request('anvil_setBalance', [key.address, `0x${(10n ** 18n).toString(16)}`])
    const published = new Map<string, Published>()
    const sourcify = await serveHttp(sourcifyThatKeeps(published), { host: '127.0.0.1', port: 0 })
    closers.push(() => sourcify.close())
    const apiUrl = `http://127.0.0.1:${sourcify.address.port}`
    const config = {
      ...hardhatConfig,
      verify: { ...hardhatConfig.verify, sourcify: { apiUrl }, blockscout: { enabled: false } },
    }
    const settings = {
      ...keystoreAt(home),
      SEPOLIA_RPC_URL: await lasting(openMiningTap(node, 5)),
      DEPLOYER_PRIVATE_KEY: key.privateKey,
    }
    const options = { network: 'sepolia', dryRun: false, verify: true, yes: true }
    const { ok, json } = await withEnvironment(settings, () => runDeploy(options, silent, config))
    assert.equal(ok, true)
    assert.deepEqual(json.verifications, [
      { service: 'sourcify', result: 'verified' },
      { service: 'etherscan', result: 'skipped', reason: `it wants a key: ${howToSet('ETHERSCAN_API_KEY')}` },
    ])
    for (const [name, contract] of [
      ['registry', 'VendorRegistry'],
      ['payments', 'Payments'],
    ] as const) {
      const { contractIdentifier, stdJsonInput } = published.get(String(json[name])) ?? assert.fail(name)
      const { inputSourceName, buildInfoId } = await artifacts.readArtifact(contract)
      assert.equal(contractIdentifier, `${inputSourceName}:${contract}`)
      const buildInfo = await readFile(join(root, `artifacts/build-info/${buildInfoId}.json`), 'utf8')
      const { input } = JSON.parse(buildInfo) as { input: CompilerInput }
      assert.deepEqual(stdJsonInput.settings, { ...input.settings, libraries: {} })
      for (const [path, source] of Object.entries(stdJsonInput.sources)) assert.deepEqual(source, input.sources[path])
    }

    await sourcify.close()
    const again = await withEnvironment(settings, () => runDeploy(options, silent, config))
    assert.equal(again.ok, false)
    assert.equal((again.json.verifications as { result: string }[])[0]?.result, 'failed')
  })

  it('is refused where no explorer looks', async (t) => {
    const node = await openNode({ chainId: CHAIN_ID }, t)
    const { exitCode, error } = await deployTo(node.url, '--verify')
    assert.deepEqual([exitCode, (error as Failed).code], [2, 'ERR_USAGE'])
  })
})

/** Nobody is there. */
const silent: Terminal = {
  out: async () => {},
  err: () => {},
  interactive: false,
  input: () => assert.fail('read'),
  ask: () => assert.fail('asked'),
  askSecret: () => assert.fail('asked'),
  confirm: () => assert.fail('asked'),
}

/** Hardhat reads settings from the environment of its process; where it is CI, it takes no keystore. */
const withEnvironment = async <T>(
  environment: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> => {
  const saved = { ...process.env }
  delete process.env.CI
  Object.assign(process.env, environment)
  try {
    return await work()
  } finally {
    for (const name of Object.keys(environment)) delete process.env[name]
    Object.assign(process.env, saved)
  }
}

interface CompilerInput {
  readonly sources: Readonly<Record<string, unknown>>
  readonly settings: object
}

interface Published {
  readonly contractIdentifier: string
  readonly stdJsonInput: CompilerInput
}

/** Sourcify's API as far as it is used: takes what it is sent for what it says it is. */
const sourcifyThatKeeps =
  (published: Map<string, Published>) =>
  async (request: Request): Promise<Response> => {
    const [, , kind, second = '', address = ''] = new URL(request.url).pathname.split('/')
    if (kind === 'contract') {
      const match = published.has(address) ? 'match' : null
      const found = { match, creationMatch: match, runtimeMatch: match, chainId: second, address }
      return Response.json(found, { status: match === null ? 404 : 200 })
    }
    if (request.method === 'POST') {
      published.set(address, (await request.json()) as Published)
      return Response.json({ verificationId: address }, { status: 202 })
    }
    const job = { isJobCompleted: true, verificationId: second, jobStartTime: '2026-01-01T00:00:00Z' }
    return Response.json({ ...job, contract: { match: 'match' } })
  }
