/** The directory on real contracts: what it answers is what the contracts say, through reorgs, faults and restarts. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { createContractReader, paymentsCall, registryCall } from '../chain/contracts.ts'
import type { Call } from '../chain/rpc.ts'
import { type Hex, ZERO_ADDRESS } from '../chain/types.ts'
import { type Chain, ChainError } from '../effects/chain.ts'
import { type Clock, createClock } from '../effects/clock.ts'
import { sha256 } from '../effects/digest-node.ts'
import { noHeads } from '../effects/heads.ts'
import { silentLog } from '../effects/log.ts'
import { createRandom } from '../effects/random.ts'
import { createSqlStore } from '../effects/store-node.ts'
import { type DevelopmentChain, startDevelopmentChain } from '../test/development-chain.ts'
import { createIndexer, type Indexer } from './index.ts'
import { address, hash } from './testing.ts'

let chain: DevelopmentChain
let accounts: Hex[]
before(async () => {
  chain = await startDevelopmentChain()
  accounts = (await chain.request('eth_accounts', [])) as Hex[]
})
after(() => chain.close())

/** Sends calls, one block for all. */
const send = async (...calls: readonly (readonly [from: number, call: Call])[]): Promise<void> => {
  for (const [from, { to, data, valueWei = 0n }] of calls) {
    const value = `0x${valueWei.toString(16)}`
    await chain.request('eth_sendTransaction', [{ from: accounts[from], to, data, value, gas: '0x1e8480' }])
  }
  await chain.mine()
}

const register = (title: string): Call =>
  registryCall(chain.registry, 'register', {
    operator: ZERO_ADDRESS,
    payout: address(0xaa),
    signingKey: hash(1),
    encryptionKey: hash(2),
    endpoints: ['http://vendor.example', 'http://vendor.onion'],
    profile: JSON.stringify({ title, serviceTypes: ['proxy'], regions: ['eu'] }),
  })

const addPlan = (vendorId: bigint, price: bigint): Call =>
  registryCall(chain.registry, 'addPlan', vendorId, {
    token: ZERO_ADDRESS,
    price,
    periodSeconds: 3600,
    maxPeriods: 24,
    settlement: 'Streamed',
    title: `${price} wei`,
  })

const buy = (vendorId: bigint, planId: number, key: number, price: bigint): Call => ({
  ...paymentsCall(chain.payments, 'buy', vendorId, planId, hash(key), 2, accounts[5] as never),
  valueWei: price * 2n,
})

const temporaryFolder = async (t: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-indexer-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

interface Setting {
  readonly chain?: Chain
  readonly clock?: Clock
  readonly registry?: DevelopmentChain['registry']
}

const indexerOn = (
  folder: string,
  { chain: other = chain, clock = createClock(), registry = chain.registry }: Setting = {},
) =>
  createIndexer(
    {
      ...{ clock, random: createRandom(), chain: other, heads: noHeads, sql: createSqlStore(folder) },
      ...{ log: silentLog, sha256 },
    },
    { registry, fromBlock: 0, finalityBlocks: 4, confirmations: 0, pollMs: 10 },
  )

const catchUp = async (indexer: Indexer): Promise<void> => {
  while ((await indexer.step()).did !== 'wait');
}

const ask = async <Data>(indexer: Indexer, query: string): Promise<Data> => {
  const url = new URL('http://directory/graphql')
  url.searchParams.set('query', query)
  const { data, errors } = (await (await indexer.fetch(new Request(url))).json()) as { data: Data; errors?: unknown }
  assert.equal(errors, undefined)
  return data
}

/** Every vendor, plan and order, in the words of the contracts' views. */
const told = async (indexer: Indexer) => {
  interface Told {
    vendors: { nodes: { vendorId: string; endpoints: { text: string }[]; plans: { nodes: object[] } }[] }
    orders: { nodes: { planId: number; vendorId: string; keyHash: Hex; endsAt: string }[] }
  }
  return ask<Told>(
    indexer,
    `{
      vendors { nodes { vendorId owner operator payout active version planCount signingKey encryptionKey
        endpoints { text } profile { raw { text } }
        plans { nodes { token price periodSeconds maxPeriods settlement onSale title { text } } } } }
      orders(orderBy: { field: CHANGED }) { nodes { vendorId planId keyHash controller startedAt endsAt periods status } }
    }`,
  )
}

/** The same from the contracts. @param bought which orders there are */
const views = async (bought: readonly { vendorId: string; planId: number; keyHash: Hex }[]) => {
  const reader = createContractReader(chain)
  const somebody = (account: string) => (account === ZERO_ADDRESS ? null : account)
  const vendors = []
  const count = await reader.vendorCount(chain.registry)
  for (let id = 1n; id <= count; id++) {
    const { vendor, plans } = await reader.listing(chain.registry, id)
    vendors.push({
      vendorId: `${id}`,
      owner: vendor.owner,
      operator: somebody(vendor.operator),
      payout: vendor.payout,
      active: vendor.active,
      version: vendor.version,
      planCount: vendor.planCount,
      signingKey: vendor.signingKey,
      encryptionKey: vendor.encryptionKey,
      endpoints: vendor.endpoints.map(({ text }) => ({ text })),
      profile: { raw: { text: vendor.profile.text } },
      plans: {
        nodes: plans.map((plan) => ({
          token: somebody(plan.token),
          price: `${plan.price}`,
          periodSeconds: plan.periodSeconds,
          maxPeriods: plan.maxPeriods,
          settlement: plan.settlement.toUpperCase(),
          onSale: plan.onSale,
          title: { text: plan.title.text },
        })),
      },
    })
  }
  const { timestamp } = (await chain.request('eth_getBlockByNumber', ['latest', false])) as { timestamp: Hex }
  const orders = []
  for (const { vendorId, planId, keyHash } of bought) {
    const order = await reader.order(chain.payments, { vendorId: BigInt(vendorId), planId, keyHash })
    orders.push({
      vendorId,
      planId,
      keyHash,
      controller: somebody(order.controller),
      startedAt: `${order.startedAt}`,
      endsAt: `${order.endsAt}`,
      periods: `${order.periods}`,
      status: order.cancelled ? 'CANCELLED' : order.endsAt > Number(timestamp) ? 'RUNNING' : 'ENDED',
    })
  }
  return { vendors: { nodes: vendors }, orders: { nodes: orders } }
}

const agrees = async (indexer: Indexer, orders: number): Promise<void> => {
  await catchUp(indexer)
  const answer = await told(indexer)
  assert.equal(answer.orders.nodes.length, orders)
  assert.deepEqual(answer, await views(answer.orders.nodes))
  const { _meta } = await ask<{ _meta: object }>(
    indexer,
    '{ _meta { completeness { complete gapCount undecodableLogs } } }',
  )
  assert.deepEqual(_meta, { completeness: { complete: true, gapCount: 0, undecodableLogs: 0 } })
}

describe('directory', () => {
  it('says what the contracts say, after a reorg and after a restart too', async (t) => {
    const folder = await temporaryFolder(t)
    const indexer = indexerOn(folder)
    await agrees(indexer, 0)
    await send([0, register('first')], [1, register('second')])
    await send([0, addPlan(1n, 1000n)], [1, addPlan(2n, 5n)], [0, addPlan(1n, 7n)])
    await agrees(indexer, 0)

    const snapshot = await chain.request('evm_snapshot', [])
    await send([2, buy(1n, 1, 1, 1000n)], [2, buy(2n, 1, 1, 5n)])
    await send([0, registryCall(chain.registry, 'setPlanOnSale', 1n, 2, false)])
    await agrees(indexer, 2)
    const { orders } = await ask<{ orders: { nodes: { orderId: Hex }[] } }>(indexer, '{ orders { nodes { orderId } } }')
    const cancelled = orders.nodes.map(({ orderId }) => paymentsCall(chain.payments, 'cancel', orderId, address(9)))
    await send(...cancelled.map((call) => [5, call] as const))
    await agrees(indexer, 2)

    await chain.request('evm_revert', [snapshot])
    await send([0, registryCall(chain.registry, 'setActive', 1n, false)], [2, buy(2n, 1, 7, 5n)])
    for (let blocks = 0; blocks < 3; blocks++)
      await send([1, registryCall(chain.registry, 'setProfile', 2n, `{"title":"${blocks}"}`)])
    await agrees(indexer, 1)
    await indexer.close()

    await send([2, buy(2n, 1, 7, 5n)])
    const again = indexerOn(folder)
    await agrees(again, 1)
    await again.close()
  })

  it('tells a subscriber what a reorg undid and what came instead, and ends with the following', async (t) => {
    const stopping = new AbortController()
    const indexer = indexerOn(await temporaryFolder(t))
    await catchUp(indexer)
    const url = new URL('http://directory/graphql')
    url.searchParams.set('query', 'subscription { vendorChanged { retracted vendor { profile { title } } } }')
    const response = await indexer.fetch(new Request(url, { headers: { accept: 'text/event-stream' } }))
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    const hear = async (): Promise<{ retracted?: boolean } | string> => {
      for (;;) {
        const [, event = '', data = ''] = /event: (\w+)\n(?:id: .*\n)?data: ?(.*)\n\n/.exec(text) ?? []
        if (event !== '') {
          text = text.slice(text.indexOf(data) + data.length)
          if (event !== 'next') return event
          return (JSON.parse(data) as { data: { vendorChanged: { retracted: boolean } } }).data.vendorChanged
        }
        const { value } = (await reader?.read()) ?? {}
        assert.ok(value, 'the stream goes on')
        text += value
      }
    }
    const vendor = (title: string) => ({ profile: { title } })

    const snapshot = await chain.request('evm_snapshot', [])
    await send([0, register('fleeting')])
    await catchUp(indexer)
    assert.deepEqual(await hear(), { retracted: false, vendor: vendor('fleeting') })
    await chain.request('evm_revert', [snapshot])
    await send([0, register('lasting')])
    await catchUp(indexer)
    const retraction = await hear()
    assert.ok(typeof retraction === 'object' && retraction.retracted)
    assert.deepEqual(await hear(), { retracted: false, vendor: vendor('lasting') })
    stopping.abort()
    await indexer.run(stopping.signal)
    assert.equal(await hear(), 'complete')
    await indexer.close()
  })

  it('is complete though a node leaves a log out, while another node has it; else it says that it is not', async (t) => {
    await send([0, register('third')], [1, register('fourth')])
    const count = await createContractReader(chain).vendorCount(chain.registry)
    await send([0, registryCall(chain.registry, 'setActive', count - 1n, false)])
    await send([0, registryCall(chain.registry, 'setActive', count - 1n, true)])
    const isFirstChange = (log: { readonly topics: readonly string[]; readonly data: string }) =>
      BigInt(log.topics[1] ?? 0) === count - 1n && log.data.startsWith(`0x${'2'.padStart(64, '0')}`)
    const liar: Chain = {
      async request(method, params) {
        const answer = await chain.request(method, params)
        if (method !== 'eth_getLogs') return answer
        return (answer as Parameters<typeof isFirstChange>[0][]).filter((log) => !isFirstChange(log))
      },
    }
    const completeness = async (indexer: Indexer) => {
      const query = '{ _meta { completeness { complete gapCount } } }'
      return (await ask<{ _meta: { completeness: object } }>(indexer, query))._meta.completeness
    }

    const nodes = [liar, chain]
    const both = indexerOn(await temporaryFolder(t), { chain: { ...liar, nodes: () => nodes } })
    await catchUp(both)
    assert.deepEqual(await completeness(both), { complete: true, gapCount: 0 })
    const honest = indexerOn(await temporaryFolder(t))
    await catchUp(honest)
    assert.deepEqual(await told(both), await told(honest))

    const alone = indexerOn(await temporaryFolder(t), { chain: liar })
    await catchUp(alone)
    assert.deepEqual(await completeness(alone), { complete: false, gapCount: 1 })
    for (const indexer of [both, honest, alone]) await indexer.close()
  })

  it('is ready once it has caught up, and until the chain has been silent for a minute', async (t) => {
    let nowMs = Date.now()
    const indexer = indexerOn(await temporaryFolder(t), { clock: { ...createClock(), nowMs: () => nowMs } })
    const status = async (path: string) => (await indexer.fetch(new Request(`http://directory${path}`))).status
    assert.equal(await status('/ready'), 503)
    assert.equal(await status('/health'), 200)
    await catchUp(indexer)
    assert.equal(await status('/ready'), 200)
    nowMs += 60_000
    assert.equal(await status('/ready'), 503)
    await indexer.close()
  })

  it('answers from what it has while no chain can be reached, and says so when it has nothing', async (t) => {
    const folder = await temporaryFolder(t)
    const unreachable = { request: () => Promise.reject(new ChainError('ERR_CHAIN_UNREACHABLE', 'no chain')) }
    const empty = indexerOn(folder, { chain: unreachable })
    const response = await empty.fetch(new Request('http://directory/graphql?query={_meta{chainId}}'))
    assert.equal(response.status, 503)
    const { errors } = (await response.json()) as { errors: { extensions: object }[] }
    assert.deepEqual(errors[0]?.extensions, { code: 'ERR_NOT_READY', retryable: true })
    await empty.close()

    const full = indexerOn(folder)
    await catchUp(full)
    const expected = await told(full)
    await full.close()
    const cut = indexerOn(folder, { chain: unreachable })
    assert.deepEqual(await told(cut), expected)
    await cut.close()
  })

  it('goes on by itself through faults of the chain, until it is told to stop', async (t) => {
    let asked = 0
    const flaky: Chain = {
      request: (method, params) =>
        // Some steps ask more than three questions, so faults have to end some time.
        ++asked % 3 === 0 && asked < 30
          ? Promise.reject(new ChainError('ERR_CHAIN_UNREACHABLE', 'no chain for a moment'))
          : chain.request(method, params),
    }
    const stopping = new AbortController()
    const sleep = async () => {
      const response = await indexer.fetch(new Request('http://directory/ready'))
      if (response.status === 200) stopping.abort()
    }
    const indexer = indexerOn(await temporaryFolder(t), { chain: flaky, clock: { nowMs: () => Date.now(), sleep } })
    await indexer.run(stopping.signal)
    assert.ok(asked > 30)
    await indexer.close()
  })

  it('refuses an address where no registry is', async (t) => {
    const indexer = indexerOn(await temporaryFolder(t), { registry: address(0xdead) })
    await assert.rejects(indexer.run(new AbortController().signal), { code: 'ERR_INDEXER_NO_REGISTRY' })
    await indexer.close()
  })
})
