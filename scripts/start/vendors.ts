/** The vendors of `npm start`: three small businesses with different plans, each a vendor as anyone would set it up. */
import { join } from 'node:path'
import type { EmbeddedChain } from '../embedded-chain.ts'
import { createChrove, type Serving } from '../chrove.ts'
import { freePort } from '../ports.ts'
import { DOLLAR } from './dollar.ts'

interface Shop {
  readonly title: string
  readonly description: string
  readonly region: string
  /** Without `plan add`. */
  readonly plans: readonly (readonly string[])[]
}

export const shops: readonly Shop[] = [
  {
    title: 'Flying Ghost',
    description: 'a very quick proxy',
    region: 'NL',
    plans: [
      ['--title', 'One hour', '--price', '0.0002', '--period', '1h', '--max-periods', '48'],
      ['--title', 'One month', '--price', '0.004', '--period', '30d'],
      ['--title', 'One hour, in dollars', '--price', '0.5', '--token', DOLLAR, '--period', '1h', '--max-periods', '48'],
    ],
  },
  {
    title: 'Paper Boat',
    description: 'pay by the minute, stop when you like',
    region: 'IS',
    plans: [['--title', 'One minute', '--price', '0.00001', '--period', '1m', '--max-periods', '600']],
  },
  {
    title: 'Night Train',
    description: 'a week at a time, paid at once',
    region: 'CL',
    plans: [['--title', 'One week', '--price', '0.0015', '--period', '1w', '--settlement', 'instant']],
  },
]

export interface RunningVendor {
  readonly title: string
  readonly uri: string
  readonly endpoint: string
  readonly plans: readonly number[]
  readonly serving: Serving
}

/** Registers a shop with an account of its own and starts its service. */
export const openShop = async (
  shop: Shop,
  index: number,
  chain: EmbeddedChain,
  folder: string,
  ports: { readonly http: number; readonly socks5: number },
): Promise<RunningVendor> => {
  const home = join(folder, `vendor-${index + 1}`)
  const http = await freePort(ports.http)
  const socks5 = await freePort(ports.socks5)
  const endpoint = `http://127.0.0.1:${http}`
  const chainOptions = ['--rpc', chain.url, '--registry', chain.registry]
  const accountKey = chain.accounts[index + 1]
  if (accountKey === undefined) throw new Error('the embedded chain has too few accounts')

  const vendor = createChrove({ home, passphrase: `vendor ${index + 1} of a demonstration`, accountKey })
  await vendor.run('vendor', 'init', ...chainOptions)
  const { uri } = await vendor.run(
    ...['vendor', 'register', '--title', shop.title, '--description', shop.description, '--region', shop.region],
    ...['--endpoint', endpoint, '--listen', `127.0.0.1:${http}`, '--socks5', `127.0.0.1:${socks5}`],
    ...['--socks5-listen', `127.0.0.1:${socks5}`, '--allow-private', '--confirmations', '0', '--yes'],
  )
  const plans: number[] = []
  for (const plan of shop.plans) {
    const { planId } = await vendor.run('vendor', 'plan', 'add', ...plan, '--yes')
    plans.push(Number(planId))
  }
  const serving = await vendor.serve('vendor', 'serve')
  return { title: shop.title, uri: String(uri), endpoint, plans, serving }
}
