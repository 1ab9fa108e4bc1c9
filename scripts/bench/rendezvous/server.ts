/** A rendezvous that knows many clients of few keys, and has no limits that one machine with all of them would meet. */
import { Kysely } from 'kysely'
import { createClock } from '../../../effects/clock.ts'
import { serveHttp } from '../../../effects/http-server.ts'
import { silentLog } from '../../../effects/log.ts'
import { createRandom } from '../../../effects/random.ts'
import { createSqlStore } from '../../../effects/store-node.ts'
import { createUpgrade } from '../../../effects/web-socket-server.ts'
import { createJose } from '../../../protocol/jose.ts'
import { RENDEZVOUS_MESSAGE_BYTES_MAX } from '../../../protocol/limits.ts'
import { createRendezvous } from '../../../rendezvous/index.ts'
import { rendezvousSettingsSchema } from '../../../rendezvous/settings.ts'
import { openRendezvousStore } from '../../../rendezvous/store.ts'
import { BENCH_SERVER, benchClient } from './clients.ts'

const [, , folder = '', count = '0'] = process.argv
const sql = createSqlStore(folder)
await (await openRendezvousStore(sql.dialect('rendezvous'))).close()
const db = new Kysely<{ clients: { uuid: string; version: number; key: string } }>({
  dialect: sql.dialect('rendezvous'),
})
await db.transaction().execute(async (tx) => {
  for (let index = 0; index < Number(count); index++) {
    const { uuid, keys } = benchClient(index)
    await tx
      .insertInto('clients')
      .values({ uuid, version: 1, key: JSON.stringify(keys.publicKey) })
      .execute()
  }
})
await db.destroy()

const MANY = 1_000_000
const settings = rendezvousSettingsSchema.parse({
  ...{ server: BENCH_SERVER, connectionsPerPlaceMax: MANY, strangersPerPlaceMax: MANY, connectsPerMinute: MANY },
  ...{ requestsPerPlaceMinute: MANY, requestsPerSourceMinute: MANY, requestsPerPairMinute: MANY },
  ...{ requestsPerTargetMinute: MANY, messagesPerSecond: 10_000 },
})
const effects = { clock: createClock(), random: createRandom(), sql, log: silentLog, jose: createJose() }
const rendezvous = await createRendezvous(effects, settings)
const listener = await serveHttp(
  (request, peerHost) => rendezvous.fetch(request, peerHost),
  { host: '127.0.0.1', port: 0 },
  {
    connectionsMax: settings.connectionsMax,
    upgrade: createUpgrade((offer) => rendezvous.accept(offer), RENDEZVOUS_MESSAGE_BYTES_MAX),
  },
)
process.stdout.write(`${JSON.stringify({ port: listener.address.port })}\n`)
