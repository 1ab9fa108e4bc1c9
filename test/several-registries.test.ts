/** One `chrove directory serve` for two registries of a chain, with a vendor in each. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { parseAddress } from '../chain/types.ts'
import { createChrove } from '../scripts/chrove.ts'
import { eventually } from './eventually.ts'
import { openMarket, openShop, PASSPHRASE, type Market } from './market.ts'

let market: Market
before(async () => {
  market = await openMarket()
})
after(() => market.close())

/** Another registry on the market's chain. @returns its address */
const deployAnother = async (): Promise<string> => {
  const { request } = market.chain
  const file = await readFile('artifacts/contracts/VendorRegistry.sol/VendorRegistry.json', 'utf8')
  const { bytecode } = JSON.parse(file) as { bytecode: string }
  const [from] = (await request('eth_accounts', [])) as string[]
  const hash = await request('eth_sendTransaction', [{ from, data: bytecode, gas: '0xe4e1c0' }])
  const { contractAddress } = (await request('eth_getTransactionReceipt', [hash])) as { contractAddress: string }
  return contractAddress
}

it('two registries are followed by one process, each found at its own path', async () => {
  const another = await deployAnother()
  const here = await openShop(market, { title: 'Here' })
  const there = await openShop(
    { ...market, chain: { ...market.chain, registry: parseAddress(another) ?? market.chain.registry } },
    { title: 'There' },
  )
  const chrove = createChrove({ home: join(market.folder, 'directory'), passphrase: PASSPHRASE })
  const directory = await chrove.serve(
    ...['directory', 'serve', '--port', '0', '--poll-ms', '50', '--rpc', market.chain.url],
    ...['--registry', market.chain.registry, '--also', another],
  )
  market.beforeClose(directory.stop)
  const { urls } = directory.answer as { urls: string[] }
  assert.equal(urls.length, 2)
  const found = urls.map((url) =>
    eventually('the vendor is found', async () => {
      const response = await fetch(`${url}?query={vendors{nodes{uri}}}`)
      const { data } = (await response.json()) as { data?: { vendors: { nodes: { uri: string }[] } } }
      return data?.vendors.nodes[0] && data.vendors.nodes.map(({ uri }) => uri)
    }),
  )
  assert.deepEqual(await Promise.all(found), [[here.uri], [there.uri]])
})
