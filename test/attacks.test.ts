/**
 * What attackers try against a running vendor and a real buyer, over real sockets. The refusals of single messages are
 * tested beside their subjects; here it is shown that the parts, put together, refuse them too and go on working.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { BuyerEffects } from '../buyer/lib/index.ts'
import { serveHttp } from '../effects/http-server.ts'
import { silentLog } from '../effects/log.ts'
import { base64url, utf8 } from '../protocol/bytes.ts'
import { keyHashOf, openCode, sealCode, type Question } from '../protocol/cert-info.ts'
import type { Socks5Server } from '../protocol/credentials.ts'
import { createJose } from '../protocol/jose.ts'
import { canonicalJson } from '../protocol/json.ts'
import { formatKeyId, keyIdOf, type RsaKeyPair } from '../protocol/keys.ts'
import { NONCE_BYTES, SIGNED_TIME_WINDOW_SECONDS } from '../protocol/limits.ts'
import { signPriceContent, type PriceDocument } from '../protocol/price.ts'
import { startPage, type Page } from '../scripts/start/page.ts'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { createVendorHttp } from '../vendor/http.ts'
import { curlMissing, curlThrough } from './curl.ts'
import { eventually } from './eventually.ts'
import { buyerAt, openBuyer, openMarket, openShop, payFor, type Market, type OpenedBuyer, type Shop } from './market.ts'

const jose = createJose()
const mallory = rsaKeyPair(20)

let market: Market
/** Reached through the attacker, and after that directly. */
let watched: Shop
/** Reached directly. */
let other: Shop
let page: Page

/** The attacker on the path to `watched`; passes everything on unless a test says otherwise. */
let interfere: (request: Request, passOn: (request: Request) => Promise<Response>) => Promise<Response>
const seen: string[] = []
/** Begins with the file, for its end takes seconds: a request whose headers never end. */
let trickle: Promise<string>

before(async () => {
  market = await openMarket()
  const path = await serveHttp(
    async (request) => {
      seen.push(new URL(request.url).pathname)
      return interfere(request, passOn)
    },
    { host: '127.0.0.1', port: 0 },
  )
  market.beforeClose(() => path.close())
  watched = await openShop(market, {
    title: 'Watched',
    endpoints: () => [`http://127.0.0.1:${path.address.port}`],
  })
  other = await openShop(market, { title: 'Other' })
  page = await startPage()
  market.beforeClose(() => page.close())
  await watched.serve()
  await other.serve()
  trickle = trickling(Number(new URL(other.url).port))
})
after(() => market.close())
beforeEach(() => {
  interfere = (request, pass) => pass(request)
  seen.length = 0
})

/** Header lines, one at a time, for as long as anybody listens. */
const trickling = (port: number): Promise<string> =>
  new Promise((resolve) => {
    let heard = ''
    const socket = connect(port, '127.0.0.1', () => {
      socket.write('GET /price.json HTTP/1.1\r\nhost: x\r\n')
    })
    const timer = setInterval(() => socket.write('x: y\r\n'), 200)
    socket.on('data', (chunk) => (heard += chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.once('close', () => {
      clearInterval(timer)
      resolve(heard)
    })
  })

const passOn = async (request: Request): Promise<Response> => {
  const { pathname, search } = new URL(request.url)
  const body = request.method === 'POST' ? await request.text() : null
  return fetch(new URL(pathname + search, watched.url), { method: request.method, body })
}

const fetchPrice = async (shop: Shop): Promise<PriceDocument> =>
  (await (await fetch(`${shop.url}/price.json`)).json()) as PriceDocument

const ask = async (shop: Shop, code: string): Promise<{ status: number; code: unknown; body: string }> => {
  const response = await fetch(`${shop.url}/cert.info`, { method: 'POST', body: code })
  const body = await response.text()
  const problem = response.status === 200 ? {} : (JSON.parse(body) as { code: unknown })
  return { status: response.status, code: undefined, ...problem, body }
}

let nonces = 0
const questionTo = (shop: Shop, more: Partial<Question> = {}): Question => {
  const nonce = new Uint8Array(NONCE_BYTES)
  new DataView(nonce.buffer).setUint32(0, ++nonces)
  return { vendor: shop.uri, tsSeconds: Math.floor(Date.now() / 1000), nonce, ...more }
}
const codeTo = (shop: Shop, buyer: RsaKeyPair, question = questionTo(shop)): Promise<string> =>
  sealCode(jose, question, buyer, shop.keys.encryption.publicKey)

/** Pays in the name of a key; done when the shop delivers. */
const paidBy = async (buyer: RsaKeyPair, shop: Shop): Promise<void> => {
  await payFor(market, shop, keyHashOf(buyer.publicKey))
  await eventually('the vendor has seen the payment', async () =>
    (await ask(shop, await codeTo(shop, buyer))).status === 200 ? true : undefined,
  )
}

describe('a man in the middle of the price document', () => {
  let buyer: OpenedBuyer
  let orderId: string
  before(async () => {
    buyer = await openBuyer(market, 'buyer')
    ;({ orderId } = await buyer.buyer.buy({ vendor: watched.uri, planId: 1, periods: 1 }))
  })

  const resign = async ({ content }: PriceDocument, { privateKey, publicKey }: RsaKeyPair, encryption = publicKey) => {
    const changed = { ...content, PublicKey: { ...publicKey }, PublicKeyEnc: { ...encryption } }
    return signPriceContent(jose, changed, privateKey, await jose.sign(utf8(String(content.ts)), privateKey))
  }
  const cheaper = ({ content, ...signatures }: PriceDocument) => {
    const [method, ...more] = content.PaymentChannels
    return { ...signatures, content: { ...content, PaymentChannels: [{ ...method, Amount: '1' }, ...more] } }
  }

  const deceits: [what: string, fails: string, deceive: (document: PriceDocument) => unknown][] = [
    ['signs it with a key of its own', 'signing_key', (document) => resign(document, mallory)],
    [
      'puts in an encryption key of its own, to read the codes',
      'encryption_key',
      (document) => resign(document, watched.keys.signing, mallory.publicKey),
    ],
    ['changes the terms', 'content_signature', cheaper],
    [
      'changes the terms and passes it off as a document of the original system',
      'content_signature',
      (document) => ({ ...cheaper(document), content_signature: undefined }),
    ],
    ["puts another vendor's in its place", 'signing_key', () => fetchPrice(other)],
  ]
  for (const [what, fails, deceive] of deceits) {
    it(`who ${what} gets no code, and the buyer hears why`, async () => {
      interfere = async (request, pass) => {
        const answer = await pass(request)
        return Response.json(await deceive((await answer.json()) as PriceDocument))
      }
      const { endpoints } = await buyer.buyer.show(watched.uri)
      const [report] = endpoints
      assert.equal(report?.outcome, 'untrusted')
      const failed = report.examination?.findings.filter(({ holds }) => !holds).map(({ check }) => check as string)
      assert.ok(failed?.includes(fails), `${String(failed)} says ${fails}`)
      await assert.rejects(buyer.buyer.collect(orderId), { code: 'ERR_VENDOR_UNTRUSTED' })
      assert.deepEqual(new Set(seen), new Set(['/price.json']))
    })
  }

  it('who plays a recorded one gets no code once its time has passed', async () => {
    const recorded = await fetchPrice(watched)
    interfere = () => Promise.resolve(Response.json(recorded))
    const laterBy = (seconds: number) =>
      buyerAt(market, buyer.home, ({ clock }) => ({
        clock: { ...clock, nowMs: () => (recorded.content.ts + seconds) * 1000 },
      }))
    const later = laterBy(SIGNED_TIME_WINDOW_SECONDS + 1)
    await assert.rejects(later.collect(orderId), { code: 'ERR_VENDOR_UNTRUSTED' })
    assert.deepEqual(new Set(seen), new Set(['/price.json']))
    const [report] = (await laterBy(SIGNED_TIME_WINDOW_SECONDS).show(watched.uri)).endpoints
    assert.equal(report?.outcome, 'acceptable', 'a second earlier it still holds')
  })

  it('changes nothing of what the buyer pays: the terms are those of the registry', async () => {
    interfere = async (request, pass) => Response.json(cheaper((await (await pass(request)).json()) as PriceDocument))
    const { priceWei } = await buyer.buyer.quote({ vendor: watched.uri, planId: 1, periods: 1 })
    assert.equal(priceWei, 10n ** 15n)
  })

  it('who changes the answer, or gives that of another question, is found out', async () => {
    let recorded = ''
    interfere = async (request, pass) => {
      const answer = await pass(request)
      if (!request.url.endsWith('/cert.info') || answer.status !== 200) return answer
      recorded ||= await answer.text()
      return new Response(recorded)
    }
    await buyer.buyer.collect(orderId)
    await assert.rejects(buyer.buyer.collect(orderId, { refresh: true }), { code: 'ERR_NONCE' })
    recorded = recorded.replace(/.{6}$/, 'AAAAAA')
    await assert.rejects(buyer.buyer.collect(orderId, { refresh: true }), { code: 'ERR_JWE_INVALID' })
  })

  it('who lets everything pass gets nothing, and the buyer gets what was paid for', async () => {
    const { servers } = await buyer.buyer.collect(orderId, { refresh: true })
    assert.equal(servers[0]?.type, 'socks5')
    assert.deepEqual(new Set(seen), new Set(['/price.json', '/cert.info']))
  })
})

describe('a code in the wrong hands', () => {
  it('of a vendor that passes it on to another, buys nothing there, though the key has paid both', async () => {
    const alice = rsaKeyPair(2)
    await paidBy(alice, watched)
    await paidBy(alice, other)
    const code = await codeTo(watched, alice)
    assert.equal((await ask(other, code)).code, 'ERR_JWE_INVALID', 'as it is')
    const policy = { vendor: watched.uri, nowSeconds: Math.floor(Date.now() / 1000), legacy: false }
    await openCode(jose, code, watched.keys.encryption.privateKey, policy)
    const envelope = await jose.decrypt(code, watched.keys.encryption.privateKey)
    const sealedAgain = await jose.encrypt(envelope, other.keys.encryption.publicKey)
    assert.equal((await ask(other, sealedAgain)).code, 'ERR_AUDIENCE', 'opened, and encrypted to the other')
    assert.equal((await ask(watched, code)).status, 200, 'while it was good all the time where it belongs')
  })

  it('is good once, in whatever way it comes again', async () => {
    const bob = rsaKeyPair(3)
    await paidBy(bob, other)
    const code = await codeTo(other, bob)
    const answers = await Promise.all([1, 2, 3].map(() => ask(other, code)))
    const byStatus = Map.groupBy(answers, ({ status }) => status)
    assert.deepEqual([byStatus.get(200)?.length, byStatus.get(409)?.length], [1, 2])
    const query = await fetch(`${other.url}/cert.info?code=${code}`)
    assert.equal(query.status, 409)
    const envelope = await jose.decrypt(code, other.keys.encryption.privateKey)
    const sealedAgain = await jose.encrypt(envelope, other.keys.encryption.publicKey)
    assert.equal((await ask(other, sealedAgain)).code, 'ERR_REPLAYED')
  })
})

describe('a key that paid nothing', () => {
  const stranger = rsaKeyPair(4)
  const paying = rsaKeyPair(5)
  before(() => paidBy(paying, other))

  it("gets nothing by naming another buyer's key or order", async () => {
    const keyId = formatKeyId(keyIdOf(paying.publicKey))
    const claims = {
      ts: Math.floor(Date.now() / 1000),
      aud: other.uri,
      nonce: base64url.encode(questionTo(other).nonce),
      ...{ kid: keyId, keyId, keyHash: keyHashOf(paying.publicKey), plan: 1, order: { id: keyId, plan: 1 } },
    }
    const envelope = {
      key: { ...stranger.publicKey, kid: keyId },
      signature: await jose.sign(canonicalJson(claims), stranger.privateKey),
      request: 'my_subscribe',
      ...{ kid: keyId, keyHash: keyHashOf(paying.publicKey) },
    }
    const code = await jose.encrypt(canonicalJson(envelope), other.keys.encryption.publicKey)
    const { status, code: why } = await ask(other, code)
    assert.deepEqual([status, why], [402, 'ERR_NOT_PAID'])
  })

  it("gets nothing by showing the payer's public key with a signature of its own", async () => {
    const forged = { publicKey: paying.publicKey, privateKey: stranger.privateKey }
    const { status, code } = await ask(other, await codeTo(other, forged))
    assert.deepEqual([status, code], [400, 'ERR_JWS_INVALID'])
  })

  it("gets nothing from a vendor for a plan of the same number that was another vendor's", async () => {
    const { status, code } = await ask(watched, await codeTo(watched, paying))
    assert.deepEqual([status, code], [402, 'ERR_NOT_PAID'])
  })

  it('hears the same words whether its key id is known or not', async () => {
    const words = async (key: RsaKeyPair) => (await ask(watched, await codeTo(watched, key))).body
    assert.equal(await words(stranger), await words(paying))
  })
})

describe('an endpoint of the attacker, listed before the real one', () => {
  /** In place of the 20 seconds of life, where the buyer has to wait them out. */
  const LITTLE_PATIENCE_MS = 500
  let patienceMs = Infinity
  const impatient = ({ network }: BuyerEffects): Partial<BuyerEffects> => ({
    network: {
      ...network,
      fetch: (request, limits) =>
        network.fetch(request, { ...limits, timeoutMs: Math.min(limits.timeoutMs, patienceMs) }),
    },
  })

  let behave: (socket: Socket) => void = () => {}
  let both: Shop
  let alone: Shop
  let buyer: OpenedBuyer
  let orders: { readonly both: string; readonly alone: string }

  before(async () => {
    const sockets = new Set<Socket>()
    const hostile = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => sockets.delete(socket))
      // Answers come after the question, as far as the client is concerned.
      socket.once('data', () => behave(socket))
    })
    hostile.listen(0, '127.0.0.1')
    await once(hostile, 'listening')
    market.beforeClose(async () => {
      for (const socket of sockets) socket.destroy()
      hostile.close()
    })
    const endpoint = `http://127.0.0.1:${(hostile.address() as AddressInfo).port}`
    both = await openShop(market, { title: 'Both', endpoints: (own) => [endpoint, own] })
    alone = await openShop(market, { title: 'Alone', endpoints: () => [endpoint] })
    await both.serve()
    buyer = await openBuyer(market, 'patient', impatient)
    const buy = (shop: Shop) => buyer.buyer.buy({ vendor: shop.uri, planId: 1, periods: 1 })
    orders = { both: (await buy(both)).orderId, alone: (await buy(alone)).orderId }
  })

  const HEADERS = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'
  /** Repeats until the buyer has had enough and hangs up. */
  const pour = (socket: Socket, bytes: string, pauseMs: number): void => {
    const timer = setInterval(() => {
      if (!socket.destroyed) socket.write(bytes)
    }, pauseMs)
    socket.once('close', () => clearInterval(timer))
  }

  const behaviours: [what: string, code: string, behave: (socket: Socket) => void][] = [
    ['never answers', 'ERR_NETWORK_TIMEOUT', () => {}],
    [
      'answers a byte at a time',
      'ERR_NETWORK_TIMEOUT',
      (socket) => {
        socket.write(`${HEADERS}content-length: 1000\r\n\r\n`)
        pour(socket, ' ', 50)
      },
    ],
    [
      'answers without end',
      'ERR_NETWORK_BODY_TOO_LARGE',
      (socket) => {
        socket.write(`${HEADERS}\r\n`)
        pour(socket, ' '.repeat(64 * 1024), 5)
      },
    ],
    ['answers in headers without end', 'ERR_NETWORK_PROTOCOL', (socket) => pour(socket, 'x: y\r\n'.repeat(5000), 5)],
    ['speaks no HTTP', 'ERR_NETWORK_PROTOCOL', (socket) => void socket.end('SSH-2.0-OpenSSH_9.9\r\n')],
    ['hangs up', 'ERR_NETWORK_UNREACHABLE', (socket) => void socket.destroy()],
    [
      'sends the buyer elsewhere',
      'ERR_HTTP_302',
      (socket) => void socket.end('HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n'),
    ],
  ]
  for (const [what, code, how] of behaviours) {
    it(`that ${what} costs the buyer only time`, async () => {
      behave = how
      patienceMs = code === 'ERR_NETWORK_TIMEOUT' ? LITTLE_PATIENCE_MS : Infinity
      const { endpoints } = await buyer.buyer.show(alone.uri)
      assert.deepEqual([endpoints[0]?.outcome, endpoints[0]?.code], ['unreachable', code])
      await assert.rejects(buyer.buyer.collect(orders.alone, { waitMs: 0 }), { code: 'ERR_VENDOR_UNREACHABLE' })
      const { servers } = await buyer.buyer.collect(orders.both, { refresh: true })
      assert.equal((servers[0] as Socks5Server).config.port, both.socks5Port)
    })
  }
})

describe('rubbish on the ports of a vendor', () => {
  /** Sends bytes and hears what comes back, until the server closes or says nothing for so long. */
  const converse = (port: number, bytes: Uint8Array | string, listenMs = 20_000): Promise<string> =>
    new Promise((resolve) => {
      let heard = ''
      const socket = connect(port, '127.0.0.1', () => socket.end(bytes))
      socket.setTimeout(listenMs, () => socket.destroy())
      socket.on('data', (chunk) => (heard += chunk.toString('latin1')))
      socket.on('error', () => {})
      socket.once('close', () => resolve(heard))
    })
  const statusIn = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0)

  const httpPort = () => Number(new URL(other.url).port)
  const customer = rsaKeyPair(6)
  let login: Socks5Server['config']

  before(async () => {
    await paidBy(customer, other)
    const question = questionTo(other)
    const { body } = await ask(other, await codeTo(other, customer, question))
    const answer = JSON.parse(new TextDecoder().decode(await jose.decrypt(body, customer.privateKey))) as {
      service_content: { server_list: Socks5Server[] }
    }
    login = answer.service_content.server_list[0]?.config as Socks5Server['config']
  })

  const stillServes = async (): Promise<void> => {
    assert.equal((await fetch(`${other.url}/price.json`)).status, 200)
    assert.equal((await ask(other, await codeTo(other, customer))).status, 200)
  }

  it('malformed requests are refused', async () => {
    const requests = [
      'GET\r\n\r\n',
      'GET /price.json HTTP/9.9\r\nhost: x\r\n\r\n',
      'GET /price.json HTTP/1.1\r\n\r\n',
      'GET http:// HTTP/1.1\r\nhost: [\r\n\r\n',
      'BREW /price.json HTTP/1.1\r\nhost: x\r\n\r\n',
      'GET /price.json HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n',
      'POST /cert.info HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
      'POST /cert.info HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST /cert.info HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    ]
    for (const request of requests) {
      const status = statusIn(await converse(httpPort(), request))
      assert.ok(status >= 400 && status < 500, `${JSON.stringify(request)} is answered with ${status}`)
    }
    await stillServes()
  })

  it('headers that are too long are refused', async () => {
    const request = `GET /price.json HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`
    assert.equal(statusIn(await converse(httpPort(), request)), 431)
    await stillServes()
  })

  it('a body that is too long is refused, whether it says so or not', async () => {
    const long = 'A'.repeat(200_000)
    const [head, chunk] = ['POST /cert.info HTTP/1.1\r\nhost: x\r\n', `${long.length.toString(16)}\r\n${long}\r\n`]
    const told = `${head}content-length: ${long.length}\r\n\r\n${long}`
    const untold = `${head}transfer-encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`
    for (const request of [told, untold]) assert.equal(statusIn(await converse(httpPort(), request)), 413)
    await stillServes()
  })

  it('who hangs up amid a request leaves no failure in the log', async () => {
    const failures: string[] = []
    const service = {
      ready: () => true,
      certInfo: () => Promise.resolve(''),
      priceDocument: () => fetchPrice(other),
    }
    const serve = createVendorHttp(service, { ...silentLog, error: (event) => void failures.push(event) })
    const served: Promise<Response>[] = []
    const listener = await serveHttp(
      (request) => {
        const answer = serve(request)
        served.push(answer)
        return answer
      },
      { host: '127.0.0.1', port: 0 },
    )
    const head = 'POST /cert.info HTTP/1.1\r\nhost: x\r\n'
    await converse(listener.address.port, `${head}content-length: 50\r\n\r\nabc`)
    await converse(listener.address.port, `${head}transfer-encoding: chunked\r\n\r\n50\r\nabc`)
    assert.equal((await Promise.all(served)).length, 2)
    await listener.close()
    assert.deepEqual(failures, [])
  })

  const rubbish = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => new Uint8Array([5, 1, 2, ...bytes])),
    fc.string({ unit: 'binary', maxLength: 500 }).map((text) => utf8(`GET /cert.info?code=${text} HTTP/1.1\r\n\r\n`)),
    fc
      .json()
      .map((json) => utf8(`POST /cert.info HTTP/1.1\r\nhost: x\r\ncontent-length: ${json.length}\r\n\r\n${json}`)),
  )

  it('no bytes stop the HTTP server, nor get anything out of it', async () => {
    await fc.assert(
      fc.asyncProperty(rubbish, async (bytes) => {
        const status = statusIn(await converse(httpPort(), bytes, 200))
        assert.ok(status === 0 || (status >= 400 && status < 500), `answered with ${status}`)
      }),
      { numRuns: 100 },
    )
    await stillServes()
  })

  it('no bytes stop the SOCKS5 server', { skip: curlMissing }, async () => {
    await fc.assert(
      fc.asyncProperty(rubbish, async (bytes) => {
        const heard = await converse(other.socks5Port, bytes, 200)
        assert.ok(heard.length <= 4, 'a choice of method and a refused login are all it says')
      }),
      { numRuns: 100 },
    )
    assert.notEqual(await curlThrough(login, page.url), 'refused')
  })

  it('a request whose headers never end is cut off', async () => {
    assert.equal(statusIn(await trickle), 408)
  })
})
