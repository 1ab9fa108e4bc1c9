/** How far the directory is, and what it can prove. */
import { type At, readHead } from './block-at.ts'
import type { RequestContext } from './context.ts'
import { newestId } from './feed.ts'

const block = ({ number, hash, timestampSeconds }: At) => ({ number, hash, timestamp: timestampSeconds })

/** The state of the directory at a block, with how far it is behind the clock now. */
export const readMeta = async (context: RequestContext, at: At) => {
  const { db, source } = context
  const head = await context.head()
  return {
    ...source,
    block: block(at),
    lagSeconds: Math.max(0, context.nowSeconds() - head.timestampSeconds),
    /** Where those go on who have seen what the newest block says. */
    async resumeId() {
      if (at.hash !== head.hash) return null
      const id = await newestId(db)
      return (await readHead(db)).hash === head.hash ? id : null
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
