/**
 * The smallest world: a shop that counts visits in a database, a visitor that comes again and again, a chain that
 * makes blocks, crashes and reorgs on the way. It shows how a world is put together, and the tests compare its traces.
 */
import { Kysely, sql } from 'kysely'
import { openSimChain } from './chain.ts'
import type { Edr } from './edr.ts'
import { createFaults, drawFaultRates } from './faults.ts'
import { createSimHost, type HostEffects } from './host.ts'
import { createLoop } from './loop.ts'
import { createSimNetwork } from './network.ts'
import { createSimRandom } from './random.ts'
import { createTrace, type Trace } from './trace.ts'

const VISITS = 20
const LIMITS = { timeoutMs: 5_000, bodyBytesMax: 1_000 }

/** Serves `/visit`, and counts each visitor's token once however often it comes. */
const startShop = async ({ network, sql: databases }: HostEffects) => {
  const db = new Kysely<{ visit: { token: string } }>({ dialect: databases.dialect('visits') })
  await sql`create table if not exists visit (token text primary key)`.execute(db)
  network.serve(80, async (request) => {
    const token = new URL(request.url).searchParams.get('token') ?? ''
    await db
      .insertInto('visit')
      .values({ token })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    const { count } = await db
      .selectFrom('visit')
      .select(db.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    return Response.json({ count })
  })
}

/** @returns what the shop told of visits, which the visitor repeats until it is told */
const visitShop = async ({ network, clock, random, log }: HostEffects): Promise<number[]> => {
  const counts: number[] = []
  while (counts.length < VISITS) {
    const url = `http://shop/visit?token=${Buffer.from(random.bytes(8)).toString('hex')}`
    for (;;) {
      try {
        const answer = await network.fetch(new Request(url), LIMITS)
        counts.push(((await answer.json()) as { count: number }).count)
        break
      } catch {
        log.warn('shop.unreachable', { visit: counts.length })
        await clock.sleep(1_000)
      }
    }
  }
  return counts
}

/** One run: crashes and faults for a while, then calm. */
export const runTwoHosts = async (edr: Edr, seed: number): Promise<{ counts: number[]; trace: Trace }> => {
  const loop = createLoop()
  const trace = createTrace(loop)
  const random = createSimRandom(seed)
  const faults = createFaults(drawFaultRates(random.fork('faults')))
  const network = createSimNetwork({ loop, trace, random: random.fork('network'), faults })
  const chain = await openSimChain(edr, { loop, trace, random: random.fork('chain'), faults, finalityDepth: 8 })
  const parts = { loop, trace, network, random }
  const shop = createSimHost(parts, 'shop', { skewMs: 3_000 })
  const visitor = createSimHost(parts, 'visitor')

  await loop.runUntil(startShop(shop.boot()), 1_000)
  const visits = visitShop(visitor.boot())
  const stopBlocks = chain.produce(12_000)
  for (let round = 0; round < 3; round++) {
    shop.crashAfterWrites(random.int(1, 5))
    await loop.run({ timeMs: loop.nowMs() + 20_000 })
    shop.crash()
    await loop.runUntil(Promise.all([startShop(shop.boot()), chain.reorg({ depth: 1 })]), 1_000)
  }
  network.heal()
  const counts = await loop.runUntil(visits, 600_000)
  stopBlocks()
  return { counts, trace }
}
