/** A directory and a vendor follow anvil, which tells them of its blocks over a WebSocket. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { HDNodeWallet } from 'ethers'
import { createNetwork } from '../effects/network-node.ts'
import { createChrove } from '../scripts/chrove.ts'
import { freePort } from '../scripts/ports.ts'
import { startAnvil } from './anvil.ts'
import { startChild } from './child.ts'
import { eventually } from './eventually.ts'

/** Of no chain that anybody has: journals are kept by chain, and those of other chains are not touched. */
const CHAIN_ID = 931_340
/** Ten minutes: no test waits so long, so that nothing is found by polling. */
const POLL_MS = 600_000
/** Of anvil's accounts, which have money. */
const MNEMONIC = 'test test test test test test test test test test test junk'
const accountKey = (index: number) => HDNodeWallet.fromPhrase(MNEMONIC, undefined, `m/44'/60'/0'/0/${index}`).privateKey

const closers: (() => Promise<unknown>)[] = []
let folder: string
/** Options that lead to the chain, over HTTP alone and with its WebSocket. */
let asked: string[]
let told: string[]

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chrove-heads-'))
  closers.push(() => rm(folder, { recursive: true, force: true }))
  const anvil = await startAnvil({ chainId: CHAIN_ID })
  closers.push(() => anvil.close())
  const environment = { LOCALHOST_RPC_URL: anvil.url, HOME: folder, XDG_CONFIG_HOME: folder }
  const deploying = startChild('scripts/deploy.ts', ['--network', 'localhost', '--json'], environment)
  const { registry } = await deploying.answer
  await deploying.ended
  asked = ['--rpc', anvil.url, '--registry', String(registry)]
  told = ['--rpc', anvil.url.replace('http:', 'ws:'), ...asked]
})

after(async () => {
  for (const close of closers.toReversed()) await close()
})

const openHome = (name: string, account: number) => {
  const home = join(folder, name)
  return { home, ...createChrove({ home, passphrase: 'test', accountKey: accountKey(account) }) }
}

/** Registers a vendor that sells hours. */
const openShop = async (name: string, account: number, chain: readonly string[]) => {
  const vendor = openHome(name, account)
  const [http, socks5] = [await freePort(), await freePort()]
  await vendor.run('vendor', 'init', ...chain)
  const { uri } = await vendor.run(
    ...['vendor', 'register', '--title', name, '--endpoint', `http://127.0.0.1:${http}`, '--yes'],
    ...['--listen', `127.0.0.1:${http}`, '--socks5', `127.0.0.1:${socks5}`, '--allow-private'],
    ...['--socks5-listen', `127.0.0.1:${socks5}`, '--confirmations', '0'],
  )
  await vendor.run('vendor', 'plan', 'add', '--title', 'Hour', '--price', '0.001', '--period', '1h', '--yes')
  return { ...vendor, uri: String(uri) }
}

describe('a service that is told of blocks, and nearly never polls', () => {
  it('a directory counts a new plan', async () => {
    const polling = ['--port', '0', '--poll-ms', String(POLL_MS)]
    const directory = await openHome('directory', 0).serve('directory', 'serve', ...polling, ...told)
    closers.push(() => directory.stop())
    const network = createNetwork()
    const plans = async (): Promise<number | undefined> => {
      const url = new URL(String(directory.answer.url))
      url.searchParams.set('query', '{ stats { plans } }')
      const response = await network.fetch(new Request(url), { timeoutMs: 20_000, bodyBytesMax: 100_000 })
      const { data } = (await response.json()) as { data?: { stats: { plans: number } } | null }
      return data?.stats.plans
    }
    assert.equal(await eventually('the directory answers', plans), 0)
    await openShop('counted', 1, asked)
    await eventually('the plan is counted', async () => ((await plans()) === 1 ? true : undefined))
  })

  it('a vendor hands out what was paid for', async () => {
    const shop = await openShop('told', 2, told)
    const file = join(shop.home, 'vendor.json')
    await writeFile(file, JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), pollMs: POLL_MS }))
    const serving = await shop.serve('vendor', 'serve')
    closers.push(() => serving.stop())
    const buyer = openHome('buyer', 3)
    await buyer.run('init', ...asked)
    await buyer.run('account', 'import')
    const { order } = await buyer.run('buy', shop.uri, '1', '--max-spend', '0.1', '--yes')
    const { servers } = await buyer.run('credentials', (order as { readonly orderId: string }).orderId)
    assert.equal((servers as readonly unknown[]).length, 1)
  })
})
