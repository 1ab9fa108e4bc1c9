/** Reorgs of anvil, a node that we did not write, as a directory's subscribers hear of them. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { paymentsCall, registryCall } from '../chain/contracts.ts'
import type { Call } from '../chain/rpc.ts'
import { type Address, type Hex, ZERO_ADDRESS } from '../chain/types.ts'
import { createChrove } from '../scripts/chrove.ts'
import { openAnvilMarket, type AnvilMarket } from './anvil-market.ts'
import { compareWithContracts } from './contract-rows.ts'
import { ask, subscribe, type Kind, type Subscriber, type Told } from './directory-client.ts'
import { eventually } from './eventually.ts'

/** Of no chain that anybody has: journals are kept by chain, and those of other chains are not touched. */
const CHAIN_ID = 931_341
const PRICE_WEI = 1000n
const key = (n: number): Hex => `0x${n.toString(16).padStart(64, '0')}`

const closers: (() => Promise<unknown>)[] = []
let market: AnvilMarket
let owner: Address
let url: string

const profile = (title: string): Call => registryCall(market.registry, 'setProfile', 1n, JSON.stringify({ title }))
const purchase = (keyHash: Hex): Call => ({
  ...paymentsCall(market.payments, 'buy', 1n, 1, keyHash, 1, owner),
  valueWei: PRICE_WEI,
})
/** Each in a block of its own. */
const write = async (...calls: readonly Call[]): Promise<void> => {
  for (const call of calls) {
    assert.ok((await market.mined(await market.send(owner, call))).succeeded)
  }
}

before(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-reorg-'))
  closers.push(() => rm(folder, { recursive: true, force: true }))
  market = await openAnvilMarket({ chainId: CHAIN_ID })
  closers.push(() => market.anvil.close())
  owner = market.accounts[0] as Address
  const { registry } = market
  const keys = { signingKey: key(1), encryptionKey: key(2) }
  await write(
    registryCall(registry, 'register', { ...keys, operator: ZERO_ADDRESS, payout: owner, endpoints: [], profile: '' }),
    registryCall(registry, 'addPlan', 1n, {
      ...{ token: ZERO_ADDRESS, price: PRICE_WEI, periodSeconds: 3600, maxPeriods: 9 },
      ...{ settlement: 'Streamed', title: 'Hour' },
    }),
  )
  const chrove = createChrove({ home: join(folder, 'directory'), passphrase: 'test' })
  // No chain here is so long: nothing of it is final.
  const following = ['--poll-ms', '20', '--finality-blocks', '1000', '--rpc', market.anvil.url, '--registry', registry]
  const directory = await chrove.serve('directory', 'serve', '--port', '0', ...following)
  closers.push(() => directory.stop())
  url = String(directory.answer.url)
})

after(async () => {
  for (const close of closers.toReversed()) await close()
})

/** Waits until the directory stands where the chain does. */
const untilRead = async () => {
  const block = await market.rpc.block('latest')
  assert.ok(block)
  const { _meta } = await eventually('the directory has read the newest block', async () => {
    const query = '{ _meta { resumeId block { hash } } }'
    const answer = await ask<{ _meta: { resumeId: string; block: { hash: string } } }>(url, query).catch(() => {})
    return answer?._meta.block.hash === block.hash ? answer : undefined
  })
  return { block, resumeId: _meta.resumeId }
}

const follow = async (kind: Kind, lastId: string): Promise<Subscriber> => {
  const subscriber = await subscribe(url, kind, lastId)
  closers.push(() => subscriber.close())
  return subscriber
}

const hear = async (subscriber: Subscriber): Promise<Told> => {
  const told = await subscriber.next()
  assert.ok(told)
  return told
}

/** Both replace the newest two blocks, which `undone` are written in, by those that `instead` is written in. */
const reorgs: readonly {
  readonly method: string
  readonly act: (undone: () => Promise<void>) => Promise<(instead: readonly Call[]) => Promise<unknown>>
}[] = [
  {
    method: 'anvil_reorg',
    async act(undone) {
      await undone()
      return (instead) => {
        const transactions = instead.map((call, place) => [market.transaction(owner, call), place])
        return market.anvil.request('anvil_reorg', [instead.length, transactions])
      }
    },
  },
  {
    method: 'evm_revert',
    async act(undone) {
      const snapshot = await market.anvil.request('evm_snapshot')
      await undone()
      return async (instead) => {
        assert.equal(await market.anvil.request('evm_revert', [snapshot]), true)
        await write(...instead)
      }
    },
  },
]

/** What is told of an event whenever it is told: the row of a retraction is as it is now. */
const lasting = ({ id, retracted, evidence }: Told) => ({ id, retracted, evidence })

describe('a subscriber of a directory', () => {
  for (const [index, { method, act }] of reorgs.entries()) {
    it(`hears what ${method} undoes, its retraction and what is there instead, and so does one who was away`, async () => {
      const [lost, kept] = [key(10 + index), key(20 + index)]
      const { resumeId } = await untilRead()
      const vendors = await follow('vendorChanged', resumeId)
      const payments = await follow('orderPaid', resumeId)
      const reorg = await act(() => write(profile('undone'), purchase(lost)))
      const changed = await hear(vendors)
      assert.deepEqual([changed.retracted, changed.vendor?.profile.title], [false, 'undone'])
      const paid = await hear(payments)
      assert.deepEqual([paid.retracted, paid.order?.keyHash], [false, lost])

      await reorg([profile('instead'), purchase(kept)])
      const changes = [await hear(vendors), await hear(vendors)]
      assert.deepEqual(
        changes.map(({ retracted }) => retracted),
        [true, false],
      )
      assert.deepEqual(changes[0]?.evidence, changed.evidence)
      assert.equal(changes[1]?.vendor?.profile.title, 'instead')
      const payings = [await hear(payments), await hear(payments)]
      assert.deepEqual(
        payings.map(({ retracted, order }) => [retracted, order?.keyHash]),
        [
          [true, undefined],
          [false, kept],
        ],
      )
      assert.deepEqual(payings[0]?.evidence, paid.evidence)

      for (const [kind, last, heard] of [
        ['vendorChanged', changed, changes],
        ['orderPaid', paid, payings],
      ] as const) {
        const returned = await follow(kind, last.id)
        assert.deepEqual([lasting(await hear(returned)), lasting(await hear(returned))], heard.map(lasting))
      }
      const { block } = await untilRead()
      assert.equal(await compareWithContracts(url, market, block), undefined)
    })
  }
})
