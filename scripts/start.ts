/**
 * `npm start`: a whole market on this machine, on embedded defaults, and one purchase in it, told step by step with
 * the commands a person would type. It stays up until stopped; with `--once` it ends after the purchase.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { failureOf } from '../effects/command-error.ts'
import { buyAndBrowse } from './start/buyer.ts'
import { startDirectory } from './start/directory.ts'
import { DOLLAR, mintDollars } from './start/dollar.ts'
import { startPage } from './start/page.ts'
import { createStory } from './start/story.ts'
import { openShop, shops, type RunningVendor } from './start/vendors.ts'
import { startEmbeddedChain } from './embedded-chain.ts'

/** Wanted while it stays up, so that the addresses are the same each time; others are taken where these are not free. */
const PORTS = { chain: 8545, directory: 4000, vendor: 8081, socks5: 1081, proxy: 1080 }

const usage = `Usage: npm start -- [--once] [--json]

Starts a chain, three vendors, a directory, and buys a proxy and uses it.

  --once  end after the purchase instead of staying up
  --json  print one JSON object on standard output instead of the story

Examples:
  npm start
  npm start -- --once --json
`

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const { once, json } = values
  const story = createStory(json ? () => {} : (text) => process.stdout.write(text))
  const folder = await mkdtemp(join(tmpdir(), 'chrove-'))
  const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  const stopped = stopSignal()

  try {
    const wanted = (port: number) => (once ? 0 : port)
    story.chapter('A chain, and the contracts that nobody can take down')
    const chain = await story.timed('chain', () => startEmbeddedChain(wanted(PORTS.chain)))
    closers.push(() => chain.close())
    story.fact('JSON-RPC', chain.url)
    story.fact('registry', chain.registry)
    story.fact('payments', chain.payments)
    await story.timed('dollars', () => mintDollars(chain))
    story.fact('play dollars', DOLLAR)

    story.chapter('Three vendors register, set prices and open their proxies')
    const vendors: RunningVendor[] = []
    await story.timed('vendors', async () => {
      for (const [index, shop] of shops.entries()) {
        const ports = { http: wanted(PORTS.vendor + index), socks5: wanted(PORTS.socks5 + index) }
        const vendor = await openShop(shop, index, chain, folder, ports)
        closers.push(() => vendor.serving.stop())
        vendors.push(vendor)
        story.fact(vendor.title, `${vendor.uri}\n${vendor.endpoint}`)
      }
    })

    story.chapter('A directory reads the chain')
    const directory = await story.timed('directory', () => startDirectory(chain, folder, wanted(PORTS.directory)))
    closers.push(() => directory.close())
    story.fact('GraphQL', `${directory.url} (open it in a browser)`)

    const page = await startPage()
    closers.push(() => page.close())
    const bought = await buyAndBrowse({
      chain,
      folder,
      directory: directory.url,
      page,
      story,
      proxyPort: wanted(PORTS.proxy),
    })
    closers.push(() => bought.proxy.stop())
    const { order, credentials, proxied } = bought
    const ok = proxied.status === 200 && proxied.bytes === page.bytes
    if (json) {
      const shown = vendors.map(({ title, uri, endpoint, plans }) => ({ title, uri, endpoint, plans }))
      const result = { ok, vendors: shown, order, credentials, proxied, timingsMs: story.timingsMs() }
      process.stdout.write(`${JSON.stringify(result)}\n`)
    }
    if (!once) {
      story.chapter('Everything stays up; stop it with Ctrl-C')
      story.fact('browse', `curl --socks5-hostname ${bought.proxyAddress} ${page.url}`)
      story.fact(
        'as the buyer',
        `CHROVE_PASSPHRASE='${bought.passphrase}' \\\nnpm run chrove -- orders --home ${bought.home}`,
      )
      await stopped
    }
    return ok ? 0 : 1
  } catch (error) {
    const { code, message } = failureOf(error)
    if (json) process.stdout.write(`${JSON.stringify({ ok: false, error: { code, message } })}\n`)
    process.stderr.write(`npm start: ${message} (${code})\n`)
    return 1
  } finally {
    for (const close of closers.toReversed()) await close().catch(() => {})
  }
}

/** Resolves at Ctrl-C or a polite kill; the second one does not wait. */
const stopSignal = (): Promise<void> =>
  new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        process.once(name, () => process.exit(130))
        resolve()
      })
    }
  })

process.exit(await main())
