/** How a server stops: nobody new, and nobody who was already there is cut off. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { serveHttp } from './http-server.ts'

describe('a server that closes', () => {
  it('lets requests under way end, and takes no new ones', async () => {
    const arrived = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const { address, close } = await serveHttp(
      async () => {
        arrived.resolve()
        await goOn.promise
        return new Response('whole')
      },
      { host: '127.0.0.1', port: 0 },
    )
    const url = `http://127.0.0.1:${address.port}/`
    const answer = fetch(url)
    await arrived.promise
    const closed = close()
    await assert.rejects(fetch(url))
    goOn.resolve()
    const response = await answer
    assert.equal(response.headers.get('connection'), 'close')
    assert.equal(await response.text(), 'whole')
    await closed
  })
})
