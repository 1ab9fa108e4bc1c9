/** What the middleware for Node's servers does when nobody is left to answer. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { it } from 'node:test'
import { createSha256 } from '../effects/digest-node.ts'
import type { Use } from './admission.ts'
import type { Gateway } from './index.ts'
import { meterNode } from './node.ts'

it('lets go of a use whose client hung up before it was admitted', async () => {
  const [asked, admitted, released] = [1, 2, 3].map(() => Promise.withResolvers<void>())
  assert.ok(asked && admitted && released)
  const use: Partial<Use> = { release: async () => released.resolve(), commit: () => assert.fail('charged') }
  const gateway: Partial<Gateway> = {
    scheme: 'http',
    own: () => undefined,
    async admit() {
      asked.resolve()
      await admitted.promise
      return use as Use
    },
  }
  const middleware = meterNode(gateway as Gateway, createSha256)
  const server = createServer((request, response) => middleware(request, response, () => assert.fail('served')))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const closed = new Promise((resolve) => server.once('request', (_, response) => response.once('close', resolve)))
  client.write('GET / HTTP/1.1\r\nhost: service\r\n\r\n')
  await asked.promise
  client.destroy()
  await closed
  admitted.resolve()
  await released.promise
  server.close()
})
