import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  createServer,
  request as ask,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createSha256 } from '../effects/digest-node.ts'
import { listenHttp } from '../effects/http-listener.ts'
import { createHttpProxy } from '../effects/http-proxy.ts'
import { listening, unusedPort } from '../effects/testing.ts'
import { createMetrics } from './metrics.ts'
import { meterNode } from './node.ts'
import { createMeteredProxy, withheldHeaders } from './proxy.ts'
import {
  createKeyRail,
  createSpender,
  HOST,
  keyPayer,
  NOW,
  seal,
  startGateway,
  type TestGatewayOptions,
} from './testing.ts'

const alice = keyPayer(3)

const funded = async (t: TestContext, options: TestGatewayOptions = {}, amount = 1_000n) => {
  const rail = createKeyRail()
  const service = await startGateway({ rails: { test: rail }, ...options })
  t.after(() => service.stop())
  await service.credit(rail, alice, amount)
  return { rail, service, spender: await createSpender(alice) }
}

/** A gateway's proxy on a port, before a service. */
const proxied = async (
  t: TestContext,
  serve: RequestListener | Server,
  options: TestGatewayOptions = {},
  amount?: bigint,
) => {
  const paid = await funded(t, options, amount)
  const upstream = typeof serve === 'function' ? createServer(serve) : serve
  const port = upstream.listening ? (upstream.address() as AddressInfo).port : await listening(t, upstream)
  return { ...paid, upstream, ...(await proxyTo(t, paid.service, port)) }
}

const proxyTo = async (t: TestContext, service: Awaited<ReturnType<typeof startGateway>>, port: number) => {
  const upstream = new URL(`http://127.0.0.1:${port}`)
  const proxy = createHttpProxy({ upstream, withheld: withheldHeaders, scheme: 'http' })
  const metered = createMeteredProxy({ gateway: service.gateway, proxy, metrics: createMetrics(), createSha256 })
  const address = { host: '127.0.0.1', port: 0 }
  const listener = await listenHttp({ address, method: 'REFUND', ...metered })
  t.after(async () => {
    await listener.close()
    proxy.close()
  })
  return { port: listener.address.port }
}

interface Answer {
  readonly status: number | undefined
  readonly message: IncomingMessage
  readonly body: string
}

const send = async (port: number, request: Request, body?: string | Buffer): Promise<Answer> => {
  const url = new URL(request.url)
  const headers = Object.fromEntries(request.headers)
  const asked = ask({
    port,
    host: '127.0.0.1',
    method: request.method,
    path: url.pathname + url.search,
    headers,
    agent: false,
  })
  asked.end(body)
  const [message] = (await once(asked, 'response')) as [IncomingMessage]
  message.setEncoding('utf8')
  let text = ''
  for await (const piece of message) text += piece as string
  return { status: message.statusCode, message, body: text }
}

/** All that a connection says to these bytes. */
const say = async (port: number, ...pieces: readonly string[]): Promise<string> => {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (piece: string) => (text += piece))
  for (const piece of pieces) {
    socket.write(piece)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  if (!socket.closed) await once(socket, 'close')
  return text
}

const usage = async (port: number, spender: { ask(method: string, target: string): Request }) =>
  (JSON.parse((await send(port, spender.ask('GET', '/usage'))).body) as { usage: string }).usage

describe('the reverse proxy', () => {
  it('hands paid requests on, with both bodies, and nothing of how they were paid', async (t) => {
    const seen: IncomingMessage[] = []
    const { port, spender } = await proxied(t, (request, response) => {
      seen.push(request)
      response.writeHead(201, 'Made', { 'x-own': 'yes', connection: 'x-hop', 'x-hop': 'no' })
      request.pipe(response)
    })
    const body = 'x'.repeat(300_000)
    const { status, message, body: echoed } = await send(port, spender.ask('POST', '/a?b=c', { body }), body)
    assert.deepEqual([status, message.statusMessage, echoed.length], [201, 'Made', body.length])
    assert.deepEqual([message.headers['x-own'], message.headers['x-hop']], ['yes', undefined])
    assert.equal(message.headers['content-cost'], '0.01')
    assert.equal(message.headers['payment-account-balance'], '0.09')
    const [request] = seen
    assert.deepEqual([request?.method, request?.url], ['POST', '/a?b=c'])
    assert.deepEqual(
      [request?.headers['payment-voucher'], request?.headers['payment-proof'], request?.headers['x-forwarded-host']],
      [undefined, undefined, HOST],
    )
  })

  it('lets nothing pass that is not paid', async (t) => {
    let asked = 0
    const { port } = await proxied(t, (_, response) => void response.end(String(++asked)))
    const { status, message, body } = await send(port, new Request(`http://${HOST}/a`, { headers: { host: HOST } }))
    assert.deepEqual([status, message.headers['content-type'], asked], [402, 'application/problem+json', 0])
    assert.equal((JSON.parse(body) as { serviceAccount: string }).serviceAccount, 'service-account')
  })

  it('does not charge when the service is not there, fails, or breaks off', async (t) => {
    let how: 'fail' | 'break' | 'break-late' | 'fine' = 'fail'
    const { port, spender, service } = await proxied(t, (_, response) => {
      if (how === 'fail') return response.writeHead(500).end('sorry')
      if (how === 'fine') return response.end('fine')
      response.writeHead(200, how === 'break' ? { 'content-length': '10' } : {})
      response.write('12345')
      return setImmediate(() => response.destroy())
    })
    assert.equal((await send(port, spender.ask('GET', '/a'))).status, 500)
    how = 'break'
    await assert.rejects(send(port, spender.ask('GET', '/a')))
    how = 'break-late'
    await assert.rejects(send(port, spender.ask('GET', '/a')))
    const nowhere = await proxyTo(t, service, await unusedPort())
    const { status, body } = await send(nowhere.port, spender.ask('GET', '/a'))
    assert.deepEqual([status, (JSON.parse(body) as { code: string }).code], [502, 'ERR_UPSTREAM'])
    assert.equal(await usage(port, spender), '0')
    how = 'fine'
    assert.equal((await send(port, spender.ask('GET', '/a'))).body, 'fine')
    assert.equal(await usage(port, spender), '100')
  })

  it('charges who hangs up after a part of the answer', async (t) => {
    const { port, spender } = await proxied(t, (_, response) => void response.write('12345'))
    const begun = async (request: Request, ...body: readonly string[]) => {
      const headers = Object.fromEntries(request.headers)
      const asked = ask({ port, host: '127.0.0.1', method: request.method, path: '/a', headers, agent: false })
      asked.on('error', () => {})
      for (const piece of body) await new Promise((resolve) => asked.write(piece, resolve))
      if (body.length === 0) asked.end()
      const [message] = (await once(asked, 'response')) as [IncomingMessage]
      await once(
        message.on('error', () => {}),
        'data',
      )
      return asked
    }
    const isCharged = (amount: string) => eventually(async () => (await usage(port, spender)) === amount)
    ;(await begun(spender.ask('GET', '/a'))).destroy()
    await isCharged('100')
    const headers = { 'content-length': '5' }
    ;(await begun(spender.ask('POST', '/a', { headers }), 'pay')).destroy()
    await isCharged('200')
    // A wrong end of the body breaks it off as well.
    ;(await begun(spender.ask('POST', '/a', { body: 'pay 5' }), 'pa', 'y ')).end('9')
    await isCharged('300')
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    t.after(() => session.destroy())
    const { host: _, ...fields } = Object.fromEntries(spender.ask('POST', '/a').headers)
    const stream = session.request({ ':method': 'POST', ':path': '/a', ':authority': HOST, ...fields })
    stream.on('error', () => {}).write('pay')
    await once(stream, 'data')
    stream.close(8)
    await isCharged('400')
  })

  it('does not charge who hangs up before there is any of it', async (t) => {
    const begun = Promise.withResolvers<ServerResponse>()
    const { port, spender } = await proxied(t, (_, response) => {
      response.flushHeaders()
      begun.resolve(response)
    })
    const headers = Object.fromEntries(spender.ask('GET', '/a').headers)
    const asked = ask({ port, host: '127.0.0.1', path: '/a', headers, agent: false }).on('error', () => {})
    asked.end()
    const response = await begun.promise
    asked.destroy()
    await once(response, 'close')
    assert.equal(await usage(port, spender), '0')
  })

  it('holds the last byte back until the charge is durable', async (t) => {
    let gate = Promise.resolve()
    const { port, spender } = await proxied(
      t,
      (request, response) => {
        if (request.url === '/known') response.setHeader('content-length', 10)
        response.write('12345')
        setTimeout(() => response.end('67890'), 20)
      },
      { turn: () => gate },
    )
    await send(port, spender.ask('GET', '/known'))
    for (const target of ['/known', '/chunked']) {
      const charge = Promise.withResolvers<void>()
      gate = charge.promise
      const socket = connect(port, '127.0.0.1').setEncoding('latin1')
      const request = spender.ask('GET', target)
      const lines = [...request.headers].map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`GET ${target} HTTP/1.1\r\n${lines.join('')}connection: close\r\n\r\n`)
      let text = ''
      socket.on('data', (piece: string) => (text += piece))
      while (!text.includes('12345')) await once(socket, 'data')
      assert.ok(!text.endsWith('67890') && !text.endsWith('0\r\n\r\n'), text.slice(-30))
      charge.resolve()
      await once(socket, 'close')
      assert.ok(text.endsWith(target === '/known' ? '67890' : '67890\r\n0\r\n\r\n'), text.slice(-30))
    }
  })

  it('breaks a request off whose body is not the announced one', async (t) => {
    let whole = 0
    const { port, spender } = await proxied(t, (request, response) => {
      request.resume().on('end', () => {
        whole++
        response.end('ok')
      })
    })
    const honest = spender.ask('POST', '/a', { body: 'pay 5' })
    const headers = { ...Object.fromEntries(honest.headers), 'content-length': '5' }
    const { status, body } = await send(port, new Request(`http://${HOST}/a`, { method: 'POST', headers }), 'pay 9')
    assert.deepEqual([status, (JSON.parse(body) as { code: string }).code, whole], [400, 'ERR_BODY_DIGEST', 0])
    assert.equal((await send(port, spender.ask('POST', '/a', { body: 'pay 5' }), 'pay 5')).status, 200)
    assert.equal(whole, 1)
    assert.equal(await usage(port, spender), '100')
  })

  it('lets no other method or target be read into a free request', async (t) => {
    const seen: IncomingMessage[] = []
    const { port } = await proxied(t, (request, response) => {
      seen.push(request)
      response.end()
    })
    const names = [
      ...['x-http-method-override', 'x-http-method', 'X_HTTP_Method_Override', 'x-original-method'],
      ...['x-forwarded-method', 'x-original-url', 'X_Original_URL', 'x-rewrite-url', 'payment_voucher'],
    ]
    const headers = { host: HOST, ...Object.fromEntries(names.map((name) => [name, '/b'])) }
    await send(port, new Request(`http://${HOST}/a`, { method: 'OPTIONS', headers }))
    assert.deepEqual(
      Object.values(seen[0]?.headers ?? {}).filter((value) => value === '/b'),
      [],
    )
    const absolute = await say(port, `GET http://${HOST}/a HTTP/1.1\r\nhost: ${HOST}\r\nconnection: close\r\n\r\n`)
    assert.match(absolute, /^HTTP\/1\.1 400 [^]*ERR_PATH/)
    assert.equal(seen.length, 1)
  })

  it('hands a body on as one, whatever the connection says of its length', async (t) => {
    const seen: string[] = []
    const { port } = await proxied(t, (request, response) => {
      let body = ''
      request.setEncoding('latin1').on('data', (piece: string) => (body += piece))
      request.on('end', () => {
        seen.push(`${request.method} ${request.url} ${body}`)
        response.end()
      })
    })
    const body = `DELETE /smuggled HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`
    for (const named of ['close, content-length', 'close, host, content-length, transfer-encoding']) {
      const head = `OPTIONS /free HTTP/1.1\r\nhost: ${HOST}\r\nconnection: ${named}\r\n`
      assert.match(await say(port, `${head}content-length: ${body.length}\r\n\r\n${body}`), /^HTTP\/1\.1 200 /)
      const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
      assert.match(await say(port, `${head}transfer-encoding: chunked\r\n\r\n${chunk}`), /^HTTP\/1\.1 200 /)
    }
    assert.deepEqual(seen, Array(4).fill(`OPTIONS /free ${body}`))
  })

  it('tells whether it is well, and what it did, before all prices', async (t) => {
    const { port } = await proxied(t, (_, response) => void response.end())
    const get = (target: string) => send(port, new Request(`http://${HOST}${target}`))
    assert.deepEqual(JSON.parse((await get('/health')).body), { ready: true })
    await get('/a')
    const { body, message } = await get('/metrics')
    assert.match(message.headers['content-type'] ?? '', /^text\/plain/)
    assert.match(body, /chrove_gateway_answers_total\{kind="unpaid"\} 1/)
    assert.match(body, /chrove_gateway_ready 1/)
  })
})

describe('a WebSocket through the proxy', () => {
  const echoing = () => {
    const server = createServer()
    server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n')
      socket.on('error', () => {})
      socket.pipe(socket)
    })
    return server
  }
  const openEcho = async (port: number, request: Request, protocol = 'websocket') => {
    const headers = { ...Object.fromEntries(request.headers), connection: 'Upgrade', upgrade: protocol }
    const asked = ask({ port, host: '127.0.0.1', path: '/socket', headers, agent: false })
    asked.end()
    const [message, socket] = (await Promise.race([once(asked, 'upgrade'), once(asked, 'response')])) as [
      IncomingMessage,
      Socket | undefined,
    ]
    return { message, socket }
  }

  it('passes once it is paid', async (t) => {
    const { port, spender } = await proxied(t, echoing())
    const unpaid = await openEcho(port, new Request(`http://${HOST}/socket`, { headers: { host: HOST } }))
    assert.equal(unpaid.message.statusCode, 402)
    const { message, socket } = await openEcho(port, spender.ask('GET', '/socket'))
    assert.deepEqual([message.statusCode, message.headers['content-cost']], [101, '0.01'])
    socket?.write('hello')
    assert.equal(String((await once(socket!, 'data'))[0]), 'hello')
    socket?.destroy()
    assert.equal(await usage(port, spender), '100')
  })

  it('is the only protocol that a connection goes on in: HTTP/2 would be a way around all prices', async (t) => {
    const { port, spender } = await proxied(t, echoing())
    for (const protocol of ['h2c', 'echo', 'websocket, h2c']) {
      const { message, socket } = await openEcho(port, spender.ask('GET', '/socket'), protocol)
      assert.deepEqual([message.statusCode, socket], [400, undefined], protocol)
    }
    assert.equal(await usage(port, spender), '0')
  })

  it('is no way around the price of a service that takes no notice of Upgrade', async (t) => {
    let status = 200
    const serve: RequestListener = (_, response) => response.writeHead(status).end('goods')
    const read = async ({ message }: { message: IncomingMessage }) => Buffer.concat(await message.toArray()).toString()
    const { port, spender } = await proxied(t, serve)
    const paid = await openEcho(port, spender.ask('GET', '/socket'))
    assert.deepEqual([paid.message.statusCode, await read(paid)], [200, 'goods'])
    assert.deepEqual([paid.message.headers['content-cost'], await usage(port, spender)], ['0.01', '100'])
    status = 404
    const failed = await openEcho(port, spender.ask('GET', '/socket'))
    assert.deepEqual([failed.message.statusCode, await read(failed)], [404, 'goods'])
    assert.equal(await usage(port, spender), '100')
  })

  it('is the only thing by the bit that is asked for with Upgrade', async (t) => {
    const settings = { per: 'bit', price: '0.000000125' }
    const { port, spender } = await proxied(t, (_, response) => void response.end('goods'), { settings })
    const { message } = await openEcho(port, spender.ask('GET', '/socket'))
    const text = Buffer.concat(await message.toArray()).toString()
    assert.deepEqual([message.statusCode, (JSON.parse(text) as { code: string }).code], [400, 'ERR_UPGRADE'])
    assert.equal(await usage(port, spender), '0')
    assert.equal((await send(port, spender.ask('GET', '/socket'))).body, 'goods')
  })

  it('begins with GET, without a body, and on a connection of its own', async (t) => {
    const seen: string[] = []
    const sockets = new Set<Socket>()
    const upstream = createServer((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers['content-length']} ${request.headers.expect}`)
      sockets.add(request.socket)
      response.end()
    })
    const { port, spender } = await proxied(t, upstream)
    const head = (of: string, method = 'GET') => {
      const lines = [...spender.ask(method, '/socket').headers].map(([name, value]) => `${name}: ${value}\r\n`)
      const upgrade = 'connection: upgrade\r\nupgrade: websocket\r\n'
      return `${method} /socket HTTP/1.1\r\n${lines.join('')}${upgrade}${of}\r\n`
    }
    for (const body of ['content-length: 5\r\n', 'transfer-encoding: chunked\r\n']) {
      assert.match(await say(port, head(body)), /^HTTP\/1\.1 400 [^]*ERR_UPGRADE/, body)
    }
    // What is free would be a WebSocket for nothing.
    assert.match(await say(port, head('', 'OPTIONS')), /^HTTP\/1\.1 400 [^]*ERR_UPGRADE/)
    assert.deepEqual(seen, [])
    const none = 'content-length: 0\r\nexpect: 100-continue\r\n'
    assert.match(await say(port, head(none)), /^HTTP\/1\.1 200 /)
    assert.match(await say(port, head(none)), /^HTTP\/1\.1 200 /)
    assert.deepEqual(seen, Array(2).fill('GET /socket undefined undefined'))
    assert.equal(sockets.size, 2)
  })

  it('is charged by the bit that comes from the service, and ends with the money', async (t) => {
    const settings = { per: 'bit', price: '0.000000125' }
    const { port, spender, service } = await proxied(t, echoing(), { settings }, 10n)
    const { socket } = await openEcho(port, spender.ask('GET', '/socket'))
    socket?.write('x'.repeat(600))
    const seen = { bytes: 0 }
    socket?.on('data', (piece: Buffer) => (seen.bytes += piece.length))
    while (seen.bytes < 600) await once(socket!, 'data')
    socket?.write('x'.repeat(600))
    await new Promise((resolve) => setTimeout(resolve, 20))
    await service.expire()
    await once(socket!, 'end')
    assert.equal(seen.bytes, 1_000)
    assert.equal(await usage(port, spender), '10')
  })
})

describe('SEED 004 HTTP Methods: REFUND', () => {
  const refund = () => seal(alice, { purpose: 'refund', to: 'to-me', exp: NOW + 600, amount: '10' })
  const line = (voucher: string) =>
    `REFUND /a HTTP/1.1\r\nhost: ${HOST}\r\ncontent-length: ${voucher.length}\r\n\r\n${voucher}`
  const get = `GET /health HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`

  it('is understood on HTTP/1.1, in one piece or several, alone or after other requests', async (t) => {
    const { port, spender } = await proxied(t, (_, response) => void response.end())
    const [one, two, three] = [line(await refund()), line(await refund()), line(await refund())]
    assert.match(await say(port, one), /^HTTP\/1\.1 202 [^]*connection: close[^]*"amount":"10"/i)
    assert.match(await say(port, two.slice(0, 40), two.slice(40, 500), two.slice(500)), /^HTTP\/1\.1 202 /)
    assert.match(await say(port, get + three), /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 202 /)
    assert.equal(
      (JSON.parse((await send(port, spender.ask('GET', '/usage'))).body) as { refunded: string }).refunded,
      '30',
    )
  })

  it('is parsed as strictly as every request, once a connection', async (t) => {
    const { port } = await proxied(t, (_, response) => void response.end())
    const voucher = await refund()
    const smuggled = line(voucher).replace('\r\n\r\n', '\r\ntransfer-encoding: chunked\r\n\r\n')
    assert.match(await say(port, smuggled), /^HTTP\/1\.1 400 /)
    const both = await say(port, line(voucher) + line(await refund()))
    assert.equal(both.match(/HTTP\/1\.1/g)?.length, 1)
    assert.match(await say(port, 'REFUSE /a HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /)
    assert.match(await say(port, `GET /a HTTP/1.1\r\nhost: ${HOST}\r\nREFUND : x\r\n\r\n`), /^HTTP\/1\.1 400 /)
  })

  it('is understood on HTTP/2', async (t) => {
    const { port } = await proxied(t, (_, response) => void response.end())
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    t.after(() => session.destroy())
    const stream = session.request({ ':method': 'REFUND', ':path': '/', ':authority': HOST })
    stream.end(await refund())
    const [headers] = (await once(stream, 'response')) as [{ ':status': number }]
    assert.equal(headers[':status'], 202)
    session.destroy()
  })
})

describe('HTTP/2', () => {
  it('has no methods in small letters, which would be read as others', async (t) => {
    const { port } = await proxied(t, (_, response) => void response.end(), {
      settings: { price: 'free', routes: [{ match: 'GET /dear', price: '1' }] },
    })
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    t.after(() => session.destroy())
    const statusOf = async (method: string) => {
      const stream = session.request({ ':method': method, ':path': '/dear', ':authority': HOST })
      const [headers] = (await once(stream.resume(), 'response')) as [{ ':status': number }]
      return headers[':status']
    }
    assert.deepEqual([await statusOf('GET'), await statusOf('get')], [402, 405])
    session.close()
  })

  it('is metered as HTTP/1.1 is', async (t) => {
    const { port, spender } = await proxied(t, (request, response) => void request.pipe(response))
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    t.after(() => session.destroy())
    const { host: _, ...headers } = Object.fromEntries(spender.ask('POST', '/a', { body: 'hello' }).headers)
    const stream = session.request({ ':method': 'POST', ':path': '/a', ':authority': HOST, ...headers })
    stream.end('hello')
    const [answer] = (await once(stream, 'response')) as [Record<string, unknown>]
    assert.deepEqual([answer[':status'], answer['payment-account-usage']], [200, '0'])
    assert.equal(String((await once(stream, 'data'))[0]), 'hello')
    await once(stream, 'end')
    session.close()
    assert.equal(await usage(port, spender), '100')
  })
})

describe('SEED 004 Jobs 2: a stream through the proxy', () => {
  const settings = { per: 'bit', price: '0.000000125' }
  const stream =
    (bytes: number): RequestListener =>
    (_, response) => {
      for (let left = bytes; left > 0; left -= 60_000) response.write('x'.repeat(Math.min(left, 60_000)))
      response.end()
    }

  it('is charged by what flows, to the bit', async (t) => {
    const { port, spender } = await proxied(t, stream(1_000_001), { settings }, 1_000_000n)
    const { body, message } = await send(port, spender.ask('GET', '/a'))
    assert.equal(body.length, 1_000_001)
    assert.equal(message.headers['content-cost-per'], 'bit')
    assert.equal(await usage(port, spender), '10001')
  })

  it('breaks off where the money ends, and says so in a trailer to who can read it', async (t) => {
    const { port, spender, service } = await proxied(t, stream(1_000), { settings }, 5n)
    const broken = send(port, spender.ask('GET', '/a'))
    broken.catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 50))
    await service.expire()
    await assert.rejects(broken)
    assert.equal(await usage(port, spender), '5')
  })

  it('ends with a trailer for who takes trailers', async (t) => {
    const { port, spender, service } = await proxied(t, stream(1_000), { settings }, 5n)
    const asked = send(port, spender.ask('GET', '/a', { headers: { te: 'trailers' } }))
    await new Promise((resolve) => setTimeout(resolve, 50))
    await service.expire()
    const { body, message } = await asked
    assert.deepEqual([body.length, message.trailers['payment-status']], [500, '402'])
    assert.equal(message.headers.trailer, 'Payment-Status')
  })
})

describe('the middleware for servers on Node', () => {
  const served = async (t: TestContext, serve: RequestListener) => {
    const { service, spender } = await funded(t)
    const meter = meterNode(service.gateway, createSha256)
    const server = createServer((request, response) => meter(request, response, () => serve(request, response)))
    return { spender, port: await listening(t, server) }
  }

  it('charges answers however they are written, and says what they cost', async (t) => {
    const ways: readonly RequestListener[] = [
      (_, response) => response.end('whole'),
      (_, response) => response.writeHead(200, { 'content-length': '5' }).end('whole'),
      (_, response) => response.writeHead(200, ['content-length', '5']).end('whole'),
      (_, response) => {
        response.setHeader('content-length', 5)
        response.write('wh')
        response.write('ole')
        response.end()
      },
      (_, response) => {
        response.flushHeaders()
        response.write('wh', () => response.end('ole'))
      },
      (_, response) => {
        response.statusCode = 201
        response.end(Buffer.from('whole'), () => {})
      },
    ]
    for (const [index, way] of ways.entries()) {
      const { port, spender } = await served(t, way)
      const { body, message } = await send(port, spender.ask('GET', '/a'))
      assert.equal(body, 'whole', String(index))
      assert.equal(message.headers['content-cost'], '0.01', String(index))
      assert.equal(await usage(port, spender), '100', String(index))
    }
  })

  it('charges no answer that is no success, and leaves it as it is', async (t) => {
    const ways: readonly RequestListener[] = [
      (_, response) => response.writeHead(404).end('none'),
      (_, response) => {
        response.statusCode = 500
        response.write('no')
        response.end('ne')
      },
      (_, response) => response.writeHead(304).end(),
    ]
    for (const way of ways) {
      const { port, spender } = await served(t, way)
      const { message } = await send(port, spender.ask('GET', '/a'))
      assert.ok((message.statusCode ?? 0) >= 300)
      assert.equal(message.headers['content-cost'], '0.01')
      assert.equal(await usage(port, spender), '0')
    }
  })
})

/** Gives requests under way their turns. */
const eventually = async (look: () => Promise<boolean>): Promise<void> => {
  for (let times = 0; times < 100; times++) if (await look()) return
  assert.fail('it never came about')
}
