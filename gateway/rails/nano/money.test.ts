/**
 * Whatever payers, the operator's other wallet, the node and crashes do: no send is received twice, no refund is paid
 * twice, and no raw is lost or made.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nanoBlockHash, ZERO_HASH } from '../../../protocol/nano/block.ts'
import { calm, drawFaultRates } from '../../../sim/faults.ts'
import { fairWeather } from '../../../sim/nano/network.ts'
import { finishBlock, nanoAccount, nanoKey } from '../../../sim/nano/wallet.ts'
import { createSimRandom } from '../../../sim/random.ts'
import { firstDifference } from '../../../sim/trace.ts'
import { createNanoWorld, SERVICE, SERVICE_KEY } from './testing.ts'

type World = Awaited<ReturnType<typeof createNanoWorld>>

/** The longest pauses of the rail, and of what it sits on, are a minute. */
const RECOVERY_MS = 4 * 60_000
/** Where nothing ever failed, there are none. */
const CALM_MS = 40_000
const ELSEWHERE = nanoAccount(nanoKey(3))

/** Everything is over: all that was left is given back, and what the network has is what the ledger says. */
const settle = async (world: World, rivals: ReadonlySet<string>, recoveryMs: number): Promise<void> => {
  const { faults, node, book, ledger } = world
  faults.heal()
  Object.assign(node.nano.weather, fairWeather())
  node.excuses = 0
  await node.start()
  // No crash is to come any more.
  world.host.crash()
  world.start()
  await world.pass(recoveryMs)
  for (const { account } of world.wallets) book.refund(account, account)
  await world.pass(recoveryMs)

  assert.equal(ledger.supply(), (1n << 128n) - 1n)
  const chain = ledger.chain(SERVICE)
  assert.ok(chain.every(({ confirmed }) => confirmed))
  // Deposits: each confirmed send is a credit, and only those.
  const paid = world.wallets.flatMap(({ account }) =>
    ledger.chain(account).filter(({ subtype, block }) => subtype === 'send' && block.link === world.linkOf(SERVICE)),
  )
  const credits = book.credits().map(({ id, account, amount }) => `${id} ${account} ${amount}`)
  assert.deepEqual(
    credits.toSorted(),
    paid.map(({ hash, block, amount }) => `${hash} ${block.account} ${amount}`).toSorted(),
  )
  // Refunds: one send each, of the amount, to where it was to go.
  const ours = world.sends().filter(({ hash }) => !rivals.has(hash))
  const made = ours.map(({ hash, amount }) => `${hash} ${amount}`).toSorted()
  assert.deepEqual(
    book
      .refunds()
      .map(({ reference, amount }) => `${reference} ${amount}`)
      .toSorted(),
    made,
  )
  for (const { reference, to } of book.refunds()) {
    assert.equal(ledger.get(reference ?? '')?.block.link, world.linkOf(to))
  }
  // Receives: each send at most once, and all of them once they are used up.
  const links = world.receives().map(({ block }) => block.link)
  assert.equal(new Set(links).size, links.length)
  const usedUp = world.wallets.flatMap(({ account }) => book.usedUp(account))
  assert.deepEqual(
    usedUp.filter((id) => !links.includes(id)),
    [],
  )
  // Received and receivable, less what was given back, is what the ledger says.
  const sum = (amounts: readonly bigint[]) => amounts.reduce((all, amount) => all + amount, 0n)
  const receivable = sum(world.receivable().map(({ amount }) => amount))
  const foreign = sum(
    world
      .sends()
      .filter(({ hash }) => rivals.has(hash))
      .map(({ amount }) => amount),
  )
  const credited = sum(book.credits().map(({ amount }) => amount))
  const refunded = sum(book.refunds().map(({ amount }) => amount))
  assert.equal(world.balance() + receivable, credited - refunded - foreign)
}

/** Another wallet with the service's key: whenever a block of the service comes, it may have one for the same place. */
const addRival = (world: World) => {
  const { nano } = world.node
  const publish = nano.publish.bind(nano)
  const hashes = new Set<string>()
  let armed: 'change' | 'send' | undefined
  nano.publish = (block) => {
    const kind = armed
    const before = nano.ledger.get(block.previous)
    if (!kind || block.account !== SERVICE || !before || before.successor !== ZERO_HASH) return publish(block)
    armed = undefined
    const { balance } = before.block
    const isSend = kind === 'send' && balance > 0n
    const rival = finishBlock(
      {
        account: SERVICE,
        previous: block.previous,
        representative: ELSEWHERE,
        balance: isSend ? balance - 1n : balance,
        link: isSend ? world.linkOf(ELSEWHERE) : ZERO_HASH,
      },
      SERVICE_KEY,
    )
    hashes.add(nanoBlockHash(rival))
    publish(rival)
    return publish(block)
  }
  return { hashes, arm: (kind: 'change' | 'send') => (armed = kind) }
}

describe('a crash after any write', () => {
  /** Three sends: one is used up, of one the rest is given back, and one is used by half. */
  const story = async (world: World) => {
    const { book } = world
    const [one, two] = world.wallets
    assert.ok(one && two)
    /** Time for what there is to do, with a crash somewhere in it, and then again. */
    const go = async () => {
      await world.pass(8_000)
      world.start()
      await world.pass(8_000)
    }
    one.send(SERVICE, 10n)
    two.send(SERVICE, 7n)
    await go()
    assert.ok(book.use(one.account, 10n) && book.use(two.account, 2n))
    await go()
    assert.ok(book.refund(two.account, one.account))
    one.send(SERVICE, 5n)
    await go()
    assert.ok(book.use(one.account, 1n))
    await go()
  }

  it('changes nothing in the end', async () => {
    let writes = 0
    for (let crashed = true; crashed;) {
      const world = await createNanoWorld()
      world.start()
      world.host.crashAfterWrites(++writes)
      await story(world)
      crashed = world.trace.lines().some((line) => line.endsWith(' crash gateway'))
      await settle(world, new Set(), CALM_MS)
      assert.equal(world.balance(), 13n)
      assert.deepEqual(world.book.refunds().map(({ amount }) => amount), [5n, 4n]) // prettier-ignore
    }
    assert.ok(writes > 40, `only ${writes}`)
  })
})

describe('a run with faults', () => {
  it('is the same each time', async () => {
    const run = async () => {
      const rates = drawFaultRates(createSimRandom(3))
      const world = await createNanoWorld({ seed: 3, rates })
      Object.assign(world.node.nano.weather, { lost: 0.3, doubled: 0.3, lateMs: 5_000 })
      const [payer] = world.wallets
      assert.ok(payer)
      world.start()
      payer.send(SERVICE, 10n)
      await world.pass(60_000)
      world.book.refund(payer.account, ELSEWHERE)
      world.host.crashAfterWrites(3)
      await world.pass(30_000)
      world.start()
      world.node.stop(0.5)
      await world.pass(5_000)
      await world.node.start()
      await world.pass(60_000)
      return world.trace
    }
    const traces = [await run(), await run()] as const
    assert.equal(firstDifference(...traces), undefined)
    assert.ok(traces[0].count() > 50)
  })
})

describe('any list of sends, uses, refunds, forks, restarts and crashes', () => {
  const payer = fc.nat(1)
  const amount = fc.bigInt({ min: 1n, max: 1_000n })
  const command = fc.oneof(
    fc.record({ type: fc.constant('send' as const), payer, amount }),
    fc.record({ type: fc.constant('use' as const), payer, amount }),
    fc.record({ type: fc.constant('refund' as const), payer, toOther: fc.boolean() }),
    fc.record({ type: fc.constant('double-spend' as const), payer, amount }),
    fc.record({ type: fc.constant('rival' as const), kind: fc.constantFrom('change' as const, 'send' as const) }),
    fc.record({ type: fc.constant('crash' as const), writes: fc.nat(4) }),
    fc.record({ type: fc.constant('restart-node' as const), forget: fc.constantFrom(0, 0.5, 1) }),
    fc.record({ type: fc.constant('wait' as const), ms: fc.nat(20_000) }),
  )
  const kinds = ['request-loss', 'response-loss', 'duplicate', 'slow', 'reset', 'truncate', 'rechunk'] as const

  it('conserves money to the raw, and pays and receives once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 25 }), fc.nat(), fc.boolean(), async (commands, seed, stormy) => {
        const rates = stormy ? drawFaultRates(createSimRandom(seed), [...kinds]) : calm
        const world = await createNanoWorld({ seed, rates })
        const { node, book, wallets } = world
        const rival = addRival(world)
        Object.assign(node.nano.weather, { upset: 0.5, lost: 0.3, doubled: 0.3, lateMs: 5_000 })
        node.excuses = stormy ? 0.1 : 0
        // So that what a rival sends away is not missed where refunds are.
        const patron = wallets[0]
        assert.ok(patron)
        patron.send(SERVICE, 100n)
        world.start()
        while (!book.use(patron.account, 100n)) await world.pass(20_000)
        for (const step of commands) {
          const wallet = 'payer' in step ? wallets[step.payer] : undefined
          if (step.type === 'send' && wallet && wallet.balance() >= step.amount) wallet.send(SERVICE, step.amount)
          if (step.type === 'use' && wallet) book.use(wallet.account, step.amount)
          if (step.type === 'refund' && wallet) {
            book.refund(wallet.account, step.toOther ? ELSEWHERE : wallet.account)
          }
          if (step.type === 'double-spend' && wallet && wallet.balance() >= step.amount) {
            const hash = wallet.send(SERVICE, step.amount)
            const previous = world.ledger.get(hash)?.block.previous ?? ZERO_HASH
            node.nano.publish(wallet.fork(previous, ELSEWHERE, step.amount))
          }
          if (step.type === 'rival') rival.arm(step.kind)
          if (step.type === 'crash' && world.host.isRunning()) world.host.crashAfterWrites(step.writes)
          if (step.type === 'restart-node') {
            node.stop(step.forget)
            await world.pass(5_000)
            await node.start()
          }
          if (step.type === 'wait') {
            await world.pass(step.ms)
            world.start()
          }
        }
        await settle(world, rival.hashes, RECOVERY_MS)
      }),
      { numRuns: 40 },
    )
  })
})
