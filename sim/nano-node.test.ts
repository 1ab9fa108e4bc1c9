import assert from 'node:assert/strict'
import { text as readText } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LIVE_WORK, nanoWorkValue } from '../protocol/nano/work.ts'
import { nanoBlockHash, type WorkedBlock, ZERO_HASH } from '../protocol/nano/block.ts'
import { createFaults } from './faults.ts'
import { createLife } from './life.ts'
import { createLoop } from './loop.ts'
import { createSimNanoNode, NANO_RPC_PORT, NANO_SOCKET_PORT } from './nano-node.ts'
import { linkTo } from './nano/ledger.ts'
import { createNanoRpc, type NanoJson } from './nano/rpc.ts'
import { openNanoSocket } from './nano/socket.ts'
import { createNanoWallet, EASY_WORK, finishBlock, nanoAccount, nanoKey } from './nano/wallet.ts'
import { createSimNetwork } from './network.ts'
import { createSimRandom } from './random.ts'
import { createTrace } from './trace.ts'

const [ALICE, BOB, CAROL] = [nanoKey(1), nanoKey(2), nanoKey(3)]
const SUPPLY = (1n << 128n) - 1n
const ELECTION_MS = 2_000

/** A node on which alice has everything. */
const open = (seed = 1) => {
  const loop = createLoop()
  const trace = createTrace(loop)
  const random = createSimRandom(seed)
  const network = createSimNetwork({ loop, trace, random, faults: createFaults() })
  const node = createSimNanoNode({ loop, random, network, genesisKey: ALICE }, 'node')
  const [alice, bob, carol] = [ALICE, BOB, CAROL].map((key) => createNanoWallet(node.nano, key))
  assert.ok(alice && bob && carol)
  const pass = (ms: number) => loop.run({ timeMs: loop.nowMs() + ms })
  const { ledger } = node.nano
  const head = (key: Uint8Array) => ledger.get(ledger.account(nanoAccount(key))?.frontier ?? '') ?? assert.fail()
  const answer = createNanoRpc(node.nano, EASY_WORK)
  const rpc = (request: NanoJson) => answer(JSON.stringify(request))
  return { loop, network, node, nano: node.nano, ledger, alice, bob, carol, pass, head, rpc }
}

describe('what a node checks of a block, and says', () => {
  const send = (world: ReturnType<typeof open>, change: Partial<WorkedBlock> = {}, key = ALICE) => {
    const { block, hash } = world.head(ALICE)
    return finishBlock(
      { ...block, previous: hash, balance: block.balance - 5n, link: linkTo(world.bob.account), ...change },
      key,
    )
  }
  const publish = ({ rpc }: ReturnType<typeof open>, block: WorkedBlock, subtype?: string) =>
    rpc({
      ...{ action: 'process', json_block: true, block: { type: 'state', ...block, balance: String(block.balance) } },
      ...(subtype !== undefined && { subtype }),
    })

  it('a good one is taken, once', () => {
    const world = open()
    const block = send(world)
    assert.deepEqual(publish(world, block, 'send'), { hash: nanoBlockHash(block) })
    assert.deepEqual(publish(world, block), { error: 'Old block' })
  })

  it('a signature by another key', () => {
    const world = open()
    assert.deepEqual(publish(world, send(world, {}, BOB)), { error: 'Bad signature' })
  })

  it('a block before it that is not known', () => {
    const world = open()
    assert.deepEqual(publish(world, send(world, { previous: 'AB'.repeat(32) })), { error: 'Gap previous block' })
  })

  it('a block before it that has another after it already; an account that is opened again', () => {
    const world = open()
    const other = send(world, { balance: 1n })
    publish(world, send(world))
    assert.deepEqual(publish(world, other), { error: 'Fork' })
    assert.deepEqual(publish(world, send(world, { previous: ZERO_HASH })), { error: 'Fork' })
  })

  it('what it receives: not known, not for it, of another amount, received already', () => {
    const world = open()
    const open1 = (link: string, balance: bigint, key = BOB) => {
      const account = nanoAccount(key)
      return finishBlock({ account, previous: ZERO_HASH, representative: account, balance, link }, key)
    }
    assert.deepEqual(publish(world, open1('AB'.repeat(32), 5n)), { error: 'Gap source block' })
    const hash = world.alice.send(world.bob.account, 5n)
    assert.deepEqual(publish(world, open1(hash, 5n, CAROL)), { error: 'Unreceivable' })
    assert.deepEqual(publish(world, open1(hash, 6n)), { error: 'Balance and amount delta do not match' })
    publish(world, open1(hash, 5n))
    const { block, hash: previous } = world.head(BOB)
    const again = finishBlock({ ...block, previous, balance: 10n }, BOB)
    assert.deepEqual(publish(world, again), { error: 'Unreceivable' })
  })

  it('work below the least, and work that is enough to receive but not to send', () => {
    const world = open()
    const block = send(world)
    const weak = (least: bigint, limit: bigint): string => {
      for (let nonce = 0; ; nonce++) {
        const work = nonce.toString(16).padStart(16, '0')
        const value = nanoWorkValue(work, block.previous)
        if (value >= least && value < limit) return work
      }
    }
    assert.deepEqual(publish(world, { ...block, work: weak(0n, EASY_WORK.receive) }), {
      error: 'Block work is less than threshold',
    })
    assert.deepEqual(publish(world, { ...block, work: weak(EASY_WORK.receive, EASY_WORK.send) }), {
      error: 'Block work is insufficient',
    })
  })

  it('a subtype that is not what the block does, by the balance that the account has now', () => {
    const world = open()
    const block = send(world)
    for (const [subtype, error] of [
      ['receive', 'Invalid block balance for given subtype'],
      ['change', 'Invalid block balance for given subtype'],
      ['open', 'Invalid previous block for given subtype'],
      ['gift', 'Invalid block subtype'],
    ])
      assert.deepEqual(publish(world, block, subtype), { error })
    world.alice.send(world.bob.account, 500n)
    assert.deepEqual(publish(world, block, 'send'), { error: 'Invalid block balance for given subtype' })
  })

  it('what is no block, no account, no hash, no command, no JSON', () => {
    const { rpc, node } = open()
    assert.deepEqual(rpc({ action: 'process', block: { type: 'send' } }), { error: 'Block is invalid' })
    assert.deepEqual(rpc({ action: 'account_info', account: 'nano_1' }), { error: 'Bad account number' })
    assert.deepEqual(rpc({ action: 'account_info', account: nanoAccount(CAROL) }), { error: 'Account not found' })
    assert.deepEqual(rpc({ action: 'block_info', hash: '12' }), { error: 'Invalid block hash' })
    assert.deepEqual(rpc({ action: 'block_info', hash: 'AB'.repeat(32) }), { error: 'Block not found' })
    assert.deepEqual(rpc({ action: 'wallet_create' }), { error: 'Unknown command' })
    assert.deepEqual(createNanoRpc(node.nano, EASY_WORK)('{'), { error: 'Unable to parse JSON' })
    assert.deepEqual(createNanoRpc(node.nano, EASY_WORK)('null'), { error: 'Unable to parse JSON' })
    const asked = { action: 'work_generate', hash: ZERO_HASH, difficulty: LIVE_WORK.send.toString(16) }
    assert.deepEqual(rpc(asked), { error: 'Difficulty above config limit or below publish threshold' })
  })
})

describe('elections', () => {
  it('confirm a block, some time after it came', async () => {
    const { alice, bob, ledger, pass } = open()
    const hash = alice.send(bob.account, 5n)
    assert.equal(ledger.get(hash)?.confirmed, false)
    await pass(ELECTION_MS)
    assert.equal(ledger.get(hash)?.confirmed, true)
  })

  it('confirm nothing before what it is built on, and what it receives', async () => {
    const { alice, bob, nano, ledger, pass } = open()
    nano.weather.electionMs = [1_000, 1_000]
    const send = alice.send(bob.account, 5n)
    nano.weather.electionMs = [1, 1]
    const receive = bob.receive(send)
    await pass(500)
    assert.equal(ledger.get(receive)?.confirmed, false)
    await pass(ELECTION_MS)
    assert.equal(ledger.get(receive)?.confirmed, true)
  })

  it('let one of two forks win, and undo the other with all that was built on it', async () => {
    for (const upset of [0, 1]) {
      const { alice, bob, carol, nano, ledger, pass } = open()
      nano.weather.upset = upset
      const first = alice.send(bob.account, 5n)
      const built = alice.send(bob.account, 6n)
      const received = bob.receive(first)
      const second = alice.fork(ledger.get(first)?.block.previous ?? '', carol.account, 7n)
      assert.equal(nano.publish(second), 'fork')
      await pass(ELECTION_MS)
      const stands = [first, built, received, nanoBlockHash(second)].map((hash) => ledger.get(hash)?.confirmed ?? false)
      assert.deepEqual(stands, upset === 0 ? [true, true, true, false] : [false, false, false, true])
      assert.equal(ledger.supply(), SUPPLY)
    }
  })

  it('leave what is confirmed alone', async () => {
    const { alice, bob, carol, nano, ledger, pass } = open()
    nano.weather.upset = 1
    const first = alice.send(bob.account, 5n)
    await pass(ELECTION_MS)
    assert.equal(nano.publish(alice.fork(ledger.get(first)?.block.previous ?? '', carol.account, 7n)), 'fork')
    await pass(ELECTION_MS)
    assert.equal(ledger.get(first)?.confirmed, true)
    assert.throws(() => ledger.rollBack(first), { message: 'what is confirmed is never rolled back' })
  })

  it('are begun again after a restart, for what the node still has', async () => {
    const { alice, bob, node, ledger, pass } = open()
    await node.start()
    const kept = alice.send(bob.account, 5n)
    node.stop(0)
    assert.equal(ledger.get(kept)?.confirmed, false)
    await pass(ELECTION_MS)
    assert.equal(ledger.get(kept)?.confirmed, true)
    const lost = alice.send(bob.account, 5n)
    node.stop(1)
    assert.equal(ledger.get(lost), undefined)
  })

  it('and all that is undone leave the supply as it was', async () => {
    const step = fc.record({
      from: fc.nat(2),
      to: fc.nat(2),
      amount: fc.bigInt({ min: 1n, max: 9n }),
      fork: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), fc.nat(), async (steps, seed) => {
        const { alice, bob, carol, nano, ledger, pass } = open(seed)
        nano.weather.upset = 0.5
        const wallets = [alice, bob, carol]
        for (const { from, to, amount, fork } of steps) {
          const [payer, payee] = [wallets[from], wallets[to]]
          assert.ok(payer && payee)
          const [waiting] = ledger.receivable(payer.account)
          if (waiting) payer.receive(waiting.hash)
          if (payer.balance() <= amount) continue
          const hash = payer.send(payee.account, amount)
          if (fork) nano.publish(payer.fork(ledger.get(hash)?.block.previous ?? '', alice.account, amount + 1n))
          await pass(300)
          assert.equal(ledger.supply(), SUPPLY)
        }
        await pass(30_000)
        assert.equal(ledger.supply(), SUPPLY)
      }),
      { numRuns: 30 },
    )
  })
})

describe('the RPC of a node', () => {
  it('docs.nano.org receivable: confirmed ones unless it is asked for others, from an amount on, in pages', async () => {
    const { alice, bob, rpc, pass } = open()
    const account = bob.account
    assert.deepEqual(rpc({ action: 'receivable', account }), { blocks: '' })
    const hashes = [alice.send(account, 1n), alice.send(account, 2n)]
    assert.deepEqual(rpc({ action: 'receivable', account }), { blocks: '' })
    await pass(ELECTION_MS)
    const confirmed = hashes.toSorted()
    const unconfirmed = alice.send(account, 3n)
    assert.deepEqual(rpc({ action: 'receivable', account }), { blocks: confirmed })
    assert.deepEqual(rpc({ action: 'receivable', account, count: '1', offset: '1' }), { blocks: confirmed.slice(1) })
    assert.deepEqual(rpc({ action: 'receivable', account, threshold: '2' }), { blocks: { [hashes[1] ?? '']: '2' } })
    const all = { action: 'receivable', account, threshold: '3', source: 'true', include_only_confirmed: 'false' }
    assert.deepEqual(rpc(all), { blocks: { [unconfirmed]: { amount: '3', source: alice.account } } })
    assert.deepEqual(rpc({ action: 'receivable_exists', hash: unconfirmed }), { exists: '0' })
    assert.deepEqual(rpc({ action: 'receivable_exists', hash: hashes[0] }), { exists: '1' })
    const { balance, receivable } = rpc({ action: 'account_balance', account })
    assert.deepEqual([balance, receivable], ['0', '6'])
  })

  it('docs.nano.org account_info and block_info: how far the account is confirmed', async () => {
    const { alice, bob, rpc, pass, ledger } = open()
    const first = alice.send(bob.account, 1n)
    await pass(ELECTION_MS)
    const second = alice.send(bob.account, 1n)
    const info = rpc({ action: 'account_info', account: alice.account, representative: true })
    assert.deepEqual(
      [
        info.frontier,
        info.confirmation_height_frontier,
        info.block_count,
        info.confirmation_height,
        info.representative,
      ],
      [second, first, '3', '2', alice.account],
    )
    const block = rpc({ action: 'block_info', json_block: 'true', hash: first })
    assert.deepEqual([block.confirmed, block.successor, block.amount, block.subtype], ['true', second, '1', 'send'])
    assert.equal((block.contents as NanoJson).link_as_account, bob.account)
    const asText = rpc({ action: 'block_info', hash: first })
    assert.deepEqual(JSON.parse(String(asText.contents)), block.contents)
    assert.equal(ledger.get(second)?.confirmed, false)
  })

  it('is there over the network of machines, and its excuses too', async () => {
    const { loop, network, node } = open()
    await node.start()
    const client = network.host('client', createLife())
    const ask = async () => {
      const request = new Request(`http://node:${NANO_RPC_PORT}`, { method: 'POST', body: '{"action":"version"}' })
      const answer = await client.fetch(request, { timeoutMs: 1_000, bodyBytesMax: 10_000 })
      return (await answer.json()) as NanoJson
    }
    assert.equal((await loop.runUntil(ask(), 10_000)).node_vendor, 'Nano V28.1')
    node.excuses = 1
    assert.deepEqual(Object.keys(await loop.runUntil(ask(), 10_000)), ['error'])
    node.stop(0)
    await assert.rejects(loop.runUntil(ask(), 10_000), { code: 'ERR_NETWORK_UNREACHABLE' })
  })
})

describe('the WebSocket of a node', () => {
  const listen = (world: ReturnType<typeof open>) => {
    const said: NanoJson[] = []
    const socket = openNanoSocket(world.nano, () => 7, (text) => said.push(JSON.parse(text) as NanoJson)) // prettier-ignore
    return { socket, said, say: (message: NanoJson) => socket.receive(JSON.stringify(message)) }
  }
  const hashes = (said: readonly NanoJson[]) => said.map(({ message }) => (message as NanoJson | undefined)?.hash)

  it('docs.nano.org: acknowledges what it is asked for, where that is asked for', () => {
    const { said, say } = listen(open())
    say({ action: 'subscribe', topic: 'confirmation', ack: true, id: 'x' })
    say({ action: 'subscribe', topic: 'confirmation' })
    say({ action: 'subscribe', topic: 'votes', ack: true })
    say({ action: 'ping' })
    assert.deepEqual(said, [
      { ack: 'subscribe', time: '7', id: 'x' },
      { ack: 'pong', time: '7' },
    ])
  })

  it('docs.nano.org: tells of all confirmations, or of those of some accounts, senders or not', async () => {
    const world = open()
    const { alice, bob, carol, pass } = world
    const all = listen(world)
    all.say({ action: 'subscribe', topic: 'confirmation' })
    const some = listen(world)
    some.say({ action: 'subscribe', topic: 'confirmation', options: { accounts: [bob.account] } })
    const none = listen(world)
    none.say({ action: 'subscribe', topic: 'confirmation', options: {} })
    const toBob = alice.send(bob.account, 5n)
    const toCarol = alice.send(carol.account, 5n)
    await pass(ELECTION_MS)
    const byBob = bob.receive(toBob)
    await pass(ELECTION_MS)
    assert.deepEqual(
      [hashes(all.said), hashes(some.said)],
      [
        [toBob, toCarol, byBob],
        [toBob, byBob],
      ],
    )
    const [{ topic, message } = assert.fail()] = some.said
    const { block, ...rest } = message as NanoJson
    assert.deepEqual([topic, rest], [
      'confirmation',
      { account: alice.account, amount: '5', hash: toBob, confirmation_type: 'active_quorum' },
    ]) // prettier-ignore
    assert.deepEqual([(block as NanoJson).subtype, (block as NanoJson).link_as_account], ['send', bob.account])
    some.say({ action: 'update', topic: 'confirmation', options: { accounts_del: [bob.account] } })
    all.say({ action: 'unsubscribe', topic: 'confirmation' })
    none.say({ action: 'update', topic: 'confirmation', options: { accounts_add: [carol.account] } })
    const last = alice.send(carol.account, 1n)
    await pass(ELECTION_MS)
    assert.deepEqual([all.said.length, some.said.length, hashes(none.said)], [3, 2, [last]])
  })

  it('may tell late, twice or not at all', async () => {
    const world = open()
    const { alice, bob, nano, pass } = world
    const { said, say, socket } = listen(world)
    say({ action: 'subscribe', topic: 'confirmation' })
    nano.weather.doubled = 1
    alice.send(bob.account, 1n)
    await pass(ELECTION_MS)
    assert.equal(said.length, 2)
    nano.weather.lost = 1
    alice.send(bob.account, 1n)
    await pass(ELECTION_MS)
    assert.equal(said.length, 2)
    nano.weather.lost = 0
    socket.close()
    alice.send(bob.account, 1n)
    await pass(ELECTION_MS)
    assert.equal(said.length, 2)
  })

  it('passes over what it cannot read', () => {
    const { said, socket } = listen(open())
    for (const text of ['', '{', 'null', '[]', '{"action":7}', '{"action":"toString"}']) socket.receive(text)
    assert.deepEqual(said, [])
  })

  it('is cut off for a client that speaks another protocol (RFC 6455 §5.1: unmasked)', async () => {
    const { loop, network, node } = open()
    await node.start()
    const client = network.host('client', createLife())
    const connection = await loop.runUntil(client.connect({ host: 'node', port: NANO_SOCKET_PORT }, 1_000), 10_000)
    connection.write('GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
    connection.write(Buffer.of(0x81, 1, 65))
    const answer = await loop.runUntil(
      readText(connection).catch((error: Error) => error.message),
      10_000,
    )
    assert.match(answer, /s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=|reset/)
  })
})
