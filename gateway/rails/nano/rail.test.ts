import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8 } from '../../../protocol/bytes.ts'
import { parseCompactJws, signCompactJws } from '../../../protocol/compact-jws.ts'
import { createJose } from '../../../protocol/jose.ts'
import { nanoBlockHash, ZERO_HASH } from '../../../protocol/nano/block.ts'
import { nanoVoucherSigner } from '../../../protocol/nano/voucher.ts'
import { checkVoucherClaims, openVoucher, sealVoucher, type VoucherClaims } from '../../../protocol/voucher.ts'
import type { NanoJson } from '../../../sim/nano/rpc.ts'
import { createNanoWallet, finishBlock, nanoAccount, nanoKey, type NanoWallet } from '../../../sim/nano/wallet.ts'
import { rsaKeyPair } from '../../../sim/rsa-keys.ts'
import { createNanoWorld, SERVICE, SERVICE_KEY } from './testing.ts'

type World = Awaited<ReturnType<typeof createNanoWorld>>

/** Everything that is under way comes to its end, and some polls more. */
const A_WHILE_MS = 20_000
const ELSEWHERE = nanoAccount(nanoKey(3))
const BURN = 'nano_1111111111111111111111111111111111111111111111111111hifc8npp'

const open = async (): Promise<World & { readonly payer: NanoWallet; readonly other: NanoWallet }> => {
  const world = await createNanoWorld()
  const [payer, other] = world.wallets
  assert.ok(payer && other)
  world.start()
  await world.pass(A_WHILE_MS)
  return { ...world, payer, other }
}

/** A payer who sent so much, which is credited. */
const withCredit = async (amount: bigint) => {
  const world = await open()
  const send = world.payer.send(SERVICE, amount)
  await world.pass(A_WHILE_MS)
  assert.equal(world.book.balance(world.payer.account), amount)
  return { ...world, send }
}

const received = (world: World) => world.receives().map(({ block }) => block.link)
const events = (world: World): string =>
  world.trace
    .lines()
    .filter((line) => line.includes(' log gateway '))
    .join('\n')

describe('SEED 004: the payment flow', () => {
  it("1. client sends a payment to the service's wallet", async () => {
    const { book, payer, send } = await withCredit(10n)
    assert.deepEqual(book.credits(), [{ id: send, account: payer.account, amount: 10n }])
  })

  it('2. service does not send a receive block immediately', async () => {
    const world = await withCredit(10n)
    await world.pass(world.long)
    assert.deepEqual(received(world), [])
    assert.deepEqual(world.receivable().map(({ hash }) => hash), [world.send]) // prettier-ignore
  })

  it('3. service keeps an internal record of requests against each pending send block', async () => {
    const world = await withCredit(10n)
    for (const left of [7n, 4n, 1n]) {
      assert.ok(world.book.use(world.payer.account, 3n))
      assert.equal(world.book.balance(world.payer.account), left)
    }
    await world.pass(world.long)
    assert.deepEqual(received(world), [])
  })

  it('4. the service adds a receive block for the associated still pending send block', async () => {
    const world = await withCredit(10n)
    world.other.send(SERVICE, 10n)
    await world.pass(A_WHILE_MS)
    assert.ok(world.book.use(world.payer.account, 10n))
    await world.pass(A_WHILE_MS)
    assert.deepEqual(received(world), [world.send])
    assert.equal(world.balance(), 10n)
    assert.deepEqual(world.receivable().map(({ source }) => source), [world.other.account]) // prettier-ignore
  })
})

describe('SEED 004: the voucher flow', () => {
  const { publicKey, privateKey } = rsaKeyPair(0)
  const jose = createJose()
  const nowSeconds = 1_700_000_000
  const claims = (account: string): VoucherClaims => ({
    ...{ host: 'api.example.com', iat: nowSeconds, exp: nowSeconds + 3_600, account, currency: 'NANO' },
  })
  const payerKey = nanoKey(100)

  it("1. client creates and signs a voucher with their wallet's private key; nobody else can", async () => {
    const { rail, payer, other } = await open()
    const signer = nanoVoucherSigner(payerKey)
    const { jws, claims: read } = await openVoucher(
      jose,
      await sealVoucher(jose, claims(payer.account), signer, publicKey),
      privateKey,
    )
    assert.equal(jws.header.alg, 'Ed25519Blake2b')
    assert.deepEqual(await rail().verify({ account: payer.account, jws, claims: read }), {})
    await assert.rejects(rail().verify({ account: other.account, jws, claims: read }), {
      code: 'ERR_VOUCHER_SIGNATURE',
    })
  })

  it('2.–4. client embeds it in requests, uses up its value, and is told 402', async () => {
    const world = await withCredit(10n)
    const { account } = world.payer
    const voucher = await sealVoucher(jose, claims(account), nanoVoucherSigner(payerKey), publicKey)
    /** What the gateway does with a request that costs 4 raw. @returns status and `Payment-Account-Balance` */
    const request = async () => {
      const opened = await openVoucher(jose, voucher, privateKey)
      checkVoucherClaims(opened.claims, {
        ...{ purpose: 'payment', host: 'api.example.com', nowSeconds, secondsMax: 86_400 },
      })
      const payer = world.rail().account(opened.claims.account ?? '')
      assert.ok(payer)
      await world.rail().verify({ account: payer, ...opened })
      const status = world.book.use(payer, 4n) ? 200 : 402
      return [status, world.book.balance(payer)]
    }
    assert.deepEqual(await request(), [200, 6n])
    assert.deepEqual(await request(), [200, 2n])
    assert.deepEqual(await request(), [402, 2n])
  })

  it('the client can pre-empt the 402 by sending another send block', async () => {
    const world = await withCredit(5n)
    assert.ok(world.book.use(world.payer.account, 4n))
    world.payer.send(SERVICE, 5n)
    await world.pass(A_WHILE_MS)
    assert.ok(world.book.use(world.payer.account, 4n))
  })

  it('where another send block is present, what is left rolls over into it', async () => {
    const world = await withCredit(5n)
    world.book.use(world.payer.account, 4n)
    const second = world.payer.send(SERVICE, 5n)
    await world.pass(A_WHILE_MS)
    assert.deepEqual(received(world), [])
    world.book.use(world.payer.account, 4n)
    await world.pass(A_WHILE_MS)
    assert.deepEqual(received(world), [world.send])
    assert.deepEqual(world.receivable().map(({ hash }) => hash), [second]) // prettier-ignore
    assert.deepEqual([world.book.balance(world.payer.account), world.sends()], [2n, []])
  })

  it('where there is none, it is sent back, above a minimum', async () => {
    const world = await withCredit(5n)
    world.book.use(world.payer.account, 4n)
    assert.equal(world.book.refund(world.payer.account, world.payer.account, 2n), false)
    assert.ok(world.book.refund(world.payer.account, world.payer.account, 1n))
    await world.pass(A_WHILE_MS)
    assert.deepEqual(received(world), [world.send])
    const [refund, ...more] = world.sends()
    assert.deepEqual([refund?.amount, refund?.block.link, more], [1n, world.linkOf(world.payer.account), []])
    assert.equal(world.book.refunds()[0]?.reference, refund?.hash)
    assert.equal(world.balance(), 4n)
  })

  it('a refund request may name a different wallet', async () => {
    const world = await withCredit(5n)
    const jws = parseCompactJws(
      await signCompactJws({ alg: 'Ed25519Blake2b' }, utf8('{}'), nanoVoucherSigner(payerKey).sign),
    )
    const request = (to: string | undefined) =>
      world.rail().verifyRefund({ account: world.payer.account, jws, claims: { host: 'a', exp: 1, ...(to && { to }) } })
    await request(ELSEWHERE)
    for (const wrong of [undefined, 'nano_', SERVICE, BURN])
      await assert.rejects(request(wrong), { code: 'ERR_REFUND_ADDRESS' })
    assert.ok(world.book.refund(world.payer.account, ELSEWHERE.replace('nano_', 'xrb_')))
    await world.pass(A_WHILE_MS)
    assert.deepEqual(world.sends().map(({ block }) => block.link), [world.linkOf(ELSEWHERE)]) // prettier-ignore
  })
})

describe('an account', () => {
  it('has one spelling, and a home to which its rest goes', async () => {
    const { rail, payer } = await open()
    assert.equal(rail().account(payer.account.replace('nano_', 'xrb_')), payer.account)
    assert.equal(rail().home(payer.account), payer.account)
    for (const none of ['', '0x00', payer.account.slice(0, -1), `${payer.account.slice(0, -1)}1`])
      assert.equal(rail().account(none), undefined)
  })

  it('is never refunded to who cannot be paid', async () => {
    const { rail, payer } = await open()
    const refund = { id: 'A'.repeat(22), account: payer.account, amount: 1n, authorization: '{}' }
    for (const to of [SERVICE, BURN, 'nano_'])
      await assert.rejects(rail().refund({ ...refund, to }, new AbortController().signal), {
        ...{ code: 'ERR_REFUND_ADDRESS', retryable: false },
      })
  })
})

describe('a deposit', () => {
  it('counts once it is confirmed, not before', async () => {
    const world = await open()
    world.node.nano.weather.electionMs = [60_000, 60_000]
    world.payer.send(SERVICE, 10n)
    await world.pass(50_000)
    assert.deepEqual(world.book.credits(), [])
    await world.pass(A_WHILE_MS)
    assert.equal(world.book.balance(world.payer.account), 10n)
  })

  it('is noticed without anybody telling of it', async () => {
    const world = await open()
    world.node.nano.weather.lost = 1
    world.payer.send(SERVICE, 10n)
    await world.pass(A_WHILE_MS)
    assert.equal(world.book.balance(world.payer.account), 10n)
  })

  it('of a double spend that lost never counts', async () => {
    const world = await open()
    world.node.nano.weather.upset = 1
    const send = world.payer.send(SERVICE, 10n)
    world.node.nano.publish(world.payer.fork(world.ledger.get(send)?.block.previous ?? '', ELSEWHERE, 10n))
    await world.pass(A_WHILE_MS)
    assert.deepEqual([world.book.credits(), world.receivable()], [[], []])
  })

  it('that a node said was confirmed, and was not, is taken back once another block is', async () => {
    const world = await open()
    const { nano } = world.node
    nano.weather.electionMs = [60_000, 60_000]
    nano.weather.upset = 1
    const send = world.payer.send(SERVICE, 10n)
    const truth = nano.ledger.get
    nano.ledger.get = (hash) => {
      const entry = truth(hash)
      return entry && { ...entry, confirmed: true }
    }
    await world.pass(A_WHILE_MS)
    assert.equal(world.book.balance(world.payer.account), 10n)
    nano.ledger.get = truth
    await world.pass(A_WHILE_MS)
    assert.equal(world.book.balance(world.payer.account), 10n)
    nano.publish(world.payer.fork(truth(send)?.block.previous ?? '', ELSEWHERE, 10n))
    await world.pass(60_000 + A_WHILE_MS)
    assert.deepEqual([world.book.credits(), world.book.counts.revokes], [[], 1])
  })

  it('that the node does not have for a while stays', async () => {
    const world = await withCredit(10n)
    world.node.lie = ({ action, hash }, answer) => {
      if (action === 'receivable') return { blocks: '' }
      return hash === world.send ? { error: 'Block not found' } : answer
    }
    await world.pass(world.long)
    assert.equal(world.book.balance(world.payer.account), 10n)
    assert.equal(world.book.counts.revokes, 0)
  })

  it("of the service to itself is received, and nobody's credit", async () => {
    const world = await withCredit(10n)
    world.book.use(world.payer.account, 10n)
    await world.pass(A_WHILE_MS)
    createNanoWallet(world.node.nano, SERVICE_KEY).send(SERVICE, 4n)
    await world.pass(A_WHILE_MS)
    assert.deepEqual([world.receivable(), world.balance(), world.book.credits().length], [[], 10n, 1])
  })

  it('below the minimum stays where it is', async () => {
    const world = await createNanoWorld({ minimumDeposit: 5n })
    const [payer] = world.wallets
    assert.ok(payer)
    world.start()
    payer.send(SERVICE, 4n)
    const enough = payer.send(SERVICE, 5n)
    await world.pass(A_WHILE_MS)
    assert.deepEqual(world.book.credits().map(({ id }) => id), [enough]) // prettier-ignore
    assert.equal(world.receivable().length, 2)
  })
})

describe('a node that lies', () => {
  type Lie = (request: NanoJson, answer: NanoJson) => NanoJson
  const lies: [what: string, lie: (send: string) => Lie][] = [
    ['about an amount', () => ({ action }, answer) =>
      action === 'receivable' ? twistBlocks(answer, (row) => ({ ...row, amount: '1000' })) : answer], // prettier-ignore
    ['about who sent', () => ({ action }, answer) =>
      action === 'receivable' ? twistBlocks(answer, (row) => ({ ...row, source: ELSEWHERE })) : answer], // prettier-ignore
    ['about what is in a block', (send) => ({ action, hash }, answer) =>
      action === 'block_info' && hash === send
        ? { ...answer, contents: { ...(answer.contents as NanoJson), balance: '1' } }
        : answer], // prettier-ignore
    ['about a block before it', (send) => ({ action, hash }, answer) =>
      action === 'block_info' && hash !== send
        ? { ...answer, balance: '9', contents: { ...(answer.contents as NanoJson), balance: '9' } }
        : answer], // prettier-ignore
    ['in no way that nodes speak', () => () => ({ hello: 'world' })],
  ]
  const twistBlocks = (answer: NanoJson, twist: (row: NanoJson) => NanoJson): NanoJson =>
    answer.blocks === ''
      ? answer
      : {
          blocks: Object.fromEntries(
            Object.entries(answer.blocks as Record<string, NanoJson>).map(([hash, row]) => [hash, twist(row)]),
          ),
        }
  for (const [what, lie] of lies) {
    it(`${what} makes no credit, and the truth does`, async () => {
      const world = await open()
      const send = world.payer.send(SERVICE, 10n)
      world.node.lie = lie(send)
      await world.pass(A_WHILE_MS)
      assert.deepEqual(world.book.credits(), [])
      world.node.lie = (_request, answer) => answer
      await world.pass(60_000)
      assert.equal(world.book.balance(world.payer.account), 10n)
    })
  }

  it('about the balance of the service makes no block', async () => {
    const world = await withCredit(10n)
    world.book.use(world.payer.account, 10n)
    await world.pass(A_WHILE_MS)
    const tip = world.ledger.account(SERVICE)?.frontier
    createNanoWallet(world.node.nano, SERVICE_KEY).send(ELSEWHERE, 3n)
    const foreign = world.ledger.account(SERVICE)?.frontier
    world.node.lie = ({ action, hash }, answer) =>
      action === 'block_info' && hash === foreign
        ? { ...answer, contents: { ...(answer.contents as NanoJson), balance: '10' } }
        : answer
    const second = world.payer.send(SERVICE, 5n)
    await world.pass(A_WHILE_MS)
    world.book.use(world.payer.account, 5n)
    await world.pass(60_000)
    assert.deepEqual([tip === foreign, world.ledger.account(SERVICE)?.frontier], [false, foreign])
    world.node.lie = (_request, answer) => answer
    await world.pass(60_000)
    assert.deepEqual([world.balance(), received(world).at(-1)], [12n, second])
  })

  it('about work publishes nothing', async () => {
    const world = await withCredit(10n)
    world.node.lie = ({ action }, answer) =>
      action === 'work_generate' ? { ...answer, work: '0000000000000000' } : answer
    world.book.use(world.payer.account, 10n)
    await world.pass(A_WHILE_MS)
    assert.deepEqual(received(world), [])
    assert.match(events(world), /nano\.fault code=ERR_NANO_WORK/)
    world.node.lie = (_request, answer) => answer
    await world.pass(60_000)
    assert.deepEqual(received(world), [world.send])
  })
})

describe("the service's chain", () => {
  /** A credit that is used, so that the service has money. */
  const funded = async () => {
    const world = await withCredit(100n)
    world.book.use(world.payer.account, 100n)
    await world.pass(A_WHILE_MS)
    assert.equal(world.balance(), 100n)
    world.other.send(SERVICE, 30n)
    await world.pass(A_WHILE_MS)
    return world
  }
  /** Somebody else's block for the place where the next one goes. */
  const rivalOf = (world: World, balance: bigint) => {
    const { block, hash } = world.ledger.chain(SERVICE).at(-1) ?? {}
    assert.ok(block && hash)
    const link = balance === block.balance ? ZERO_HASH : world.linkOf(ELSEWHERE)
    return finishBlock({ ...block, previous: hash, representative: ELSEWHERE, balance, link }, SERVICE_KEY)
  }
  const refund = (world: Awaited<ReturnType<typeof funded>>) =>
    world.book.refund(world.other.account, world.other.account)

  it('a fork that wins: the refund is made again after it, once', async () => {
    const world = await funded()
    world.node.nano.weather.electionMs = [30_000, 30_000]
    world.node.nano.publish(rivalOf(world, 90n))
    // The node tells of the end of the chain as it was.
    const { frontier, confirmedFrontier } = world.ledger.account(SERVICE) ?? {}
    world.node.lie = ({ action }, answer) =>
      action === 'account_info' && answer.confirmation_height_frontier === confirmedFrontier
        ? { ...answer, frontier: confirmedFrontier }
        : answer
    refund(world)
    await world.pass(A_WHILE_MS)
    assert.deepEqual(world.sends().map(({ hash }) => hash), [frontier]) // prettier-ignore
    await world.pass(120_000)
    assert.match(events(world), /nano\.block-given-up taken=fork/)
    assert.deepEqual(world.sends().map(({ amount }) => amount), [10n, 30n]) // prettier-ignore
    assert.equal(world.book.refunds()[0]?.reference, world.sends()[1]?.hash)
  })

  it('a block that was given up and wins all the same is the refund', async () => {
    const world = await funded()
    const { nano } = world.node
    nano.weather.electionMs = [30_000, 30_000]
    nano.weather.upset = 1
    const publish = nano.publish.bind(nano)
    const rival = rivalOf(world, 90n)
    nano.publish = (block) => {
      publish(rival)
      return publish(block)
    }
    refund(world)
    await world.pass(A_WHILE_MS)
    assert.match(events(world), /nano\.block-given-up taken=fork/)
    assert.deepEqual(world.sends().map(({ amount }) => amount), [10n]) // prettier-ignore
    await world.pass(120_000)
    assert.deepEqual(world.sends().map(({ amount }) => amount), [30n]) // prettier-ignore
    assert.equal(world.book.refunds()[0]?.reference, world.sends()[0]?.hash)
  })

  it('a fork that loses: the refund is made by the block that was first', async () => {
    const world = await funded()
    world.node.nano.weather.electionMs = [30_000, 30_000]
    refund(world)
    await world.pass(A_WHILE_MS)
    const [first] = world.sends()
    assert.ok(first)
    world.node.nano.publish(finishBlock({ ...first.block, representative: ELSEWHERE, balance: 1n }, SERVICE_KEY))
    await world.pass(60_000)
    assert.deepEqual(world.sends().map(({ hash, amount }) => [hash, amount]), [[first.hash, 30n]]) // prettier-ignore
    assert.equal(world.book.refunds()[0]?.reference, first.hash)
  })

  it('a node that forgets what was not confirmed gets the same block again', async () => {
    const world = await funded()
    world.node.nano.weather.electionMs = [30_000, 30_000]
    refund(world)
    await world.pass(A_WHILE_MS)
    const [first] = world.sends()
    world.node.stop(1)
    assert.deepEqual(world.sends(), [])
    await world.pass(10_000)
    await world.node.start()
    await world.pass(180_000)
    assert.deepEqual(world.sends().map(({ hash }) => hash), [first?.hash]) // prettier-ignore
    assert.equal(world.book.refunds()[0]?.reference, first?.hash)
  })

  it('work that is not enough any more is found anew, for the same block', async () => {
    const world = await funded()
    const refused: string[] = []
    world.node.lie = ({ action, block }, answer) => {
      if (action !== 'process' || refused.length > 0) return answer
      refused.push(String((block as NanoJson).signature))
      const { hash } = answer
      world.ledger.rollBack(String(hash))
      return { error: 'Block work is insufficient' }
    }
    refund(world)
    await world.pass(60_000)
    assert.equal(world.sends()[0]?.block.signature, refused[0])
    assert.equal(world.sends().length, 1)
  })

  it('a send that another wallet received counts as received', async () => {
    const world = await funded()
    const [send] = world.receivable()
    assert.ok(send)
    createNanoWallet(world.node.nano, SERVICE_KEY).receive(send.hash)
    await world.pass(A_WHILE_MS)
    assert.ok(refund(world))
    await world.pass(A_WHILE_MS)
    assert.match(events(world), /nano\.received-elsewhere/)
    assert.deepEqual([world.balance(), world.receives().length, world.sends().length], [100n, 2, 1])
  })

  it('blocks of another wallet are read and built upon', async () => {
    const world = await funded()
    const other = createNanoWallet(world.node.nano, SERVICE_KEY)
    for (const amount of [1n, 2n, 3n]) other.send(ELSEWHERE, amount)
    await world.pass(A_WHILE_MS)
    refund(world)
    await world.pass(A_WHILE_MS)
    assert.deepEqual(world.sends().map(({ amount }) => amount), [1n, 2n, 3n, 30n]) // prettier-ignore
    assert.equal(events(world).match(/nano\.foreign-block/g)?.length, 3)
  })

  it('a refund for which there is no money waits, and others do not wait for it', async () => {
    const world = await funded()
    createNanoWallet(world.node.nano, SERVICE_KEY).send(ELSEWHERE, 100n)
    const second = world.payer.send(SERVICE, 8n)
    await world.pass(A_WHILE_MS)
    const stop = new AbortController()
    const large = { id: 'L'.repeat(22), account: ELSEWHERE, amount: 1_000n, to: ELSEWHERE, authorization: '{}' }
    const waiting = world.rail().refund(large, stop.signal)
    waiting.catch(() => {})
    world.book.refund(world.payer.account, world.payer.account)
    await world.pass(60_000)
    assert.deepEqual(world.sends().map(({ amount }) => amount), [100n, 8n]) // prettier-ignore
    assert.ok(received(world).includes(second))
    assert.match(events(world), /nano\.refunds-wait-for-money refunds=1/)
    await assert.rejects(waiting, { code: 'ERR_NANO_PENDING', retryable: true })
    const again = world.rail().refund(large, stop.signal)
    stop.abort(new Error('enough'))
    await assert.rejects(again, { message: 'enough' })
  })

  it('a refund that is asked for twice is made once', async () => {
    const world = await funded()
    const refundOnce = {
      id: 'T'.repeat(22),
      account: world.other.account,
      amount: 30n,
      to: ELSEWHERE,
      authorization: '',
    }
    const { signal } = new AbortController()
    const twice = Promise.all([world.rail().refund(refundOnce, signal), world.rail().refund(refundOnce, signal)])
    await world.pass(A_WHILE_MS)
    const [one, two] = await twice
    assert.deepEqual(one, two)
    assert.deepEqual(await world.rail().refund(refundOnce, signal), one)
    assert.deepEqual(world.sends().map(({ hash }) => hash), [one.reference]) // prettier-ignore
    assert.equal(nanoBlockHash(world.sends()[0]?.block ?? assert.fail()), one.reference)
  })
})

describe('the rail', () => {
  it('is ready once it has looked at all deposits', async () => {
    const world = await createNanoWorld()
    world.node.stop(0)
    world.start()
    await world.pass(A_WHILE_MS)
    assert.equal(world.rail().ready(), false)
    await world.node.start()
    await world.pass(60_000)
    assert.equal(world.rail().ready(), true)
  })

  it('says which deposits it does not know', async () => {
    const world = await open()
    const unknown = world.rail().usedUp(['A'.repeat(64)], new AbortController().signal)
    await assert.rejects(unknown, { code: 'ERR_NANO_BEHIND', retryable: true })
  })

  it('goes on where it was after it was stopped', async () => {
    const world = await withCredit(10n)
    world.book.use(world.payer.account, 10n)
    await world.stop()
    world.payer.send(SERVICE, 3n)
    await world.pass(A_WHILE_MS)
    world.start()
    await world.pass(A_WHILE_MS)
    assert.deepEqual([world.balance(), world.book.balance(world.payer.account)], [10n, 3n])
  })

  it('logs no account, hash or key', async () => {
    const world = await withCredit(10n)
    world.book.refund(world.payer.account, ELSEWHERE)
    await world.pass(A_WHILE_MS)
    assert.doesNotMatch(events(world), /nano_|[0-9A-F]{64}/)
  })
})
