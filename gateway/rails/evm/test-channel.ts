/** For tests: channels as the rails' database has them. */
import type { Hex } from '../../../chain/types.ts'
import type { SqlStore } from '../../../effects/store.ts'
import { readChannel, type ChannelView } from './channel-view.ts'
import { openRailDatabase } from './store.ts'

export const createChannelReader =
  (sql: SqlStore) =>
  async (ids: readonly Hex[]): Promise<readonly (ChannelView | undefined)[]> => {
    const db = await openRailDatabase(sql.dialect('gateway-evm'))
    const views = await Promise.all(ids.map((id) => readChannel(db, id)))
    await db.destroy()
    return views
  }
