/** A whole gateway on a real EVM: what is deposited pays for requests, is cashed, and what is left goes back. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { Wallet } from 'ethers'
import { createAccount } from '../../../chain/transactions.ts'
import type { Address } from '../../../chain/types.ts'
import { createClock, type Clock } from '../../../effects/clock.ts'
import { base64urlOfText, createSha256, hmacSha256, sha256 } from '../../../effects/digest-node.ts'
import { silentLog } from '../../../effects/log.ts'
import { createRandom } from '../../../effects/random.ts'
import { createSqlStore } from '../../../effects/store-node.ts'
import { turn } from '../../../effects/turn-node.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { createJose } from '../../../protocol/jose.ts'
import { parseKeyId } from '../../../protocol/keys.ts'
import { signMessage } from '../../../protocol/typed-data.ts'
import { channelVoucherSigner } from '../../../protocol/voucher-keys.ts'
import { eventually } from '../../../test/eventually.ts'
import { meterFetch } from '../../fetch.ts'
import { createGateway, type Gateway } from '../../index.ts'
import { gatewaySettingsSchema } from '../../settings.ts'
import {
  createSpender,
  HOST,
  keyPayer,
  NOW,
  requestOf,
  seal,
  serviceKeys,
  VENDOR,
  type TestPayer,
} from '../../testing.ts'
import { evmAccountSchema, openEvmAccounts, type EvmAccounts } from './accounts.ts'
import { openLedgerBook } from './ledger-book.ts'
import { CHAIN_ID, openTestWorld, type TestWorld } from './testing.ts'

/** Smallest units of the dollar: 0.0001. */
const PRICE = 100n

let world: TestWorld
let folder: string
let accounts: EvmAccounts
let gateway: Gateway
let answer: (request: Request) => Promise<Response>
let stop: () => Promise<void>

before(async () => {
  world = await openTestWorld()
  folder = await mkdtemp(join(tmpdir(), 'chrove-gateway-'))
  await world.evm.request('evm_setAutomine', [true])
  const time = createClock()
  // Every wait is short, and none makes a block.
  const clock: Clock = { nowMs: () => world.clock.nowMs(), sleep: (ms, signal) => time.sleep(Math.min(ms, 5), signal) }
  const sql = createSqlStore(folder)
  const vendor = createAccount({ chain: world.evm, clock }, CHAIN_ID, world.evm.key(1))
  const book = await openLedgerBook(sql.dialect('gateway'))
  const token = world.dollar.address
  const entries = {
    channels: { scheme: 'channel', currency: 'CTD', token, withdrawDelayMinSeconds: 3600 },
    cards: { scheme: 'order', currency: 'CTD', token, plans: [2] },
    each: { scheme: 'x402', currency: 'CTD', token },
  }
  const parsed = Object.fromEntries(Object.entries(entries).map(([name, one]) => [name, evmAccountSchema.parse(one)]))
  const effects = { ...world.effects, clock, sql }
  accounts = await openEvmAccounts(effects, world.settings, parsed, vendor, book)
  const settings = gatewaySettingsSchema.parse({ hosts: [HOST], accounts: entries, price: '0.0001' })
  gateway = await createGateway(
    {
      clock: { ...clock, nowMs: () => NOW * 1000 },
      random: createRandom(),
      sql,
      log: silentLog,
      jose: createJose(),
      turn,
      sha256,
      hmac: hmacSha256,
      encode: base64urlOfText,
    },
    settings,
    { keys: serviceKeys, vendor: VENDOR, rails: accounts.rails },
  )
  answer = meterFetch(gateway, createSha256, () => new Response('served'))
  const stopping = new AbortController()
  const running = gateway.run(stopping.signal)
  stop = async () => {
    stopping.abort()
    await running
    await gateway.close()
    await accounts.close()
    await book.close()
  }
})
after(async () => {
  await stop()
  await world.close()
  await rm(folder, { recursive: true })
})

const balanceOf = (owner: Address) => world.balance(world.dollar.address, owner)

/** The status of the first answer that is not for want of a deposit, which takes a moment to be seen. */
const paid = (ask: () => Request) =>
  eventually('the deposit counts', async () => {
    const response = await answer(ask())
    return response.status === 402 ? undefined : response
  })

const askRefund = async (payer: TestPayer, claims: Parameters<typeof seal>[1]) => {
  const voucher = await seal(payer, { purpose: 'refund', exp: NOW + 300, ...claims })
  const headers = {
    host: HOST,
    'payment-account-currency': payer.currency,
    'payment-account-address': payer.account,
    'payment-voucher': voucher,
  }
  return answer(requestOf('POST', '/refund', headers))
}

describe('a gateway on an EVM chain', () => {
  it('serves against a payment channel, cashes what was used, and gives the rest to whom the payer names', async () => {
    const settings = world.channel(1, world.dollar.address)
    const channelId = world.channelId(settings)
    await world.deposit(settings, 1000n)
    const signer = channelVoucherSigner(world.signerKey)
    const payer: TestPayer = { account: channelId, currency: 'CTD', signer }
    const signed = (cumulative: bigint) => ({
      cumulative: cumulative.toString(),
      signature: world.voucher(settings, cumulative),
    })
    const first = await createSpender(payer, signed(2n * PRICE))
    assert.equal(await (await paid(() => first.ask('GET', '/a'))).text(), 'served')
    assert.equal((await answer(first.ask('GET', '/a'))).status, 200)
    // The voucher says no more, though the channel holds it.
    assert.equal((await answer(first.ask('GET', '/a'))).status, 402)
    const second = await createSpender(payer, signed(3n * PRICE))
    assert.equal((await answer(second.ask('GET', '/a'))).status, 200)

    const earned = await balanceOf(world.vendor.address)
    assert.equal(await accounts.claims.claimAll(), 1)
    assert.equal(await balanceOf(world.vendor.address), earned + 3n * PRICE)

    const to = world.stranger.address
    const request = { channelId, to, refunds: 0 }
    const refundSignature = signMessage(world.domain, 'RefundRequest', request, world.signerKey)
    const held = await balanceOf(to)
    const response = await askRefund(payer, { to, refunds: 0, refundSignature, ...signed(3n * PRICE) })
    assert.ok(response.ok, await response.text())
    await eventually('the rest arrives', async () => ((await balanceOf(to)) === held + 700n ? true : undefined))
    assert.equal((await answer(second.ask('GET', '/a'))).status, 402)
  })

  it('serves against credit in the name of an RSA key, and gives the rest back', async () => {
    const payer = keyPayer(3, 'CTD')
    const keyHash = toHex(parseKeyId(payer.account))
    await world.buyCredit(keyHash, 2, 1)
    const spender = await createSpender(payer)
    assert.equal((await paid(() => spender.ask('GET', '/b'))).status, 200)
    const to = world.stranger.address
    const held = await balanceOf(to)
    assert.ok((await askRefund(payer, { to })).ok)
    const rest = 1_000_000n - PRICE
    await eventually('the rest arrives', async () => ((await balanceOf(to)) === held + rest ? true : undefined))
    assert.equal((await answer(spender.ask('GET', '/b'))).status, 402)
  })

  it('serves x402’s own client, which knows nothing of us', async () => {
    const wallet = new Wallet(toHex(world.evm.key(2)))
    const signer = {
      address: wallet.address as `0x${string}`,
      signTypedData: ({ domain, types, message }: Parameters<ExactSigner['signTypedData']>[0]) =>
        wallet.signTypedData(domain, types as never, message) as Promise<`0x${string}`>,
    }
    const send: typeof fetch = (input, init) => answer(new Request(input, init))
    const pay = wrapFetchWithPaymentFromConfig(send, {
      schemes: [{ network: 'eip155:31337', client: new ExactEvmScheme(signer) }],
      spendControls: { allowedAssets: true },
    })
    const earned = await balanceOf(world.vendor.address)
    const response = await pay(`http://${HOST}/c`)
    assert.deepEqual([response.status, await response.text()], [200, 'served'])
    assert.equal(await balanceOf(world.vendor.address), earned + PRICE)
    assert.ok(response.headers.get('payment-response'))
  })
})

type ExactSigner = ConstructorParameters<typeof ExactEvmScheme>[0]
