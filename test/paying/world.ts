/**
 * A service behind the real gateway, paid by the real client, on the real contracts: all in one process, so that either
 * side can be killed between any two steps, and whoever is on the way can change what passes. Nothing here waits.
 */
import Database from 'better-sqlite3'
import { SqliteDialect } from 'kysely'
import { createPayingFetch, type PayingFetch } from '../../buyer/lib/paying/index.ts'
import type { PayingBook, PayingCaps } from '../../buyer/lib/paying/book.ts'
import type { PayingSettings } from '../../buyer/lib/paying/kit.ts'
import { createKeyring } from '../../buyer/lib/keyring.ts'
import { openTestMarket, type TestMarket } from '../../buyer/lib/test-market.ts'
import { base64urlOfText, createSha256, hmacSha256, sha256 } from '../../effects/digest-node.ts'
import { silentLog } from '../../effects/log.ts'
import { NetworkError } from '../../effects/network.ts'
import type { Streams } from '../../effects/streams.ts'
import { turn } from '../../effects/turn-node.ts'
import { meterFetch, type FetchHandler } from '../../gateway/fetch.ts'
import { createGateway } from '../../gateway/index.ts'
import { gatewaySettingsSchema } from '../../gateway/settings.ts'
import { createJose, type Jose } from '../../protocol/jose.ts'
import { createSimFiles } from '../../sim/files.ts'
import { createLife, never } from '../../sim/life.ts'
import { rsaKeyPair } from '../../sim/rsa-keys.ts'
import { createTestRails, type TestRails } from './rails.ts'

export const HOST = 'vendor.example:8080'
export const ORIGIN = `http://${HOST}`
/** What an answer of `/cheap` costs, wei. */
export const PRICE = 100n
/** Of `/dear`. */
export const DEAR = 5_000n
const PASSPHRASE = 'test'

/** Somebody on the way: gets each request and answers as it likes. */
export type OnTheWay = (request: Request, onward: (request: Request) => Promise<Response>) => Promise<Response>

export interface Client {
  readonly paying: PayingFetch
  /** What the work gives, or `dead` when the process dies first. */
  live<T>(work: Promise<T>): Promise<T | 'dead'>
  steps(): number
  kill(): void
}

export interface ClientPlan {
  readonly settings?: Partial<PayingSettings>
  readonly caps?: PayingCaps
  readonly diesAfter?: number
  readonly files?: Map<string, Uint8Array>
}

export interface PayingWorld {
  readonly market: TestMarket
  readonly rails: TestRails
  /** Requests that the service served, by `X-Wish`. */
  readonly served: string[]
  /** All that passed, whoever sent it. */
  readonly passed: Request[]
  onTheWay: OnTheWay
  handler: FetchHandler<unknown>
  settings: Readonly<Record<string, unknown>>
  client(plan?: ClientPlan): Promise<Client>
  book(): Promise<PayingBook>
  /** The gateway's process ends, and starts again with what it had written. */
  restartGateway(): Promise<void>
  /** Brings a request to the gateway, past whoever is on the way. */
  deliver(request: Request): Promise<Response>
  /** The gateway waits for no more money. */
  endPatience(): void
  reset(): Promise<void>
  close(): Promise<void>
}

const jose = createJose()
let keysMade = 0
const quickJose: Jose = { ...jose, generateKeyPair: () => Promise.resolve(rsaKeyPair(2 + (keysMade++ % 20))) }

const ROUTES = [
  { match: '/free/*', price: 'free' },
  { match: '/dear', price: '0.000000000000005' },
  { match: '/once/:id', per: 'once' },
  { match: '/stream', per: 'bit', price: '0.000000000000000000001' },
  { match: '/gift', donation: true },
  { match: '/credit/*', pay: ['credit'] },
  { match: '/nano/*', pay: ['nano'] },
]

export const openPayingWorld = async (): Promise<PayingWorld> => {
  const market = await openTestMarket()
  const random = { bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)) }
  const pauses = createPauses()
  let image: Buffer | undefined
  let rails = await createTestRails(market)
  let opening: ReturnType<typeof open> | undefined

  const open = async () => {
    const database = new Database(image)
    const gateway = await createGateway(
      {
        clock: { nowMs: () => market.clock.nowMs(), sleep: pauses.sleep },
        random,
        sql: { dialect: () => new SqliteDialect({ database }) },
        log: silentLog,
        jose,
        turn,
        sha256,
        hmac: hmacSha256,
        encode: base64urlOfText,
      },
      gatewaySettingsSchema.parse({
        hosts: [HOST],
        accounts: { channel: { scheme: 'channel' }, credit: { scheme: 'order' }, nano: { scheme: 'nano' } },
        pay: ['channel', 'credit'],
        price: '0.0000000000000001',
        routes: ROUTES,
        ...world.settings,
      }),
      {
        keys: { signing: rsaKeyPair(0), encryption: rsaKeyPair(1) },
        vendor: market.vendor,
        rails: new Map(Object.entries({ channel: rails.channel, credit: rails.credit, nano: rails.nano })),
      },
    )
    const stopping = new AbortController()
    const running = gateway.run(stopping.signal)
    const fetch = meterFetch(gateway, createSha256, (request, env) => {
      const wish = request.headers.get('x-wish')
      if (wish !== null) world.served.push(wish)
      return world.handler(request, env)
    })
    return {
      fetch,
      async stop() {
        image = database.serialize()
        stopping.abort()
        await running
        await gateway.close()
      },
    }
  }

  /** What is under way: nothing of one test reaches the gateway of the next. */
  const delivering = new Set<Promise<unknown>>()
  const deliver = (request: Request): Promise<Response> => {
    const delivery = deliverNow(request)
    delivering.add(delivery)
    const ended = () => delivering.delete(delivery)
    delivery.then(ended, ended)
    return delivery
  }

  const deliverNow = async (request: Request): Promise<Response> => {
    opening ??= open()
    const { fetch } = await opening
    await rails.sync()
    if (request.url.includes('/refund?')) await rails.idle()
    const headers = new Headers(request.headers)
    headers.set('host', new URL(request.url).host)
    const { method } = request
    const body = request.body && new Uint8Array(await request.arrayBuffer())
    const arriving = new Request(request.url, { method, headers, ...(body && { body }) })
    // Fetch forbids scripts to set `Host`; a server gets it all the same.
    return throughSocket(await fetch(arriving))
  }

  const stop = async (): Promise<void> => {
    while (delivering.size > 0) await Promise.allSettled(delivering)
    const opened = await opening
    opening = undefined
    await opened?.stop()
  }

  const keyring = (files: Map<string, Uint8Array>) =>
    createKeyring(
      createSimFiles(files, createLife(), () => {}),
      random,
      {
        passphrase: async () => PASSPHRASE,
        scryptLogN: 10,
      },
    )

  const world: PayingWorld = {
    market,
    get rails() {
      return rails
    },
    served: [],
    passed: [],
    onTheWay: (request, onward) => onward(request),
    handler: () => new Response('served'),
    settings: {},
    deliver,
    endPatience: pauses.end,
    book: async () => (await keyring(market.files).read()).paying ?? { payers: [], spent: [], pending: [], pins: [] },

    async client({ settings = {}, caps = {}, diesAfter = Infinity, files = market.files } = {}) {
      if (!market.files.has('keyring.json')) await market.start().buyer.init(market.fundedKey)
      const life = createLife()
      let steps = 0
      let hasBegun = false
      const step = () => {
        if (hasBegun && ++steps > diesAfter) life.end()
      }
      const stepping = async <T>(work: () => Promise<T>): Promise<T> => {
        step()
        if (!life.isAlive()) return never()
        const done = await work()
        step()
        return life.isAlive() ? done : never()
      }
      const streams: Streams = {
        open: (request) =>
          stepping(async () => {
            world.passed.push(request.clone())
            const url = new URL(request.url)
            if (url.host !== HOST) throw new NetworkError('ERR_NETWORK_UNREACHABLE', 'nothing answers')
            return world.onTheWay(request, deliver)
          }),
      }
      const effects = {
        clock: market.clock,
        random,
        network: market.network,
        streams,
        chain: {
          request: (method: string, params: readonly unknown[]) => stepping(() => market.chain.request(method, params)),
        },
        files: createSimFiles(files, life, step),
        jose: quickJose,
        log: silentLog,
      }
      const paying = await createPayingFetch(effects, {
        registry: market.registry,
        passphrase: async () => PASSPHRASE,
        scryptLogN: 10,
        caps: () => ({ request: 10_000n, vendor: 10n ** 9n, day: 10n ** 9n, ...caps }),
        spendCapWei: 10n ** 18n,
        vendor: market.vendor,
        ...settings,
      })
      hasBegun = true
      const death = new Promise<'dead'>((resolve) => life.onEnd(() => resolve('dead')))
      return { paying, live: (work) => Promise.race([work, death]), steps: () => steps, kill: () => life.end() }
    },

    restartGateway: stop,

    async reset() {
      await stop()
      image = undefined
      pauses.reset()
      await market.reset()
      rails = await createTestRails(market)
      world.served.length = 0
      world.passed.length = 0
      world.onTheWay = (request, onward) => onward(request)
      world.handler = () => new Response('served')
      world.settings = {}
    },

    close: stop,
  }
  return world
}

/** What breaks off on one side breaks off on the other, and does not tell why. */
const throughSocket = (answer: Response): Response => {
  if (!answer.body) return answer
  const reader = answer.body.getReader() as ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (done) controller.close()
          else controller.enqueue(value)
        } catch {
          controller.error(new NetworkError('ERR_NETWORK_UNREACHABLE', 'the exchange broke off'))
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { status: answer.status, headers: answer.headers })
}

/**
 * The gateway's pauses end when it stops; those in which it waits for more money also when a test says that it has no more
 * patience.
 */
const createPauses = () => {
  let impatient = Promise.withResolvers<void>()
  return {
    sleep: (ms: number, signal?: AbortSignal): Promise<void> =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error)
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
        if (ms <= PATIENCE_MS) void impatient.promise.then(resolve)
      }),
    end: () => impatient.resolve(),
    reset: () => void (impatient = Promise.withResolvers()),
  }
}
const PATIENCE_MS = 10_000

/** A request that a test can find again among those that were served. */
export const wish = (path: string, name: string, init: RequestInit = {}): Request =>
  new Request(`${ORIGIN}${path}`, { ...init, headers: { ...(init.headers as Record<string, string>), 'x-wish': name } })
