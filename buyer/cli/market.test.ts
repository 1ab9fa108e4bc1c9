/** What `chrove search` and `chrove show` print, and what they say beside it. */
import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import { runCommandLine } from '../../effects/command.ts'
import { silentLog } from '../../effects/log.ts'
import type { NodeEffects } from '../../effects/node.ts'
import type { Terminal } from '../../effects/terminal.ts'
import { createUserFiles } from '../../effects/user-files-node.ts'
import {
  type Changes,
  DIRECTORY,
  metaOfMarket,
  putDirectory,
  telling,
  vendorOfMarket,
  vendorsAnswer,
} from '../lib/test-directory.ts'
import { openTestMarket, type TestMarket } from '../lib/test-market.ts'
import { addBuyerCommands } from './program.ts'

let market: TestMarket
before(async () => {
  market = await openTestMarket()
})
beforeEach(() => market.reset())

interface Run {
  readonly exitCode: number
  readonly out: string
  readonly err: string
}

const chrove = async (...args: readonly string[]): Promise<Run> => {
  let out = ''
  let err = ''
  const terminal: Terminal = {
    out: async (text) => void (out += text),
    err: (text) => void (err += text),
    interactive: false,
    input: () => {
      throw new Error('nobody is here')
    },
    ask: () => Promise.reject(new Error('nobody is here')),
    askSecret: () => Promise.reject(new Error('nobody is here')),
    confirm: () => Promise.resolve(false),
  }
  const files = { read: async () => undefined } as unknown as NodeEffects['files']
  const { chain, clock, network, registry } = market
  const exitCode = await runCommandLine(
    {
      arguments: [...args, '--registry', registry],
      environment: {},
      terminal,
      signal: new AbortController().signal,
      userHome: '/home/somebody',
      userFiles: createUserFiles(),
      createEffects: () => ({ chain, clock, network, files, log: silentLog }) as unknown as NodeEffects,
    },
    addBuyerCommands,
  )
  return { exitCode, out, err }
}

const through = (...args: readonly string[]) => chrove(...args, '--directory', DIRECTORY)

const open = async (vendor: Changes = {}, meta: Changes = {}) =>
  putDirectory(market, telling(await vendorOfMarket(market, vendor), await metaOfMarket(market, meta)))

describe('chrove search', () => {
  it('prints a table with what helps to choose, where it is from and how old that is', async () => {
    await open()
    const { out, err, exitCode } = await through('search', 'ghost')
    assert.deepEqual([exitCode, err], [0, ''])
    const [heading, row, , , footer] = out.split('\n')
    assert.equal(heading?.replace(/ +/g, ' '), 'VENDOR NAME PLAN TITLE PRICE SEEN UPTIME')
    assert.match(row ?? '', /^1 +Flying.*verified +99%$/)
    assert.match(footer ?? '', /^1 of 1 vendors, from the directory at block \d+, 0 s old$/)
    assert.match(out, new RegExp(`^Vendor N is ${market.vendor.slice(0, -1)}N$`, 'm'))
    assert.ok(out.split('\n').every((line) => line.length <= 80))
  })

  it('tells at sight a vendor that does not answer, or not as it should, or was never asked', async () => {
    const probe = {
      endpoint: { text: 'http://e.example' },
      code: 'ERR_HTTP_404',
      latencyMs: 1,
      triedAt: '1',
      seenAt: null,
    }
    const seen = async (probes: readonly object[]) => {
      await open({ probes, uptime: null })
      return (await through('search')).out.split('\n')[1] ?? ''
    }
    assert.match(await seen([{ ...probe, reachable: true, verified: false }]), / doubtful +-$/)
    assert.match(await seen([{ ...probe, reachable: false, verified: false }]), / silent +-$/)
    assert.match(await seen([]), / - +-$/)
  })

  it('shows prices of a day where days are compared', async () => {
    await open()
    for (const options of [
      ['--order', 'price'],
      ['--max-price', '0.5'],
    ]) {
      const { out } = await through('search', ...options)
      assert.match(out, /^VENDOR.* A DAY/)
      assert.match(out, / 0\.000000000000864 coin /)
    }
  })

  it('asks for what its options say', async () => {
    let asked: { variables?: { filter: object; first: number; orderBy: object; after: string } } = {}
    const meta = await metaOfMarket(market)
    putDirectory(market, async (request) => {
      asked = (await request.json()) as typeof asked
      return Response.json(vendorsAnswer([], {}, meta))
    })
    const token = `0x${'Ab'.repeat(20)}`
    const { out } = await through(
      ...['search', 'two', 'words', '--type', 'proxy', '--region', 'eu', '--token', 'coin', '--max-price', '0.5'],
      ...['--reachable', '--verified', '--order', 'volume', '--limit', '7', '--after', 'abc'],
    )
    assert.match(out, /^No vendor found \(from the directory/)
    const plan = { onSale: true, token: `0x${'0'.repeat(40)}`, maxPricePerDay: String(5n * 10n ** 17n) }
    assert.deepEqual(asked.variables, {
      filter: { active: true, plan, serviceType: 'proxy', region: 'eu', reachable: true, verified: true },
      search: 'two words',
      orderBy: { field: 'VOLUME', direction: 'DESC', token: plan.token },
      plan,
      tokens: [plan.token],
      first: 7,
      after: 'abc',
    })
    // A token that does not tell its decimals is counted in smallest units.
    await through('search', '--token', token, '--max-price', '5')
    assert.deepEqual(asked.variables?.filter, {
      active: true,
      plan: { onSale: true, token: token.toLowerCase(), maxPricePerDay: '5' },
    })
  })

  it('says how to go on, and gives scripts the place', async () => {
    const [vendor, meta] = [await vendorOfMarket(market), await metaOfMarket(market)]
    putDirectory(market, () => Response.json(vendorsAnswer([vendor], { hasNextPage: true, endCursor: 'WyJJ' }, meta)))
    assert.match((await through('search')).out, /^More: the same with --after WyJJ$/m)
    assert.equal(JSON.parse((await through('search', '--json')).out).next, 'WyJJ')
  })

  it('warns of a directory that lags or has missed something, and gives scripts the codes', async () => {
    const completeness = { complete: false, gapCount: 3, firstGap: null, undecodableLogs: 0 }
    const { block } = (await metaOfMarket(market)) as { block: { timestamp: string } }
    const old = { ...block, timestamp: String(Number(block.timestamp) - 7200) }
    await open({}, { completeness, block: old })
    const { err, out } = await through('search')
    assert.match(
      err,
      /^the directory is 2 hours behind the chain\nthe directory has missed something on chain \(3 gaps\)/,
    )
    assert.match(out, /, 2 hours old, which cannot prove that it has seen all$/m)
    const { warnings, directory } = JSON.parse((await through('search', '--json')).out)
    assert.deepEqual(
      warnings.map(({ code }: { code: string }) => code),
      ['WARN_DIRECTORY_BEHIND', 'WARN_DIRECTORY_INCOMPLETE'],
    )
    assert.deepEqual([directory.gapCount, directory.behindSeconds], [3, 7200])
  })

  it('says in one sentence that it reads the contract instead, and gives scripts the code', async () => {
    putDirectory(market, () => new Response('<html>'))
    const { out, err } = await through('search')
    assert.equal(err, 'what the directory answers is not what was asked; reading the contract instead\n')
    assert.match(out, /^1 of 1 vendors, from the contract itself$/m)
    assert.match(out, /^VENDOR +NAME +PLAN +TITLE +PRICE\n/)
    const { source, because } = JSON.parse((await through('search', '--json')).out)
    assert.deepEqual([source, because], ['contract', 'ERR_DIRECTORY_ANSWER'])
  })

  it('says so too when no directory is set, and what it could not take account of', async () => {
    const { out, err } = await chrove('search', '--verified', '--order', 'uptime')
    assert.match(out, /^1 of 1 vendors, from the contract itself, for no directory is set$/m)
    const left = '--verified, --order uptime left out of account'
    assert.equal(err, `the contract cannot tell what a directory has seen: ${left}\n`)
    const { because, ignored } = JSON.parse((await chrove('search', '--reachable', '--json')).out)
    assert.deepEqual([because, ignored], ['ERR_DIRECTORY_UNSET', ['reachable']])
  })

  it('refuses options that mean nothing', async () => {
    const wrong = [
      ['--order', 'luck'],
      ['--token', 'gold'],
      ['--max-price', 'much'],
      ['--limit', '101'],
    ]
    for (const options of wrong) assert.equal((await through('search', ...options)).exitCode, 2, options.join(' '))
    assert.match((await through('search', 'a '.repeat(17))).err, /ERR_SEARCH_INVALID/)
  })
})

describe('chrove show', () => {
  it('adds what the directory has seen, and when', async () => {
    await open()
    const { out, err } = await through('show', '1')
    assert.equal(err, '')
    assert.match(
      out,
      /^Seen by the directory, at block \d+, 0 s old:\n {2}12 orders since block 2; up 99% of the time$/m,
    )
    assert.match(out, /^ {2}http:\/\/vendor\.example verified in 12 ms, 2023-11-14 22:16 UTC$/m)
    const json = JSON.parse((await through('show', '1', '--json')).out)
    assert.deepEqual([json.source, json.observed.orderCount, json.warnings], ['directory', 12, []])
  })

  it('warns of a directory that says otherwise than the contract, and shows the price that will be paid', async () => {
    await open({ signingKey: `0x${'0b'.repeat(32)}` })
    const { out, err } = await through('show', '1')
    assert.match(err, /^the directory says otherwise of this vendor than the contract/)
    assert.match(out, /0\.000000000000036 coin \/ Hour/)
  })

  it('says when there is the contract alone', async () => {
    const alone = await chrove('show', '1')
    assert.match(alone.out, /^All of this is from the contract and the vendor itself, for no directory is set$/m)
    const { out, err } = await chrove('show', '1', '--directory', 'http://nobody.example')
    const why = 'the directory does not answer (ERR_NETWORK_UNREACHABLE)'
    assert.equal(err, `${why}; showing what the contract and the vendor say\n`)
    assert.match(out, /^All of this is from the contract and the vendor itself$/m)
    const json = JSON.parse((await chrove('show', '1', '--json')).out)
    assert.deepEqual([json.source, json.because], ['contract', 'ERR_DIRECTORY_UNSET'])
  })

  it('lets no words of a directory move the cursor or turn the line around', async () => {
    const probe = { reachable: true, verified: true, code: null, latencyMs: 1, triedAt: '1', seenAt: '1' }
    await open({ probes: [{ ...probe, endpoint: { text: 'http://e\u001b[2J\u202e.example\nAll is well' } }] })
    const { out } = await through('show', '1')
    assert.doesNotMatch(out, /[\u001b\u202e]|^All is well/m)
  })
})
