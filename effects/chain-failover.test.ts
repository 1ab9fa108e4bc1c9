import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createFailoverChain } from './chain-failover.ts'
import { type Chain, ChainError, type ChainErrorCode } from './chain.ts'
import { silentLog } from './log.ts'

/** A node that answers with its name, or fails as it is told to. */
const createNode = (name: string) => {
  const node = {
    fault: undefined as ChainError | undefined,
    chainId: '0x1',
    head: 100,
    /** Methods it was asked, but for its chain id. */
    asked: [] as string[],
    request: async (method: string) => {
      if (node.fault) throw node.fault
      if (method === 'eth_chainId') return node.chainId
      node.asked.push(method)
      return method === 'eth_getBlockByNumber' ? { number: `0x${node.head.toString(16)}`, name } : name
    },
  }
  return node
}

const fault = (code: ChainErrorCode, data?: string): ChainError =>
  new ChainError(code, 'test', {
    ...(code === 'ERR_CHAIN_REFUSED' ? { refusal: { rpcCode: 3, rpcMessage: 'no', data } } : {}),
  })

const createWorld = (count = 2) => {
  let nowMs = 0
  const nodes = Array.from({ length: count }, (_, i) => createNode(String.fromCharCode(97 + i)))
  const [first, ...more] = nodes
  assert.ok(first)
  const effects = {
    clock: { nowMs: () => nowMs, sleep: async () => {} },
    random: { bytes: (length: number) => new Uint8Array(length).fill(255) },
    log: silentLog,
  }
  const chain: Chain = createFailoverChain(effects, [first, ...more])
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  return {
    nodes,
    chain,
    ask: () => chain.request('eth_gasPrice', []),
    latest: async () => {
      const block = await chain.request('eth_getBlockByNumber', ['latest', false])
      await settle()
      return (block as { name: string }).name
    },
    pass: (ms: number) => {
      nowMs += ms
    },
  }
}

describe('several nodes of one chain', () => {
  it('are asked in their order: the next when one fails, and the first again when it has had its pause', async () => {
    const { nodes, ask, pass } = createWorld()
    const [a, b] = nodes
    assert.ok(a && b)
    assert.equal(await ask(), 'a')
    for (const code of ['ERR_CHAIN_UNREACHABLE', 'ERR_CHAIN_TIMEOUT', 'ERR_CHAIN_RATE_LIMITED'] as const) {
      a.fault = fault(code)
      assert.equal(await ask(), 'b')
      a.fault = undefined
      assert.equal(await ask(), 'b')
      pass(60_000)
      assert.equal(await ask(), 'a')
    }
    assert.equal(b.asked.length, 6)
  })

  it('are left alone longer after each failure, up to a minute', async () => {
    const { nodes, ask, pass } = createWorld()
    const [a] = nodes
    assert.ok(a)
    let tries = 0
    a.request = async () => {
      tries++
      throw fault('ERR_CHAIN_TIMEOUT')
    }
    const found: number[] = []
    for (let seconds = 0; seconds <= 300; seconds++) {
      const before = tries
      assert.equal(await ask(), 'b')
      if (tries > before) found.push(seconds)
      pass(1000)
    }
    assert.deepEqual(found, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243])
  })

  it('are each asked once at most, and the first error is told when none answers', async () => {
    const { nodes, ask } = createWorld(3)
    for (const [i, node] of nodes.entries())
      node.fault = fault(i === 0 ? 'ERR_CHAIN_RATE_LIMITED' : 'ERR_CHAIN_TIMEOUT')
    await assert.rejects(ask(), { code: 'ERR_CHAIN_RATE_LIMITED' })
    // Even those that have just failed are asked when there is no other.
    for (const node of nodes) node.fault = undefined
    assert.match(String(await ask()), /^[abc]$/)
  })

  it('answer as long as one of them does, whichever fail', async () => {
    const state = fc.constantFrom(undefined, 'ERR_CHAIN_UNREACHABLE', 'ERR_CHAIN_MALFORMED', 'ERR_CHAIN_REFUSED')
    const round = fc.record({ states: fc.tuple(state, state, state), ms: fc.nat({ max: 100_000 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(round, { maxLength: 30 }), async (rounds) => {
        const { nodes, ask, pass } = createWorld(3)
        for (const { states, ms } of rounds) {
          pass(ms)
          for (const [i, node] of nodes.entries()) {
            const code = states[i] as ChainErrorCode | undefined
            node.fault = code && fault(code)
          }
          const answer = await ask().catch((error: unknown) => (error as ChainError).code)
          const well = nodes.flatMap((_, i) => (states[i] === undefined ? [String.fromCharCode(97 + i)] : []))
          assert.ok(well.length === 0 ? String(answer).startsWith('ERR_') : well.includes(String(answer)))
        }
      }),
    )
  })

  it('pass on what a contract says, and ask another when a node refuses for reasons of its own', async () => {
    const { nodes, ask } = createWorld()
    const [a, b] = nodes
    assert.ok(a && b)
    await ask()
    a.fault = fault('ERR_CHAIN_REFUSED', '0xdeadbeef')
    await assert.rejects(ask(), { code: 'ERR_CHAIN_REFUSED', data: '0xdeadbeef' })
    a.fault = fault('ERR_CHAIN_REFUSED')
    assert.equal(await ask(), 'b')
    a.fault = undefined
    assert.equal(await ask(), 'a')
  })

  it('are not asked when they are of another chain than the first that answered', async () => {
    const { nodes, ask, chain } = createWorld()
    const [a, b] = nodes
    assert.ok(a && b)
    assert.equal(await ask(), 'a')
    b.chainId = '0x2'
    a.fault = fault('ERR_CHAIN_TIMEOUT')
    await assert.rejects(ask(), { code: 'ERR_CHAIN_TIMEOUT' })
    assert.deepEqual(b.asked, [])
    // A node that was away may have become another.
    a.fault = undefined
    a.chainId = '0x2'
    await assert.rejects(chain.request('eth_gasPrice', []), { code: 'ERR_CHAIN_MALFORMED' })
  })

  it('are not believed to be up to date when another has much newer blocks', async () => {
    const { nodes, latest, pass } = createWorld()
    const [a, b] = nodes
    assert.ok(a && b)
    b.head = 103
    assert.equal(await latest(), 'a')
    assert.equal(await latest(), 'a')
    b.head = 104
    assert.equal(await latest(), 'a')
    assert.equal(await latest(), 'b')
    pass(60_000)
    a.head = 104
    assert.equal(await latest(), 'a')
  })

  it('get a signed transaction all of them, and one that takes it is enough', async () => {
    const { nodes, chain } = createWorld(3)
    const [a, b, c] = nodes
    assert.ok(a && b && c)
    const send = () => chain.request('eth_sendRawTransaction', ['0x00'])
    assert.equal(await send(), 'a')
    for (const node of nodes) assert.deepEqual(node.asked, ['eth_sendRawTransaction'])
    a.fault = fault('ERR_CHAIN_REFUSED')
    b.fault = fault('ERR_CHAIN_TIMEOUT')
    assert.equal(await send(), 'c')
    c.fault = fault('ERR_CHAIN_TIMEOUT')
    await assert.rejects(send(), ChainError)
  })

  it('can be asked one by one, the best first', async () => {
    const { nodes, chain } = createWorld()
    const [a] = nodes
    assert.ok(a)
    const names = async () =>
      Promise.all((chain.nodes?.() ?? []).map((node) => node.request('eth_gasPrice', []).catch(() => 'none')))
    assert.deepEqual(await names(), ['a', 'b'])
    a.fault = fault('ERR_CHAIN_UNREACHABLE')
    assert.deepEqual(await names(), ['none', 'b'])
    assert.deepEqual(await names(), ['b', 'none'])
  })
})
