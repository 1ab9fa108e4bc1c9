/**
 * What is measured: one service, bare and behind the gateway, on ports of one process, with a ledger on the disk. The rail
 * asks no chain: deposits are not what is measured.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { Hono } from 'hono'
import { createClock } from '../../../effects/clock.ts'
import { base64urlOfText, createSha256, hmacSha256, sha256 } from '../../../effects/digest-node.ts'
import { serveHttp } from '../../../effects/http-server.ts'
import { silentLog } from '../../../effects/log.ts'
import { createRandom } from '../../../effects/random.ts'
import { createNativeRsa } from '../../../effects/rsa-node.ts'
import { createAsideSqlStore } from '../../../effects/store-node.ts'
import { turn } from '../../../effects/turn-node.ts'
import { meterFetch } from '../../../gateway/fetch.ts'
import { createGateway } from '../../../gateway/index.ts'
import { meterNode } from '../../../gateway/node.ts'
import { gatewaySettingsSchema } from '../../../gateway/settings.ts'
import { createKeyRail, serviceKeys } from '../../../gateway/testing.ts'
import { createNativeJose } from '../../../vendor/native-jose.ts'
import { BENCH_HOST, DEPOSIT, payers, STREAM_BYTES, type Ports } from './common.ts'

const [, , folder = ''] = process.argv

const rail = createKeyRail()
const effects = {
  ...{ clock: createClock(), random: createRandom(), log: silentLog, sql: createAsideSqlStore(folder) },
  ...{ turn, sha256, hmac: hmacSha256, encode: base64urlOfText },
  jose: createNativeJose(createNativeRsa(), createRandom()),
}
const settings = gatewaySettingsSchema.parse({
  hosts: [BENCH_HOST],
  accounts: { test: { scheme: 'order' } },
  price: '0.0001',
  routes: [{ match: '/stream', per: 'bit', price: '0.000000000000001' }],
})
const gateway = await createGateway(effects, settings, { keys: serviceKeys, rails: new Map([['test', rail]]) })
const stopping = new AbortController()
const running = gateway.run(stopping.signal)
const deposits = await rail.deposits()
for (const { account } of payers) await deposits.credit({ id: account, account, amount: DEPOSIT })

const app = new Hono()
app.get('/answer', (context) =>
  context.json({ answer: 42, words: 'what a request may well be worth', of: 'a service' }),
)
const listen = async (fetch: (request: Request, env: never) => Response | Promise<Response>): Promise<number> => {
  const { address } = await serveHttp(fetch as never, { host: '127.0.0.1', port: 0 })
  return address.port
}

const piece = Buffer.alloc(64 * 1024, 'x')
const streaming = createServer((request, response) => {
  const pour = () => {
    response.writeHead(200, { 'content-length': STREAM_BYTES })
    let left = STREAM_BYTES
    const more = (): void => {
      while (left > 0) {
        left -= piece.length
        if (!response.write(piece)) return void response.once('drain', more)
      }
      response.end()
    }
    more()
  }
  if (request.headers['payment-voucher'] === undefined) pour()
  else meter(request, response, pour)
})
const meter = meterNode(gateway, createSha256)
streaming.listen(0, '127.0.0.1')
await once(streaming, 'listening')

const ports: Ports = {
  bare: await listen((request, env) => app.fetch(request, env)),
  metered: await listen(meterFetch(gateway, createSha256, (request, env) => app.fetch(request, env as never)) as never),
  streaming: (streaming.address() as AddressInfo).port,
}
process.send?.(ports)
await once(process, 'disconnect')
stopping.abort()
await running
process.exit(0)
