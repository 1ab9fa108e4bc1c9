import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import dns from 'node:dns'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { syncBuiltinESMExports } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { describe, it, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { createNetwork } from './network-node.ts'
import type { NetworkError, NetworkErrorCode } from './network.ts'
import { listening, recordingProxy, unusedPort } from './testing.ts'

const limits = { timeoutMs: 20_000, bodyBytesMax: 1000 }
const soon = { timeoutMs: 50, bodyBytesMax: 1000 }

const httpServer = async (t: TestContext, listener: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listening(t, createHttpServer(listener))}`

/** Answers every connection with these bytes, whatever was asked. */
const rawServer = async (t: TestContext, answer: string | Uint8Array): Promise<string> => {
  const server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(answer)))
  return `http://127.0.0.1:${await listening(t, server)}`
}

/** A code, and a message without any of the given texts. */
const fails =
  (code: NetworkErrorCode, ...kept: string[]) =>
  (error: NetworkError) => {
    assert.equal(error.code, code)
    for (const secret of ['127.0.0.1', 'localhost', ...kept])
      assert.ok(!JSON.stringify([error.message, error.cause]).includes(secret))
    return true
  }

describe('fetch', () => {
  it('gives back status, headers and body', async (t) => {
    const url = await httpServer(t, (request, response) => {
      response.writeHead(201, { 'x-method': request.method, 'x-name': 'caf\u00e9', 'set-cookie': ['a=1', 'b=2'] })
      request.pipe(response)
    })
    const response = await createNetwork().fetch(new Request(url, { method: 'POST', body: 'hello' }), limits)
    assert.ok(response instanceof Response)
    assert.equal(response.status, 201)
    assert.equal(response.headers.get('x-method'), 'POST')
    assert.equal(response.headers.get('x-name'), 'caf\u00e9')
    assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2'])
    assert.equal(await response.text(), 'hello')
  })

  it('sends no header that tells who we are, and never a cookie it was given', async (t) => {
    const heads: string[][] = []
    const url = await httpServer(t, (request, response) => {
      heads.push(request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()))
      response.setHeader('set-cookie', 'seen=1').end()
    })
    const network = createNetwork()
    await network.fetch(new Request(url), limits)
    await network.fetch(new Request(url), limits)
    assert.deepEqual(
      heads.map((names) => names.toSorted()),
      Array(2).fill(['accept-encoding', 'connection', 'host']),
    )
  })

  it('hands redirects back unfollowed', async (t) => {
    let visits = 0
    const url = await httpServer(t, (_request, response) => {
      visits++
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    const response = await createNetwork().fetch(new Request(url), limits)
    assert.equal(response.status, 302)
    assert.equal(response.headers.get('location'), '/elsewhere')
    assert.equal(visits, 1)
  })

  it('gives statuses without a body', async (t) => {
    for (const status of [204, 205, 304]) {
      const url = await httpServer(t, (_request, response) => response.writeHead(status).end())
      const response = await createNetwork().fetch(new Request(url), limits)
      assert.equal(response.status, status)
      assert.equal(response.body, null)
    }
  })

  it('takes a body of exactly the limit and refuses one byte more', async (t) => {
    const url = await httpServer(t, (request, response) => response.end(Buffer.alloc(Number(request.url?.slice(1)))))
    const network = createNetwork()
    const whole = await network.fetch(new Request(`${url}/1000`), limits)
    assert.equal((await whole.bytes()).length, 1000)
    await assert.rejects(network.fetch(new Request(`${url}/1001`), limits), fails('ERR_NETWORK_BODY_TOO_LARGE'))
  })

  it('stops an endless body at the limit and drops its connection', async (t) => {
    const closed = Promise.withResolvers<void>()
    const url = await httpServer(t, (_request, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(16_384)));
      }
      response.on('drain', more).on('close', () => closed.resolve())
      more()
    })
    await assert.rejects(createNetwork().fetch(new Request(url), limits), fails('ERR_NETWORK_BODY_TOO_LARGE'))
    await closed.promise
  })

  it('undoes no compression, so a bomb stays as small as it came', async (t) => {
    const bomb = gzipSync(Buffer.alloc(100_000))
    const url = await httpServer(t, (_request, response) => response.setHeader('content-encoding', 'gzip').end(bomb))
    const response = await createNetwork().fetch(new Request(url), limits)
    assert.deepEqual(Buffer.from(await response.bytes()), bomb)
  })

  it('gives up on a server that never answers', async (t) => {
    const url = await httpServer(t, () => {})
    await assert.rejects(createNetwork().fetch(new Request(url), soon), fails('ERR_NETWORK_TIMEOUT'))
  })

  it('gives up on headers that trickle forever', async (t) => {
    const server = createServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const trickle = setInterval(() => socket.write('x: y\r\n'), 5)
      socket.on('error', () => {}).on('close', () => clearInterval(trickle))
    })
    const url = `http://127.0.0.1:${await listening(t, server)}`
    await assert.rejects(createNetwork().fetch(new Request(url), soon), fails('ERR_NETWORK_TIMEOUT'))
  })

  it('gives up on a body that trickles forever', async (t) => {
    const url = await httpServer(t, (_request, response) => {
      const trickle = setInterval(() => response.write('.'), 5)
      response.on('close', () => clearInterval(trickle))
    })
    await assert.rejects(createNetwork().fetch(new Request(url), soon), fails('ERR_NETWORK_TIMEOUT'))
  })

  it('gives up on sending a body that never ends', async (t) => {
    const url = await httpServer(t, (_request, response) => response.end())
    const body = new ReadableStream({ pull: () => new Promise(() => {}) })
    const request = new Request(url, { method: 'POST', body, duplex: 'half' } as RequestInit)
    await assert.rejects(createNetwork().fetch(request, soon), fails('ERR_NETWORK_TIMEOUT'))
  })

  it('stops with the reason of the signal, before and during the exchange', async (t) => {
    const controller = new AbortController()
    const url = await httpServer(t, () => controller.abort(new Error('enough')))
    const network = createNetwork()
    const signal = controller.signal
    await assert.rejects(network.fetch(new Request(url), { ...limits, signal }), /enough/)
    await assert.rejects(network.fetch(new Request(url), { ...limits, signal }), /enough/)
    await assert.rejects(network.fetch(new Request(url, { signal }), limits), /enough/)
  })

  it('says that nobody listens', async () => {
    const url = `http://127.0.0.1:${await unusedPort()}`
    await assert.rejects(createNetwork().fetch(new Request(url), limits), fails('ERR_NETWORK_UNREACHABLE', url))
  })

  it('refuses what is not HTTP', async (t) => {
    const url = await rawServer(t, 'SSH-2.0-OpenSSH_9.2\r\n')
    await assert.rejects(createNetwork().fetch(new Request(url), limits), fails('ERR_NETWORK_PROTOCOL'))
    const status = await rawServer(t, 'HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n')
    await assert.rejects(createNetwork().fetch(new Request(status), limits), fails('ERR_NETWORK_PROTOCOL'))
    const flood = await rawServer(t, `HTTP/1.1 200 OK\r\n${`x: ${'y'.repeat(99)}\r\n`.repeat(1000)}`)
    await assert.rejects(createNetwork().fetch(new Request(flood), limits), fails('ERR_NETWORK_PROTOCOL'))
    await assert.rejects(createNetwork().fetch(new Request('data:,x'), limits), fails('ERR_NETWORK_PROTOCOL'))
  })

  it('turns any bytes a server may send into an answer or a NetworkError', async (t) => {
    let answer: string | Uint8Array = ''
    const server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(answer)))
    const url = `http://127.0.0.1:${await listening(t, server)}`
    const line = fc.oneof(
      fc.constantFrom('HTTP/1.1 200 OK', 'content-length: 3', 'transfer-encoding: chunked', '', '3', 'abc', '0'),
      fc.string({ unit: 'binary', maxLength: 20 }),
    )
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(line, { maxLength: 12 }).map((lines) => ['HTTP/1.1 200 OK', ...lines].join('\r\n')),
    )
    const network = createNetwork()
    await fc.assert(
      fc.asyncProperty(anything, async (bytes) => {
        answer = bytes
        const outcome = await network.fetch(new Request(url), limits).catch((error: NetworkError) => error)
        assert.ok(outcome instanceof Response || outcome.code.startsWith('ERR_NETWORK_'))
      }),
      { numRuns: 200 },
    )
  })

  it('lets a program end while connections idle, and while a request it gave up still connects', async (t) => {
    const url = await httpServer(t, (_request, response) => response.end('bye'))
    // Accepts and never speaks, so that a TLS handshake hangs.
    const mute = await listening(
      t,
      createServer((socket) => socket.on('error', () => {})),
    )
    const program = `
      const { createNetwork } = await import(${JSON.stringify(import.meta.resolve('./network-node.ts'))})
      const network = createNetwork()
      const response = await network.fetch(new Request('${url}'), { timeoutMs: 20000, bodyBytesMax: 10 })
      await network.fetch(new Request('https://127.0.0.1:${mute}'), { timeoutMs: 20, bodyBytesMax: 10 })
        .catch((error) => console.log(error.code))
      console.log(await response.text())`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
    assert.equal(said, 'ERR_NETWORK_TIMEOUT\nbye\n')
    assert.equal(code, 0)
  })
})

describe('through a SOCKS5 proxy', () => {
  it('HTTP goes there, with the name unresolved', async (t) => {
    const origin = new URL(await httpServer(t, (request, response) => response.end(request.headers.host)))
    const socks = await recordingProxy(t, Number(origin.port), 'user:p%40ss@')
    const lookups = t.mock.method(dns, 'lookup', () => assert.fail('asked the local DNS'))
    const response = await createNetwork({ proxy: socks.proxy }).fetch(new Request('http://vendor.onion:81/'), limits)
    assert.equal(await response.text(), 'vendor.onion:81')
    assert.deepEqual(socks.destinations, [{ addressType: 3, host: 'vendor.onion', port: 81 }])
    assert.deepEqual(socks.logins, ['user:p@ss'])
    assert.equal(lookups.mock.callCount(), 0)
  })

  it('HTTPS goes there, with the name unresolved and the certificate checked against it', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'chrove-network-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
      '-subj', '/CN=vendor.invalid', '-addext', 'subjectAltName=DNS:vendor.invalid', '-keyout', key, '-out', cert,
    ], { stdio: 'ignore' }) // prettier-ignore
    const tls = { key: readFileSync(key), cert: readFileSync(cert) }
    const server = createHttpsServer(tls, (_request, response) => response.end('secret'))
    const socks = await recordingProxy(t, await listening(t, server))
    const program = `
      const { createNetwork } = await import(${JSON.stringify(import.meta.resolve('./network-node.ts'))})
      const network = createNetwork({ proxy: new URL('${socks.proxy}') })
      const limits = { timeoutMs: 20000, bodyBytesMax: 10 }
      for (const host of ['vendor.invalid', 'other.invalid']) {
        const outcome = await network.fetch(new Request('https://' + host), limits).then((r) => r.text(), (e) => e.code)
        console.log(outcome)
      }`
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: cert }
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    assert.equal(await text(child.stdout), 'secret\nERR_NETWORK_UNREACHABLE\n')
    assert.deepEqual(socks.destinations, [
      { addressType: 3, host: 'vendor.invalid', port: 443 },
      { addressType: 3, host: 'other.invalid', port: 443 },
    ])
  })

  it('TCP goes there, addresses as addresses, and no early byte of the destination is lost', async (t) => {
    const greeting = await listening(
      t,
      createServer((socket) => socket.end('220 ready\r\n')),
    )
    const socks = await recordingProxy(t, greeting)
    const network = createNetwork({ proxy: socks.proxy })
    for (const host of ['mail.invalid', '192.0.2.7', '2001:db8::7', '::ffff:192.0.2.7', '::']) {
      const connection = await network.connect({ host, port: 25 }, 20_000)
      assert.equal(await text(connection), '220 ready\r\n')
      connection.destroy()
    }
    assert.deepEqual(
      socks.destinations.map(({ addressType, host }) => [addressType, host]),
      [
        [3, 'mail.invalid'],
        [1, 'c0000207'],
        [4, '20010db8000000000000000000000007'],
        [4, '00000000000000000000ffffc0000207'],
        [4, '0'.repeat(32)],
      ],
    )
  })

  it('what the proxy says of the destination is told, RFC 1928 §6', async (t) => {
    const codes = ['ERR_NETWORK_PROXY', 'ERR_NETWORK_FORBIDDEN', 'ERR_NETWORK_UNREACHABLE', 'ERR_NETWORK_UNREACHABLE',
      'ERR_NETWORK_UNREACHABLE', 'ERR_NETWORK_TIMEOUT', 'ERR_NETWORK_PROXY', 'ERR_NETWORK_PROXY', 'ERR_NETWORK_PROXY',
    ] as const // prettier-ignore
    for (const [index, code] of codes.entries()) {
      const { proxy } = await recordingProxy(t, await listening(t, createServer()), '', index + 1)
      const attempt = createNetwork({ proxy }).connect({ host: 'vendor.invalid', port: 80 }, 20_000)
      await assert.rejects(attempt, fails(code, 'vendor.invalid'))
    }
  })

  it('a proxy that is away, hangs up, speaks something else or says nothing is the fault, whatever was asked', async (t) => {
    const answers = ['', '\x05', '\x05\xff', '\x05\x02', '\x04\x00', 'HTTP/1.1 400 Bad Request\r\n\r\n']
    const ports = [await unusedPort()]
    for (const answer of answers) ports.push(Number(new URL(await rawServer(t, Buffer.from(answer, 'latin1'))).port))
    for (const port of ports) {
      const network = createNetwork({ proxy: new URL(`socks5h://127.0.0.1:${port}`) })
      await assert.rejects(network.connect({ host: 'a.invalid', port: 1 }, 20_000), fails('ERR_NETWORK_PROXY'))
      await assert.rejects(network.fetch(new Request('http://a.invalid'), limits), fails('ERR_NETWORK_PROXY'))
    }
    const mute = await listening(
      t,
      createServer((socket) => socket.on('error', () => {})),
    )
    const network = createNetwork({ proxy: new URL(`socks5h://127.0.0.1:${mute}`) })
    await assert.rejects(network.connect({ host: 'a.invalid', port: 1 }, 50), fails('ERR_NETWORK_TIMEOUT'))
  })

  it('names that are too long for SOCKS5 are refused', async (t) => {
    const { proxy } = await recordingProxy(t, 9)
    const attempt = createNetwork({ proxy }).connect({ host: 'a'.repeat(256), port: 1 }, 20_000)
    await assert.rejects(attempt, fails('ERR_NETWORK_PROXY'))
  })

  it('a URL that would resolve names here is no proxy', () => {
    for (const url of ['socks5://127.0.0.1:9050', 'http://127.0.0.1:8080', 'socks5h:']) {
      assert.throws(() => createNetwork({ proxy: new URL(url) }), TypeError)
    }
  })
})

describe('connect and listen', () => {
  const echo = (connection: Duplex) => void pipeline(connection, connection).catch(() => {})

  it('carry bytes both ways, and each side ends on its own', async (t) => {
    const network = createNetwork()
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection, peer) => {
      assert.equal(peer.host, '127.0.0.1')
      // Answers only once the other side has ended: the connection is half-open by then.
      void buffer(connection).then((bytes) => connection.end(bytes.reverse()))
    })
    t.after(() => listener.close())
    const connection = await network.connect(listener.address, 20_000)
    connection.end('abc')
    assert.equal(await text(connection), 'cba')
  })

  it('an address in use is said to be so', async (t) => {
    const network = createNetwork()
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, echo)
    t.after(() => listener.close())
    await assert.rejects(network.listen(listener.address, echo), fails('ERR_NETWORK_ADDRESS_IN_USE'))
  })

  it('close destroys what is open and frees the address', async () => {
    const network = createNetwork()
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, echo)
    const connection = await network.connect(listener.address, 20_000)
    const closed = once(connection.resume(), 'end')
    await listener.close()
    await closed
    await assert.rejects(network.connect(listener.address, 20_000), fails('ERR_NETWORK_UNREACHABLE'))
  })

  it('connect asks about the address that a name leads to, at the moment of use', async (t) => {
    const network = createNetwork()
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, echo)
    t.after(() => listener.close())
    const asked: string[] = []
    const answering = (answer: boolean) => (ip: string) => (asked.push(ip), answer)
    for (const host of ['localhost', '127.0.0.1', '0x7f.1']) {
      const address = { host, port: listener.address.port }
      await assert.rejects(
        network.connect(address, 20_000, undefined, answering(false)),
        fails('ERR_NETWORK_FORBIDDEN', '127.0.0.1'),
      )
    }
    assert.ok(asked.includes('127.0.0.1'))
    assert.ok(asked.every((ip) => ip === '127.0.0.1' || ip === '::1'))
    const connection = await network.connect(
      { ...listener.address, host: 'localhost' },
      20_000,
      undefined,
      answering(true),
    )
    connection.destroy()
  })

  it('connect refuses names it cannot ask about because a proxy resolves them', async (t) => {
    const { proxy, destinations } = await recordingProxy(t, await listening(t, createServer()))
    const network = createNetwork({ proxy })
    const attempt = network.connect({ host: 'a.invalid', port: 1 }, 20_000, undefined, () => true)
    await assert.rejects(attempt, fails('ERR_NETWORK_FORBIDDEN'))
    assert.deepEqual(destinations, [])
    ;(await network.connect({ host: '192.0.2.1', port: 1 }, 20_000, undefined, () => true)).destroy()
  })

  it('RFC 7686 §2: without a proxy no .onion name reaches the DNS', async (t) => {
    const lookups = t.mock.method(dns, 'lookup')
    const attempt = createNetwork().connect({ host: 'vendor.Onion', port: 80 }, 20_000)
    await assert.rejects(attempt, fails('ERR_NETWORK_PROXY', 'vendor'))
    assert.equal(lookups.mock.callCount(), 0)
  })

  it('connect stops with the reason of the signal', async () => {
    const attempt = createNetwork().connect(
      { host: '127.0.0.1', port: 1 },
      20_000,
      AbortSignal.abort(new Error('enough')),
    )
    await assert.rejects(attempt, /enough/)
  })
})

describe('fetch, told where it may connect', () => {
  /** Answers lookups in turn, whatever the name, and counts them. */
  const namesLeadTo = (t: TestContext, ...answers: readonly (readonly string[])[]) => {
    const lookups: string[] = []
    const answer = (name: string, _options: object, callback: (fault: null, found: object[]) => void) => {
      const found = answers[lookups.push(name) - 1] ?? answers.at(-1) ?? []
      callback(
        null,
        found.map((address) => ({ address, family: 4 })),
      )
    }
    t.mock.method(dns, 'lookup', answer as never)
    syncBuiltinESMExports()
    t.after(() => {
      t.mock.restoreAll()
      syncBuiltinESMExports()
    })
    return lookups
  }

  const only = (allowed: string) => (ip: string) => ip === allowed

  /** Counts connections, for there must be none. */
  const countingServer = async (t: TestContext) => {
    let connections = 0
    const url = await httpServer(t, (_request, response) => response.end('inside'))
    const server = createServer(() => connections++)
    return { url, port: await listening(t, server), connections: () => connections }
  }

  it('connects to no address that is not allowed, however it is written', async (t) => {
    const { port, connections } = await countingServer(t)
    const network = createNetwork()
    for (const host of ['127.0.0.1', 'localhost', '0x7f.1', '2130706433', '0177.0.0.1', '127.1', '[::1]']) {
      for (const protocol of ['http', 'https']) {
        const request = new Request(`${protocol}://${host}:${port}/price.json`)
        const attempt = network.fetch(request, { ...limits, allow: () => false })
        await assert.rejects(attempt, fails('ERR_NETWORK_FORBIDDEN'))
      }
    }
    assert.equal(connections(), 0)
  })

  it('does not use a connection that somebody else has opened', async (t) => {
    const { url } = await countingServer(t)
    const network = createNetwork()
    for (let times = 0; times < 2; times++) await (await network.fetch(new Request(url), limits)).text()
    const attempt = network.fetch(new Request(url), { ...limits, allow: () => false })
    await assert.rejects(attempt, fails('ERR_NETWORK_FORBIDDEN'))
  })

  it('connects to the very address that it asked about, and looks a name up once', async (t) => {
    const peers: (string | undefined)[] = []
    const server = createHttpServer(({ socket }, response) => {
      peers.push(socket.localAddress)
      response.end()
    }).listen(0, '0.0.0.0')
    await once(server, 'listening')
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const lookups = namesLeadTo(t, ['127.0.0.3', '127.0.0.2'], ['127.0.0.2'], ['127.0.0.3'])
    const network = createNetwork()
    const ask = () =>
      network.fetch(new Request(`http://rebinding.example:${port}`), { ...limits, allow: only('127.0.0.2') })
    await ask()
    await ask()
    // The name leads elsewhere by now, and a connection to where it led is not kept.
    await assert.rejects(ask(), fails('ERR_NETWORK_FORBIDDEN', '127.0.0.3'))
    assert.deepEqual(peers, ['127.0.0.2', '127.0.0.2'])
    assert.equal(lookups.length, 3)
  })

  it('brings a redirect back as it is', async (t) => {
    const { port, connections } = await countingServer(t)
    const location = `http://127.0.0.1:${port}/`
    const url = await httpServer(t, (_request, response) => response.writeHead(302, { location }).end())
    const response = await createNetwork().fetch(new Request(url), { ...limits, allow: only('127.0.0.1') })
    assert.equal(response.status, 302)
    assert.equal(connections(), 0)
  })

  it('through a proxy, takes allowed addresses and no names', async (t) => {
    const inside = Number(new URL(await httpServer(t, (_request, response) => response.end('found'))).port)
    const { proxy, destinations } = await recordingProxy(t, inside)
    const network = createNetwork({ proxy })
    for (const host of ['vendor.invalid', '127.0.0.1']) {
      const attempt = network.fetch(new Request(`http://${host}`), { ...limits, allow: only('192.0.2.1') })
      await assert.rejects(attempt, fails('ERR_NETWORK_FORBIDDEN', 'vendor'))
    }
    assert.deepEqual(destinations, [])
    const response = await network.fetch(new Request('http://192.0.2.1'), { ...limits, allow: only('192.0.2.1') })
    assert.equal(await response.text(), 'found')
  })
})
