import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type { NetworkError, NetworkErrorCode } from './network.ts'
import { createDial } from './network-node.ts'
import { createStreams } from './streams-node.ts'
import { listening, recordingProxy } from './testing.ts'

const limits = { answerMs: 20_000, idleMs: 20_000 }
const streams = createStreams(createDial({}))

const httpServer = async (t: TestContext, listener: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listening(t, createServer(listener))}`

const failed = (code: NetworkErrorCode) => (error: NetworkError) => error.code === code

describe('an exchange whose body flows', () => {
  it('gives status and headers before the body has come, and each piece as it comes', async (t) => {
    let goOn = () => {}
    const url = await httpServer(t, (request, response) => {
      response.writeHead(201, { 'x-method': request.method })
      response.write('first')
      goOn = () => response.end('last')
    })
    const answer = await streams.open(new Request(url, { method: 'POST', body: 'x' }), limits)
    assert.deepEqual([answer.status, answer.headers.get('x-method')], [201, 'POST'])
    const reader = answer.body!.getReader()
    assert.equal(Buffer.from((await reader.read()).value!).toString(), 'first')
    goOn()
    assert.equal(Buffer.from((await reader.read()).value!).toString(), 'last')
    assert.equal((await reader.read()).done, true)
  })

  it('follows no redirect and speaks methods of its own', async (t) => {
    const url = await httpServer(t, (_request, response) => response.writeHead(302, { location: '/b' }).end())
    const answer = await streams.open(new Request(url, { method: 'DELETE' }), limits)
    assert.equal(answer.status, 302)
  })

  it('fails when the body breaks off, and when it falls silent', async (t) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'))
    })
    const broken = await streams.open(new Request(`http://127.0.0.1:${await listening(t, server)}`), limits)
    await assert.rejects(broken.text(), failed('ERR_NETWORK_UNREACHABLE'))
    const url = await httpServer(t, (_request, response) => void response.write('half'))
    const silent = await streams.open(new Request(url), { ...limits, idleMs: 50 })
    await assert.rejects(silent.text(), failed('ERR_NETWORK_TIMEOUT'))
  })

  it('waits for headers no longer than it may, and for the body longer than that', async (t) => {
    const never = await httpServer(t, () => {})
    await assert.rejects(streams.open(new Request(never), { ...limits, answerMs: 50 }), failed('ERR_NETWORK_TIMEOUT'))
    let goOn = () => {}
    const url = await httpServer(t, (_request, response) => {
      response.write('half')
      goOn = () => response.end()
    })
    const answerMs = 200
    const answer = await streams.open(new Request(url), { ...limits, answerMs })
    const text = answer.text()
    await new Promise((resolve) => AbortSignal.timeout(answerMs + 50).addEventListener('abort', resolve))
    goOn()
    assert.equal(await text, 'half')
  })

  it('ends with the reason of whoever ends it, and hangs up when its body is cancelled', async (t) => {
    const closed = Promise.withResolvers<void>()
    const url = await httpServer(t, (_request, response) => {
      response.write('half')
      response.once('close', () => closed.resolve())
    })
    const ending = new AbortController()
    const answer = await streams.open(new Request(url), { ...limits, signal: ending.signal })
    const reading = answer.text()
    ending.abort(new Error('enough'))
    await assert.rejects(reading, /enough/)
    await closed.promise
    const other = await streams.open(new Request(url), limits)
    await other.body?.cancel()
    await closed.promise
  })

  it('goes through the proxy', async (t) => {
    const url = await httpServer(t, (_request, response) => response.end('hello'))
    const { proxy, destinations } = await recordingProxy(t, Number(new URL(url).port))
    const proxied = createStreams(createDial({ proxy }))
    assert.equal(await (await proxied.open(new Request('http://site.example/'), limits)).text(), 'hello')
    assert.deepEqual(destinations[0]?.host, 'site.example')
  })
})
