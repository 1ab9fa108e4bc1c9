/** A search finds what reading everything would find, and does not read everything. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import SqliteDatabase from 'better-sqlite3'
import fc from 'fast-check'
import { type CompiledQuery, Kysely, SqliteDialect } from 'kysely'
import { readProfile } from '../../protocol/profile.ts'
import { encodePhrase, phrasesOf, wordsOf } from '../../protocol/words.ts'
import type { PlanState, VendorState } from '../fold.ts'
import { createReadingIndexes, type Database } from '../schema.ts'
import { openStore } from '../store.ts'
import { genesis, leadAlong, type Operation, type Sealed, SOURCE, text } from '../testing.ts'
import { foldBatch } from '../working-set.ts'
import { vendorList } from './lists.ts'
import { pageRequest, readPage } from './page.ts'
import { readSearch } from './search.ts'
import { chainOf, codesOf, directoryOf, doing } from './testing.ts'

const words = fc
  .array(fc.constantFrom('fast', 'faster', 'Relay', 'ünï', '快速', '速快', 'eu-west', '100%', ''), { maxLength: 3 })
  .map((some) => some.join(' '))

const operation: fc.Arbitrary<Operation> = fc.record({
  kind: fc.constantFrom<Operation['kind']>('register', 'register', 'profile', 'add-plan', 'sale'),
  who: fc.nat(5),
  value: fc.nat(5),
  words,
})

const branches = fc.array(
  fc.record({
    undo: fc.nat(3),
    blocks: fc.array(fc.array(operation, { maxLength: 4 }), { minLength: 1, maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 3, size: 'max' },
)

/** Ids of vendors, best match first, by reading all of them. */
const expected = (chain: readonly Sealed[], search: string): string[] => {
  const standings = {
    vendors: new Map<string, VendorState>(),
    plans: new Map<string, PlanState>(),
    orders: new Map<string, never>(),
  }
  foldBatch(
    standings,
    0n,
    chain.flatMap(({ events }) => events),
  )
  const phrases = phrasesOf(search) ?? []
  const holds = (where: string, phrase: readonly string[]) => ` ${where}`.includes(` ${phrase.join(' ')}`)
  const spell = (value: string) => encodePhrase(wordsOf(value)).trimStart()
  const found = [...standings.vendors.values()].flatMap((vendor) => {
    const { title, description, serviceTypes, regions } = readProfile(vendor.profile)
    const own = [title, ...serviceTypes, ...regions, description].map(spell).join('')
    const titles = [...standings.plans.values()]
      .filter((plan) => plan.vendorId === vendor.vendorId && plan.onSale)
      .map((plan) => spell(plan.title.text))
    const isFound = phrases.every(
      (phrase) => phrase.length > 0 && [own, ...titles].some((where) => holds(where, phrase)),
    )
    const distance = phrases.map((phrase) => {
      if (holds(spell(title), [...phrase, ''])) return 0
      return holds(spell(title), phrase) ? 1 : 2
    })
    return isFound ? [{ id: `${vendor.vendorId}`, distance: distance.reduce<number>((a, b) => a + b, 0) }] : []
  })
  return found.toSorted((a, b) => a.distance - b.distance || Number(a.id) - Number(b.id)).map(({ id }) => id)
}

describe('a search', () => {
  it('finds, best first, what reading all vendors finds, at every block and after any reorgs', async () => {
    const searches = ['fast', 'fa', 'relay fast', '快速', '速', 'eu-west', 'west', '100%', '%', 'ÜNÏ', 'about', '  ']
    await fc.assert(
      fc.asyncProperty(
        branches,
        fc.constantFrom(...searches),
        fc.integer({ min: 1, max: 3 }),
        async (all, search, size) => {
          const { ask, projection } = await directoryOf([genesis])
          const chain = await leadAlong(projection, all, size)
          for (const { block } of chain) {
            const found: string[] = []
            let after = ''
            for (let more = true; more;) {
              const answer = await ask<{
                vendors: { nodes: { vendorId: string }[]; pageInfo: { endCursor: string; hasNextPage: boolean } }
              }>(
                `{ vendors(search: "${search}", first: 2, block: { number: ${block.number} } ${after}) {
                nodes { vendorId } pageInfo { endCursor hasNextPage } } }`,
              )
              assert.deepEqual(codesOf(answer), [])
              const { nodes, pageInfo } = answer.data.vendors
              found.push(...nodes.map(({ vendorId }) => vendorId))
              after = `after: "${pageInfo.endCursor}"`
              more = pageInfo.hasNextPage
            }
            assert.deepEqual(found, expected(chain.slice(0, block.number + 1), search))
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('finds by title, description, service types, regions and plans on sale', async () => {
    const profile = { title: 'Gulf Stream', description: 'carries letters', serviceTypes: ['relay'], regions: ['oman'] }
    const chain = chainOf(
      [doing('register', 0, 0), doing('add-plan', 0, 1, 'Sunday hour')],
      [doing('profile', 0, 0)],
      [doing('sale', 0, 0)],
    )
    const event = chain[2]?.events[0]
    if (event?.type !== 'ProfileChanged') throw new Error('made above')
    const { ask } = await directoryOf(
      chain.map((sealed, i) =>
        i === 2 ? { ...sealed, events: [{ ...event, profile: text(JSON.stringify(profile)) }] } : sealed,
      ),
    )
    const count = async (search: string, block: number) => {
      const query = `{ vendors(search: "${search}", block: { number: ${block} }) { totalCount } }`
      return (await ask<{ vendors: { totalCount: number } }>(query)).data.vendors.totalCount
    }
    for (const search of ['gulf', 'STREAM', 'letter', 'relay', 'oman', 'sunday', 'hour gulf carries', 'sunday  re']) {
      assert.equal(await count(search, 2), 1, search)
    }
    for (const search of ['ulf', 'proxy', 'gulf proxy', 'monday']) assert.equal(await count(search, 2), 0, search)
    assert.equal(await count('proxy', 1), 1)
    assert.equal(await count('sunday', 3), 0)
  })

  it('looks at the rows that the index names for its rarest word, and at no others', async () => {
    const asked: CompiledQuery[] = []
    const database = new SqliteDatabase(':memory:')
    const db = new Kysely<Database>({
      dialect: new SqliteDialect({ database }),
      log: ({ query }) => void asked.push(query),
    })
    await openStore(db, SOURCE.registry, async () => SOURCE)
    await createReadingIndexes(db)
    const at = { number: 5, hash: '', timestampSeconds: 0 }
    const { list, sorting } = vendorList({}, await readSearch(db, 'fast tokyo'), undefined, at)
    await readPage(db, list, pageRequest(sorting, {}))
    const query = asked.at(-1)
    assert.ok(query)
    const plan = database.prepare(`explain query plan ${query.sql}`).all(...(query.parameters as unknown[])) as {
      detail: string
    }[]
    const steps = plan.map(({ detail }) => detail)
    assert.ok(
      steps.some((step) => /^SEARCH words USING (COVERING )?INDEX .*word[>=]/.test(step)),
      steps.join(),
    )
    assert.ok(
      steps.some((step) => /^SEARCH vendors USING INDEX .*\(id=\?/.test(step)),
      steps.join(),
    )
    assert.ok(!steps.some((step) => /^SCAN (vendors|words|plans)/.test(step)), steps.join())
    await db.destroy()
  })

  it('that finds very many finds them by id, for the best could only be told by reading all', async () => {
    const many = Array.from({ length: 1001 }, (_, who) => doing('register', who, 0, who === 500 ? 'x about' : 'x y'))
    const { ask } = await directoryOf(chainOf(many))
    const first = async (search: string) => {
      const query = `{ vendors(search: "${search}", first: 1) { totalCount nodes { vendorId } } }`
      return (await ask<{ vendors: object }>(query)).data.vendors
    }
    assert.deepEqual(await first('about x'), { totalCount: 1001, nodes: [{ vendorId: '1' }] })
    assert.deepEqual(await first('about y'), { totalCount: 1000, nodes: [{ vendorId: '1' }] })
    assert.deepEqual(await first('y abou'), { totalCount: 1000, nodes: [{ vendorId: '1' }] })
  })

  it('is refused when it is too long', async () => {
    const { ask } = await directoryOf(chainOf([doing('register', 0, 0)]))
    const refused = async (search: string) =>
      codesOf(await ask('query ($s: String) { vendors(search: $s) { totalCount } }', { s: search }))
    assert.deepEqual(await refused('a'.repeat(256)), [])
    assert.deepEqual(await refused('a'.repeat(257)), ['ERR_SEARCH_INVALID'])
    assert.deepEqual(await refused('a '.repeat(16)), [])
    assert.deepEqual(await refused('a '.repeat(17)), ['ERR_SEARCH_INVALID'])
    assert.deepEqual(await refused('快'.repeat(17)), ['ERR_SEARCH_INVALID'])
  })
})
