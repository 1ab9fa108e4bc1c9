import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { webcrypto } from 'node:crypto'
import { Duplex, PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createSchema, createYoga } from 'graphql-yoga'
import { Hono } from 'hono'
import { createLoop, gate, SIM_EPOCH_MS } from './loop.ts'
import { quiet } from './quiet.ts'

const delays = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 200, size: 'max' })

/** Real time that nothing can foresee: a thread pool's, not a timer's. */
const realWork = (rounds: number) =>
  webcrypto.subtle
    .importKey('raw', new Uint8Array(8), 'PBKDF2', false, ['deriveBits'])
    .then((key) =>
      webcrypto.subtle.deriveBits(
        { name: 'PBKDF2', hash: 'SHA-256', salt: new Uint8Array(8), iterations: rounds },
        key,
        128,
      ),
    )

describe('virtual time', () => {
  it('runs tasks in the order of their times, and of their scheduling when times are equal', async () => {
    await fc.assert(
      fc.asyncProperty(delays, async (list) => {
        const loop = createLoop()
        const seen: { delayMs: number; index: number; atMs: number }[] = []
        list.forEach((delayMs, index) =>
          loop.schedule(delayMs, () => seen.push({ delayMs, index, atMs: loop.nowMs() - SIM_EPOCH_MS })),
        )
        await loop.run('idle')
        const expected = list.map((delayMs, index) => ({ delayMs, index, atMs: delayMs }))
        assert.deepEqual(
          seen,
          expected.sort((a, b) => a.delayMs - b.delayMs || a.index - b.index),
        )
      }),
      { numRuns: 50 },
    )
  })

  it('runs no cancelled task and every other one, however many are cancelled', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(500), { maxLength: 2000, size: 'max' }), fc.nat(10), async (list, share) => {
        const loop = createLoop()
        const isCancelled = (index: number) => index % 10 < share
        const seen: number[] = []
        const cancels = list.map((delayMs, index) => loop.schedule(delayMs, () => seen.push(index)))
        cancels.forEach((cancel, index) => isCancelled(index) && cancel())
        await loop.run('idle')
        const left = [...list.entries()].filter(([index]) => !isCancelled(index))
        assert.deepEqual(
          seen,
          left.sort(([i, a], [j, b]) => a - b || i - j).map(([index]) => index),
        )
        assert.equal(loop.eventsRun(), seen.length)
      }),
      { numRuns: 20 },
    )
  })

  it('lets everything that a task set off settle before the next one', async () => {
    const loop = createLoop()
    const order: string[] = []
    loop.schedule(
      0,
      () =>
        void (async () => {
          for (let at = 0; at < 100; at++) await Promise.resolve()
          order.push('first settled')
        })(),
    )
    loop.schedule(0, () => order.push('second'))
    await loop.run('idle')
    assert.deepEqual(order, ['first settled', 'second'])
  })

  it('stops at the given time with later tasks still waiting', async () => {
    const loop = createLoop()
    const seen: number[] = []
    for (const delayMs of [10, 15, 20, 22]) loop.schedule(delayMs, () => seen.push(delayMs))
    await loop.run({ timeMs: SIM_EPOCH_MS + 20 })
    assert.deepEqual(seen, [10, 15, 20])
    await loop.run({ timeMs: SIM_EPOCH_MS + 21 })
    assert.equal(loop.nowMs(), SIM_EPOCH_MS + 21)
    await loop.run('idle')
    assert.deepEqual(seen, [10, 15, 20, 22])
  })
})

describe('a promise that the loop runs for', () => {
  it('gives its value, or throws its reason', async () => {
    const loop = createLoop()
    const later = (settle: (resolve: (value: string) => void, reject: (error: Error) => void) => void) =>
      new Promise<string>((resolve, reject) => loop.schedule(5, () => settle(resolve, reject)))
    assert.equal(
      await loop.runUntil(
        later((resolve) => resolve('done')),
        10,
      ),
      'done',
    )
    await assert.rejects(
      loop.runUntil(
        later((_, reject) => reject(new Error('refused'))),
        10,
      ),
      /refused/,
    )
  })

  it('is reported as a deadlock when nothing is left that could settle it', async () => {
    const loop = createLoop()
    loop.schedule(5, () => {})
    await assert.rejects(loop.runUntil(new Promise(() => {}), 10), { code: 'ERR_SIM_DEADLOCK' })
  })

  it('is reported as late when events go on beyond the deadline', async () => {
    const loop = createLoop()
    const cancelTooLate = loop.schedule(0, () => {})
    await loop.run('idle')
    cancelTooLate()
    const tick = () => void loop.schedule(5, tick)
    tick()
    await assert.rejects(loop.runUntil(new Promise(() => {}), 1000), { code: 'ERR_SIM_DEADLINE' })
    assert.equal(loop.nowMs(), SIM_EPOCH_MS + 1000)
  })

  it('fails the run when a task throws', async () => {
    const loop = createLoop()
    loop.schedule(1, () => {
      throw new Error('a bug')
    })
    loop.schedule(2, () => assert.fail('the run went on'))
    await assert.rejects(loop.run('idle'), { code: 'ERR_SIM_FAILED', message: /a bug/ })
  })

  it('fails the run when a rejection is not handled', () => {
    // In a process of its own: the test runner takes unhandled rejections for its own failures.
    const program = `
      import { createLoop } from ${JSON.stringify(new URL('loop.ts', import.meta.url).href)}
      const loop = createLoop()
      loop.schedule(1, () => void Promise.reject(new Error('nobody looks')))
      await loop.run('idle').catch((error) => console.log(error.code, error.cause.message))`
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
    assert.equal(stdout, 'ERR_SIM_FAILED nobody looks\n')
  })
})

describe('work of real threads', () => {
  it('completes in the order it was asked for, whatever its real durations', async () => {
    const rounds = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 2, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(rounds, async (list) => {
        const loop = createLoop()
        const order: number[] = []
        const all = Promise.all(
          list.map((count, index) => loop.external(() => realWork(count)).then(() => order.push(index))),
        )
        await loop.runUntil(all, 0)
        assert.deepEqual(order, [...list.keys()])
      }),
      { numRuns: 20 },
    )
  })

  it('takes no virtual time, and nothing else runs meanwhile', async () => {
    const loop = createLoop()
    const order: string[] = []
    void loop
      .external(async () => {
        order.push('begins')
        await realWork(50_000)
        order.push('ends')
      })
      .then(() => order.push(`resolved at ${loop.nowMs() - SIM_EPOCH_MS}`))
    loop.schedule(0, () => order.push('next'))
    await loop.run('idle')
    assert.deepEqual(order, ['begins', 'ends', 'resolved at 0', 'next'])
  })

  it('passes errors on, and may be asked for again at once', async () => {
    const loop = createLoop()
    const twice = loop
      .external(() => Promise.reject(new Error('bad key')))
      .catch(() => loop.external(async () => 'again'))
    assert.equal(await loop.runUntil(twice, 0), 'again')
  })

  it('does not nest', async () => {
    const loop = createLoop()
    const nested = loop.external(() => loop.external(async () => 1))
    await assert.rejects(loop.runUntil(nested, 0), { code: 'ERR_SIM_NESTED' })
  })

  it('is what every method of a gated object does', async () => {
    const loop = createLoop()
    class Counter {
      #count = 0
      async add(by: number) {
        await realWork(1000)
        this.#count += by
        return this.#count
      }
    }
    const counter = gate(loop, new Counter())
    assert.deepEqual(await loop.runUntil(Promise.all([counter.add(1), counter.add(2)]), 0), [1, 3])
    assert.equal(loop.eventsRun(), 2)
  })
})

describe('quiet', () => {
  /** Whether the work is done once everything is quiet, with no event of the loop to help it. */
  const settlesBy = async (work: Promise<unknown>) => {
    let settled = false
    void work.then(() => {
      settled = true
    })
    await quiet()
    return settled
  }
  const bytes = new Uint8Array(300_000)

  it('comes after bodies of requests and responses have been read and copied', async () => {
    const request = new Request('http://a/', { method: 'POST', body: bytes })
    assert.ok(
      await settlesBy(
        request
          .clone()
          .arrayBuffer()
          .then(() => new Response(request.body).text()),
      ),
    )
    assert.ok(await settlesBy(new Response('{"a":1}').json()))
    assert.ok(await settlesBy(new Response(new URLSearchParams('a=1')).formData()))
  })

  it('comes after Web streams have run through', async () => {
    const source = new ReadableStream({
      start: (controller) => {
        for (let at = 0; at < 50; at++) controller.enqueue(bytes.slice(0, 1000))
        controller.close()
      },
    })
    assert.ok(await settlesBy(new Response(source.pipeThrough(new TransformStream())).arrayBuffer()))
  })

  it('comes after Node streams have run through, and been turned into Web streams', async () => {
    const through = new PassThrough({ highWaterMark: 10 })
    const { readable, writable } = Duplex.toWeb(through)
    const writer = writable.getWriter()
    const written = writer.write(bytes).then(() => writer.close())
    assert.ok(await settlesBy(Promise.all([written, new Response(readable as ReadableStream).arrayBuffer()])))
  })

  it('comes after a Hono app and a GraphQL server have answered', async () => {
    const app = new Hono().get('/x', async (context) => context.json({ path: context.req.path }))
    assert.ok(await settlesBy(Promise.resolve(app.fetch(new Request('http://a/x'))).then((answer) => answer.json())))
    const schema = createSchema({
      typeDefs: 'type Query { a: String }',
      resolvers: { Query: { a: async () => new Promise((resolve) => setImmediate(() => resolve('b'))) } },
    })
    const yoga = createYoga({ schema, logging: false })
    const url = `http://a/graphql?query=${encodeURIComponent('{ a }')}`
    assert.ok(await settlesBy(Promise.resolve(yoga.fetch(url)).then((answer) => answer.text())))
  })

  it('waits for chains of immediates', async () => {
    const chain = async () => {
      for (let at = 0; at < 20; at++) await new Promise((resolve) => setImmediate(resolve))
    }
    assert.ok(await settlesBy(chain()))
  })

  it('gives up on a program that never rests', async () => {
    let stop = false
    const spin = () => void (stop || setImmediate(spin))
    spin()
    await assert.rejects(quiet(), { code: 'ERR_SIM_NOT_QUIET' })
    stop = true
  })
})
