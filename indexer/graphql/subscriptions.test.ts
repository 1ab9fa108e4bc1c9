/** What subscribers are told: everything once, in order, and what a reorg undoes is taken back. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { createClock } from '../../effects/clock.ts'
import { utf8 } from '../../protocol/bytes.ts'
import {
  FEED_BLOCKS_MAX,
  FEED_LAG_MAX,
  FEED_ROWS_MAX,
  HEARTBEAT_MS,
  READER_STALL_MS,
  SUBSCRIBERS_MAX,
} from '../limits.ts'
import { batchOf, branches, genesis, hash, leadAlong, seal, type Sealed } from '../testing.ts'
import { foldBatch } from '../working-set.ts'
import { allowDocuments } from './allowed-documents.ts'
import { chainOf, type DirectoryOptions, directoryOf, doing } from './testing.ts'

interface Evidence {
  readonly blockHash: string
  readonly logIndex: number
}

interface Event {
  readonly id: string
  readonly retracted: boolean
  readonly evidence: Evidence
  readonly vendor?: { readonly version: number } | null
}

type Directory = Awaited<ReturnType<typeof directoryOf>>

interface Heard {
  /** Of the line `id:`. */
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

/** Streams that a test has not closed, which a failing one does not get to: their heartbeats would go on. */
const streams = new Set<() => unknown>()
afterEach(async () => {
  await Promise.all([...streams].map((close) => close()))
  streams.clear()
})

/** Reads server-sent events as a client does. */
const listen = async (
  { graphql }: Directory,
  query: string,
  { lastEventId, variables = {} }: { lastEventId?: string | undefined; variables?: object } = {},
) => {
  const url = new URL('http://directory/graphql')
  url.searchParams.set('query', query)
  url.searchParams.set('variables', JSON.stringify(variables))
  const headers = { accept: 'text/event-stream', ...(lastEventId && { 'last-event-id': lastEventId }) }
  const response = await graphql(new Request(url, { headers }))
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  const reader = response.body?.getReader()
  let buffered = ''
  const decoder = new TextDecoder()
  const block = async (): Promise<string | undefined> => {
    while (!buffered.includes('\n\n')) {
      const { done, value } = (await reader?.read()) ?? { done: true }
      if (done) return undefined
      buffered += decoder.decode(value as Uint8Array, { stream: true })
    }
    const end = buffered.indexOf('\n\n')
    const text = buffered.slice(0, end)
    buffered = buffered.slice(end + 2)
    return text
  }
  const next = async (): Promise<Heard | undefined> => {
    const text = await block()
    if (text === undefined || text.startsWith(':')) return text === undefined ? undefined : next()
    const field = (name: string) =>
      text
        .split('\n')
        .find((line) => line.startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .trim()
    return { id: field('id'), event: field('event') ?? '', data: field('data') ?? '' }
  }
  streams.add(() => reader?.cancel())
  return {
    block,
    next,
    async told<Told = Event>(): Promise<Told> {
      const heard = await next()
      assert.equal(heard?.event, 'next', heard?.data)
      const { data, errors } = JSON.parse(heard.data) as {
        data: Record<string, Told & { id: string }>
        errors?: unknown
      }
      assert.equal(errors, undefined)
      const [event] = Object.values(data)
      assert.ok(event)
      assert.equal(event.id, heard.id)
      return event
    },
    /** The code that ends it. */
    async ends(): Promise<string | undefined> {
      let code: string | undefined
      for (;;) {
        const heard = await next()
        if (!heard || heard.event === 'complete') return heard ? code : 'cut'
        const { errors } = JSON.parse(heard.data) as { errors?: { extensions: { code: string } }[] }
        code = errors?.[0]?.extensions.code
      }
    },
    close: () => reader?.cancel(),
  }
}

const FIELDS = 'id retracted evidence { blockHash logIndex }'
const QUERIES = {
  vendor: `subscription ($after: String) { vendorChanged(after: $after) { ${FIELDS} vendor { version } } }`,
  payment: `subscription ($after: String) { orderPaid(after: $after) { ${FIELDS} } }`,
}
type Kind = keyof typeof QUERIES

/** What there is to tell of a chain. */
const eventsOf = (chain: readonly Sealed[], kind: Kind): Evidence[] => {
  const events = chain.flatMap((sealed) => sealed.events)
  const { versions } = foldBatch({ vendors: new Map(), plans: new Map(), orders: new Map() }, 0n, events)
  const evidence =
    kind === 'payment'
      ? events.filter(({ type }) => type === 'OrderPaid').map((event) => event.evidence)
      : [...versions.vendors.values()].flat().map((version) => version.evidence)
  return evidence
    .toSorted((a, b) => a.blockNumber - b.blockNumber || a.logIndex - b.logIndex)
    .map(({ blockHash, logIndex }) => ({ blockHash, logIndex }))
}

/** What ids have of the block that they are of. */
const hashMark = (sealed: Sealed | undefined): string => sealed?.block.hash.slice(2, 18) ?? ''

describe('a subscriber', () => {
  it('is told, less what is retracted, the events of the canonical chain, in order and once, over any breaks and reorgs', async () => {
    const rests = fc.infiniteStream(fc.record({ reads: fc.nat(5), breaks: fc.boolean(), byHeader: fc.boolean() }))
    await fc.assert(
      fc.asyncProperty(
        branches,
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom<Kind>('vendor', 'payment'),
        rests,
        async (all, batchBlocks, kind, doings) => {
          const directory = await directoryOf([genesis])
          const told: Event[] = []
          const start = await directory.ask<{ _meta: { resumeId: string } }>('{ _meta { resumeId } }')
          let last = start.data._meta.resumeId
          const subscribe = (byHeader: boolean) =>
            listen(directory, QUERIES[kind], byHeader ? { lastEventId: last } : { variables: { after: last } })
          let stream = await subscribe(false)
          const untold = async () => {
            const seq = Number(last.split('-')[0])
            const rows = await directory.db
              .selectFrom('feed')
              .select('seq')
              .where('seq', '>', seq)
              .where('kind', '=', kind)
              .execute()
            return rows.length
          }
          const read = async (count: number) => {
            for (let n = 0; n < count; n++) {
              const event = await stream.told()
              told.push(event)
              last = event.id
            }
          }
          const chain = await leadAlong(directory.projection, all, batchBlocks, async () => {
            const { reads, breaks, byHeader } = doings.next().value
            await read(Math.min(reads, await untold()))
            if (!breaks) return
            await stream.close()
            stream = await subscribe(byHeader)
          })
          await read(await untold())
          await stream.close()

          assert.equal(new Set(told.map(({ id }) => id)).size, told.length)
          const standing: Event[] = []
          for (const event of told) {
            if (event.retracted) assert.deepEqual(standing.pop()?.evidence, event.evidence)
            else standing.push(event)
          }
          assert.deepEqual(
            standing.map(({ evidence }) => evidence),
            eventsOf(chain, kind),
          )
        },
      ),
      { numRuns: 12 },
    )
  })

  const registered = () =>
    chainOf([doing('register', 0, 0)], [doing('profile', 0, 1, 'relay')], [doing('register', 1, 1)])

  it('sees the vendor as each change left it, and after a retraction as it is now', async () => {
    const chain = registered()
    const directory = await directoryOf(chain.slice(0, 1))
    const stream = await listen(directory, QUERIES.vendor)
    await directory.projection.apply(batchOf(chain.slice(1)))
    const versionOf = async () => {
      const { retracted, vendor } = await stream.told()
      return [retracted, vendor?.version]
    }
    assert.deepEqual(
      [await versionOf(), await versionOf(), await versionOf()],
      [
        [false, 1],
        [false, 2],
        [false, 1],
      ],
    )
    await directory.projection.rollBack(chain[1]?.block ?? genesis.block)
    assert.deepEqual(
      [await versionOf(), await versionOf()],
      [
        [true, undefined],
        [true, 1],
      ],
    )
    await stream.close()
  })

  it('is told of no vendor for a change that was undone before it was told', async () => {
    const chain = registered()
    const directory = await directoryOf(chain.slice(0, 1))
    const { data } = await directory.ask<{ _meta: { resumeId: string } }>('{ _meta { resumeId } }')
    await directory.projection.apply(batchOf(chain.slice(1)))
    await directory.projection.rollBack(genesis.block)
    const other = seal([{ fork: 2, operations: [doing('register', 3, 3), doing('register', 4, 4)] }])
    await directory.projection.apply(batchOf(other.slice(1)))
    const stream = await listen(directory, QUERIES.vendor, { lastEventId: data._meta.resumeId })
    const { retracted, vendor } = await stream.told()
    assert.deepEqual([retracted, vendor], [false, null])
    await stream.close()
  })

  it('is told what was told long ago, and as it is now', async () => {
    let nowMs = 1_800_000_000_000
    const chain = chainOf([doing('register', 0, 0)], [doing('profile', 0, 1)])
    const directory = await directoryOf(chain, { clock: { nowMs: () => nowMs } })
    await directory.projection.rollBack(chain[1]?.block ?? genesis.block)
    const hear = async () => {
      const stream = await listen(directory, QUERIES.vendor, { variables: { after: `1-${hashMark(chain[1])}` } })
      const events = [await stream.told(), await stream.told()]
      await stream.close()
      return events.map(({ vendor }) => vendor?.version)
    }
    assert.deepEqual(await hear(), [undefined, 1])
    nowMs += 3_600_000
    assert.deepEqual(await hear(), [undefined, 1])
    await directory.projection.rollBack(genesis.block)
    assert.deepEqual(await hear(), [undefined, undefined])
  })

  it('is told what its filter lets through: by vendor, by words before and after a change, by key and token', async () => {
    const chain = chainOf(
      [doing('register', 0, 0), doing('register', 1, 1, 'relay'), doing('add-plan', 0, 1)],
      [doing('profile', 0, 1, 'relay'), doing('buy', 0, 0)],
      [doing('profile', 0, 2, 'relay'), doing('buy', 2, 4)],
    )
    const directory = await directoryOf([genesis])
    const after = '0-0000000000000000'
    await directory.projection.apply(batchOf(chain.slice(1)))
    const count = async (field: string, filter: string, expected: number) => {
      const stream = await listen(
        directory,
        `subscription { ${field}(after: "${after}", filter: ${filter}) { ${FIELDS} vendorId } }`,
      )
      const seen = []
      for (let n = 0; n < expected; n++) seen.push((await stream.told<Event & { vendorId: string }>()).vendorId)
      return { seen, stream }
    }
    const vendors = async (filter: string, expected: readonly string[]) => {
      const { seen, stream } = await count('vendorChanged', filter, expected.length)
      assert.deepEqual(seen, expected)
      await stream.close()
    }
    await vendors('{ ids: [2] }', ['2'])
    await vendors('{ serviceType: "proxy" }', ['1', '1'])
    await vendors('{ serviceType: "Relay" }', ['2', '1', '1'])
    const payments = async (filter: string, expected: readonly string[]) => {
      const { seen, stream } = await count('orderPaid', filter, expected.length)
      assert.deepEqual(seen, expected)
      await stream.close()
    }
    await payments('{ vendorId: 1 }', ['1', '1'])
    await payments(`{ keyHashes: ["${hash(2)}"] }`, ['1'])
  })

  it('is refused what is no id of this directory, and what is kept no more', async () => {
    const chain = registered()
    const directory = await directoryOf(chain)
    const code = async (after: string) => {
      const stream = await listen(directory, QUERIES.vendor, { variables: { after } })
      return stream.ends()
    }
    const { data } = await directory.ask<{ _meta: { resumeId: string } }>('{ _meta { resumeId } }')
    const newest = Number(data._meta.resumeId.split('-')[0])
    for (const id of ['', 'x', '1', `${newest}-${'f'.repeat(16)}`, `${newest + 1}-${'0'.repeat(16)}`]) {
      assert.equal(await code(id), 'ERR_RESUME_INVALID', id)
    }
    await directory.db.updateTable('feed_state').set({ floor: 1 }).execute()
    await directory.db.deleteFrom('feed').where('seq', '<=', 1).execute()
    assert.equal(await code('0-0000000000000000'), 'ERR_RESUME_TOO_OLD')
    directory.feed.close()
  })
})

describe('the feed', () => {
  const followed = async (options: DirectoryOptions = {}) => {
    const directory = await directoryOf([genesis], options)
    return { directory, feed: directory.feed }
  }

  it('does not tell of blocks far below the newest, and lets nobody go on from before them', async () => {
    const chain = chainOf([doing('register', 0, 0)], [doing('register', 1, 1)])
    const { directory, feed } = await followed()
    const before = await feed.follow(undefined, () => true)
    const [, first, second] = chain
    assert.ok(first && second)
    const far = { ...second.block, number: FEED_BLOCKS_MAX + 1 }
    await directory.projection.apply({ ...batchOf([first]), head: far })
    await assert.rejects(before.next(), { extensions: { code: 'ERR_RESUME_TOO_OLD', retryable: false } })
    const now = await feed.follow(undefined, () => true)
    await directory.projection.apply(batchOf([second]))
    assert.equal((await now.next()).value?.block_number, 2)
    // What was not told cannot be taken back: who was there must read again.
    await directory.projection.rollBack(genesis.block)
    await assert.rejects(now.next(), { extensions: { code: 'ERR_RESUME_TOO_OLD', retryable: false } })
  })

  it('keeps a bounded number of events', async () => {
    const { directory } = await followed()
    const many = Array.from({ length: 40 }, () => [doing('register', 1, 1)])
    const chain = chainOf(...many)
    await directory.projection.apply(batchOf(chain.slice(1, 20)))
    const state = { newest: FEED_ROWS_MAX + 10, floor: 0, floor_block: -1 }
    await directory.db.updateTable('feed_state').set(state).execute()
    await directory.projection.apply(batchOf(chain.slice(20)))
    const rows = await directory.db.selectFrom('feed').select('seq').orderBy('seq').execute()
    assert.equal(rows[0]?.seq, FEED_ROWS_MAX + 11)
    const { floor_block } = await directory.db.selectFrom('feed_state').select('floor_block').executeTakeFirstOrThrow()
    assert.equal(floor_block, 19)
  })

  it('lets go of a subscriber that kept up and then falls too far behind, and says so', async () => {
    const { directory, feed } = await followed()
    const chain = chainOf([doing('register', 0, 0)])
    const slow = await feed.follow(undefined, () => true)
    const first = slow.next()
    await directory.projection.apply(batchOf(chain.slice(1)))
    await first
    // It is at the end.
    const second = slow.next()
    await directory.db.transaction().execute(async (db) => {
      const row = await db.selectFrom('feed').selectAll().executeTakeFirstOrThrow()
      const rows = Array.from({ length: FEED_LAG_MAX + 2 }, (_, index) => ({ ...row, seq: index + 2 }))
      for (let from = 0; from < rows.length; from += 2000) {
        await db
          .insertInto('feed')
          .values(rows.slice(from, from + 2000))
          .execute()
      }
      await db
        .updateTable('feed_state')
        .set({ newest: FEED_LAG_MAX + 3 })
        .execute()
    })
    await feed.through({ ...directory.projection, apply: async () => {} }).apply(batchOf([genesis]))
    await assert.rejects(second, { extensions: { code: 'ERR_SUBSCRIBER_TOO_SLOW', retryable: true } })
  })

  it('takes a bounded number of subscribers, and the place of one that leaves is free', async () => {
    const { directory, feed } = await followed()
    const stream = await listen(directory, QUERIES.vendor)
    for (let n = 1; n < SUBSCRIBERS_MAX; n++) await feed.follow(undefined, () => true)
    const refused = await listen(directory, QUERIES.vendor)
    assert.equal(await refused.ends(), 'ERR_TOO_MANY_SUBSCRIBERS')
    await stream.close()
    const taken = await feed.follow(undefined, () => true)
    assert.ok(taken)
  })

  it('ends all subscriptions when it stops, and takes no more', async () => {
    const { directory, feed } = await followed()
    const stream = await listen(directory, QUERIES.payment)
    feed.close()
    assert.equal((await stream.next())?.event, 'complete')
    assert.equal(await stream.block(), undefined)
    assert.equal(await (await listen(directory, QUERIES.payment)).ends(), 'ERR_TOO_MANY_SUBSCRIBERS')
  })

  it('is heard to be alive in between, and lets go of who takes nothing', async () => {
    const sleepers: { ms: number; wake: () => void }[] = []
    const sleep = (ms: number, signal?: AbortSignal) =>
      new Promise<void>((wake, reject) => {
        sleepers.push({ ms, wake })
        signal?.addEventListener('abort', () => reject(signal.reason as Error))
      })
    const pass = async (ms: number) => {
      while (!sleepers.some((sleeper) => sleeper.ms === ms)) await new Promise((resolve) => setImmediate(resolve))
      for (const sleeper of sleepers.splice(0)) {
        if (sleeper.ms === ms) sleeper.wake()
        else sleepers.push(sleeper)
      }
    }
    const { directory, feed } = await followed({ clock: { ...createClock(), sleep } })
    const stream = await listen(directory, QUERIES.vendor)
    assert.equal(await stream.block(), ':')
    await pass(HEARTBEAT_MS)
    assert.equal(await stream.block(), ':')

    const chain = chainOf(...Array.from({ length: 40 }, () => [doing('register', 1, 1)]))
    await directory.projection.apply(batchOf(chain.slice(1)))
    await pass(READER_STALL_MS)
    for (let n = 1; n < SUBSCRIBERS_MAX + 1; n++) await feed.follow(undefined, () => true)
    assert.equal(await stream.ends(), 'ERR_SUBSCRIBER_TOO_SLOW')
  })
})

describe('a subscription', () => {
  it('is taken by a directory with a list of documents if its own is on it', async () => {
    const allowed = allowDocuments([{ name: 'vendor.graphql', content: utf8(QUERIES.vendor) }])
    const directory = await directoryOf(chainOf([doing('register', 0, 0)]), { allowed })
    const stream = await listen(directory, QUERIES.vendor, { variables: { after: `0-${'0'.repeat(16)}` } })
    assert.equal((await stream.told()).vendor?.version, 1)
    await stream.close()
    const other = new URL('http://directory/graphql')
    other.searchParams.set('query', QUERIES.payment)
    const refused = await directory.graphql(new Request(other, { headers: { accept: 'text/event-stream' } }))
    assert.match(await refused.text(), /ERR_DOCUMENT_UNKNOWN/)
  })

  it('is refused without server-sent events, and when it asks for too much', async () => {
    const directory = await directoryOf([genesis])
    const url = `http://directory/graphql?query=${encodeURIComponent(QUERIES.vendor)}`
    const response = await directory.graphql(new Request(url, { headers: { accept: 'application/json' } }))
    assert.equal(response.status, 406)
    const plans = (inside: string) => `plans(first: 100) { nodes { ${inside} } }`
    const deep = `subscription { vendorChanged { vendor { ${plans(`vendor { ${plans('vendor { id owner endpoints { text } uri }')} }`)} } } }`
    assert.equal(await (await listen(directory, deep)).ends(), 'ERR_QUERY_TOO_COSTLY')
  })
})
