/**
 * Somebody between clients and the gateway who reads plain HTTP: records requests and sends them again, as they were or
 * changed; changes requests on their way, keeps them back and delivers them later; and answers with lies.
 */
import type { Streams } from '../../effects/streams.ts'
import { NetworkError } from '../../effects/network.ts'
import { paymentProblems, type PaymentProblemCode } from '../../protocol/payment-problems.ts'
import { createSimHost } from '../host.ts'
import type { World } from '../world/world.ts'

/** What is changed of a request. `nothing` sends it as it was. */
export type Change =
  | 'nothing'
  | 'target'
  | 'method'
  | 'key'
  | 'amount'
  | 'body'
  | 'counter'
  | 'other-proof'
  | 'other-voucher'
  | 'host'
  | 'as-refund'
  | 'as-voucher'

/** What is done to what passes. */
export type Meddling =
  | { readonly how: 'change'; readonly change: Change }
  | { readonly how: 'keep-back' }
  | { readonly how: 'lie'; readonly lie: Lie; readonly total: bigint }

export type Lie = 'used-up' | 'stale' | 'restarted' | 'replayed' | 'short' | 'busy' | 'price' | 'no-receipt'

interface Heard {
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly body: Uint8Array<ArrayBuffer> | undefined
}

export interface Eve {
  between(streams: Streams): Streams
  /** Meddles with the next requests that are paid, so many. */
  meddle(meddling: Meddling, requests: number): void
  calm(): void
  heard(): number
  /** Sends what was heard, changed. */
  replay(index: number, change: Change): Promise<void>
}

const LIMITS = { answerMs: 30_000, idleMs: 30_000 }

export const createEve = (world: World): Eve => {
  const { loop, network, random, trace } = world
  const effects = createSimHost({ loop, network, random, trace }, 'eve').boot()
  const heard: Heard[] = []
  let meddlings: Meddling[] = []

  const other = (index: number): Heard | undefined => heard[(index * 7 + 3) % Math.max(1, heard.length)]

  const changed = (request: Heard, change: Change, index: number): Request => {
    const headers = new Headers(request.headers)
    let { url, method, body } = request
    switch (change) {
      case 'nothing':
        break
      case 'target':
        url = url.endsWith('/cheap') ? url.replace('/cheap', '/dear') : `${url}?more`
        break
      case 'method':
        method = method === 'GET' ? 'DELETE' : 'PUT'
        break
      case 'key':
        headers.set('idempotency-key', `eve-${index}`)
        break
      case 'amount':
        headers.set('payment-amount', '0.000000000000009')
        break
      case 'body':
        body = body && new TextEncoder().encode('something else')
        break
      case 'counter':
        headers.set(
          'payment-proof',
          (headers.get('payment-proof') ?? '').replace(/^\d+/, (n) => `${Number(n) + 1}`),
        )
        break
      case 'other-proof':
        headers.set('payment-proof', other(index)?.headers.get('payment-proof') ?? '')
        break
      case 'other-voucher':
        headers.set('payment-voucher', other(index)?.headers.get('payment-voucher') ?? '')
        break
      case 'host':
        headers.set('host', 'elsewhere.example')
        break
      case 'as-refund': {
        const voucher = headers.get('payment-voucher')
        if (voucher === null) break
        const { origin } = new URL(url)
        return new Request(`${origin}/refund`, { method: 'POST', body: voucher })
      }
      case 'as-voucher': {
        if (!url.endsWith('/refund') || !body) break
        const { origin } = new URL(url)
        headers.set('payment-voucher', new TextDecoder().decode(body))
        return new Request(`${origin}/cheap`, { headers })
      }
    }
    return new Request(url, { method, headers, ...(body && method !== 'GET' && { body: body.slice() }) })
  }

  const send = async (request: Request, change: Change): Promise<void> => {
    try {
      const answer = await effects.network.open(request, LIMITS)
      await answer.body?.cancel()
      if (change === 'as-refund' && answer.status >= 400) world.reach('voucher sent as a refund refused')
      if (change === 'as-voucher' && answer.status >= 400) world.reach('refund request sent as a voucher refused')
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
    }
  }

  const listen = async (request: Request): Promise<Heard> => {
    const body = request.body ? new Uint8Array(await request.clone().arrayBuffer()) : undefined
    const { url, method } = request
    const each: Heard = { url, method, headers: new Headers(request.headers), body }
    if (isPaid(request)) heard.push(each)
    return each
  }

  const lying = async (
    { lie, total }: Extract<Meddling, { how: 'lie' }>,
    honest: () => Promise<Response>,
  ): Promise<Response> => {
    world.reach('lie told to a client')
    switch (lie) {
      case 'used-up':
        return refusal('ERR_VOUCHER_USED_UP', { minimumCumulative: String(total) })
      case 'stale':
        return refusal('ERR_VOUCHER_STALE', { cumulative: String(total), signature: `0x${'22'.repeat(65)}` })
      case 'restarted':
        return refusal('ERR_VOUCHER_RESTARTED')
      case 'replayed':
        return refusal('ERR_PROOF_REPLAYED')
      case 'short':
        return refusal('ERR_BALANCE_SHORT')
      case 'busy':
        return refusal('ERR_BUSY')
      case 'price': {
        const answer = await honest()
        const body = await answer.text()
        const { status, headers } = answer
        return new Response(body.replaceAll('"price"', '"prize"'), { status, headers })
      }
      case 'no-receipt': {
        const answer = await honest()
        const headers = new Headers(answer.headers)
        headers.delete('payment-receipt')
        return new Response(answer.body, { status: answer.status, headers })
      }
    }
  }

  return {
    heard: () => heard.length,
    meddle: (meddling, requests) => {
      meddlings = [...meddlings, ...Array.from({ length: requests }, () => meddling)]
    },
    calm: () => {
      meddlings = []
    },
    between: (streams) => ({
      async open(request, limits) {
        const original = await listen(request)
        const meddling = isPaid(request) ? meddlings.shift() : undefined
        if (!meddling) return streams.open(request, limits)
        switch (meddling.how) {
          case 'change':
            return streams.open(changed(original, meddling.change, heard.length), limits)
          case 'keep-back': {
            world.reach('request kept back and delivered later')
            loop.schedule(KEPT_MS, () => void send(changed(original, 'nothing', 0), 'nothing'))
            throw new NetworkError('ERR_NETWORK_UNREACHABLE', 'the host cannot be reached')
          }
          case 'lie':
            return lying(meddling, () => streams.open(request, limits))
        }
      },
    }),
    replay: async (index, change) => {
      const known = heard[index % Math.max(1, heard.length)]
      if (known) await send(changed(known, change, index), change)
    },
  }
}

const KEPT_MS = 3_000

const isPaid = (request: Request): boolean => request.headers.has('payment-voucher') || request.method === 'POST'

const refusal = (code: PaymentProblemCode, more: Readonly<Record<string, unknown>> = {}): Response =>
  new Response(JSON.stringify({ code, detail: 'because', ...more }), {
    status: paymentProblems[code].status,
    headers: { 'content-type': 'application/problem+json' },
  })
