/** `chrove fetch`, `pay`, `refund` and `channels` against `chrove gateway`, both as people run them, over plain HTTP. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { serveHttp } from '../../effects/http-server.ts'
import { freePort } from '../../scripts/ports.ts'
import type { Chrove } from '../../scripts/chrove.ts'
import { startChild, tapChain, type Child } from '../child.ts'
import { openBuyer, openMarket, openShop, PASSPHRASE, type Market, type Shop } from '../market.ts'

const PRICE = 10n ** 14n
const CAPS = ['--max-per-request', '0.001', '--max-per-vendor', '0.5', '--max-per-day', '0.5', '--max-spend', '0.9']
const BINARY = new Uint8Array([0, 255, 10, 13, 0x1b, 0x5b])

interface Passing {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

let market: Market
let shop: Shop
let gatewayUrl: string
let gateway: Child
let upstream: { close(): Promise<void> }
let middle: Server
/** Where clients go: somebody is on the way. */
let url: string
const passed: Passing[] = []
let rewrite: (answer: { status: number; headers: IncomingMessage['headers']; body: Buffer }) => Buffer = ({ body }) =>
  body
const served: string[] = []

const forward = ({ method, url: path, headers, body }: Passing) =>
  new Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }>((resolve, reject) => {
    const onward = httpRequest(`${gatewayUrl}${path}`, { method, headers }, (answer) => {
      buffer(answer).then(
        (whole) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: whole }),
        reject,
      )
    })
    onward.on('error', reject).end(body)
  })

const startMiddle = async (): Promise<Server> => {
  const server = createServer((request, response) => {
    void buffer(request).then(async (body) => {
      const passing = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body }
      passed.push(passing)
      const answer = await forward(passing)
      const { 'transfer-encoding': _chunked, 'content-length': _length, ...headers } = answer.headers
      response.writeHead(answer.status, headers).end(rewrite(answer))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

const startGateway = async (): Promise<Child> => {
  const args = ['gateway', '--config', join(shop.home, 'gateway.json'), '--home', shop.home, '--json']
  const child = startChild('buyer/main.ts', args, { CHROVE_PASSPHRASE: PASSPHRASE })
  await child.answer
  return child
}

const client = async (name: string, ...more: string[]): Promise<{ chrove: Chrove; home: string }> => {
  const opened = await openBuyer(market, name)
  await opened.chrove.run('init', ...CAPS, ...more)
  return opened
}

const child = (home: string, args: readonly string[], rpc = market.chain.url): Child =>
  startChild('buyer/main.ts', [...args, '--home', home, '--rpc', rpc], { CHROVE_PASSPHRASE: PASSPHRASE })

/** Kills a process when it sends its transaction, before or after the node has it. */
const killAt = async (side: 'question' | 'answer', start: (rpc: string) => Child): Promise<void> => {
  const victims: Child[] = []
  const tap = await tapChain(market.chain.url, (at, _count, call) =>
    at === side && call.includes('eth_sendRawTransaction') ? victims[0]?.kill() : undefined,
  )
  const victim = start(tap.url)
  victims.push(victim)
  await victim.ended
  await tap.close()
}

interface Fetched {
  readonly status: number
  readonly body: string
  readonly payment: { readonly cost: string; readonly standing?: { readonly usage: string; readonly balance: string } }
}

before(async () => {
  market = await openMarket()
  const listener = await serveHttp(
    async (request) => {
      const { pathname } = new URL(request.url)
      served.push(pathname)
      if (pathname === '/missing') return new Response('not here', { status: 404 })
      const body = pathname === '/binary' ? BINARY : Buffer.from(`${request.method} ${await request.text()}`)
      return new Response(body)
    },
    { host: '127.0.0.1', port: 0 },
  )
  upstream = listener
  const port = await freePort()
  gatewayUrl = `http://127.0.0.1:${port}`
  middle = await startMiddle()
  url = `http://127.0.0.1:${(middle.address() as AddressInfo).port}`
  shop = await openShop(market, { title: 'Toll Toad', endpoints: () => [url] })
  await writeFile(
    join(shop.home, 'gateway.json'),
    JSON.stringify({
      listen: `127.0.0.1:${port}`,
      upstream: `http://127.0.0.1:${listener.address.port}`,
      hosts: [new URL(url).host],
      accounts: { coin: { scheme: 'channel', currency: 'COIN', withdrawDelayMinSeconds: 900 } },
      price: '0.0001',
      routes: [{ match: '/free', price: 'free' }],
    }),
  )
  gateway = await startGateway()
})

after(async () => {
  await gateway.kill()
  middle.closeAllConnections()
  middle.close()
  await upstream.close()
  await market.close()
})

describe('chrove fetch', () => {
  it('says what it costs, opens a channel, pays, and shows the answer and a receipt', async () => {
    const { chrove } = await client('first')
    const dry = await chrove.run('fetch', `${url}/a`, '--vendor', '1', '--dry-run')
    assert.deepEqual(dry.offers, [{ scheme: 'channel', asset: 'coin', price: String(PRICE) }])
    const usages: (string | undefined)[] = []
    for (const body of ['x', 'y', 'z']) {
      const answer = await chrove.run('fetch', `${url}/a`, '--vendor', '1', '-d', body)
      const { payment, ...rest } = answer as unknown as Fetched
      assert.deepEqual([rest.status, rest.body], [200, `POST ${body}`])
      usages.push(payment.standing?.usage)
    }
    assert.deepEqual(usages, [String(PRICE), String(2n * PRICE), String(3n * PRICE)])
    const { accounts } = (await chrove.run('channels')) as { accounts: { signed: string; deposited: string }[] }
    assert.deepEqual(
      accounts.map(({ signed, deposited }) => [signed, deposited]),
      [[String(3n * PRICE), String(100n * PRICE)]],
    )
  })

  it('writes the answer as it is, to standard output or a file, and its progress beside it', async () => {
    const { home } = await client('second')
    const out = child(home, ['fetch', `${url}/binary`, '--vendor', '1'])
    const { exitCode, complained, said } = await out.ended
    assert.equal(exitCode, 0, complained)
    assert.equal(said, String(Buffer.from(BINARY)))
    assert.match(complained, /Paid at most 0.0001 coin to .*, which says that 0.0099 coin are left/)
    const file = join(market.folder, 'answer.bin')
    const toFile = child(home, ['fetch', `${url}/binary`, '-o', file, '--receipt', join(market.folder, 'receipt.txt')])
    assert.equal((await toFile.ended).exitCode, 0)
    assert.deepEqual(new Uint8Array(await readFile(file)), BINARY)
    assert.match(await readFile(join(market.folder, 'receipt.txt'), 'utf8'), /^[\w-]+\.[\w-]+\.[\w-]{300,}\n$/)
    const again = await child(home, ['fetch', `${url}/binary`, '-o', file]).ended
    assert.equal(again.exitCode, 1)
    const missing = await child(home, ['fetch', `${url}/missing`]).ended
    assert.deepEqual([missing.exitCode, missing.said], [1, 'not here'])
  })

  it('refuses over plain HTTP who is not named, and what has no cap', async () => {
    const { chrove } = await client('third')
    await assert.rejects(chrove.run('fetch', `${url}/a`, '--yes'), /ERR_VENDOR_UNNAMED/)
    const uncapped = (await openBuyer(market, 'fourth')).chrove
    await assert.rejects(uncapped.run('fetch', `${url}/a`, '--vendor', '1', '--yes'), /ERR_SPEND_CAP/)
    await assert.rejects(uncapped.run('fetch', `${url}/a`, '--vendor', '1'), /ERR_NOT_CONFIRMED/)
    assert.equal((await uncapped.run('fetch', `${url}/free`)).status, 200)
  })

  it('killed while it deposits, and given again, deposits once and pays once', async () => {
    const { home, chrove } = await client('killed')
    const key = ['--idempotency-key', 'wish-1']
    const asked = ['fetch', `${url}/a`, '--vendor', '1', ...key, '--json']
    for (const side of ['question', 'answer'] as const) {
      await killAt(side, (rpc) => child(home, asked, rpc))
    }
    const answer = (await chrove.run('fetch', `${url}/a`, '--vendor', '1', ...key)) as unknown as Fetched
    assert.equal(answer.payment.standing?.usage, String(PRICE))
    const { accounts } = (await chrove.run('channels')) as { accounts: { deposited: string }[] }
    assert.deepEqual(
      accounts.map(({ deposited }) => deposited),
      [String(100n * PRICE)],
    )
  })

  it('pays on after the gateway was killed and started again', async () => {
    const { chrove } = await client('patient')
    await chrove.run('fetch', `${url}/a`, '--vendor', '1')
    await gateway.kill()
    gateway = await startGateway()
    const answer = (await chrove.run('fetch', `${url}/a`)) as unknown as Fetched
    assert.equal(answer.payment.standing?.usage, String(2n * PRICE))
  })
})

describe('somebody on the way', () => {
  it('gets nothing by sending again what passed, and nothing by changing it', async () => {
    const { chrove } = await client('watched')
    passed.length = 0
    await chrove.run('fetch', `${url}/a`, '--vendor', '1', '-d', 'secret')
    // Earlier ones were refused when the gateway had not seen the deposit yet.
    const paid = passed.filter(({ url: path, headers }) => path === '/a' && headers['payment-voucher'] !== undefined)
    const before_ = served.length
    for (const one of paid.slice(-1)) {
      assert.equal((await forward(one)).status, 409)
      assert.equal((await forward({ ...one, url: '/b' })).status, 403)
      assert.equal((await forward({ ...one, method: 'PUT' })).status, 403)
      const other = { ...one.headers, 'idempotency-key': 'mine' }
      assert.equal((await forward({ ...one, headers: other })).status, 403)
    }
    assert.equal(served.length, before_)
  })

  it('cannot have itself paid, nor raise a price', async () => {
    const { chrove } = await client('misled')
    rewrite = ({ status, body }) => {
      if (status !== 402) return body
      const problem = JSON.parse(body.toString()) as { offers: { payload: string } }
      const offers = Buffer.from(problem.offers.payload, 'base64url').toString()
      const dearer = Buffer.from(offers.replaceAll(String(PRICE), String(2n * PRICE))).toString('base64url')
      return Buffer.from(JSON.stringify({ ...problem, offers: { ...problem.offers, payload: dearer } }))
    }
    try {
      await assert.rejects(chrove.run('fetch', `${url}/a`, '--vendor', '1'), /ERR_JWS_INVALID/)
    } finally {
      rewrite = ({ body }) => body
    }
    assert.deepEqual((await chrove.run('channels')).accounts, [])
  })
})

describe('chrove pay and refund', () => {
  it('put money in before it is needed, and get back what is not used', async () => {
    const { chrove } = await client('saver')
    const put = await chrove.run('pay', '1', '--amount', '0.02', '--yes')
    assert.deepEqual([put.scheme, put.amount, put.resumed], ['channel', String(200n * PRICE), false])
    await chrove.run('fetch', `${url}/a`, '--vendor', '1')
    const back = await chrove.run('refund', `${url}/a`, '--to', '0x00000000000000000000000000000000000abcde')
    assert.deepEqual([back.state, back.amount], ['paid', String(199n * PRICE)])
    const { accounts } = (await chrove.run('channels')) as { accounts: { deposited: string; standing: string }[] }
    assert.deepEqual(
      accounts.map(({ deposited, standing }) => [deposited, standing]),
      [[String(PRICE), 'open']],
    )
  })

  it('get it back from the chain where the vendor does not', async () => {
    const { chrove } = await client('left')
    await chrove.run('pay', '1', '--amount', '0.02', '--yes')
    const { accounts } = (await chrove.run('channels')) as { accounts: { account: string }[] }
    const asked = await chrove.run('channels', 'withdraw', accounts[0]?.account.slice(0, 10) ?? '')
    assert.deepEqual([asked.step, asked.amount], ['requested', String(200n * PRICE)])
    await assert.rejects(chrove.run('channels', 'withdraw', accounts[0]?.account ?? ''), /ERR_WITHDRAWAL_EARLY/)
  })
})
