import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseProblem, problemResponse } from './problem.ts'

const problem = { status: 402, code: 'ERR_NOT_PAID', title: 'Not paid', detail: 'No order of this key is running.' }

describe('a problem over HTTP', () => {
  it('RFC 9457: is a problem document that says its status and is not cached', async () => {
    const response = problemResponse(problem)
    assert.equal(response.status, 402)
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    assert.equal(response.headers.get('cache-control'), 'no-store')
    assert.equal(response.headers.get('retry-after'), null)
    assert.deepEqual(await response.json(), { type: 'urn:chrove:problem:ERR_NOT_PAID', ...problem })
  })

  it('says when to come back', () => {
    assert.equal(problemResponse({ ...problem, status: 503, retryAfterSeconds: 30 }).headers.get('retry-after'), '30')
  })

  it('carries members of its own kind', async () => {
    const body = (await problemResponse({ ...problem, more: { PaymentChannels: [1] } }).json()) as object
    assert.deepEqual((body as { PaymentChannels: unknown }).PaymentChannels, [1])
  })

  it('is read by a peer as it was told', async () => {
    const texts = fc.record(
      {
        code: fc.stringMatching(/^ERR_[A-Z0-9_]{1,60}$/),
        title: fc.string({ maxLength: 256 }),
        detail: fc.string({ maxLength: 4096 }),
      },
      { noNullPrototype: true },
    )
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: 400, max: 599 }), async (told, status) => {
        const body: unknown = await problemResponse({ ...told, status }).json()
        assert.deepEqual(parseProblem(body), told)
      }),
    )
  })

  const others: Readonly<Record<string, unknown>> = {
    null: null,
    'an HTML page': '<html>',
    'no code': { title: 'x', detail: 'y' },
    'a code of another form': { code: 'oops; rm', title: 'x', detail: 'y' },
    'a code over 64 characters': { code: `ERR_${'A'.repeat(61)}`, title: 'x', detail: 'y' },
    'a title over 256 characters': { code: 'ERR_X', title: 'x'.repeat(257), detail: 'y' },
    'a detail over 4096 characters': { code: 'ERR_X', title: 'x', detail: 'y'.repeat(4097) },
  }
  for (const [name, body] of Object.entries(others)) {
    it(`is not read from ${name}`, () => assert.equal(parseProblem(body), undefined))
  }

  it('is read from any JSON without a crash', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        parseProblem(body)
      }),
    )
  })
})
