/** What the directory says of vendors' endpoints: that those who are there are there, and others not. */
import { registryCall } from '../../chain/contracts.ts'
import type { Market } from '../world/market.ts'

const PROPERTY = 'a vendor that is there is verified'

interface Probe {
  readonly endpoint: { readonly text: string }
  readonly verified: boolean
  readonly code: string | null
  readonly triedAt: string
}

interface ProbedVendor {
  readonly vendorId: string
  readonly probes: readonly Probe[]
}

const readProbes = async ({ indexer }: Market): Promise<readonly ProbedVendor[] | undefined> => {
  const query = '{ vendors(first: 100) { nodes { vendorId probes { endpoint { text } verified code triedAt } } } }'
  const answer = (await indexer.ask(query)) as { vendors: { nodes: readonly ProbedVendor[] } } | undefined
  return answer?.vendors.nodes
}

/** Nobody answers for an endpoint that leads nowhere. */
const check = ({ world }: Market, vendors: readonly ProbedVendor[]): void => {
  for (const { vendorId, probes } of vendors) {
    for (const { endpoint, verified, code } of probes) {
      if (verified) world.reach('vendor verified by a probe')
      if (code?.startsWith('ERR_NETWORK')) world.reach('vendor not reached by a probe')
      if (code?.startsWith('ERR_PRICE')) world.reach('vendor distrusted by a probe')
      if (verified && endpoint.text === 'nobody.example') {
        world.breach('a probe is not made up', `vendor ${vendorId} is verified where nobody is`)
      }
    }
  }
}

export const checkProbesNow = async (market: Market): Promise<void> => {
  check(market, (await readProbes(market)) ?? [])
}

/** Every vendor says something new on chain, which is what makes the directory ask it soon. */
export const callAttention = async ({ world, vendors }: Market): Promise<void> => {
  for (const vendor of vendors) {
    const profile = JSON.stringify({ title: vendor.name, description: 'is there', serviceTypes: ['proxy'] })
    const call = registryCall(world.contracts.registry, 'setProfile', vendor.vendorId, profile)
    await vendor.send('a new profile', call)
  }
}

/** Some time after all faults have stopped and every vendor has changed something. */
export const checkProbesAtEnd = async (market: Market): Promise<void> => {
  const probed = await readProbes(market)
  if (!probed) return market.world.breach(PROPERTY, 'the directory does not answer')
  check(market, probed)
  for (const { vendorId, name } of market.vendors) {
    const probes = probed.find((each) => each.vendorId === `${vendorId}`)?.probes ?? []
    if (probes.some(({ verified }) => verified)) continue
    const codes = probes.map(({ code }) => code).join(', ')
    market.world.breach(PROPERTY, `${name} is up and registered, and the probes say: ${codes || 'nothing'}`)
  }
}
