/** `chrove vendor claim` as a vendor uses it, on a real chain, with vouchers in a gateway's ledger. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { computeAddress } from 'ethers'
import { createContractReader, paymentsCall } from '../chain/contracts.ts'
import { createRpc } from '../chain/rpc.ts'
import { createAccount, type Account } from '../chain/transactions.ts'
import { parseAddress, ZERO_ADDRESS, type Address, type Hex } from '../chain/types.ts'
import { createNodeEffects } from '../effects/node.ts'
import { createLedger } from '../gateway/ledger/index.ts'
import { openLedgerStore } from '../gateway/ledger/store.ts'
import { channelRailPrefix } from '../gateway/rails/evm/rail-ids.ts'
import { evidenceText } from '../gateway/rails/evm/vouchers.ts'
import { fromHex } from '../protocol/bytes.ts'
import { channelIdOf, paymentsDomain, signMessage } from '../protocol/typed-data.ts'
import { createChrove, type Chrove } from '../scripts/chrove.ts'
import { openMarket, openShop, PASSPHRASE, type Market, type Shop } from './market.ts'
import { rawTransaction } from './raw-transaction.ts'

const COIN = 10n ** 18n

let market: Market
let shop: Shop
let chrove: Chrove
let payer: Account
const said: string[] = []
const signerKey = fromHex(`0x${'5e'.repeat(32)}`)
const signer = parseAddress(computeAddress(`0x${'5e'.repeat(32)}`)) as Address

const effects = () => createNodeEffects({ service: 'test', home: shop.home, rpc: market.chain.url, logLevel: 'silent' })
const channelOf = async (channelId: Hex) =>
  (await createContractReader(effects().chain).channels(market.chain.payments, [channelId]))[0]

before(async () => {
  market = await openMarket()
  shop = await openShop(market, { title: 'Metered Mole' })
  chrove = createChrove({ home: shop.home, passphrase: PASSPHRASE, onSaid: (text) => said.push(text) })
  const { chain, clock } = effects()
  payer = createAccount({ chain, clock }, market.chain.chainId, fromHex(market.account()))
})
after(() => market.close())

let salts = 0
/** A channel with a coin in it, and a voucher of so much that a gateway has taken. */
const signedChannel = async (cumulative: bigint) => {
  const { chainId, payments } = market.chain
  const domain = paymentsDomain(chainId, payments)
  const settings = {
    vendorId: shop.vendorId,
    payer: payer.address,
    signer,
    token: ZERO_ADDRESS,
    withdrawDelay: 3600,
    salt: `0x${(++salts).toString(16).padStart(64, '0')}` as Hex,
  }
  const channelId = channelIdOf(domain, settings)
  await payer.send(await payer.quote({ ...paymentsCall(payments, 'deposit', settings, COIN), valueWei: COIN }))
  const signature = signMessage(domain, 'Voucher', { channelId, cumulative }, signerKey)
  const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))
  const ledger = await createLedger(await openLedgerStore(effects().sql.dialect('gateway')), turn)
  const book = `${channelRailPrefix(chainId, payments, shop.vendorId)}${ZERO_ADDRESS}`
  await ledger.sign(
    await ledger.open({ book, account: channelId }),
    cumulative,
    evidenceText(settings, { cumulative, signature }),
  )
  await ledger.close()
  return { settings, channelId }
}

interface Claimed {
  readonly claims: readonly { readonly channelId: string; readonly amount: string; readonly maxCostWei: string }[]
  readonly skipped: readonly { readonly channelId: string }[]
  readonly transactions: readonly string[]
  readonly maxCostWei: string
}

const claim = async (...options: string[]) => (await chrove.run('vendor', 'claim', ...options)) as unknown as Claimed

describe('vendor claim', () => {
  it('has nothing to do where no gateway ever was', async () => {
    assert.deepEqual((await claim('--yes')).claims, [])
  })

  it('says what each brings and costs, and sends nothing, when that is asked', async () => {
    const { channelId } = await signedChannel(COIN / 2n)
    const { claims, transactions, maxCostWei } = await claim('--dry-run')
    const [one] = claims
    assert.deepEqual([claims.length, one?.channelId, one?.amount], [1, channelId, String(COIN / 2n)])
    assert.ok(BigInt(one?.maxCostWei ?? 0) > 0n && one?.maxCostWei === maxCostWei)
    assert.deepEqual(transactions, [])
    assert.equal((await channelOf(channelId))?.claimed, 0n)
  })

  it('pays many vouchers in one transaction, for no more than it said, and nothing twice', async () => {
    const { channelId } = await signedChannel(COIN / 4n)
    const payout = createAccount(effects(), market.chain.chainId, fromHex(shop.keys.accountKey)).address
    const rpc = createRpc(effects().chain)
    const earlier = await rpc.balanceWei(payout)
    const { claims, transactions, maxCostWei } = await claim('--yes')
    assert.deepEqual([claims.length, transactions.length], [2, 1])
    assert.equal((await channelOf(channelId))?.claimed, COIN / 4n)
    const gained = (await rpc.balanceWei(payout)) - earlier
    assert.ok(gained <= (COIN * 3n) / 4n && gained >= (COIN * 3n) / 4n - BigInt(maxCostWei))
    assert.deepEqual((await claim('--yes')).claims, [])
  })

  it('leaves what is not worth its gas, until it is told to take all', async () => {
    const { channelId } = await signedChannel(1n)
    const { claims, skipped } = await claim('--yes')
    assert.deepEqual([claims.length, skipped.map((one) => one.channelId)], [0, [channelId]])
    assert.equal((await claim('--yes', '--all')).claims.length, 1)
    assert.equal((await channelOf(channelId))?.claimed, 1n)
  })

  it('leaves what brings less than it is told to look for', async () => {
    await signedChannel(COIN / 8n)
    assert.equal((await claim('--yes', '--least', '0.126')).claims.length, 0)
    await assert.rejects(claim('--yes', '--least', 'much'), /--least/)
    assert.equal((await claim('--yes', '--least', '0.125')).claims.length, 1)
  })

  it('warns of payers who take the rest back, and claims those first', async () => {
    await signedChannel(COIN / 3n)
    const { settings, channelId } = await signedChannel(COIN / 5n)
    const { payments } = market.chain
    await payer.send(await payer.quote(paymentsCall(payments, 'requestWithdrawal', settings, payer.address)))
    said.length = 0
    const { claims } = await claim('--yes')
    assert.deepEqual([claims.length, claims[0]?.channelId], [2, channelId])
    assert.match(said.join('\n'), /1 channels are being emptied by their payers, the first can be in (59|60) minutes/)
  })

  it('asks before it spends: with nobody to ask it sends nothing', async () => {
    const { channelId } = await signedChannel(COIN / 7n)
    await assert.rejects(claim(), /ERR_NOT_CONFIRMED/)
    assert.equal((await channelOf(channelId))?.claimed, 0n)
    await claim('--yes')
  })

  it('that was cut off after it was sent waits for that, and claims nothing twice', async () => {
    const { channelId } = await signedChannel(COIN / 9n)
    const { transactions } = await claim('--yes')
    const file = join(shop.home, 'vendor-pending.txt')
    await writeFile(file, await rawTransaction(market.chain.request, String(transactions[0])))
    await signedChannel(COIN / 11n)
    const again = await claim('--yes')
    assert.deepEqual([again.claims.length, again.claims[0]?.amount], [1, String(COIN / 11n)])
    assert.equal(await readFile(file, 'utf8'), '')
    assert.equal((await channelOf(channelId))?.claimed, COIN / 9n)
  })
})
