/**
 * SEED 004's flows with everything real but the money: the gateway, the rail, its database in files, and HTTP and WebSocket
 * to a node that checks what a node checks (`test/nano-server.ts`).
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createClock } from '../../../effects/clock.ts'
import { silentLog } from '../../../effects/log.ts'
import { createNanoConfirmations } from '../../../effects/nano-confirmations-node.ts'
import { createDial, createNetwork } from '../../../effects/network-node.ts'
import { createRandom } from '../../../effects/random.ts'
import { createSqlStore } from '../../../effects/store-node.ts'
import { nanoVoucherSigner } from '../../../protocol/nano/voucher.ts'
import { linkTo } from '../../../sim/nano/ledger.ts'
import { createNanoWallet, nanoAccount, nanoKey } from '../../../sim/nano/wallet.ts'
import { eventually } from '../../../test/eventually.ts'
import { startNanoServer } from '../../../test/nano-server.ts'
import { createSpender, HOST, requestOf, seal, startGateway, type TestPayer } from '../../testing.ts'
import { createNanoRail } from './index.ts'
import { SERVICE, SERVICE_KEY, testSettings } from './testing.ts'

const GENESIS_KEY = nanoKey(1)
const PAYER_KEY = nanoKey(100)
const ELSEWHERE = nanoAccount(nanoKey(3))
/** Hundredths of a nano, which is what a request costs here. */
const CENT = 10n ** 28n
const FORTUNE = 1_000n * CENT
const REST = { afterSeconds: 60, minimum: '0.002' }

const open = async (t: TestContext) => {
  const server = await startNanoServer(t, GENESIS_KEY)
  const { ledger } = server.nano
  const payer = createNanoWallet(server.nano, PAYER_KEY)
  const fortune = createNanoWallet(server.nano, GENESIS_KEY).send(payer.account, FORTUNE)
  payer.receive(fortune)

  const folder = await mkdtemp(join(tmpdir(), 'chrove-nano-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const base = { clock: createClock(), random: createRandom(), log: silentLog }
  const confirmations = createNanoConfirmations(base, createDial({}), [server.socket], SERVICE)
  const effects = { ...base, network: createNetwork(), sql: createSqlStore(folder), confirmations }
  const rail = await createNanoRail(effects, testSettings(server.rpc), SERVICE_KEY)
  const service = await startGateway({ rails: { nano: rail }, settings: { price: '0.01', rest: REST } })
  t.after(async () => {
    await service.stop()
    await rail.close()
  })

  const account: TestPayer = { account: payer.account, currency: 'NANO', signer: nanoVoucherSigner(PAYER_KEY) }
  const spender = await createSpender(account)
  const balanceTold = async () => {
    const answer = await service.fetch(spender.ask('GET', '/usage'))
    return answer.headers.get('payment-account-balance')
  }
  return {
    ...{ server, ledger, payer, account, rail, service, balanceTold },
    get: () => service.fetch(spender.ask('GET', '/a')),
    /** Until the gateway has credited all that was sent. */
    credited: (balance: string) =>
      eventually(`a balance of ${balance}`, async () => ((await balanceTold()) === balance ? balance : undefined)),
    /** Until the gateway has done what it puts off. */
    afterwards: <T>(fact: string, ask: () => T | undefined) =>
      eventually(fact, async () => {
        await service.expire()
        return ask()
      }),
    pending: () => ledger.receivable(SERVICE).map(({ hash }) => hash),
    chain: () => ledger.chain(SERVICE).map(({ subtype, amount, block }) => ({ subtype, amount, link: block.link })),
  }
}

describe('SEED 004 Implementation details with NANO, over HTTP', () => {
  it('both flows, 1 to 4, and what is left is sent back', async (t) => {
    const { server, payer, get, credited, service, afterwards, pending, chain, ledger } = await open(t)
    // Payment flow 1: client sends a payment to the service's wallet.
    const send = payer.send(SERVICE, (5n * CENT) / 2n)
    await credited('0.025')
    // Voucher flow 1 and 2: a voucher by their wallet's private key, embedded in requests.
    const first = await get()
    assert.equal(first.status, 200)
    // Payment flow 2 and 3: no receive block; a record of requests against the pending send block.
    assert.deepEqual([pending(), chain()], [[send], []])
    // Voucher flow 3: its value is used up, which can be monitored via response headers.
    assert.equal(first.headers.get('payment-account-balance'), '0.015')
    const second = await get()
    assert.equal(second.headers.get('payment-account-balance'), '0.005')
    // Voucher flow 4: client is notified: 402 Payment required.
    const third = await get()
    assert.equal(third.status, 402)
    const told = (await third.json()) as { code: string; serviceAccount: string; hostname: string }
    assert.deepEqual([told.code, told.serviceAccount, told.hostname], ['ERR_BALANCE_SHORT', SERVICE, HOST])
    // "If not, we will send a refund (depending on minimum transaction details)".
    service.clock.nowMs += 61_000
    const refund = await afterwards('a refund', () => chain().find(({ subtype }) => subtype === 'send'))
    assert.deepEqual([refund.amount, refund.link], [CENT / 2n, linkTo(payer.account)])
    // Payment flow 4: the receive block, for what is used up now.
    assert.deepEqual(
      chain().map(({ subtype }) => subtype),
      ['open', 'send'],
    )
    assert.deepEqual([pending(), chain()[0]?.link], [[], send])
    assert.equal(ledger.account(SERVICE)?.balance, 2n * CENT)
    assert.equal(server.nano.ledger.supply(), (1n << 128n) - 1n)
  })

  it('another send block pre-empts the 402, and what is left rolls over into it', async (t) => {
    const { payer, get, credited, service, afterwards, pending, chain } = await open(t)
    const one = payer.send(SERVICE, (3n * CENT) / 2n)
    await credited('0.015')
    assert.equal((await get()).status, 200)
    assert.equal((await get()).status, 402)
    const two = payer.send(SERVICE, CENT)
    await credited('0.015')
    service.clock.nowMs += 61_000
    assert.equal((await get()).status, 200)
    await afterwards('a receive block', () => chain()[0])
    assert.deepEqual([chain().map(({ link }) => link), pending()], [[one], [two]])
    assert.equal(await credited('0.005'), '0.005')
  })

  it('less than the minimum is kept', async (t) => {
    const { payer, get, credited, service, balanceTold, chain } = await open(t)
    payer.send(SERVICE, CENT + CENT / 10n)
    await credited('0.011')
    assert.equal((await get()).status, 200)
    assert.equal((await get()).status, 402)
    service.clock.nowMs += 61_000
    for (let looks = 0; looks < 5; looks++) await service.expire()
    assert.deepEqual([await balanceTold(), chain()], ['0.001', []])
  })

  it('a refund is asked for by a voucher of its own (SVR), to a different wallet, once', async (t) => {
    const { payer, account, get, credited, service, afterwards, chain } = await open(t)
    payer.send(SERVICE, 3n * CENT)
    await credited('0.03')
    assert.equal((await get()).status, 200)
    const exp = service.clock.nowMs / 1000 + 600
    const request = await seal(account, { purpose: 'refund', to: ELSEWHERE, exp })
    const ask = () => service.fetch(requestOf('POST', '/refund', { host: HOST }, request))
    assert.equal((await ask()).status, 202)
    assert.equal((await ask()).status, 409)
    const refund = await afterwards('a refund', () => chain().find(({ subtype }) => subtype === 'send'))
    assert.deepEqual([refund.amount, refund.link], [2n * CENT, linkTo(ELSEWHERE)])
  })
})
