/** `chrove directory serve` asks a real vendor, or does not, as it is told. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createNetwork } from '../effects/network-node.ts'
import { createChrove, type Serving } from '../scripts/chrove.ts'
import { type EmbeddedChain, startEmbeddedChain } from '../scripts/embedded-chain.ts'
import { openShop, type RunningVendor, shops } from '../scripts/start/vendors.ts'
import { eventually } from './eventually.ts'

interface Vendor {
  readonly probes: readonly { readonly verified: boolean; readonly code: string | null; readonly latencyMs: number }[]
  readonly uptime: number | null
}

const closers: (() => Promise<unknown>)[] = []
let folder: string
let chain: EmbeddedChain
let vendor: RunningVendor

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chrove-probing-'))
  closers.push(() => rm(folder, { recursive: true, force: true }))
  chain = await startEmbeddedChain()
  closers.push(() => chain.close())
  const [, shop] = shops
  assert.ok(shop)
  vendor = await openShop(shop, 0, chain, folder, { http: 0, socks5: 0 })
  closers.push(() => vendor.serving.stop())
})

after(async () => {
  for (const close of closers.toReversed()) await close()
})

/** Runs a directory for as long as a look at it takes. */
const withDirectory = async (args: readonly string[], look: (ask: () => Promise<Vendor>) => Promise<void>) => {
  const home = await mkdtemp(join(folder, 'directory-'))
  const directory: Serving = await createChrove({ home, passphrase: 'none' }).serve(
    ...['directory', 'serve', '--port', '0', '--poll-ms', '50'],
    ...['--rpc', chain.url, '--registry', chain.registry, ...args],
  )
  const network = createNetwork()
  try {
    await look(() =>
      eventually('the directory answers', async () => {
        const body = JSON.stringify({ query: '{ vendor(id: 1) { probes { verified code latencyMs } uptime } }' })
        const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
        const limits = { timeoutMs: 20_000, bodyBytesMax: 100_000 }
        const response = await network.fetch(new Request(String(directory.answer.url), init), limits)
        const { data } = (await response.json()) as { data?: { vendor: Vendor | null } | null }
        return data?.vendor ?? undefined
      }),
    )
  } finally {
    await directory.stop()
  }
}

/** The vendor once it was asked. */
const probed = (ask: () => Promise<Vendor>) =>
  eventually('the vendor is probed', async () => {
    const found = await ask()
    return found.probes.length > 0 ? found : undefined
  })

describe('chrove directory serve', () => {
  it('verifies a vendor on this machine with --probe local', () =>
    withDirectory(['--probe', 'local'], async (ask) => {
      const { probes, uptime } = await probed(ask)
      assert.deepEqual(
        probes.map(({ verified, code }) => [verified, code]),
        [[true, null]],
      )
      assert.ok((probes[0]?.latencyMs ?? -1) >= 0)
      assert.equal(uptime, 1)
    }))

  it('does not ask a vendor on this machine with --probe on', () =>
    withDirectory(['--probe', 'on'], async (ask) => {
      const { probes, uptime } = await probed(ask)
      assert.deepEqual(
        probes.map(({ code }) => code),
        ['ERR_NETWORK_FORBIDDEN'],
      )
      assert.equal(uptime, 0)
    }))

  it('asks nobody unless it is told to', async () => {
    const asks: string[] = []
    await withDirectory([], async (ask) => {
      const first = await ask()
      asks.push(JSON.stringify(first))
    })
    assert.deepEqual(asks, ['{"probes":[],"uptime":null}'])
    const wrong = createChrove({ home: folder, passphrase: 'none' }).run('directory', 'serve', '--probe', 'always')
    await assert.rejects(wrong, /ERR_USAGE/)
  })
})
