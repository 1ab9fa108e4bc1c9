/** What the directory counts, as Prometheus reads it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chainOf, directoryOf, doing } from './graphql/testing.ts'
import { createMetrics } from './metrics.ts'

/** Samples by name and labels. */
const samples = (text: string) =>
  Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(' ')),
  ) as Record<string, string>

describe('metrics', () => {
  it('count GraphQL requests by how they ended, and answers by where they came from', async () => {
    const { ask, graphql, metrics, post } = await directoryOf(chainOf([doing('register', 0, 0)]))
    const query = '{ vendors { totalCount } }'
    for (const _ of ['first', 'kept']) await ask(query)
    const etag = (await post({ query })).headers.get('etag') ?? ''
    await post({ query }, { 'if-none-match': etag })
    await ask('{ vendors { nothing } }')
    await ask('{ vendors(block: { number: 99 }) { totalCount } }')
    await graphql(new Request('http://directory/graphql?query={__typename}', { headers: { accept: '*/*' } }))
    const text = await metrics.text(async () => ({}))
    const shown = samples(text)
    const requests = (outcome: string) => shown[`chrove_directory_graphql_requests_total{outcome="${outcome}"}`]
    assert.deepEqual(['answered', 'not-modified', 'refused', 'failed'].map(requests), ['4', '1', '2', undefined])
    assert.equal(shown['chrove_directory_cache_lookups_total{result="hit"}'], '2')
    assert.equal(shown['chrove_directory_cache_lookups_total{result="miss"}'], '5')
    assert.doesNotMatch(text, /vendors|0x/)
  })

  it('show what is known, and leave out what is not', async () => {
    const metrics = createMetrics()
    const observed = { ready: true, headBlock: 7, lagSeconds: 3 }
    const shown = samples(await metrics.text(async () => observed))
    assert.equal(shown.chrove_directory_ready, '1')
    assert.equal(shown.chrove_directory_head_block, '7')
    assert.equal(shown.chrove_directory_lag_seconds, '3')
    assert.equal(shown.chrove_directory_gaps, undefined)
    assert.equal(samples(await metrics.text(async () => ({}))).chrove_directory_head_block, undefined)
  })
})
