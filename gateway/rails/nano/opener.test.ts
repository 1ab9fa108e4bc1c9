import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createClock } from '../../../effects/clock.ts'
import { silentLog } from '../../../effects/log.ts'
import { createNetwork } from '../../../effects/network-node.ts'
import { createRandom } from '../../../effects/random.ts'
import { createSqlStore } from '../../../effects/store-node.ts'
import { nanoAccount, nanoKey } from '../../../sim/nano/wallet.ts'
import { serviceKeys } from '../../testing.ts'
import type { AccountEntry, RailContext } from '../open-rails.ts'
import { nanoRails } from './opener.ts'

const ENTRY = { scheme: 'nano', rpc: 'http://127.0.0.1:7076', representative: nanoAccount(nanoKey(2)) } as const

const contextOf = async (t: TestContext, accountKey: `0x${string}` = `0x${'11'.repeat(32)}`): Promise<RailContext> => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-nano-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const effects = {
    ...{ clock: createClock(), random: createRandom(), log: silentLog, network: createNetwork() },
    sql: createSqlStore(folder),
  }
  const session = { effects, settings: {} } as unknown as RailContext['session']
  return { session, keys: { ...serviceKeys, accountKey }, vendor: undefined }
}

const accountsOf = async (context: RailContext, names: readonly string[]) => {
  const { rails, close } = await nanoRails.open(context, Object.fromEntries(names.map((name) => [name, ENTRY])))
  await close()
  return names.map((name) => rails.get(name)?.serviceAccount)
}

describe('accounts that are paid in nano', () => {
  it("are one for each entry and vendor's key, the same each time", async (t) => {
    const context = await contextOf(t)
    const [one, two] = await accountsOf(context, ['one', 'two'])
    assert.match(one ?? '', /^nano_[13]/)
    assert.notEqual(one, two)
    assert.deepEqual(await accountsOf(context, ['two', 'one']), [two, one])
    assert.notDeepEqual(await accountsOf(await contextOf(t, `0x${'22'.repeat(32)}`), ['one']), [one])
  })

  it('whose entry does not fit are refused, naming the place', async (t) => {
    const context = await contextOf(t)
    const wrong: [entry: object, message: RegExp][] = [
      [{ representative: 'nano_1' }, /account nano, representative: not a Nano account/],
      [{ pollMs: 1 }, /account nano, pollMs/],
      [{ colour: 'blue' }, /account nano/],
      [{ rpc: 'ws://secret.example' }, /account nano: a JSON-RPC endpoint is a URL with http: or https:/],
      [{ socket: 'http://secret.example' }, /account nano: a JSON-RPC endpoint is a URL with ws: or wss:/],
    ]
    for (const [change, message] of wrong) {
      const entries = { nano: { ...ENTRY, ...change } as AccountEntry }
      await assert.rejects(nanoRails.open(context, entries), { code: 'ERR_SETTINGS_INVALID', message })
    }
  })
})
