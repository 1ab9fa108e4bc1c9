/** What GraphQL tells of probes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createProbeStore, type ProbeResult } from '../prober/store.ts'
import { SOURCE } from '../testing.ts'
import { chainOf, directoryOf, doing } from './testing.ts'

const NOW_SECONDS = 1_700_000_000
const HOUR = 3600

/** Vendors 1 to `count`, each with its own endpoint, and what was found out about some of them, hour after hour. */
const probedDirectory = async (count: number, results: readonly (readonly [vendor: number, verified: boolean])[]) => {
  const registered = Array.from({ length: count }, (_, who) => doing('register', who, who, `v${who + 1}.example`))
  const directory = await directoryOf(chainOf(registered))
  const store = createProbeStore(directory.db, SOURCE)
  const spreading = { intervalMs: HOUR * 1000, draw: () => 0 }
  await store.follow(NOW_SECONDS * 1000, spreading)
  for (const [hour, [vendor, verified]] of results.entries()) {
    const triedAt = NOW_SECONDS + hour * HOUR
    const result: ProbeResult = {
      vendor_id: `${vendor}`.padStart(20, '0'),
      endpoint: `0x${Buffer.from(`v${vendor}.example`).toString('hex')}`,
      triedAt,
      reachable: true,
      verified,
      code: verified ? '' : 'ERR_PRICE_TERMS',
      latencyMs: 40 + hour,
    }
    await store.record([result], triedAt * 1000, spreading)
  }
  return directory
}

const found = async (directory: Awaited<ReturnType<typeof probedDirectory>>, args: string): Promise<string[]> => {
  const { data, errors } = await directory.ask<{ vendors: { nodes: { vendorId: string }[] } }>(
    `{ vendors${args && `(${args})`} { nodes { vendorId } } }`,
  )
  assert.equal(errors, undefined)
  return data.vendors.nodes.map(({ vendorId }) => vendorId)
}

describe('probes', () => {
  const fields = 'probes { endpoint { text } reachable verified code latencyMs triedAt seenAt uptime } uptime'

  it('are told with their times, and failures with their code', async () => {
    const { ask } = await probedDirectory(2, [
      [1, true],
      [1, false],
    ])
    const answer = await ask(`{ vendor(id: 1) { ${fields} } }`)
    assert.deepEqual(answer.data, {
      vendor: {
        probes: [
          {
            endpoint: { text: 'v1.example' },
            reachable: true,
            verified: false,
            code: 'ERR_PRICE_TERMS',
            latencyMs: 41,
            triedAt: `${NOW_SECONDS + HOUR}`,
            seenAt: `${NOW_SECONDS}`,
            uptime: 0.5,
          },
        ],
        uptime: 0.5,
      },
    })
  })

  it('are left out before the first try, and the vendor is not', async () => {
    const directory = await probedDirectory(2, [[1, true]])
    const answer = await directory.ask(`{ vendor(id: 2) { ${fields} } }`)
    assert.deepEqual(answer.data, { vendor: { probes: [], uptime: null } })
    assert.deepEqual(await found(directory, ''), ['1', '2'])
  })

  it('filter vendors by what was found last', async () => {
    const directory = await probedDirectory(3, [
      [1, true],
      [2, false],
    ])
    assert.deepEqual(await found(directory, 'filter: { reachable: true }'), ['1', '2'])
    assert.deepEqual(await found(directory, 'filter: { reachable: false }'), ['3'])
    assert.deepEqual(await found(directory, 'filter: { verified: true }'), ['1'])
    assert.deepEqual(await found(directory, 'filter: { verified: false }'), ['2', '3'])
    assert.deepEqual(await found(directory, 'filter: { verified: null }'), ['1', '2', '3'])
  })

  it('are of the endpoints that the vendor had at the block', async () => {
    const chain = chainOf([doing('register', 1, 1, 'a')], [doing('endpoints', 0, 0, 'c')])
    const directory = await directoryOf(chain)
    const store = createProbeStore(directory.db, SOURCE)
    const spreading = { intervalMs: 1, draw: () => 0 }
    await store.follow(1, spreading)
    const [due] = await store.due(1, 1)
    assert.ok(due)
    const how = { triedAt: 1, reachable: false, verified: false, code: 'ERR_HTTP_404', latencyMs: 0 }
    await store.record([{ ...due, ...how }], 1, spreading)
    const shown = async (block: number) => {
      const query = `{ vendor(id: 1, block: { number: ${block} }) { probes { code latencyMs seenAt } } }`
      return (await directory.ask<{ vendor: { probes: unknown[] } }>(query)).data.vendor.probes
    }
    assert.deepEqual(await shown(2), [{ code: 'ERR_HTTP_404', latencyMs: null, seenAt: null }])
    assert.deepEqual(await shown(1), [])
  })

  it('sort vendors by uptime, page by page either way', async () => {
    const results = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.boolean()), { maxLength: 40, size: 'max' })
    await fc.assert(
      fc.asyncProperty(
        results,
        fc.constantFrom('ASC', 'DESC'),
        fc.integer({ min: 1, max: 4 }),
        async (tries, direction, size) => {
          const directory = await probedDirectory(9, tries)
          const pages: { vendorId: string; uptime: number | null }[] = []
          let after = ''
          for (let more = true; more;) {
            const query = `{ vendors(orderBy: { field: UPTIME, direction: ${direction} }, first: ${size} ${after}) {
            totalCount nodes { vendorId uptime } pageInfo { hasNextPage endCursor } } }`
            const { data, errors } = await directory.ask<{ vendors: { nodes: typeof pages; totalCount: number; pageInfo: { hasNextPage: boolean; endCursor: string } } }>(query) // prettier-ignore
            assert.equal(errors, undefined)
            pages.push(...data.vendors.nodes)
            assert.equal(data.vendors.totalCount, 9)
            more = data.vendors.pageInfo.hasNextPage
            after = `after: "${data.vendors.pageInfo.endCursor}"`
          }
          const sorted = pages.toSorted(
            (a, b) => (a.uptime ?? 0) - (b.uptime ?? 0) || Number(a.vendorId) - Number(b.vendorId),
          )
          assert.deepEqual(pages, direction === 'ASC' ? sorted : sorted.toReversed())
          assert.equal(pages.length, 9)
        },
      ),
      { numRuns: 15 },
    )
  })
})
