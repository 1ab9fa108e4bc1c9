/** How a server stops: nobody new, and nobody who was already there is cut off. And whom it does not wait for. */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
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

describe('a reader that takes nothing', () => {
  it('is let go, though what was written for it never went out', async () => {
    const cancelled = Promise.withResolvers<void>()
    /** More than the buffers between two programs hold. */
    const endless = () =>
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
        cancel: () => cancelled.resolve(),
      })
    const { address, close } = await serveHttp(
      () => new Response(endless()),
      { host: '127.0.0.1', port: 0 },
      { idleMs: 100 },
    )
    const deaf = connect(address.port, '127.0.0.1', () => deaf.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'))
    deaf.pause()
    await cancelled.promise
    deaf.destroy()
    await close()
  })
})

describe('one place', () => {
  it('has no more than its share of connections, and a trusted proxy as many as come', async (t) => {
    /** Of who comes next. */
    let place: string | undefined
    const { address, close } = await serveHttp(
      () => new Response(new ReadableStream({ start: (body) => body.enqueue(Uint8Array.of(1)) })),
      { host: '127.0.0.1', port: 0 },
      { placeOf: () => place },
    )
    const connections: Socket[] = []
    t.after(async () => {
      for (const connection of connections) connection.destroy()
      await close()
    })
    /** @returns whether a connection from there is kept */
    const isServed = (from: string | undefined): Promise<boolean> => {
      place = from
      const connection = connect(address.port, '127.0.0.1').on('error', () => {})
      connections.push(connection)
      connection.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
      return new Promise((resolve) => {
        connection.once('data', () => resolve(true)).once('close', () => resolve(false))
      })
    }
    for (let count = 0; count < 512; count++) assert.ok(await isServed('here'))
    assert.equal(await isServed('here'), false)
    assert.ok(await isServed('there'))
    for (let count = 0; count < 513; count++) assert.ok(await isServed(undefined))
    connections[0]?.destroy()
    // Its end is heard a little later.
    while (!(await isServed('here')));
  })
})
