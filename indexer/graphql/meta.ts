/** How far the directory is, and what it can prove. */
import type { At } from './block-at.ts'
import type { RequestContext } from './context.ts'
import { newestId } from './feed.ts'
import { readHead } from './head.ts'

const block = ({ number, hash, timestampSeconds }: At) => ({ number, hash, timestamp: timestampSeconds })

/** The state of the directory at a block, with how far it is behind the clock now. */
export const readMeta = async (context: RequestContext, at: At) => {
  const { db, source } = context
  const newest = await context.newest()
  return {
    ...source,
    block: block(at),
    // A function, since an answer that tells the time is not kept.
    lagSeconds: () => Math.max(0, context.nowSeconds() - newest.timestampSeconds),
    /** Where those go on who have seen what the newest block says. */
    async resumeId() {
      if (at.hash !== newest.hash) return null
      context.restOn(context.writes)
      const id = await newestId(db)
      return (await readHead(db)).hash === newest.hash ? id : null
    },
    async finalized() {
      const number = await context.finalizedNumber()
      return number < 0 ? null : block(await context.at({ number }))
    },
    async completeness() {
      const gaps = db.selectFrom('gaps').where('block_number', '<=', at.number)
      const undecodable = db.selectFrom('undecodable_logs').where('block_number', '<=', at.number)
      const count = await gaps.select(({ fn }) => fn.countAll().as('total')).executeTakeFirstOrThrow()
      const logs = await undecodable.select(({ fn }) => fn.countAll().as('total')).executeTakeFirstOrThrow()
      const firstGap = await gaps.selectAll().orderBy('block_number').orderBy('log_index').limit(1).executeTakeFirst()
      return {
        complete: firstGap === undefined,
        gapCount: Number(count.total),
        firstGap: firstGap ?? null,
        undecodableLogs: Number(logs.total),
      }
    },
  }
}
