import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { Transaction, Wallet } from 'ethers'
import fc from 'fast-check'
import { openSimChain } from './chain.ts'
import { openEdr, type Edr } from './edr.ts'
import { calm, createFaults, only, type FaultRates } from './faults.ts'
import { createLife } from './life.ts'
import { createLoop, SIM_EPOCH_MS } from './loop.ts'
import { createSimRandom } from './random.ts'
import { createTrace } from './trace.ts'

let edr: Edr
before(async () => {
  edr = await openEdr()
})

/** A contract that answers with its block's time: `timestamp(); mstore(0); return(0, 32)`. */
const TELLS_TIME = '0x4260005260206000f3'
/** A contract that logs nothing but its being called: `log0(0, 0)`. */
const LOGS = '0x60006000a000'
const FRESH = `0x${'ab'.repeat(20)}`
const FINALITY = 8

const createWorld = async (rates: FaultRates = calm) => {
  const loop = createLoop()
  const trace = createTrace(loop)
  const faults = createFaults(rates)
  const parts = { loop, trace, faults, random: createSimRandom(5), finalityDepth: FINALITY }
  const chain = await openSimChain(edr, parts)
  const run = <T>(promise: Promise<T>) => loop.runUntil(promise, 600_000)
  const ask = (method: string, ...params: unknown[]) => run(chain.node.request(method, params))
  return {
    loop,
    trace,
    faults,
    chain,
    run,
    ask,
    balance: async (at = 'latest') => Number(await ask('eth_getBalance', FRESH, at)),
    later: (seconds: number) => loop.run({ timeMs: loop.nowMs() + seconds * 1000 }),
    mine: async (count = 1) => {
      for (let at = 0; at < count; at++) await run(chain.mine())
    },
    send: (account: number, nonce: number, value: number, to = FRESH) =>
      ask('eth_sendRawTransaction', transfer(account, nonce, value, to)) as Promise<string>,
  }
}

const transfer = (account: number, nonce: number, value: number, to: string): string => {
  const key = new Wallet(edr.accounts[account]?.privateKey ?? '').signingKey
  const fees = { maxFeePerGas: 10 ** 10, maxPriorityFeePerGas: 1, gasLimit: 50_000 }
  const transaction = Transaction.from({ to, value, nonce, ...fees, chainId: edr.chainId, type: 2 })
  transaction.signature = key.sign(transaction.unsignedHash)
  return transaction.serialized
}

describe('the simulated chain', () => {
  it('makes blocks at virtual times, of all waiting transactions', async () => {
    const { chain, run, balance, later, send } = await createWorld()
    await send(0, 0, 5)
    await send(1, 0, 6)
    assert.equal(await balance(), 0)
    await later(1000)
    const block = await run(chain.mine())
    assert.equal(block.timestampSeconds, SIM_EPOCH_MS / 1000 + 1000)
    assert.equal(block.transactions.length, 2)
    assert.equal(await balance(), 11)
  })

  it('makes blocks by itself until stopped', async () => {
    const { chain, loop, later } = await createWorld()
    const first = chain.head().number
    const stop = chain.produce(12_000)
    await later(120)
    stop()
    await loop.run('idle')
    assert.equal(chain.head().number, first + 10)
  })

  it('starts each world from the same state', async () => {
    const first = await createWorld()
    await first.send(0, 0, 5)
    await first.mine()
    const second = await createWorld()
    assert.equal(await second.balance(), 0)
    assert.equal(second.chain.head().hash, (await createWorld()).chain.head().hash)
  })

  it('tells contracts virtual time, on the pending block too', async () => {
    const { chain, ask, later } = await createWorld()
    await edr.request('hardhat_setCode', [FRESH, TELLS_TIME])
    for (const seconds of [7, 100_000]) {
      await later(seconds)
      const expected = SIM_EPOCH_MS / 1000 + (seconds === 7 ? 7 : 100_007)
      assert.equal(Number(await ask('eth_call', { to: FRESH }, 'pending')), expected)
    }
    assert.equal(Number(await ask('eth_call', { to: FRESH })), chain.head().timestampSeconds)
  })

  it('finalizes a block once enough follow it', async () => {
    const { chain, ask, mine } = await createWorld()
    const number = async (tag: string) =>
      Number(((await ask('eth_getBlockByNumber', tag, false)) as { number: string }).number)
    const base = chain.head().number
    await mine(FINALITY)
    assert.deepEqual([await number('finalized'), await number('latest')], [base, base + FINALITY])
    await mine(2)
    assert.deepEqual([await number('finalized'), await number('safe')], [base + 2, base + 2])
  })

  it('passes on why a node refuses', async () => {
    const { ask, send, mine } = await createWorld()
    const refused = { code: 'ERR_CHAIN_REFUSED', retryable: false }
    await send(0, 0, 5)
    await mine()
    await assert.rejects(send(0, 0, 5), { ...refused, rpcMessage: /nonce/i })
    await edr.request('hardhat_setCode', [FRESH, '0x63deadbeef60005260046 01cfd'.replace(' ', '')])
    await assert.rejects(ask('eth_call', { to: FRESH }, 'latest'), { ...refused, data: '0xdeadbeef' })
  })
})

describe('a reorg', () => {
  it('puts other blocks in the place of the newest, with the state they lead to', async () => {
    const { chain, run, ask, balance, mine, send } = await createWorld()
    await mine()
    const old = chain.head()
    await send(0, 0, 5)
    await mine()
    const replaced = chain.head()
    await run(chain.reorg({ depth: 1, choose: () => [] }))
    assert.equal(chain.head().number, replaced.number + 1)
    assert.equal(await balance(), 0)
    const at = (number: number) => ask('eth_getBlockByNumber', `0x${number.toString(16)}`, false)
    const [parent, block] = [await at(old.number), await at(replaced.number)]
    assert.equal((parent as { hash: string }).hash, old.hash)
    assert.notEqual((block as { hash: string }).hash, replaced.hash)
    assert.equal(await ask('eth_getBlockByHash', replaced.hash, false), null)
    await assert.rejects(ask('eth_getLogs', { blockHash: replaced.hash }), { code: 'ERR_CHAIN_REFUSED' })
  })

  it('makes another branch of empty blocks too, at the same height if it is told so', async () => {
    const { chain, run, mine } = await createWorld()
    await mine()
    const hashes = new Set([chain.head().hash])
    for (let at = 0; at < 3; at++) {
      await run(chain.reorg({ depth: 1, length: 1 }))
      hashes.add(chain.head().hash)
    }
    assert.equal(hashes.size, 4)
  })

  it('can change the order of transactions and delay them; those it drops can come back', async () => {
    const { chain, run, balance, mine, send } = await createWorld()
    const [a, b, c] = [await send(0, 0, 1), await send(1, 0, 10), await send(2, 0, 100)]
    await mine()
    const waiting = await send(3, 0, 1000)
    await run(chain.reorg({ depth: 1, length: 3, emptyBlocks: 2, choose: () => [c, a] }))
    assert.deepEqual(chain.head().transactions, [c, a])
    assert.equal(await balance(), 101)
    await mine()
    assert.deepEqual(chain.head().transactions, [waiting])
    await run(chain.restoreDropped())
    await mine()
    assert.deepEqual(chain.head().transactions, [b])
    assert.equal(await balance(), 1111)
  })

  it('leaves finalized blocks alone', async () => {
    const { chain, run, mine } = await createWorld()
    await mine(FINALITY + 3)
    await assert.rejects(run(chain.reorg({ depth: FINALITY + 1 })), { code: 'ERR_SIM_REORG' })
    await run(chain.reorg({ depth: FINALITY }))
  })

  it('never breaks the chain, undoes what is final, or lets a transaction count twice, whatever else happens', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('send' as const), account: fc.nat(3), value: fc.integer({ min: 1, max: 1000 }) }),
      fc.record({ kind: fc.constant('mine' as const) }),
      fc.record({ kind: fc.constant('restore' as const) }),
      fc.record({
        kind: fc.constant('reorg' as const),
        depth: fc.integer({ min: 1, max: FINALITY }),
        length: fc.integer({ min: 1, max: FINALITY + 2 }),
        emptyBlocks: fc.nat(4),
        seed: fc.nat(),
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const { chain, run, ask, balance, mine } = await createWorld()
        const values = new Map<string, number>()
        const final = new Map<number, string>()
        for (const one of steps) {
          if (one.kind === 'send') {
            const from = edr.accounts[one.account]?.address
            const nonce = Number(await ask('eth_getTransactionCount', from, 'pending'))
            values.set(
              (await ask('eth_sendRawTransaction', transfer(one.account, nonce, one.value, FRESH))) as string,
              one.value,
            )
          } else if (one.kind === 'mine') await mine()
          else if (one.kind === 'restore') await run(chain.restoreDropped())
          else if (chain.head().number - one.depth >= chain.finalized()) {
            const random = createSimRandom(one.seed)
            const choose = (list: readonly string[]) => random.shuffle(list).filter(() => random.chance(0.7))
            await run(chain.reorg({ ...one, choose }))
          }
          const seen: string[] = []
          let block = chain.head() as {
            number: number | string
            hash: string
            parentHash: string
            transactions: readonly string[]
          }
          for (;;) {
            const number = Number(block.number)
            seen.push(...block.transactions)
            if (number <= chain.finalized()) assert.equal(final.get(number) ?? block.hash, block.hash)
            if (number <= chain.finalized()) final.set(number, block.hash)
            if (number === 0) break
            const { parentHash } = block
            block = (await ask('eth_getBlockByNumber', `0x${(number - 1).toString(16)}`, false)) as typeof block
            assert.equal(block.hash, parentHash)
          }
          assert.equal(new Set(seen).size, seen.length)
          assert.equal(
            await balance(),
            seen.reduce((sum, hash) => sum + (values.get(hash) ?? 0), 0),
          )
        }
      }),
      { numRuns: 15 },
    )
  })
})

describe("a program's node", () => {
  const world = async (rates: Partial<FaultRates>) => {
    const made = await createWorld(only(rates))
    const life = createLife()
    const door = made.chain.door('indexer', life)
    return { ...made, life, ask: (method: string, ...params: unknown[]) => made.run(door.request(method, params)) }
  }

  it('answers as the chain is, after a while', async () => {
    const { chain, loop, ask, mine } = await world({})
    await mine(3)
    assert.equal(Number(await ask('eth_blockNumber')), chain.head().number)
    assert.ok(loop.nowMs() > SIM_EPOCH_MS)
  })

  it('may lose questions or answers: the program waits in vain, the transaction may be there', async () => {
    const outcomes = new Set<number>()
    for (let at = 0; at < 20 && outcomes.size < 2; at++) {
      const { ask, loop, chain, mine, trace } = await world({ 'rpc-loss': 1 })
      for (let skipped = 0; skipped < at; skipped++)
        await assert.rejects(ask('eth_chainId'), { code: 'ERR_CHAIN_TIMEOUT' })
      const startMs = loop.nowMs()
      const raw = transfer(0, 0, 5, FRESH)
      await assert.rejects(ask('eth_sendRawTransaction', raw), { code: 'ERR_CHAIN_TIMEOUT', retryable: true })
      assert.equal(loop.nowMs(), startMs + 10_000)
      await mine()
      outcomes.add(chain.head().transactions.length)
      assert.ok(trace.count() > 0)
    }
    assert.deepEqual(new Set(outcomes), new Set([0, 1]))
  })

  it('may answer that it is asked too often', async () => {
    const { ask } = await world({ 'rpc-rate-limit': 1 })
    await assert.rejects(ask('eth_chainId'), { code: 'ERR_CHAIN_RATE_LIMITED', retryable: true })
  })

  it('may lag behind, in all it says', async () => {
    const { chain, ask, mine, send, faults } = await world({ 'rpc-stale': 1 })
    await edr.request('hardhat_setCode', [FRESH, LOGS])
    await mine(2)
    const hash = await send(0, 0, 5)
    await mine()
    const head = chain.head()
    assert.ok(Number(await ask('eth_blockNumber')) < head.number)
    const tag = `0x${head.number.toString(16)}`
    const all = { fromBlock: '0x0', toBlock: tag }
    assert.equal(await ask('eth_getBlockByNumber', tag, false), null)
    assert.equal(await ask('eth_getBlockByHash', head.hash, false), null)
    assert.equal(await ask('eth_getTransactionReceipt', hash), null)
    assert.equal(Number(await ask('eth_getBalance', FRESH, 'latest')), 0)
    assert.equal(Number(await ask('eth_getBalance', FRESH)), 0)
    assert.deepEqual(await ask('eth_getLogs', all), [])
    await assert.rejects(ask('eth_getLogs', { blockHash: head.hash }), { code: 'ERR_CHAIN_REFUSED' })
    faults.heal()
    assert.equal(Number(await ask('eth_blockNumber')), head.number)
    assert.equal(((await ask('eth_getLogs', all)) as unknown[]).length, 1)
    assert.equal(((await ask('eth_getLogs', { blockHash: head.hash })) as unknown[]).length, 1)
    assert.equal(Number(await ask('eth_getBalance', FRESH)), 5)
  })

  it('gives up waiting when the signal aborts, and says nothing to the dead', async () => {
    const { chain, loop, life, run } = await world({})
    const door = chain.door('buyer', life)
    const abort = new AbortController()
    loop.schedule(0, () => abort.abort(new Error('enough')))
    await assert.rejects(run(door.request('eth_chainId', [], abort.signal)), /enough/)
    const outcomes: string[] = []
    void door.request('eth_chainId', []).finally(() => outcomes.push('answer'))
    life.end()
    void door.request('eth_chainId', []).finally(() => outcomes.push('answer'))
    await loop.run('idle')
    assert.deepEqual(outcomes, [])
  })
})

describe('what a program is told of new blocks', () => {
  const listening = async (rates: Partial<FaultRates>) => {
    const made = await createWorld(only(rates))
    const life = createLife()
    const stop = new AbortController()
    let told = 0
    made.chain.heads('indexer', life).listen(() => told++, stop.signal)
    return { ...made, life, stop, told: () => told }
  }

  it('is each of them once, after a while, also on another branch', async () => {
    const { mine, later, told, run, chain } = await listening({})
    await mine()
    assert.equal(told(), 0)
    await later(1)
    assert.equal(told(), 1)
    await run(chain.reorg({ depth: 1, length: 2 }))
    await later(1)
    assert.equal(told(), 3)
  })

  it('may be nothing, or more than there is', async () => {
    const deaf = await listening({ 'rpc-loss': 1 })
    await deaf.mine(5)
    await deaf.later(60)
    assert.equal(deaf.told(), 0)
    const misled = await listening({ 'rpc-stale': 1 })
    await misled.mine(5)
    await misled.later(60)
    assert.ok(misled.told() >= 10)
  })

  it('is nothing for the dead, nor for who does not listen any more', async () => {
    for (const end of ['life', 'stop'] as const) {
      const { mine, later, told, life, stop } = await listening({})
      await mine()
      if (end === 'life') life.end()
      else stop.abort()
      await mine()
      await later(60)
      assert.equal(told(), 0)
    }
  })
})
