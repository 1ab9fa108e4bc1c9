/** A gateway for tests: the real parts, on a database in memory, a clock that stands still, and a rail that asks no chain. */
import { createHash } from 'node:crypto'
import { keccak_256 as keccak } from '@noble/hashes/sha3.js'
import Database from 'better-sqlite3'
import { SqliteDialect } from 'kysely'
import { base64urlOfText, createSha256, hmacSha256, sha256 } from '../effects/digest-node.ts'
import { silentLog } from '../effects/log.ts'
import { type SqlStore, StoreError } from '../effects/store.ts'
import { turn } from '../effects/turn-node.ts'
import { base64url, toHex } from '../protocol/bytes.ts'
import { createJose } from '../protocol/jose.ts'
import { formatKeyId, keyIdOf, parseKeyId, thumbprintOf } from '../protocol/keys.ts'
import { paymentRequiredSchema, readOffers } from '../protocol/offers.ts'
import { PAYMENT_REQUIRED_BYTES_MAX } from '../protocol/limits.ts'
import { formatContentDigest, formatProof, UNPROVED_BODY } from '../protocol/payment-proof.ts'
import { channelVoucherSigner, evmSignerOf, rsaSignerOf, rsaVoucherSigner } from '../protocol/voucher-keys.ts'
import { sealVoucher, type VoucherClaims, type VoucherSigner } from '../protocol/voucher.ts'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { GatewayError } from './errors.ts'
import { meterFetch, type FetchHandler } from './fetch.ts'
import { createGateway, type Gateway, type GatewayEffects } from './index.ts'
import type { Deposits, DirectRail, Rail, Refund } from './rail.ts'
import { gatewaySettingsSchema } from './settings.ts'

export const NOW = 1_900_000_000
export const HOST = 'api.example.com'
export const VENDOR = 'chrove:eip155:31337:0x00000000000000000000000000000000c0ffee42/1'
export const serviceKeys = { signing: rsaKeyPair(0), encryption: rsaKeyPair(1) }

/** A rail whose deposits a test makes. */
export interface TestRail extends Rail {
  readonly refunds: Refund[]
  readonly used: string[]
  /** What the next refunds come to. */
  refundOutcome: 'paid' | 'later' | 'never'
  deposits(): Promise<Deposits>
  refund: Rail['refund']
}

interface TestRailOptions {
  readonly id?: string
  readonly code?: string
  readonly decimals?: number
  readonly serviceAccount?: string
}

const ready = () => {
  const started = Promise.withResolvers<void>()
  let current: Deposits | undefined
  return {
    async deposits(): Promise<Deposits> {
      await started.promise
      if (!current) throw new Error('the rail does not run')
      return current
    },
    run(deposits: Deposits, signal: AbortSignal) {
      current = deposits
      started.resolve()
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    },
  }
}

const paying = () => {
  const refunds: Refund[] = []
  const paid = new Set<string>()
  const rail = {
    refunds,
    used: [] as string[],
    refundOutcome: 'paid' as TestRail['refundOutcome'],
    async refund(refund: Refund) {
      if (rail.refundOutcome !== 'paid') {
        throw new GatewayError('ERR_REFUND_ADDRESS', 'not now', { retryable: rail.refundOutcome === 'later' })
      }
      if (!paid.has(refund.id)) refunds.push(refund)
      paid.add(refund.id)
      return { reference: `paid ${refund.id}` }
    },
    usedUp: async (ids: readonly string[]) => void rail.used.push(...ids),
  }
  return rail
}

/** Accounts are ids of RSA keys, as those of a credit order are. */
export const createKeyRail = ({
  id = 'test:service',
  code = 'TEST',
  decimals = 4,
  serviceAccount = 'service-account',
}: TestRailOptions = {}): TestRail => {
  const verify: Rail['verify'] = async ({ account, jws }) => {
    if (formatKeyId(keyIdOf(await rsaSignerOf(jws))) !== account) {
      throw new GatewayError('ERR_VOUCHER_ACCOUNT', 'this key is not that of the account')
    }
    return {}
  }
  return Object.assign(paying(), ready(), {
    scheme: 'order' as const,
    id,
    currency: { code, decimals },
    serviceAccount,
    algorithm: 'RS256' as const,
    ready: () => true,
    account(text: string) {
      try {
        return formatKeyId(parseKeyId(text))
      } catch {
        return undefined
      }
    },
    offer: () => ({ chainId: '31337', registry: `0x${'00'.repeat(20)}`, vendorId: '1', planIds: [1] }),
    verify,
    verifyRefund: async (voucher: Parameters<Rail['verify']>[0]) => {
      await verify(voucher)
      if (!voucher.claims.to?.startsWith('to-')) throw new GatewayError('ERR_REFUND_ADDRESS', 'no address of ours')
      return { authorization: '{}' }
    },
    home: (account: string) => `to-${account}`,
  })
}

/** Accounts are channels, whose vouchers sign a total; the id of a channel is the hash of its signer's address. */
export const createChannelRail = (): TestRail => {
  const idOf = (signer: string) => `0x${createHash('sha256').update(signer).digest('hex')}`
  const verify: Rail['verify'] = async ({ account, jws, claims }) => {
    if (idOf(evmSignerOf(jws)) !== account) throw new GatewayError('ERR_VOUCHER_ACCOUNT', 'another channel')
    if (claims.cumulative === undefined) throw new GatewayError('ERR_VOUCHER_SHAPE', 'sign a total')
    return { limit: BigInt(claims.cumulative), evidence: JSON.stringify({ signature: claims.signature }) }
  }
  return Object.assign(paying(), ready(), {
    scheme: 'channel' as const,
    id: 'channel:test',
    currency: { code: 'COIN', decimals: 6 },
    serviceAccount: `0x${'22'.repeat(20)}`,
    algorithm: 'ES256K' as const,
    ready: () => true,
    account: (text: string) => (/^0x[0-9a-f]{64}$/.test(text) ? text : undefined),
    offer: () => ({
      ...{ chainId: '31337', payments: `0x${'22'.repeat(20)}`, vendorId: '1', token: `0x${'00'.repeat(20)}` },
      withdrawDelayMinSeconds: 900,
    }),
    verify,
    verifyRefund: async (voucher: Parameters<Rail['verify']>[0]) => ({
      ...(await verify(voucher)),
      authorization: '{}',
    }),
    home: () => undefined,
  })
}

/** A payer's account and how it signs. */
export interface TestPayer {
  readonly account: string
  readonly currency: string
  readonly signer: VoucherSigner
}

export const keyPayer = (index: number, currency = 'TEST'): TestPayer => {
  const { privateKey, publicKey } = rsaKeyPair(index)
  return { account: formatKeyId(keyIdOf(publicKey)), currency, signer: rsaVoucherSigner(privateKey) }
}

export const channelPayer = (seed: number): TestPayer => {
  const signer = channelVoucherSigner(new Uint8Array(32).fill(seed))
  const jwk = signer.header.jwk as { x: string; y: string }
  const address = evmAddress(jwk)
  return { account: `0x${createHash('sha256').update(address).digest('hex')}`, currency: 'COIN', signer }
}

const evmAddress = ({ x, y }: { x: string; y: string }): string => {
  const point = Uint8Array.from([...base64url.decode(x), ...base64url.decode(y)])
  return toHex(keccak(point).subarray(12))
}

let drawn = 0
/** Other bytes each time, the same in each run. */
const draw = (length: number): Uint8Array => {
  drawn++
  const bytes = createHash('sha512').update(String(drawn)).digest()
  return new Uint8Array(bytes.subarray(0, length))
}

const jose = createJose()

/** Seals a voucher of a payer; every claim can be another. */
export const seal = (payer: TestPayer, change: Partial<VoucherClaims> = {}): Promise<string> => {
  const claims = {
    ...{ host: HOST, exp: NOW + 3600, iat: NOW, jti: base64url.encode(draw(16)) },
    ...{ account: payer.account, currency: payer.currency },
    ...change,
  }
  const set = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
  return sealVoucher(jose, set as VoucherClaims, payer.signer, serviceKeys.encryption.publicKey)
}

/** A client that has a voucher with a key, and proves its requests. */
export const createSpender = async (payer: TestPayer, change: Partial<VoucherClaims> = {}) => {
  const key = draw(32)
  const voucher = await seal(payer, { key: base64url.encode(key), ...change })
  let counter = 0
  const ask = (
    method: string,
    target: string,
    init: { headers?: Record<string, string>; body?: string } = {},
  ): Request => {
    const given = init.headers ?? {}
    const digest = init.body === undefined ? undefined : createHash('sha256').update(init.body).digest('base64url')
    const proof = formatProof(key, {
      counter: ++counter,
      method,
      target,
      idempotencyKey: given['idempotency-key'] ?? '',
      amount: given['payment-amount'] ?? '',
      bodyDigest: digest ?? UNPROVED_BODY,
    })
    const headers = {
      host: HOST,
      'payment-account-currency': payer.currency,
      'payment-account-address': payer.account,
      'payment-voucher': voucher,
      'payment-proof': proof,
      ...(digest === undefined ? {} : { 'content-digest': formatContentDigest(digest) }),
      ...given,
    }
    return requestOf(method, target, headers, init.body)
  }
  return { key, voucher, ask }
}

/** A request as a server gets it: Fetch itself forbids some of its headers and methods. */
export const requestOf = (
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Request => new Request(`http://${HOST}${target}`, { method, headers, ...(body === undefined ? {} : { body }) })

export interface TestGateway {
  readonly gateway: Gateway
  readonly clock: { nowMs: number }
  fetch(request: Request): Promise<Response>
  credit(rail: TestRail, payer: TestPayer, amount: bigint, id?: string): Promise<void>
  /** Ends all that is waited for. */
  expire(): Promise<void>
  /** Closes it and opens the ledger again. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export interface TestGatewayOptions {
  readonly rails?: Readonly<Record<string, Rail | DirectRail>>
  readonly settings?: Readonly<Record<string, unknown>>
  readonly handler?: FetchHandler<unknown>
  /** While it says so, the database is away. */
  readonly isAway?: () => boolean
  /** Stands between all that is charged and the disk. */
  readonly turn?: () => Promise<void>
}

const sqlInMemory = (isAway: () => boolean): SqlStore => {
  let image: Buffer | undefined
  let database: Database.Database | undefined
  return {
    dialect: () =>
      new SqliteDialect({
        database: async () => {
          if (database?.open) {
            image = database.serialize()
            database.close()
          }
          database = new Database(image)
          const opened = database
          return {
            prepare(sql) {
              if (isAway()) throw new StoreError('ERR_STORE_UNREACHABLE', 'the database is away')
              return opened.prepare(sql)
            },
            close() {
              if (opened.open) image = opened.serialize()
              opened.close()
            },
          }
        },
      }),
  }
}

export const startGateway = async (options: TestGatewayOptions = {}): Promise<TestGateway> => {
  const rails = options.rails ?? { test: createKeyRail() }
  const clock = { nowMs: NOW * 1000 }
  const sleepers = new Set<() => void>()
  const effects: GatewayEffects = {
    clock: {
      nowMs: () => clock.nowMs,
      sleep: (_, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason as Error)
          sleepers.add(resolve)
          signal?.addEventListener('abort', () => {
            sleepers.delete(resolve)
            reject(signal.reason as Error)
          })
        }),
    },
    random: { bytes: draw },
    sql: sqlInMemory(options.isAway ?? (() => false)),
    log: silentLog,
    jose,
    turn: options.turn ?? turn,
    sha256,
    hmac: hmacSha256,
    encode: base64urlOfText,
  }
  const settings = gatewaySettingsSchema.parse({
    hosts: [HOST],
    accounts: Object.fromEntries(Object.entries(rails).map(([name, { scheme }]) => [name, { scheme }])),
    price: '0.01',
    ...options.settings,
  })
  const handler = options.handler ?? (() => new Response('served'))
  const open = async () => {
    const service = { keys: serviceKeys, vendor: VENDOR, rails: new Map(Object.entries(rails)) }
    const gateway = await createGateway(effects, settings, service)
    const stopping = new AbortController()
    const running = gateway.run(stopping.signal)
    const fetch = meterFetch(gateway, createSha256, handler)
    return {
      gateway,
      fetch,
      async stop() {
        stopping.abort()
        await running
        await gateway.close()
      },
    }
  }
  let opened = await open()
  let deposits = 0
  return {
    get gateway() {
      return opened.gateway
    },
    clock,
    fetch: (request) => opened.fetch(request),
    async credit(rail, payer, amount, id = `deposit-${++deposits}`) {
      const door = await rail.deposits()
      await door.credit({ id, account: payer.account, amount })
    },
    async expire() {
      for (let turns = 0; turns < 20; turns++) await turn()
      for (const wake of sleepers) wake()
      sleepers.clear()
    },
    async restart() {
      await opened.stop()
      opened = await open()
    },
    stop: () => opened.stop(),
  }
}

/** The offers of a 402, as a client reads them. */
export const offersOf = async (response: Response) => {
  const text = await response.text()
  if (text.length > PAYMENT_REQUIRED_BYTES_MAX) throw new Error('no client would read so long a 402')
  const body = paymentRequiredSchema.parse(JSON.parse(text))
  const anchor = {
    ...{ host: HOST, nowSeconds: NOW },
    signingKey: thumbprintOf(serviceKeys.signing.publicKey),
    encryptionKey: thumbprintOf(serviceKeys.encryption.publicKey),
  }
  return { body, offers: await readOffers(jose, body.offers, anchor) }
}
