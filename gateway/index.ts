/**
 * Metered access: answers 402 to who has not paid, charges who has, and gives back what is left. Servers of any kind ask
 * it about each request (`admit`), and hand it those that it answers itself (`own`); how is in `fetch.ts` and `node.ts`.
 */
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Random } from '../effects/random.ts'
import type { SqlStore } from '../effects/store.ts'
import { nowSeconds } from '../effects/clock.ts'
import type { Jose } from '../protocol/jose.ts'
import { createAdmission, type Admit } from './admission.ts'
import { createCaretaker } from './caretaker.ts'
import { createEndpoints, problemOf, type AnswerOwn, type OwnAnswer } from './endpoints.ts'
import { GatewayError, retryAfterSeconds } from './errors.ts'
import { createLedger } from './ledger/index.ts'
import { openLedgerStore } from './ledger/store.ts'
import { SWEEP_MS } from './limits.ts'
import { createOffers, type Endpoints, type ServiceKeys } from './offers.ts'
import { persevere } from './persevere.ts'
import { createPricing, type PricedRoute } from './pricing.ts'
import type { Deposits, DirectRail, Rail } from './rail.ts'
import { createReceipts } from './receipts.ts'
import { createRefunds } from './refunds.ts'
import type { GatewaySettings } from './settings.ts'
import { createVoucherBook, type Incoming } from './vouchers.ts'

export interface GatewayEffects {
  readonly clock: Clock
  readonly random: Random
  readonly sql: SqlStore
  readonly log: Log
  readonly jose: Jose
  /** Resolves when what is ready now has had its turn. */
  turn(): Promise<void>
  /** SHA-256, 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array
  /** HMAC-SHA-256 under a key: from text in Latin-1 to base64url. */
  hmac(key: Uint8Array): (text: string) => string
  /** base64url of UTF-8. */
  encode(text: string): string
}

/** Whose service it is. */
export interface Service {
  readonly keys: ServiceKeys
  /** `chrove:…`, of one that is in a registry. */
  readonly vendor?: string
  /** By the names that `accounts` gives them. */
  readonly rails: ReadonlyMap<string, Rail | DirectRail>
}

export interface Gateway {
  /** The scheme that clients see. */
  readonly scheme: 'http' | 'https'
  /**
   * Decides about a request. What is returned ends by `commit` or `release`.
   * @throws GatewayError, which `refusal` tells
   */
  readonly admit: Admit
  /** Answers what is the gateway's own. @throws GatewayError, which `refusal` tells */
  readonly own: AnswerOwn
  /** The answer to a request that was refused. Of what nobody foresaw nothing is told. */
  refusal(error: unknown, request: Incoming): Promise<OwnAnswer>
  /** Whether the deposits of all rails are followed up to date. */
  ready(): boolean
  /** Follows deposits, pays refunds, and tidies up, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** @throws ERR_SETTINGS_INVALID, and what opening the database throws */
export const createGateway = async (
  effects: GatewayEffects,
  settings: GatewaySettings,
  { keys, vendor, rails }: Service,
): Promise<Gateway> => {
  const { clock, log, jose } = effects
  const pricing = createPricing(settings, rails)
  const accountRails = [...rails.values()].filter((rail): rail is Rail => rail.scheme !== 'x402')
  const endpoints = endpointsOf(settings.refundEndpoint)
  const ledger = await createLedger(await openLedgerStore(effects.sql.dialect('gateway')), () => effects.turn())
  const policy = {
    hosts: settings.hosts,
    secondsMax: settings.voucherSecondsMax,
    decryptionKey: keys.encryption.privateKey,
  }
  const vouchers = createVoucherBook(effects, ledger, policy)
  const receipts = createReceipts({ ...effects, ledger, signingKey: keys.signing.privateKey })
  const refunds = createRefunds({ ...effects, ledger, rails: accountRails })
  const caretaker = createCaretaker({ ...effects, ledger, refunds, rails: accountRails, rest: settings.rest })
  const offers = createOffers({ clock, jose, keys, vendor, endpoints })
  const { charged, short } = caretaker
  const { sha256 } = effects
  const { scheme } = settings
  const admit = createAdmission({
    clock,
    ledger,
    vouchers,
    receipts,
    pricing,
    endpoints,
    sha256,
    scheme,
    charged,
    short,
  })

  const depositsOf = ({ id: book }: Rail): Deposits => ({
    credit: ({ id, account, amount }) => ledger.credit({ book, id, account, amount }),
    debit: ({ id, account, amount }) => ledger.credit({ book, id, account, amount: -amount }),
    revoke: (id) => ledger.revoke(book, id),
    suspend: (account, suspended) => ledger.suspend({ book, account }, suspended),
  })

  const paymentHeaders = (route: PricedRoute, request: Incoming): Record<string, string> => {
    const [way] = route.ways
    const url = `${scheme}://${request.host}${request.target}`
    const challenges = route.directWays.map(({ rail, price }) =>
      rail.challenge({ price: price.amount, url, method: request.method }),
    )
    return Object.assign(
      way === undefined
        ? {}
        : {
            'content-cost': way.price.header,
            'content-account-address': way.rail.serviceAccount,
            'content-cost-per': way.price.per,
            'content-cost-currency': way.rail.currency.code,
            'payment-refund-endpoint': endpoints.refund,
          },
      ...challenges,
    )
  }

  const refusal = async (error: unknown, request: Incoming): Promise<OwnAnswer> => {
    if (!(error instanceof GatewayError)) log.error('gateway.failed', { error: (error as Error).name })
    const refused =
      error instanceof GatewayError
        ? error
        : new GatewayError('ERR_INTERNAL', 'try again; if it stays so, tell the service')
    const problem = problemOf(refused)
    const after = retryAfterSeconds[refused.code]
    const headers = {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(after === undefined ? {} : { 'retry-after': String(after) }),
    }
    const route =
      problem.status === 402 ? pricing.find(request.method, request.target.split('?', 1)[0] ?? '') : undefined
    if (!route) return { status: problem.status, headers, body: problem }
    const hostname = settings.hosts.includes(request.host) ? request.host : (settings.hosts[0] ?? '')
    const { minimumCumulative } = refused.more as { minimumCumulative?: string }
    const least = minimumCumulative === undefined ? undefined : BigInt(minimumCumulative)
    return {
      status: 402,
      headers: { ...headers, ...paymentHeaders(route, request) },
      body: {
        ...problem,
        serviceAccount: route.ways[0]?.rail.serviceAccount,
        hostname,
        offers: await offers(route, hostname, least),
      },
    }
  }

  const sweep = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await persevere(effects, 'gateway.sweep-failed', () => ledger.sweep(nowSeconds(clock)), signal)
      await clock.sleep(SWEEP_MS, signal).catch(() => {})
    }
  }

  return {
    scheme,
    admit,
    own: createEndpoints({ clock, ledger, vouchers, receipts, refunds, rails: accountRails, endpoints }),
    refusal,
    ready: () => [...rails.values()].every((rail) => rail.ready()),
    async run(signal) {
      // One part that fails stops the others, so that nothing goes on half alive.
      const failing = new AbortController()
      const until = AbortSignal.any([signal, failing.signal])
      const parts = [
        ...accountRails.map((rail) => rail.run(depositsOf(rail), until)),
        refunds.run(until),
        caretaker.run(until),
        sweep(until),
      ]
      await Promise.all(parts.map((part) => part.catch((error: unknown) => failing.abort(error))))
      if (failing.signal.aborted && !signal.aborted) throw failing.signal.reason
    },
    close: () => ledger.close(),
  }
}

/** The neighbours of the refund endpoint. */
const endpointsOf = (refund: string): Endpoints => {
  const folder = refund.slice(0, refund.lastIndexOf('/') + 1)
  return { refund, voucher: `${folder}vouchers`, usage: `${folder}usage` }
}
