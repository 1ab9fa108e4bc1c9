/** A gateway's accounts on an EVM chain, from its settings to rails. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { registryCall } from '../../../chain/contracts.ts'
import { ZERO_ADDRESS } from '../../../chain/types.ts'
import { deployToken } from '../../../scripts/tokens.ts'
import { toHex } from '../../../protocol/bytes.ts'
import type { RailContext } from '../open-rails.ts'
import { evmAccountSchema, openEvmAccounts } from './accounts.ts'
import { evmRails } from './opener.ts'
import { createTestBook, createTestDisk, openTestWorld, type TestWorld } from './testing.ts'

let world: TestWorld
before(async () => {
  world = await openTestWorld()
})
after(() => world.close())

const open = async (entries: Readonly<Record<string, object>>, disk = createTestDisk()) => {
  const parsed = Object.fromEntries(Object.entries(entries).map(([name, one]) => [name, evmAccountSchema.parse(one)]))
  const effects = { ...world.effects, sql: disk.mount() }
  return openEvmAccounts(effects, world.settings, parsed, world.vendor, createTestBook().book)
}

describe('accounts of a gateway', () => {
  it('become rails by the names that they have', async () => {
    const token = world.dollar.address
    const { rails, close } = await open({
      coin: { scheme: 'channel', currency: 'ETH' },
      dollars: { scheme: 'channel', currency: 'CTD', token: token.toUpperCase().replace('0X', '0x') },
      cards: { scheme: 'order', currency: 'CTD', token, plans: [2] },
      each: { scheme: 'x402', currency: 'CTD', token },
    })
    const of = (name: string) => {
      const rail = rails.get(name)
      return [rail?.scheme, rail?.currency, rail?.serviceAccount]
    }
    const { payments } = world.evm
    assert.deepEqual(of('coin'), ['channel', { code: 'ETH', decimals: 18 }, payments])
    assert.deepEqual(of('dollars'), ['channel', { code: 'CTD', decimals: 6 }, payments])
    assert.deepEqual(of('cards'), ['order', { code: 'CTD', decimals: 6 }, payments])
    assert.deepEqual(of('each'), ['x402', { code: 'CTD', decimals: 6 }, world.vendor.address])
    assert.equal(new Set([...rails.values()].map(({ id }) => id)).size, 4)
    assert.deepEqual(rails.get('coin')?.offer(), {
      chainId: '31337',
      payments,
      vendorId: world.vendorId.toString(),
      token: ZERO_ADDRESS,
      withdrawDelayMinSeconds: 86_400,
    })
    await close()
  })

  it('are refused where they promise what the chain does not keep', async () => {
    const plan = { token: ZERO_ADDRESS, price: 1n, periodSeconds: 1, maxPeriods: 1, settlement: 'Streamed', title: '' }
    await world.send(world.vendor, registryCall(world.evm.registry, 'addPlan', world.vendorId, plan as never))
    const old = await deployToken(world.evm.request, 'OldToken')
    const refused: [Record<string, object>, RegExp][] = [
      [{ a: { scheme: 'order', currency: 'ETH', plans: [2] } }, /plan 2 is no credit in ETH/],
      [{ a: { scheme: 'order', currency: 'ETH', plans: [3] } }, /plan 3 is no credit/],
      [{ a: { scheme: 'order', currency: 'ETH', plans: [99] } }, /plan 99 is no credit/],
      [{ a: { scheme: 'x402', currency: 'OLD', token: old.address } }, /no EIP-3009/],
      [{ a: { scheme: 'channel', currency: 'X', token: world.evm.payments } }, /does not tell its decimals/],
      [
        { a: { scheme: 'channel', currency: 'ETH' }, b: { scheme: 'channel', currency: 'COIN' } },
        /two accounts of one scheme/,
      ],
    ]
    for (const [entries, says] of refused) await assert.rejects(open(entries), says)
    for (const wrong of [
      { scheme: 'channel', currency: 'ETH', withdrawDelayMinSeconds: 899 },
      { scheme: 'channel', currency: 'E T H' },
      { scheme: 'order', currency: 'ETH', plans: [] },
      { scheme: 'x402', currency: 'CTD' },
      { scheme: 'x402', currency: 'CTD', token: '0x12' },
      { scheme: 'channel', currency: 'ETH', withdrawDelayMin: 1 },
    ]) {
      assert.equal(evmAccountSchema.safeParse(wrong).success, false)
    }
  })

  it('are opened for the vendor of the home folder, and what is wrong with them is said', async () => {
    const { chainId, registry, vendorId, ...following } = world.settings
    const vendor = { uri: { chainId, registry, vendorId }, ...following }
    const context = {
      session: { effects: { ...world.effects, sql: createTestDisk().mount() } },
      keys: { accountKey: toHex(world.evm.key(1)) },
      vendor,
    } as unknown as RailContext
    const coin = { scheme: 'channel', currency: 'ETH' } as const
    const { rails, run, close } = await evmRails.open(context, { coin })
    assert.equal(rails.get('coin')?.scheme, 'channel')
    await run(AbortSignal.abort())
    await close()
    const refused = (entry: object, says: RegExp, given = context) =>
      assert.rejects(evmRails.open(given, { coin: { ...coin, ...entry } }), says)
    await refused({ token: '0x12' }, /account coin, token: is 0x and 40 hex digits/)
    await refused({ claimEverySeconds: 1 }, /account coin, claimEverySeconds/)
    await refused({}, /run `chrove vendor register` first/, { ...context, vendor: undefined })
  })
})
