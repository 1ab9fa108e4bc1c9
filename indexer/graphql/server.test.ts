/** What the directory tells of itself, what it refuses, and what strangers' words do to it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { getIntrospectionQuery } from 'graphql'
import { cleanText } from '../../protocol/text.ts'
import { address, genesis, SOURCE } from '../testing.ts'
import { chainOf, codesOf, directoryOf, doing, type Answer } from './testing.ts'

interface Told {
  readonly _meta: {
    readonly completeness: {
      readonly complete: boolean
      readonly firstGap: { readonly evidence: { readonly blockNumber: number } }
    }
  }
}

describe('_meta', () => {
  it('tells how far the directory is', async () => {
    const chain = chainOf([], [], [])
    const { ask, head } = await directoryOf(chain, { finalized: chain[2] ?? genesis })
    const { data } = await ask<{ _meta: object }>(
      '{ _meta { chainId registry block { number hash timestamp } finalized { number } lagSeconds completeness { complete gapCount firstGap { kind } undecodableLogs } } }',
    )
    assert.deepEqual(data._meta, {
      chainId: '31337',
      registry: SOURCE.registry,
      block: { number: 3, hash: head.hash, timestamp: String(head.timestampSeconds) },
      finalized: { number: 2 },
      lagSeconds: '7',
      completeness: { complete: true, gapCount: 0, firstGap: null, undecodableLogs: 0 },
    })
  })

  it('shows the first event that is missing, whichever it is', async () => {
    const chain = chainOf(
      [doing('register', 0, 0)],
      [doing('register', 1, 1)],
      [doing('add-plan', 0, 1)],
      [doing('profile', 0, 2)],
      [doing('add-plan', 0, 2)],
      [doing('active', 0, 3), doing('register', 5, 5), doing('active', 1, 2)],
    )
    for (const missing of [1, 2, 3, 4, 5]) {
      const { ask } = await directoryOf(chain.map((sealed, i) => (i === missing ? { ...sealed, events: [] } : sealed)))
      const query = (block: string) =>
        `{ _meta${block} { completeness { complete firstGap { kind evidence { blockNumber } } } } }`
      const { completeness } = (await ask<Told>(query(''))).data._meta
      assert.equal(completeness.complete, false)
      const { blockNumber } = completeness.firstGap.evidence
      assert.ok(blockNumber > missing)
      const before = await ask<Told>(query(`(block: { number: ${blockNumber - 1} })`))
      assert.equal(before.data._meta.completeness.complete, true)
    }
  })
})

describe('strings of strangers', () => {
  it('come cleaned as text and whole as bytes, in JSON that parses', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const chain = chainOf([doing('register', 0, 0)])
        const [first, second] = chain
        const event = second?.events[0]
        if (!first || !second || event?.type !== 'VendorRegistered') throw new Error('made above')
        const hostile = { bytes, text: cleanText(bytes) }
        const { ask } = await directoryOf([
          first,
          { ...second, events: [{ ...event, endpoints: [hostile], profile: hostile }] },
        ])
        const { data } = await ask<{ vendor: object }>(
          '{ vendor(id: 1) { endpoints { text bytes } profile { raw { bytes text } } } }',
        )
        const expected = { bytes: `0x${Buffer.from(bytes).toString('hex')}`, text: hostile.text }
        assert.deepEqual(data.vendor, { endpoints: [expected], profile: { raw: expected } })
      }),
      { numRuns: 40 },
    )
  })

  it('do no harm as NUL, bad UTF-8, bidi, HTML or 100 kB, in profile fields too', async () => {
    const hostile = ['a\0b', '\u202egpj.exe', '<script>alert(1)</script>', 'x'.repeat(100_000), '\ud800']
    const chain = chainOf(hostile.map((words, who) => doing('register', who, 0, words)))
    const { post } = await directoryOf(chain)
    const response = await post({
      query: '{ vendors { nodes { profile { title serviceTypes } endpoints { text } } } }',
    })
    assert.match(response.headers.get('content-type') ?? '', /^application\/(json|graphql-response\+json)/)
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    const { data } = (await response.json()) as Answer<{ vendors: { nodes: { profile: { title: string } }[] } }>
    const titles = data.vendors.nodes.map(({ profile }) => profile.title)
    assert.deepEqual(titles.slice(0, 3), ['ab', 'gpj.exe', '<script>alert(1)</script>'])
    for (const title of titles) assert.ok(title.isWellFormed() && title.length <= 16 * 1024)
  })
})

describe('a document', () => {
  const refused = async (query: string, variables: object = {}) => {
    const { ask } = await directoryOf(chainOf([doing('register', 0, 0), doing('add-plan', 0, 1)]))
    return codesOf(await ask(query, variables))
  }
  const nested = (levels: number): string =>
    levels === 0 ? 'id' : `id plans(first: 1) { nodes { vendor { ${nested(levels - 1)} } } }`

  it('is refused when it is nested too deeply, fragments or not', async () => {
    assert.deepEqual(await refused(`{ vendor(id: 1) { ${nested(4)} } }`), [])
    assert.deepEqual(await refused(`{ vendor(id: 1) { ${nested(5)} } }`), ['ERR_QUERY_TOO_DEEP'])
    const fragments = Array.from(
      { length: 6 },
      (_, i) =>
        `fragment f${i} on Vendor { plans(first: 1) { nodes { vendor { ${i === 5 ? 'id' : `...f${i + 1}`} } } } }`,
    )
    assert.deepEqual(await refused(`{ vendor(id: 1) { ...f0 } } ${fragments.join(' ')}`), ['ERR_QUERY_TOO_DEEP'])
  })

  it('is refused when its answer could be too large, page sizes in variables counted', async () => {
    const query = (size: string) =>
      `{ vendors(first: ${size}) { nodes { plans(first: ${size}) { nodes { vendor { endpoints { text } id } } } } } }`
    assert.deepEqual(await refused(query('10')), [])
    assert.deepEqual(await refused(query('100')), ['ERR_QUERY_TOO_COSTLY'])
    assert.deepEqual(await refused(`query ($n: Int) ${query('$n')}`, { n: 100 }), ['ERR_QUERY_TOO_COSTLY'])
    const doubling = Array.from(
      { length: 20 },
      (_, i) => `fragment g${i} on Vendor { ${i === 19 ? 'id' : `...g${i + 1} owner ...g${i + 1}`} }`,
    )
    assert.deepEqual(await refused(`{ vendor(id: 1) { ...g0 } } ${doubling.join(' ')}`), ['ERR_QUERY_TOO_COSTLY'])
  })

  it('is refused when it renames too many fields, or has too many tokens', async () => {
    const aliases = (count: number) =>
      `{ ${Array.from({ length: count }, (_, i) => `a${i}: vendor(id: ${i + 1}) { id }`).join(' ')} }`
    assert.deepEqual(await refused(aliases(30)), [])
    assert.deepEqual(await refused(aliases(31)), ['ERR_QUERY_TOO_MANY_ALIASES'])
    assert.deepEqual(await refused(`{ ${'vendor(id: 1) { id } '.repeat(300)} }`), ['ERR_QUERY_TOO_LONG'])
  })

  it('is refused when its fragments contain themselves', async () => {
    assert.ok(
      (
        await refused('{ vendor(id: 1) { ...a } } fragment a on Vendor { ...b } fragment b on Vendor { ...a }')
      ).includes('GRAPHQL_VALIDATION_FAILED'),
    )
  })

  it('may be the introspection that tools send', async () => {
    assert.deepEqual(await refused(getIntrospectionQuery({ oneOf: true, inputValueDeprecation: true })), [])
  })

  it('is refused with a body that is too large', async () => {
    const { post } = await directoryOf(chainOf([]))
    const response = await post({ query: `{ _meta { chainId } } #${'x'.repeat(70_000)}` })
    assert.equal(response.status, 413)
    assert.deepEqual(codesOf((await response.json()) as Answer<null>), ['REQUEST_ENTITY_TOO_LARGE'])
  })

  it('gets an error and no crash for any arguments', async () => {
    const { ask } = await directoryOf(chainOf([doing('register', 0, 0), doing('add-plan', 0, 1), doing('buy', 0, 1)]))
    const filter = fc.record(
      {
        ids: fc.array(fc.bigInt({ min: 0n, max: 2n ** 300n }).map(String)),
        serviceType: fc.string({ unit: 'binary' }),
        region: fc.string(),
        owner: fc.constant(address(3)),
        plan: fc.record(
          {
            token: fc.constant(address(7)),
            maxPricePerDay: fc.bigInt({ min: 0n, max: 2n ** 256n }).map(String),
            vendorId: fc.bigInt({ min: 0n, max: 2n ** 90n }).map(String),
          },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.option(filter),
        fc.option(fc.string({ unit: 'binary' })),
        fc.option(fc.integer()),
        async (f, s, n) => {
          const answer = await ask(
            'query ($f: VendorFilter, $s: String, $n: Int) { vendors(filter: $f, search: $s, first: $n) { totalCount nodes { id } } }',
            { f, s, n },
          )
          for (const code of codesOf(answer)) assert.notEqual(code, 'INTERNAL_SERVER_ERROR')
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe('the page to try queries with', () => {
  it('loads nothing from anywhere, and may not', async () => {
    const { graphql } = await directoryOf(chainOf([]))
    const response = await graphql(new Request('http://directory/graphql', { headers: { accept: 'text/html' } }))
    assert.equal(response.status, 200)
    const html = await response.text()
    assert.match(html, /Chrove directory/)
    const outside = html.matchAll(
      /<(?:script|link|img|iframe|source|object|embed)\b[^>]*?\b(?:src|href|data)\s*=\s*["']?(?!data:)([a-z]+:|\/\/)/gi,
    )
    assert.deepEqual(
      [...outside].map(([tag]) => tag.slice(0, 100)),
      [],
    )
    const policy = response.headers.get('content-security-policy') ?? ''
    assert.match(policy, /default-src 'none'/)
    assert.doesNotMatch(policy, /https?:|\*/)
  })

  it('begins with a query that works', async () => {
    const { graphql, ask } = await directoryOf(chainOf([doing('register', 0, 0), doing('add-plan', 0, 3)]))
    const page = await graphql(new Request('http://directory/graphql', { headers: { accept: 'text/html' } }))
    const [, text] = /"defaultQuery":("(?:[^"\\]|\\.)*")/.exec(await page.text()) ?? []
    const answer = await ask<{ vendors: { nodes: { plans: { nodes: object[] } }[] } }>(
      JSON.parse(text ?? '""') as string,
    )
    assert.deepEqual(codesOf(answer), [])
    assert.equal(answer.data.vendors.nodes[0]?.plans.nodes.length, 1)
  })
})
