/** `chrove vendor …` as a vendor uses it, on a real chain. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createContractReader } from '../chain/contracts.ts'
import { createRpc } from '../chain/rpc.ts'
import type { Address } from '../chain/types.ts'
import { createNodeEffects } from '../effects/node.ts'
import { keyHashOf } from '../protocol/cert-info.ts'
import { createChrove, type Chrove } from '../scripts/chrove.ts'
import { freePort } from '../scripts/ports.ts'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { registeredForm, unsealVendorKeys } from '../vendor/keys.ts'
import { openMarket, openShop, PASSPHRASE, payFor, type Market } from './market.ts'
import { rawTransaction } from './raw-transaction.ts'

let market: Market
before(async () => {
  market = await openMarket()
})
after(() => market.close())

const chainDoor = () => createNodeEffects({ service: 'test', home: market.folder, rpc: market.chain.url }).chain
const vendorCount = () => createContractReader(chainDoor()).vendorCount(market.chain.registry)
const balanceOf = (account: string) => createRpc(chainDoor()).balanceWei(account as Address)

const openHome = async (name: string) => {
  const home = join(market.folder, name)
  const chrove = createChrove({ home, passphrase: PASSPHRASE, accountKey: market.account() })
  const made = await chrove.run('vendor', 'init', '--rpc', market.chain.url, '--registry', market.chain.registry)
  return { home, chrove, account: String(made.account) }
}

const registration = async (): Promise<string[]> => {
  const [http, socks5] = [await freePort(), await freePort()]
  return [
    ...['vendor', 'register', '--title', 'Quiet Cove', '--endpoint', `http://127.0.0.1:${http}`],
    ...['--listen', `127.0.0.1:${http}`, '--socks5', `127.0.0.1:${socks5}`],
  ]
}

describe('vendor register', () => {
  it('says what it would cost and sends nothing, when that is asked', async () => {
    const { chrove, account } = await openHome('dry')
    const earlier = [await vendorCount(), await balanceOf(account)]
    const { maxCostWei } = await chrove.run(...(await registration()), '--dry-run')
    assert.ok(BigInt(String(maxCostWei)) > 0n)
    assert.deepEqual([await vendorCount(), await balanceOf(account)], earlier)
  })

  it('costs no more than it said, and registers once', async () => {
    const { chrove, account } = await openHome('once')
    const { maxCostWei } = await chrove.run(...(await registration()), '--dry-run')
    const earlier = await balanceOf(account)
    const { uri } = await chrove.run(...(await registration()), '--yes')
    assert.ok(earlier - (await balanceOf(account)) <= BigInt(String(maxCostWei)))
    assert.match(String(uri), new RegExp(`/${await vendorCount()}$`))
    await assert.rejects(chrove.run(...(await registration()), '--yes'), /registered from this home already/)
  })

  it('asks before it spends: with nobody to ask it sends nothing', async () => {
    const { chrove } = await openHome('unasked')
    const earlier = await vendorCount()
    await assert.rejects(chrove.run(...(await registration())), /ERR_NOT_CONFIRMED/)
    assert.equal(await vendorCount(), earlier)
  })

  it('that was cut off after it paid is found again, not paid for again', async () => {
    const { home, chrove } = await openHome('cut')
    const earlier = await vendorCount()
    const { transaction } = await chrove.run(...(await registration()), '--yes')
    // As if the process had died between sending and writing down what came of it.
    const raw = await rawTransaction(market.chain.request, String(transaction))
    await rm(join(home, 'vendor.json'))
    await writeFile(join(home, 'vendor-pending.txt'), raw)
    const again = await chrove.run(...(await registration()), '--yes')
    assert.equal(again.transaction, transaction)
    assert.equal(await vendorCount(), earlier + 1n)
    assert.equal(await readFile(join(home, 'vendor-pending.txt'), 'utf8'), '')
  })

  it('refuses what would make no working vendor before anything is paid', async () => {
    const { chrove } = await openHome('wrong')
    const listen = ['--listen', '127.0.0.1:1', '--endpoint', 'http://127.0.0.1:1']
    const refused: [string[], RegExp][] = [
      [['--title', 'x', ...listen], /what do buyers get/],
      [['--title', '', ...listen, '--socks5', '127.0.0.1:2'], /brand.title/],
      [['--title', 'x', ...listen, '--socks5', 'nowhere'], /host:port/],
      [['--title', 'x', ...listen, '--servers', '{"not":"a list"}'], /delivery/],
      [['--title', 'x', ...listen, '--socks5', '127.0.0.1:2', '--payout', '0x12'], /--payout/],
      [['--title', 'x', ...listen, '--socks5', '127.0.0.1:2', '--confirmations', 'many'], /confirmations/],
    ]
    const earlier = await vendorCount()
    for (const [options, says] of refused) {
      await assert.rejects(chrove.run('vendor', 'register', ...options, '--yes'), says)
    }
    assert.equal(await vendorCount(), earlier)
  })
})

describe('vendor init', () => {
  it('never replaces keys', async () => {
    const { home, chrove } = await openHome('kept')
    const keys = await readFile(join(home, 'vendor-keys.json'))
    await assert.rejects(chrove.run('vendor', 'init'), /here already/)
    assert.deepEqual(await readFile(join(home, 'vendor-keys.json')), keys)
  })

  it('refuses an account key that is none', async () => {
    const chrove = createChrove({ home: join(market.folder, 'bad'), passphrase: PASSPHRASE, accountKey: '0x12' })
    await assert.rejects(chrove.run('vendor', 'init'), /CHROVE_PRIVATE_KEY/)
  })
})

describe('vendor plan', () => {
  it('adds, lists, stops and resumes plans', async () => {
    const { chrove } = await openHome('plans')
    await chrove.run(...(await registration()), '--yes')
    const add = ['vendor', 'plan', 'add', '--price', '0.002', '--title']
    assert.equal((await chrove.run(...add, 'A day', '--period', '1d', '--yes')).planId, 1)
    assert.equal((await chrove.run(...add, 'A week', '--period', '1w', '--settlement', 'instant', '--yes')).planId, 2)
    await chrove.run('vendor', 'plan', 'stop', '1', '--yes')
    assert.deepEqual(await onSale(chrove), [false, true])
    await chrove.run('vendor', 'plan', 'resume', '1', '--yes')
    assert.deepEqual(await onSale(chrove), [true, true])
    const { plans } = (await chrove.run('vendor', 'plan', 'list')) as { plans: Record<string, unknown>[] }
    const { price, periodSeconds, settlement, title } = plans[1] ?? {}
    assert.deepEqual([price, periodSeconds, settlement, title], ['2000000000000000', 604_800, 'instant', 'A week'])
  })

  it('refuses prices, periods and numbers that are none', async () => {
    const { chrove } = await openHome('odd-plans')
    const add = (...options: string[]) => chrove.run('vendor', 'plan', 'add', '--title', 'x', ...options, '--yes')
    await assert.rejects(add('--price', '0', '--period', '1d'), /--price/)
    await assert.rejects(add('--price', '-1', '--period', '1d'), /--price/)
    await assert.rejects(add('--price', '1', '--period', 'soon'), /must be a time/)
    await assert.rejects(add('--price', '1', '--period', '1d', '--max-periods', '0'), /must be a number/)
    await assert.rejects(add('--price', '1', '--period', '1d', '--settlement', 'later'), /--settlement/)
    await assert.rejects(chrove.run('vendor', 'plan', 'stop', 'one', '--yes'), /must be a number/)
  })
})

describe('vendor withdraw', () => {
  it('pays out what is earned, no more, and says so beforehand', async () => {
    const shop = await openShop(market, { title: 'Earner' })
    const chrove = createChrove({ home: shop.home, passphrase: PASSPHRASE })
    assert.equal((await chrove.run('vendor', 'withdraw', '--dry-run')).orders, 0)
    await payFor(market, shop, keyHashOf(rsaKeyPair(20).publicKey))
    await payFor(market, shop, keyHashOf(rsaKeyPair(21).publicKey))
    await market.chain.request('evm_increaseTime', [600])
    await market.chain.request('evm_mine', [])

    const status = await chrove.run('vendor', 'status')
    assert.equal(status.orders, 2)
    assert.equal(status.keysRegistered, true)
    const dry = await chrove.run('vendor', 'withdraw', '--dry-run')
    assert.equal(dry.orders, 2)
    assert.ok(BigInt(String(dry.earnedWei)) > 0n)

    const earlier = await held()
    const done = await chrove.run('vendor', 'withdraw', '--yes')
    assert.equal((done.transactions as string[]).length, 1)
    assert.ok(earlier - (await held()) >= BigInt(String(dry.earnedWei)))
  })
})

describe('vendor serve', () => {
  it('says that it listens once it does, for questions and for the proxy', async () => {
    const shop = await openShop(market, { title: 'Two doors' })
    const chrove = createChrove({ home: shop.home, passphrase: PASSPHRASE })
    for (const port of [shop.socks5Port, Number(new URL(shop.url).port)]) {
      const taken = createServer().listen(port, '127.0.0.1')
      await once(taken, 'listening')
      await assert.rejects(chrove.serve('vendor', 'serve'), /ERR_NETWORK_ADDRESS_IN_USE/)
      taken.close()
      await once(taken, 'close')
    }
    const { answer, stop } = await chrove.serve('vendor', 'serve')
    assert.equal(answer.uri, shop.uri)
    await stop()
  })
})

describe('vendor rotate-keys', () => {
  const keysIn = async (home: string) => registeredForm((await keysOf(home)) ?? assert.fail())
  const keysOf = async (home: string, name = 'vendor-keys.json') => {
    const content = new Uint8Array(await readFile(join(home, name)))
    return content.length === 0 ? undefined : unsealVendorKeys(content, PASSPHRASE)
  }
  const onChain = async ({ vendorId }: { vendorId: bigint }) => {
    const { vendor } = await createContractReader(chainDoor()).listing(market.chain.registry, vendorId)
    return { signingKey: vendor.signingKey, encryptionKey: vendor.encryptionKey }
  }
  const open = async (title: string) => {
    const shop = await openShop(market, { title })
    return { shop, chrove: createChrove({ home: shop.home, passphrase: PASSPHRASE }) }
  }

  it('puts new keys in place of the old, in the registry and here, and keeps the account', async () => {
    const { shop, chrove } = await open('Rotating')
    const earlier = await keysIn(shop.home)
    const { maxCostWei } = await chrove.run('vendor', 'rotate-keys', '--dry-run')
    assert.ok(BigInt(String(maxCostWei)) > 0n)
    assert.deepEqual(await onChain(shop), earlier)

    const { signingKey, encryptionKey } = await chrove.run('vendor', 'rotate-keys', '--yes')
    assert.notEqual(signingKey, earlier.signingKey)
    assert.notEqual(encryptionKey, earlier.encryptionKey)
    assert.deepEqual(await onChain(shop), { signingKey, encryptionKey })
    const keys = (await keysOf(shop.home)) ?? assert.fail()
    assert.deepEqual(registeredForm(keys), { signingKey, encryptionKey })
    assert.deepEqual(keys.provisioningSecret, shop.keys.provisioningSecret)
    assert.equal(keys.accountKey, shop.keys.accountKey)
    assert.equal((await chrove.run('vendor', 'status')).keysRegistered, true)
    assert.equal(await keysOf(shop.home, 'vendor-keys-next.json'), undefined)
  })

  it('that was cut off anywhere ends with keys that are registered and here', async () => {
    const { shop, chrove } = await open('Cut off')
    const [current, next] = ['vendor-keys.json', 'vendor-keys-next.json'].map((name) => join(shop.home, name))
    const old = await readFile(current ?? '')
    const { transaction } = await chrove.run('vendor', 'rotate-keys', '--yes')
    const rotated = await onChain(shop)
    const fresh = await readFile(current ?? '')

    // Between sending and seeing it mined; between that and taking the keys; between the two writes of taking them.
    const raw = await rawTransaction(market.chain.request, String(transaction))
    const states: [pending: string, current: Buffer][] = [
      [raw, old],
      ['', old],
      ['', fresh],
    ]
    for (const [pending, content] of states) {
      await writeFile(join(shop.home, 'vendor-pending.txt'), pending)
      await writeFile(current ?? '', content)
      await writeFile(next ?? '', fresh)
      await chrove.run('vendor', 'rotate-keys', '--yes')
      assert.deepEqual(await onChain(shop), rotated)
      assert.deepEqual(await keysIn(shop.home), rotated)
      assert.equal((await readFile(next ?? '')).length, 0)
    }

    // Between storing the new keys and sending: the same are taken up again.
    await writeFile(next ?? '', old)
    await chrove.run('vendor', 'rotate-keys', '--yes')
    assert.deepEqual(await onChain(shop), registeredForm(shop.keys))
    assert.deepEqual(await keysIn(shop.home), registeredForm(shop.keys))
  })

  it('registers the keys of this home where the registry has others', async () => {
    const { shop, chrove } = await open('Restored')
    const old = await readFile(join(shop.home, 'vendor-keys.json'))
    await chrove.run('vendor', 'rotate-keys', '--yes')
    await writeFile(join(shop.home, 'vendor-keys.json'), old)
    assert.equal((await chrove.run('vendor', 'status')).keysRegistered, false)
    await chrove.run('vendor', 'rotate-keys', '--yes')
    assert.deepEqual(await onChain(shop), registeredForm(shop.keys))
  })
})

const held = async () => balanceOf(await createContractReader(chainDoor()).paymentsOf(market.chain.registry))

const onSale = async (chrove: Chrove): Promise<unknown[]> => {
  const { plans } = (await chrove.run('vendor', 'plan', 'list')) as { plans: { onSale: boolean }[] }
  return plans.map((plan) => plan.onSale)
}
