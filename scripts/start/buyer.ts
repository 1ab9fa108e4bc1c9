/** The buyer of `npm start`: searches, looks, pays, collects and browses, with the commands that anyone has. */
import { join } from 'node:path'
import { createNetwork } from '../../effects/network-node.ts'
import { createChrove, type Serving } from '../chrove.ts'
import type { EmbeddedChain } from '../embedded-chain.ts'
import { freePort } from '../ports.ts'
import type { Page } from './page.ts'
import type { Story } from './story.ts'

export interface BuyerOptions {
  readonly chain: EmbeddedChain
  readonly folder: string
  /** URL of the directory's GraphQL. */
  readonly directory: string
  readonly page: Page
  readonly story: Story
  /** Wanted for the local proxy. */
  readonly proxyPort: number
}

export interface BoughtProxy {
  readonly home: string
  readonly passphrase: string
  readonly order: Record<string, unknown>
  readonly credentials: Record<string, unknown>
  readonly proxied: { readonly status: number; readonly bytes: number }
  /** host:port of the local SOCKS5 proxy. */
  readonly proxyAddress: string
  readonly proxy: Serving
}

const LIMITS = { timeoutMs: 15_000, bodyBytesMax: 1024 * 1024 }

export const buyAndBrowse = async ({
  chain,
  folder,
  directory,
  page,
  story,
  proxyPort,
}: BuyerOptions): Promise<BoughtProxy> => {
  const home = join(folder, 'buyer')
  const passphrase = 'the buyer of a demonstration'
  const accountKey = chain.accounts[0]
  if (accountKey === undefined) throw new Error('the embedded chain has no accounts')
  const buyer = createChrove({ home, passphrase, accountKey })
  const chrove = (...args: readonly string[]) => {
    story.command(`chrove ${args.join(' ')}`)
    return buyer.run(...args)
  }

  story.chapter('A buyer, who knows only the registry and a directory, finds a vendor')
  const searched = await story.timed('search', async () => {
    await buyer.run('init', '--rpc', chain.url, '--registry', chain.registry, '--directory', directory)
    await buyer.run('account', 'import')
    return chrove('search', 'minute')
  })
  const found = searched as { source: string; found: readonly { vendor: string; title: string }[] }
  const [vendor] = found.found
  if (!vendor) throw new Error('the directory does not list the vendor')
  story.fact('found', `${vendor.title}, told by the ${found.source}`)
  await chrove('show', vendor.vendor)

  story.chapter('The buyer pays on chain, in the name of a fresh key')
  const bought = await story.timed('buy', () =>
    chrove('buy', vendor.vendor, '1', '--periods', '60', '--max-spend', '0.01', '--yes'),
  )
  const order = bought.order as Record<string, unknown>
  const orderId = String(order.orderId)
  story.fact('order', orderId)

  story.chapter('The vendor hands over credentials, encrypted to that key, over plain HTTP')
  const credentials = await story.timed('credentials', () => chrove('credentials', orderId))
  story.fact('credentials', JSON.stringify(credentials.servers))

  story.chapter('The buyer browses through the proxy')
  const listen = `127.0.0.1:${await freePort(proxyPort)}`
  const proxied = await story.timed('proxied', async () => {
    story.command(`chrove proxy ${orderId} --listen ${listen}`)
    const proxy = await buyer.serve('proxy', orderId, '--listen', listen)
    const network = createNetwork({ proxy: new URL(`socks5h://${listen}`) })
    const response = await network.fetch(new Request(page.url), LIMITS)
    return { proxy, status: response.status, bytes: (await response.arrayBuffer()).byteLength }
  })
  story.fact('page', `${page.url}: status ${proxied.status}, ${proxied.bytes} bytes`)
  const { proxy, status, bytes } = proxied
  return { home, passphrase, order, credentials, proxied: { status, bytes }, proxyAddress: listen, proxy }
}
