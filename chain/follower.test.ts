import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Chain, ChainError } from '../effects/chain.ts'
import { noHeads } from '../effects/heads.ts'
import { silentLog } from '../effects/log.ts'
import { vendorRegistryAbi } from '../protocol/abi/vendor-registry.ts'
import { createModelChain, type ModelChain, type ModelLog } from '../sim/model-chain.ts'
import { encodeValues, entryOf, signatureHashOf } from './abi-encode.ts'
import { FollowError } from './errors.ts'
import { createFollower, type FollowSettings } from './follower.ts'
import { LOGS_MAX, LOGS_PER_BATCH, READINGS_MAX } from './limits.ts'
import type { Batch, Projection } from './projection.ts'
import { type Address, type Block, type BlockRef, parseAddress } from './types.ts'

const registry = parseAddress(`0x${'aa'.repeat(20)}`) as Address
const payments = parseAddress(`0x${'bb'.repeat(20)}`) as Address
const chainId = 31337n
const activeChanged = entryOf(vendorRegistryAbi, 'event', 'ActiveChanged')
const unreachable = () => new ChainError('ERR_CHAIN_UNREACHABLE', 'test')

const eventLog = (version: number): ModelLog => ({
  address: registry,
  topics: [signatureHashOf(activeChanged), encodeValues([{ name: 'vendorId', type: 'uint64' }], [7n])],
  data: encodeValues(
    [
      { name: 'version', type: 'uint32' },
      { name: 'active', type: 'bool' },
    ],
    [version, true],
  ),
})
const strangeLog: ModelLog = { address: payments, topics: [], data: '0x' }
const foreignLog: ModelLog = { address: parseAddress(`0x${'cc'.repeat(20)}`) as Address, topics: [], data: '0x' }

/** A projection that keeps everything, and holds what it is given to the contract of `Projection`. */
const createLedger = () => {
  let blocks: Block[] = []
  let finalized: BlockRef | undefined
  let written: { readonly at: BlockRef; readonly what: string }[] = []
  let crash: 'before' | 'after' | undefined
  const crashing = (when: 'before' | 'after') => {
    if (crash !== when) return
    crash = undefined
    throw new Error('killed')
  }
  const projection: Projection = {
    recorded: async () => finalized && { finalized, blocks: blocks.toReversed() },
    async apply(batch) {
      crashing('before')
      checkBatch(batch)
      blocks.push(...batch.blocks)
      finalized = batch.finalized
      const events = batch.events.map((event) => {
        return {
          evidence: event.evidence,
          what: event.type === 'ActiveChanged' ? `version ${event.version}` : event.type,
        }
      })
      const strange = batch.undecodable.map(({ log }) => ({ evidence: log.evidence, what: 'undecodable' }))
      const rows = [...events, ...strange].toSorted(
        (a, b) => a.evidence.blockNumber - b.evidence.blockNumber || a.evidence.logIndex - b.evidence.logIndex,
      )
      written.push(
        ...rows.map(({ evidence, what }) => ({ at: { number: evidence.blockNumber, hash: evidence.blockHash }, what })),
      )
      crashing('after')
    },
    async rollBack(to) {
      crashing('before')
      assert.ok(finalized && to.number >= finalized.number, 'what is final is not undone')
      assert.ok(blocks.some(({ hash }) => hash === to.hash))
      blocks = blocks.filter(({ number }) => number <= to.number)
      written = written.filter(({ at }) => at.number <= to.number)
      crashing('after')
    },
  }
  const checkBatch = (batch: Batch) => {
    const all = [...blocks, ...batch.blocks]
    assert.equal(all[0]?.number, 0, 'block 0 is recorded first')
    for (const [i, block] of all.entries()) {
      const below = all[i - 1]
      if (!below) continue
      assert.ok(block.number > below.number)
      if (block.number === below.number + 1) assert.equal(block.parentHash, below.hash)
      else assert.ok(block.number <= batch.finalized.number || below.number === 0, 'no header above final is left out')
    }
    assert.ok(all.some(({ hash }) => hash === batch.finalized.hash))
    assert.ok(!finalized || batch.finalized.number >= finalized.number, 'final stays final')
    for (const { evidence } of batch.events) assert.ok(evidence.blockNumber > (blocks.at(-1)?.number ?? -1))
  }
  return {
    projection,
    rows: () => written,
    head: () => blocks.at(-1),
    /** The next write is cut off by a kill, with nothing of it done or all of it. */
    crashNext: (when: 'before' | 'after' | undefined) => {
      crash = when
    },
  }
}

/** The rows that a chain which never changed would leave. */
const fold = (chain: ModelChain, from = 0, to = Infinity) =>
  chain
    .blocks()
    .filter(({ number }) => number >= from && number <= to)
    .flatMap(({ number, hash, logs }) =>
      logs
        .filter(({ address }) => address !== foreignLog.address)
        .map((log) => ({
          at: { number, hash },
          what: log.address === payments ? 'undecodable' : `version ${Number(log.data.slice(0, 66))}`,
        })),
    )

const effectsOf = (chain: Chain) => ({
  chain,
  heads: noHeads,
  log: silentLog,
  clock: { nowMs: () => 0, sleep: async () => {} },
  random: { bytes: (length: number) => new Uint8Array(length) },
})

const settingsOf = (settings: Partial<FollowSettings> = {}): FollowSettings => ({
  chainId,
  contracts: { registry, payments },
  fromBlock: 0,
  finalityBlocks: 0,
  confirmations: 0,
  pollMs: 1000,
  ...settings,
})

const modelOf = (settings: Partial<Parameters<typeof createModelChain>[0]> = {}) =>
  createModelChain({ chainId, finalityBlocks: 12, tellsFinalized: true, rangeBlocksMax: 5, ...settings })

/** Steps until there is nothing more to do. */
const settle = async (follower: ReturnType<typeof createFollower>) => {
  for (let steps = 0; steps < 2000; steps++) {
    const step = await follower.step().catch((error: unknown) => {
      if (error instanceof ChainError) return undefined
      throw error
    })
    if (step?.did === 'wait') return
  }
  assert.fail('it does not come to rest')
}

const logArbitrary: fc.Arbitrary<ModelLog> = fc.oneof(
  { weight: 6, arbitrary: fc.nat({ max: 0xffffffff }).map(eventLog) },
  { weight: 1, arbitrary: fc.constantFrom(strangeLog, foreignLog) },
)
const logsArbitrary = fc.array(logArbitrary, { maxLength: 3 })

type Act = (chain: ModelChain) => void
const change: fc.Arbitrary<Act> = fc.oneof(
  fc.array(logsArbitrary, { minLength: 1, maxLength: 30 }).map(
    (blocks): Act =>
      (chain) =>
        blocks.forEach(chain.append),
  ),
  fc.tuple(fc.integer({ min: 1, max: 12 }), fc.array(logsArbitrary, { minLength: 1, maxLength: 14 })).map(
    ([depth, blocks]): Act =>
      (chain) =>
        chain.reorg(depth, blocks),
  ),
  fc.integer({ min: 1, max: 20 }).map(
    (blocks): Act =>
      (chain) =>
        chain.lag(blocks),
  ),
  fc.constantFrom('ERR_CHAIN_UNREACHABLE', 'ERR_CHAIN_REFUSED', 'ERR_CHAIN_MALFORMED').map(
    (code): Act =>
      (chain) =>
        chain.fail(new ChainError(code, 'test')),
  ),
)
type Command =
  | { readonly do: 'change'; readonly act: Act; readonly afterQuestions: number }
  | { readonly do: 'step' | 'restart' | 'crash-before' | 'crash-after' }
const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('change' as const), act: change, afterQuestions: fc.nat({ max: 8 }) }),
    fc.record({
      do: fc.constantFrom(
        'step' as const,
        'step' as const,
        'restart' as const,
        'crash-before' as const,
        'crash-after' as const,
      ),
    }),
  ),
  { minLength: 10, maxLength: 120, size: 'max' },
)

describe('a projection that follows a chain', () => {
  it('equals the fold of the canonical chain after any reorgs, faults, kills and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(
        commands,
        fc.boolean(),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 0, max: 20 }),
        async (list, tellsFinalized, confirmations, fromBlock) => {
          const chain = modelOf({ tellsFinalized })
          const ledger = createLedger()
          const settings = settingsOf({ finalityBlocks: 12, confirmations, fromBlock })
          const create = () => createFollower(effectsOf(chain), settings, ledger.projection)
          let follower = create()
          for (const command of list) {
            if (command.do === 'change') chain.later(command.afterQuestions, () => command.act(chain))
            else if (command.do === 'restart') follower = create()
            else if (command.do === 'step') {
              await follower.step().catch((error: unknown) => {
                if (error instanceof ChainError) return
                assert.equal((error as Error).message, 'killed', error as Error)
                follower = create()
              })
            } else ledger.crashNext(command.do === 'crash-before' ? 'before' : 'after')
          }
          chain.heal()
          ledger.crashNext(undefined)
          // A chain that only lost blocks looks like a node that lags, until it has grown past what it was.
          while (chain.blocks().length <= Math.max(fromBlock, ledger.head()?.number ?? 0) + 1) chain.append([])
          for (let i = 0; i < confirmations; i++) chain.append([eventLog(i)])
          await settle(create())
          assert.deepEqual(ledger.rows(), fold(chain, fromBlock, chain.blocks().length - 1 - confirmations))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('survives a reorg between any two questions of a step, even if the new blocks are final at the next', async () => {
    const cases = Array.from({ length: 12 }, (_, questions) => questions).flatMap((questions) =>
      [1, 2, 3, 6].flatMap((depth) =>
        [0, 40].flatMap((more) => [1, 3].map((fresh) => ({ questions, depth, more, fresh }))),
      ),
    )
    for (const { questions, depth, more, fresh } of cases) {
      const chain = modelOf()
      for (let i = 0; i < 8; i++) chain.append([eventLog(i)])
      const ledger = createLedger()
      const follower = createFollower(effectsOf(chain), settingsOf(), ledger.projection)
      await settle(follower)
      for (let i = 0; i < fresh; i++) chain.append([eventLog(10 + i)])
      const branch = Array.from({ length: depth + 1 + more }, (_, i) => [eventLog(100 + i)])
      chain.later(questions, () => chain.reorg(depth, branch))
      await follower.step().catch((error: unknown) => assert.ok(error instanceof ChainError, String(error)))
      chain.heal()
      await settle(follower)
      assert.deepEqual(ledger.rows(), fold(chain), JSON.stringify({ questions, depth, more, fresh }))
    }
  })

  it('calls final only what the node calls final and what is deep enough', async () => {
    for (const [told, deep] of [
      [12, 3],
      [3, 12],
    ] as const) {
      const chain = modelOf({ finalityBlocks: told })
      for (let i = 0; i < 40; i++) chain.append([])
      const ledger = createLedger()
      await settle(createFollower(effectsOf(chain), settingsOf({ finalityBlocks: deep }), ledger.projection))
      assert.equal((await ledger.projection.recorded())?.finalized.number, 40 - 12)
    }
  })

  it('takes it for a fault when a node that told what is final refuses to', async () => {
    const chain = modelOf()
    const follower = createFollower(effectsOf(chain), settingsOf(), createLedger().projection)
    await follower.step()
    chain.append([])
    chain.fail(new ChainError('ERR_CHAIN_REFUSED', 'test'))
    await assert.rejects(follower.step(), { code: 'ERR_CHAIN_REFUSED' })
  })

  it('tells each step what it did', async () => {
    const chain = modelOf()
    const follower = createFollower(effectsOf(chain), settingsOf(), createLedger().projection)
    chain.append([eventLog(1), eventLog(2)])
    const tell = (number: number) => ({ number, hash: chain.blocks()[number]?.hash })
    const header = (number: number) => {
      const { logs: _, ...block } = chain.blocks()[number] ?? assert.fail()
      return block
    }
    assert.deepEqual(await follower.step(), { did: 'advance', checkpoint: header(0), events: 0, caughtUp: false })
    assert.deepEqual(await follower.step(), { did: 'advance', checkpoint: header(1), events: 2, caughtUp: true })
    assert.deepEqual(await follower.step(), { did: 'wait' })
    chain.reorg(1, [[eventLog(3)], []])
    const rolledBack = await follower.step()
    assert.ok(rolledBack.did === 'roll-back')
    assert.deepEqual({ number: rolledBack.to.number, hash: rolledBack.to.hash }, tell(0))
    assert.deepEqual(await follower.step(), { did: 'advance', checkpoint: header(2), events: 1, caughtUp: true })
  })

  it('asks for half the range after an error, remembers the limit, and tries longer ones again later', async () => {
    const asked: number[] = []
    const chain = modelOf({ rangeBlocksMax: 300, finalityBlocks: 0 })
    for (let i = 0; i < 40_000; i++) chain.append([])
    const watched: Chain = {
      async request(method, params) {
        if (method === 'eth_getLogs') {
          const { fromBlock, toBlock } = params[0] as { fromBlock: string; toBlock: string }
          asked.push(Number(toBlock) - Number(fromBlock) + 1)
        }
        return chain.request(method, params)
      },
    }
    await settle(createFollower(effectsOf(watched), settingsOf(), createLedger().projection))
    assert.deepEqual(asked.slice(0, 4), [100, 200, 400, 200])
    assert.deepEqual(
      asked.slice(4, 66),
      Array.from({ length: 62 }, () => 200),
    )
    assert.deepEqual(asked.slice(66, 69), [200, 400, 200])
  })

  it('asks for ranges of as many blocks as make a batch, however dense they are', async () => {
    const found: number[] = []
    const chain = modelOf({ rangeBlocksMax: Infinity, finalityBlocks: 0 })
    const dense = Array.from({ length: 40 }, () => strangeLog)
    for (let i = 0; i < 3000; i++) chain.append([])
    for (let i = 0; i < 1000; i++) chain.append(dense)
    const watched: Chain = {
      async request(method, params) {
        const answer = await chain.request(method, params)
        if (method === 'eth_getLogs') found.push((answer as unknown[]).length)
        return answer
      },
    }
    await settle(createFollower(effectsOf(watched), settingsOf(), createLedger().projection))
    // Where they become dense is not known before; from then on it is.
    const largest = found.indexOf(Math.max(...found.filter((logs) => logs <= LOGS_MAX)))
    const rest = found.slice(largest + 1)
    assert.ok(rest.length > 3 && rest.every((logs) => logs <= LOGS_PER_BATCH), found.join())
  })

  it('asks for the next range before the rows of one are written, and for no more', async () => {
    const chain = modelOf({ rangeBlocksMax: 10, finalityBlocks: 0 })
    for (let i = 0; i < 50; i++) chain.append([eventLog(i)])
    const ledger = createLedger()
    const order: string[] = []
    const watched: Chain = {
      request(method, params) {
        if (method === 'eth_getLogs') order.push('ask')
        return chain.request(method, params)
      },
    }
    const apply = (batch: Batch) => {
      order.push('write')
      return ledger.projection.apply(batch)
    }
    const follower = createFollower(effectsOf(watched), settingsOf(), { ...ledger.projection, apply })
    await settle(follower)
    const text = order.join(' ')
    assert.match(text, /ask ask write ask write/)
    assert.doesNotMatch(text, /write ask ask ask/)
    assert.deepEqual(ledger.rows(), fold(chain))
  })

  it('finds a common ancestor among n blocks with about log2(n) questions', async () => {
    const chain = modelOf({ finalityBlocks: 1000 })
    for (let i = 0; i < 600; i++) chain.append([eventLog(i)])
    const ledger = createLedger()
    const follower = createFollower(effectsOf(chain), settingsOf(), ledger.projection)
    await settle(follower)
    chain.reorg(
      300,
      Array.from({ length: 302 }, () => []),
    )
    const before = chain.asked()
    const step = await follower.step()
    assert.deepEqual(step, { did: 'roll-back', to: { ...ledger.head() } })
    assert.equal(ledger.head()?.number, 300)
    assert.ok(chain.asked() - before <= 14, `${chain.asked() - before} questions`)
  })
})

/** A node that answers as another does, but for what it leaves out of its logs. */
const omitting = (chain: Chain, isLeftOut: (log: { readonly data: string }, answer: number) => boolean): Chain => {
  let answers = 0
  return {
    async request(method, params, signal) {
      const answer = await chain.request(method, params, signal)
      if (method !== 'eth_getLogs') return answer
      answers++
      return (answer as { data: string }[]).filter((log) => !isLeftOut(log, answers))
    },
  }
}

/** A ledger of which the versions of events are a counter. */
const createCounting = () => {
  const ledger = createLedger()
  let version = 0
  const apply = async (batch: Batch) => {
    const versions = batch.events.map((event) => (event.type === 'ActiveChanged' ? event.version : 0))
    const isComplete = versions.every((each, i) => each === (versions[i - 1] ?? version) + 1)
    if (batch.onlyComplete && !isComplete) return 'incomplete'
    version = versions.at(-1) ?? version
    return ledger.projection.apply(batch)
  }
  const rollBack = async (to: BlockRef) => {
    await ledger.projection.rollBack(to)
    version = Number(ledger.rows().at(-1)?.what.slice('version '.length) ?? 0)
  }
  return { ...ledger, projection: { ...ledger.projection, apply, rollBack } }
}

const several = (...nodes: readonly Chain[]): Chain => ({
  request: () => assert.fail('a follower asks one node at a time'),
  nodes: () => nodes,
})

describe('a log that a node leaves out', () => {
  const events = Array.from({ length: 24 }, (_, i) => eventLog(i + 1))
  const chainOf = (blocks: number) => {
    const chain = modelOf({ finalityBlocks: 3 })
    for (let i = 0; i < blocks; i++) chain.append(events.slice(2 * i, 2 * i + 2))
    return chain
  }
  const versionOf = ({ data }: { readonly data: string }) => Number(data.slice(0, 66))

  it('is fetched from another node, as soon as a counter shows that it is missing', async () => {
    const omission = fc.record({ blocks: fc.integer({ min: 1, max: 12 }), left: fc.uniqueArray(fc.nat({ max: 24 })) })
    await fc.assert(
      fc.asyncProperty(omission, async ({ blocks, left }) => {
        const chain = chainOf(blocks)
        // The newest of an answer shows nothing: no counter has risen above it yet.
        const liar = omitting(chain, (log) => versionOf(log) % 2 === 1 && left.includes(versionOf(log)))
        const ledger = createCounting()
        await settle(createFollower(effectsOf(several(liar, chain)), settingsOf(), ledger.projection))
        assert.deepEqual(ledger.rows(), fold(chain))
      }),
      { numRuns: 50 },
    )
  })

  it('is fetched from another node also when what tells of it comes in a later block', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), async (left) => {
        const chain = modelOf({ finalityBlocks: 30 })
        const liar = omitting(chain, (log) => left.includes(versionOf(log)))
        const ledger = createCounting()
        const settings = settingsOf({ finalityBlocks: 30 })
        const follower = createFollower(effectsOf(several(liar, chain)), settings, ledger.projection)
        for (const event of events.slice(0, 21)) {
          chain.append([event])
          await settle(follower)
        }
        assert.deepEqual(ledger.rows(), fold(chain))
      }),
      { numRuns: 30 },
    )
  })

  it('is fetched from the same node later when there is no other', async () => {
    const chain = chainOf(4)
    const liar = omitting(chain, (log, answer) => answer < 4 && versionOf(log) === 1)
    const ledger = createCounting()
    await settle(createFollower(effectsOf(liar), settingsOf(), ledger.projection))
    assert.deepEqual(ledger.rows(), fold(chain))
  })

  it('is done without when every node leaves it out, however often it is asked', async () => {
    const chain = chainOf(4)
    const without = (at: number) => omitting(chain, (log) => versionOf(log) === at)
    const steps: string[] = []
    const ledger = createCounting()
    const follower = createFollower(effectsOf(several(without(3), without(3))), settingsOf(), ledger.projection)
    for (;;) {
      const { did } = await follower.step()
      steps.push(did)
      if (did === 'wait') break
    }
    assert.equal(steps.filter((did) => did === 'distrust').length, READINGS_MAX)
    assert.deepEqual(
      ledger.rows(),
      fold(chain).filter(({ what }) => what !== 'version 3'),
    )
  })
})

describe('several nodes', () => {
  it('are asked one at a time for a whole step, so that none is believed about blocks that another does not have', async () => {
    const chain = modelOf({ rangeBlocksMax: Infinity })
    for (let i = 0; i < 30; i++) chain.append([eventLog(i)])
    const asked: string[] = []
    const named = (name: string): Chain => ({
      request: (method, params) => {
        asked.push(name)
        return chain.request(method, params)
      },
    })
    let first = 'a'
    const nodes = { a: named('a'), b: named('b') }
    const both: Chain = {
      request: () => assert.fail('a follower asks one node at a time'),
      nodes: () => (first === 'a' ? [nodes.a, nodes.b] : [nodes.b, nodes.a]),
    }
    const ledger = createLedger()
    const follower = createFollower(effectsOf(both), settingsOf(), ledger.projection)
    for (let steps = 0; steps < 40; steps++) {
      first = steps % 3 === 0 ? 'a' : 'b'
      asked.length = 0
      await follower.step()
      assert.equal(new Set(asked.slice(0, 3)).size, 1)
    }
    assert.deepEqual(ledger.rows(), fold(chain))
  })

  it('are asked one after the other in a step, until one gets through it', async () => {
    const chain = modelOf({ rangeBlocksMax: Infinity })
    for (let i = 0; i < 40; i++) chain.append([eventLog(i)])
    // It always answers at first, so that a door to several nodes takes it for well again.
    const failsMidway: Chain = {
      request: (method, params) =>
        method === 'eth_getLogs' ? Promise.reject(unreachable()) : chain.request(method, params),
    }
    const ledger = createLedger()
    const follower = createFollower(effectsOf(several(failsMidway, chain)), settingsOf(), ledger.projection)
    assert.equal((await follower.step()).did, 'advance')
    await settle(follower)
    assert.deepEqual(ledger.rows(), fold(chain))
    const onlyFailing = createFollower(effectsOf(several(failsMidway, failsMidway)), settingsOf(), ledger.projection)
    chain.append([eventLog(40)])
    await assert.rejects(onlyFailing.step(), { code: 'ERR_CHAIN_UNREACHABLE' })
  })

  it('are waited for while one contradicts what is final and another, which may not, does not answer', async () => {
    const chain = modelOf()
    for (let i = 0; i < 40; i++) chain.append([eventLog(i)])
    const ledger = createLedger()
    await settle(createFollower(effectsOf(chain), settingsOf(), ledger.projection))
    const other = modelOf()
    other.restart()
    const away: Chain = { request: () => Promise.reject(unreachable()) }
    for (const nodes of [several(other, away), several(away, other)]) {
      const follower = createFollower(effectsOf(nodes), settingsOf(), ledger.projection)
      await assert.rejects(follower.step(), { code: 'ERR_CHAIN_UNREACHABLE' })
    }
  })

  it('have to agree before a chain counts as another one, or as having lost what was final', async () => {
    const chain = modelOf()
    for (let i = 0; i < 40; i++) chain.append([eventLog(i)])
    const ledger = createLedger()
    await settle(createFollower(effectsOf(chain), settingsOf(), ledger.projection))
    const other = modelOf()
    other.restart()
    for (let i = 0; i < 60; i++) other.append([])
    chain.append([eventLog(40)])
    await settle(createFollower(effectsOf(several(other, chain)), settingsOf(), ledger.projection))
    assert.deepEqual(ledger.rows(), fold(chain))
    const wrong = createFollower(effectsOf(several(other, other)), settingsOf(), ledger.projection)
    await assert.rejects(wrong.step(), { code: 'ERR_CHAIN_RESTARTED' })
  })
})

describe('a chain that cannot be followed any more', () => {
  const followed = async () => {
    const chain = modelOf()
    for (let i = 0; i < 40; i++) chain.append([eventLog(i)])
    const ledger = createLedger()
    await settle(createFollower(effectsOf(chain), settingsOf(), ledger.projection))
    return { chain, follower: createFollower(effectsOf(chain), settingsOf(), ledger.projection) }
  }
  const code = (expected: string) => (error: FollowError) => error instanceof FollowError && error.code === expected

  it('is told when it began again from another block 0, shorter or longer than before', async () => {
    const { chain, follower } = await followed()
    chain.restart()
    await assert.rejects(follower.step(), code('ERR_CHAIN_RESTARTED'))
    for (let i = 0; i < 60; i++) chain.append([])
    await assert.rejects(follower.step(), code('ERR_CHAIN_RESTARTED'))
  })

  it('is told when it has another chain id', async () => {
    const settings = settingsOf({ chainId: 1n })
    const follower = createFollower(effectsOf(modelOf()), settings, createLedger().projection)
    await assert.rejects(follower.step(), code('ERR_CHAIN_RESTARTED'))
  })

  it('is told when blocks went that were final', async () => {
    const { chain, follower } = await followed()
    // Finality as this node tells it moves back: the other nodes of its chain had never seen those blocks.
    const other = modelOf({ finalityBlocks: 100 })
    for (const { logs } of chain.blocks().slice(1)) other.append(logs)
    other.reorg(
      20,
      Array.from({ length: 25 }, () => []),
    )
    const branch: Chain = { request: (method, params) => other.request(method, params) }
    const ledger = createLedger()
    await settle(createFollower(effectsOf(chain), settingsOf(), ledger.projection))
    await assert.rejects(
      createFollower(effectsOf(branch), settingsOf(), ledger.projection).step(),
      code('ERR_CHAIN_REORG_TOO_DEEP'),
    )
    assert.deepEqual(await follower.step(), { did: 'wait' })
  })

  it('is not believed when it merely has less than before', async () => {
    const { chain, follower } = await followed()
    chain.lag(5)
    assert.deepEqual(await follower.step(), { did: 'wait' })
    chain.lag(30)
    assert.deepEqual(await follower.step(), { did: 'distrust' })
  })
})

describe('running', () => {
  it('pauses longer after each fault, within bounds, polls when there is nothing new, and ends when told to', async () => {
    const chain = modelOf()
    chain.append([eventLog(1)])
    chain.fail(...Array.from({ length: 10 }, unreachable))
    const pauses: number[] = []
    const stop = new AbortController()
    const ledger = createLedger()
    const clock = {
      nowMs: () => 0,
      async sleep(ms: number, signal?: AbortSignal) {
        pauses.push(ms)
        if (pauses.length === 12) stop.abort()
        signal?.throwIfAborted()
      },
    }
    await createFollower({ ...effectsOf(chain), clock }, settingsOf(), ledger.projection).run(stop.signal)
    assert.deepEqual(pauses, [125, 250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000, 1000, 1000])
    assert.deepEqual(ledger.rows(), fold(chain))
  })

  it('ends with the error when the chain cannot be followed', async () => {
    const settings = settingsOf({ chainId: 1n })
    const follower = createFollower(effectsOf(modelOf()), settings, createLedger().projection)
    await assert.rejects(follower.run(new AbortController().signal), FollowError)
  })
})
