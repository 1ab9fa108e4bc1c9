/**
 * What a restart must not forget: which channels there are, who may speak on them and what was written. Addresses are not
 * kept, nor anything that could open what passes. Many changes are written together, and each is durable before it is told.
 */
import { Kysely, sql, type Dialect } from 'kysely'
import { z } from 'zod'
import { channelTable, type ChannelState } from '../protocol/relay/channel.ts'
import { SUITE_NAMES } from '../protocol/relay/suites.ts'

const states = Object.keys(channelTable) as [ChannelState, ...ChannelState[]]

const keptSchema = z.strictObject({
  name: z.string(),
  suite: z.enum(SUITE_NAMES),
  state: z.enum(states),
  version: z.int(),
  secrets: z.strictObject({ sender: z.string(), recipient: z.string().optional() }),
  fields: z.strictObject({
    x: z.string().optional(),
    y: z.string().optional(),
    hh_k: z.string().optional(),
    h_k: z.string().optional(),
    streams: z.int().optional(),
  }),
  /** Passed so far, both ways together. */
  bytes: z.number(),
})

/** Of one channel. */
export type KeptChannel = z.infer<typeof keptSchema>

interface Tables {
  channels: {
    name: string
    /** All of a channel, as JSON. */
    content: string
  }
}

export interface RelayStore {
  all(): Promise<readonly KeptChannel[]>
  /** Resolves when it is durable. */
  save(channel: KeptChannel): Promise<void>
  /** Forgets channels; what was still to be written of them is not. */
  forget(names: readonly string[]): Promise<void>
  close(): Promise<void>
}

export const openRelayStore = async (dialect: Dialect): Promise<RelayStore> => {
  const db = new Kysely<Tables>({ dialect })
  await sql`create table if not exists channels (name text primary key, content text not null)`.execute(db)
  /** Undefined forgets. */
  let changes = new Map<string, string | undefined>()
  let next: Promise<void> | undefined
  let writing: Promise<void> = Promise.resolve()

  const write = async (): Promise<void> => {
    next = undefined
    const batch = changes
    changes = new Map()
    await db.transaction().execute(async (tx) => {
      for (const [name, content] of batch) {
        if (content === undefined) await tx.deleteFrom('channels').where('name', '=', name).execute()
        else await tx.replaceInto('channels').values({ name, content }).execute()
      }
    })
  }

  /** Everything that changes while one batch is written is the next one. */
  const flush = (): Promise<void> => {
    if (next === undefined) {
      next = writing.then(write)
      // One that fails is told to those who wait for it, and holds up no later one.
      writing = next.catch(() => {})
    }
    return next
  }

  return {
    async all() {
      const rows = await db.selectFrom('channels').selectAll().orderBy('name').execute()
      return rows.flatMap(({ content }) => {
        const parsed = keptSchema.safeParse(JSON.parse(content))
        // Of another version of this program: its parties begin anew.
        return parsed.success ? [parsed.data] : []
      })
    },
    save(channel) {
      changes.set(channel.name, JSON.stringify(channel))
      return flush()
    },
    async forget(names) {
      if (names.length === 0) return
      for (const name of names) changes.set(name, undefined)
      await flush()
    },
    async close() {
      await writing
      await db.destroy()
    },
  }
}
