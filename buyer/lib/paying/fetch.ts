/**
 * A `fetch` that pays. One call is one request of whoever calls: it has one idempotency key and is counted once, however
 * often it has to be sent, so it is never paid twice.
 */
import { createBackoff } from '../../../chain/backoff.ts'
import { NetworkError } from '../../../effects/network.ts'
import { formatAmount } from '../../../protocol/amount.ts'
import { costsMoney } from '../../../protocol/payment-headers.ts'
import { BuyerError } from '../../errors.ts'
import { DEPOSIT_WAIT_MS, PAID_TRIES_MAX, RETRY_MS_MAX, RETRY_MS_MIN } from '../limits.ts'
import { amountText, type Asset } from './asset.ts'
import { readRequest, send, withHeader, type Asked } from './asked.ts'
import type { Payment, PayingKit } from './kit.ts'
import { meteredBody } from './metered.ts'
import { receiptOf, type KeptReceipt } from './receipt.ts'
import { readRefusal, type Refusal } from './refusal.ts'
import { askStatement, askUsage } from './usage.ts'
import { paymentHeadersOf, type LiveVoucher } from './voucher-maker.ts'
import { type createWays, type Way } from './ways.ts'

export interface FetchOptions {
  readonly signal?: AbortSignal
  /** What is given where the payer chooses, smallest unit. */
  readonly give?: (asset: Asset) => bigint
  /** Asks for a receipt that the vendor signs, to be shown to others. */
  readonly signedReceipt?: boolean
  /** Asks how the account stands once the body has ended, where the answer has no receipt: an answer can leave before it. */
  readonly statement?: boolean
  /** Told what the request came to; of a body by the bit once that has ended. */
  readonly onPaid?: (payment: Payment) => void
}

export type PayingFetchFunction = (request: Request, options?: FetchOptions) => Promise<Response>

export const createFetch = (kit: PayingKit, ways: ReturnType<typeof createWays>): PayingFetchFunction => {
  const { effects } = kit

  const coverOf = (asked: Pick<Asked, 'host' | 'signal'>, way: Way, demanded: bigint) => ({
    host: asked.host,
    currency: way.checked.offer.currency,
    encryptTo: way.offers.encryptTo,
    ahead: way.ahead,
    deposit: way.deposit,
    demanded,
    signal: asked.signal,
  })

  const paymentOf = (
    asked: Asked,
    way: Way,
    most: bigint,
    kept: KeptReceipt | undefined,
    statement: KeptReceipt | undefined = kept,
  ): Payment => ({
    vendor: way.vendor,
    account: way.tab.account,
    asset: way.checked.asset,
    cost: kept?.receipt.cost ?? most,
    receipt: kept?.receipt,
    receiptText: statement?.text,
    standing: statement && { usage: statement.receipt.usage, balance: statement.receipt.balance },
    idempotencyKey: asked.idempotencyKey,
  })

  /** The state of one request between its tries. */
  interface Attempt {
    way: Way
    /** What is counted for it. */
    counted: bigint
    demanded: bigint
    /** Whether an earlier try may have been charged. */
    isUncertain: boolean
    readonly isRest: boolean
    /** Refusals but for a deposit that is not seen yet, and answers that did not come. */
    failures: number
    /** When waiting for the vendor to see a deposit began. */
    waitsSinceMs: number | undefined
  }

  /** Of a body that broke off. */
  interface Rest {
    /** What is left of the most that the whole may cost. */
    readonly most: bigint | undefined
  }

  const finish = async (
    asked: Asked,
    { way, counted, isUncertain }: Attempt,
    voucher: LiveVoucher,
    counter: number,
    answer: Response,
    options: FetchOptions,
  ): Promise<Response> => {
    const { tab } = way
    const kept = await receiptOf(kit, answer, voucher, counter, way.offers)
    if (kept) tab.keep(kept.text, kept.receipt)
    if (way.price.per !== 'bit') {
      if (kept && kept.receipt.cost > counted) {
        await answer.body?.cancel()
        const { asset } = way.checked
        const text = `the vendor charged ${amountText(kept.receipt.cost, asset)} for what it offered at ${amountText(counted, asset)}`
        throw new BuyerError('ERR_OVERCHARGED', text)
      }
      // Where an earlier try was charged, this answer cost nothing more. Only success is charged.
      if (!isUncertain && (kept || !answer.ok)) tab.less(counted - (kept?.receipt.cost ?? 0n))
      const cost = answer.ok ? counted : 0n
      if (kept || !options.statement || !answer.body) {
        options.onPaid?.(paymentOf(asked, way, cost, kept))
        return answer
      }
      return afterBody(answer, answer.body, async () => {
        options.onPaid?.(paymentOf(asked, way, cost, undefined, await statementOf(asked, way, options)))
      })
    }
    const { status, headers } = answer
    if (answer.body === null) {
      tab.less(counted)
      options.onPaid?.({ ...paymentOf(asked, way, 0n, undefined) })
      return answer
    }
    const body = meteredBody(answer.body, {
      price: way.price,
      tab,
      counted,
      most: way.most,
      more: (until) => postVoucher(asked, way, until),
      resume: (from, cost) => resume(asked, answer, from, way.most === undefined ? undefined : way.most - cost),
      ended: async (cost) => {
        const statement = options.statement ? await statementOf(asked, way, options) : undefined
        options.onPaid?.(paymentOf(asked, way, cost, undefined, statement))
      },
    })
    return new Response(body, { status, headers })
  }

  /** Nothing hangs on it: where the vendor does not say, nobody knows. */
  const statementOf = async (asked: Asked, way: Way, { signedReceipt }: FetchOptions) => {
    try {
      const voucher = await way.tab.voucher(coverOf(asked, way, 0n))
      const statement = await askStatement(kit, asked, way, voucher, signedReceipt)
      if (statement) way.tab.keep(statement.text, statement.receipt)
      return statement
    } catch (error) {
      if (error instanceof NetworkError || error instanceof BuyerError) return undefined
      throw error
    }
  }

  /** Lets the server charge what is counted now. */
  const postVoucher = async (asked: Asked, way: Way, until: AbortSignal): Promise<void> => {
    const voucher = await way.tab.voucher(coverOf(asked, way, 0n))
    if (way.tab.payer.scheme !== 'channel' || until.aborted) return
    const url = new URL(way.offers.voucherEndpoint, asked.url)
    const headers = new Headers({ 'content-type': 'application/jose' })
    const body = new TextEncoder().encode(voucher.text)
    const signal = asked.signal ? AbortSignal.any([asked.signal, until]) : until
    const posted = { ...asked, url, method: 'POST', headers, body, signal }
    await (await send(kit, posted, {})).body?.cancel()
  }

  /** What is missing of a body that broke off, from the same version of it: a request of its own. */
  const resume = async (asked: Asked, first: Response, from: number, most: bigint | undefined) => {
    const etag = first.headers.get('etag')
    if (asked.method !== 'GET' || first.status !== 200 || etag === null || etag.startsWith('W/')) return undefined
    const headers = new Headers(asked.headers)
    headers.delete('idempotency-key')
    headers.set('range', `bytes=${from}-`)
    headers.set('if-range', etag)
    const request = new Request(asked.url, { headers })
    const again = await readRequest(effects.random, request, asked.signal)
    const answer = await pay(again, await wayOf(again, {}), {}, { most })
    const isRest = answer.status === 206 && answer.headers.get('content-range')?.startsWith(`bytes ${from}-`)
    if (isRest && answer.body) return answer.body
    await answer.body?.cancel()
    return undefined
  }

  const wayOf = async (asked: Asked, { give }: FetchOptions): Promise<Way> => {
    const known = ways.known(asked)
    if (known && !give) return known
    const answer = await readRefusal(await send(kit, asked, {}))
    if ('refusal' in answer && answer.refusal.offers) return ways.find(asked, answer.refusal.offers, give)
    throw new BuyerError('ERR_NO_WAY_TO_PAY', 'the service no longer says how to pay')
  }

  /** What follows from a refusal; what is not for us to deal with is thrown. */
  const recover = async (
    asked: Asked,
    attempt: Attempt,
    voucher: LiveVoucher,
    refusal: Refusal,
    options: FetchOptions,
  ): Promise<void> => {
    const { tab } = attempt.way
    switch (refusal.code) {
      case 'ERR_VOUCHER_RESTARTED':
      case 'ERR_VOUCHER_USED':
      case 'ERR_VOUCHER_EXPIRED':
        return tab.drop(voucher)
      case 'ERR_VOUCHER_TOO_LONG':
        return tab.drop(voucher, true)
      case 'ERR_PROOF_REPLAYED':
        // Somebody on the way was faster with our own request: its answer is ours, by the same idempotency key.
        attempt.isUncertain = true
        return
      case 'ERR_VOUCHER_USED_UP':
        attempt.demanded = refusal.minimumCumulative ?? 0n
        return
      case 'ERR_VOUCHER_STALE': {
        const { cumulative, signature } = refusal
        if (cumulative !== undefined && signature !== undefined && (await tab.adopt(cumulative, signature))) return
        throw refused(refusal)
      }
      case 'ERR_BALANCE_SHORT':
        return waitForDeposit(asked, attempt, refusal)
      case 'ERR_IDEMPOTENCY_BUSY':
        attempt.isUncertain = true
        return effects.clock.sleep(Math.max(refusal.retryAfterSeconds, 1) * 1000, asked.signal)
      case 'ERR_BUSY':
      case 'ERR_STARTING':
        return effects.clock.sleep(Math.max(refusal.retryAfterSeconds, 1) * 1000, asked.signal)
      case 'ERR_COST_ABOVE_AMOUNT':
      case 'ERR_PAYMENT_REQUIRED':
      case 'ERR_VOUCHER_ENCRYPTION':
        return chooseAgain(asked, attempt, voucher, refusal, options)
      default:
        throw refused(refusal)
    }
  }

  /** Prices and keys may change between the offers and the request. */
  const chooseAgain = async (
    asked: Asked,
    attempt: Attempt,
    voucher: LiveVoucher,
    refusal: Refusal,
    options: FetchOptions,
  ): Promise<void> => {
    const { way } = attempt
    ways.forget(way)
    way.tab.drop(voucher)
    const next = refusal.offers ? await ways.find(asked, refusal.offers, options.give) : await wayOf(asked, options)
    // What may have been charged to one account is never charged to another.
    if (next.tab !== way.tab && attempt.isUncertain) throw refused(refusal)
    // The rest of a body is counted where it is metered.
    const counted = attempt.isRest ? 0n : next.amount
    if (next.tab === way.tab) way.tab.agree(counted, attempt.counted)
    else {
      way.tab.less(attempt.counted)
      next.tab.agree(counted)
    }
    attempt.way = next
    attempt.counted = counted
  }

  const waitForDeposit = async (asked: Asked, attempt: Attempt, refusal: Refusal): Promise<void> => {
    const { way } = attempt
    const now = effects.clock.nowMs()
    if (attempt.waitsSinceMs === undefined) kit.settings.tell?.('Waiting until the vendor sees the deposit...')
    attempt.waitsSinceMs ??= now
    if (now - attempt.waitsSinceMs > DEPOSIT_WAIT_MS) {
      const text = `the vendor says that this account has too little: ${refusal.detail}`
      throw new BuyerError('ERR_DEPOSIT_UNSEEN', text, { cause: refused(refusal) })
    }
    way.tab.refresh()
    await effects.clock.sleep(Math.min(RETRY_MS_MIN + (now - attempt.waitsSinceMs) / 4, RETRY_MS_MAX), asked.signal)
    if (way.tab.payer.scheme === 'channel') return
    const usage = await askUsage(kit, asked, way, await way.tab.voucher(coverOf(asked, way, 0n)))
    if (usage !== undefined) way.tab.learn(usage)
  }

  /** Sends a request with what pays for it until it is answered. @param rest of a body that is metered elsewhere */
  const pay = async (asked: Asked, first: Way, options: FetchOptions, rest?: Rest): Promise<Response> => {
    const attempt: Attempt = {
      ...{ way: first, counted: rest ? 0n : first.amount, demanded: 0n, isUncertain: false, failures: 0 },
      isRest: rest !== undefined,
      waitsSinceMs: undefined,
    }
    const backoff = createBackoff(effects)
    let sent = 0
    first.tab.agree(attempt.counted)
    try {
      for (;;) {
        const { way } = attempt
        const voucher = await way.tab.voucher(coverOf(asked, way, attempt.demanded))
        const most = rest ? rest.most : way.most
        const amount = most === undefined ? '' : formatAmount(most, way.checked.asset.decimals)
        const headers = paymentHeadersOf(voucher, { ...asked, amount })
        const { counter } = voucher
        let answer: Response
        try {
          sent++
          answer = await send(kit, asked, headers)
        } catch (error) {
          const isPassing = error instanceof NetworkError && error.retryable
          if (!isPassing || ++attempt.failures >= PAID_TRIES_MAX) throw error
          attempt.isUncertain = true
          await backoff.pause(asked.signal)
          continue
        }
        const read = await readRefusal(answer)
        if ('answer' in read) {
          if (rest) return read.answer
          return await finish(asked, attempt, voucher, counter, read.answer, options)
        }
        const isWaiting = read.refusal.code === 'ERR_BALANCE_SHORT'
        if (!isWaiting && ++attempt.failures >= PAID_TRIES_MAX) throw refused(read.refusal)
        await recover(asked, attempt, voucher, read.refusal, options)
      }
    } catch (error) {
      // What was never sent costs nothing.
      if (sent === 0) attempt.way.tab.less(attempt.counted)
      throw error
    }
  }

  return async (request, options = {}) => {
    const asked = await readRequest(effects.random, request, options.signal)
    const wished = options.signedReceipt ? withHeader(asked, 'prefer', 'payment-receipt=RS256') : asked
    if (!costsMoney(request.method)) return send(kit, wished, {})
    const known = options.give ? undefined : ways.known(wished)
    if (known) return pay(wished, known, options)
    const read = await readRefusal(await send(kit, wished, {}))
    if ('answer' in read) {
      if (options.give && read.answer.ok) {
        await read.answer.body?.cancel()
        throw new BuyerError('ERR_NOTHING_TO_PAY', 'this address asks for no payment, so nothing was given')
      }
      return read.answer
    }
    if (!read.refusal.offers) throw refused(read.refusal)
    return pay(wished, await ways.find(wished, read.refusal.offers, options.give), options)
  }
}

const refused = ({ code, detail }: Refusal): BuyerError =>
  new BuyerError('ERR_PAYMENT_REFUSED', `the gateway refuses (${code}): ${detail}`)

/** The answer, with something to be done before its body ends. */
const afterBody = (
  { status, headers }: Response,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  end: () => Promise<void>,
): Response => {
  const ending = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({ flush: end })
  return new Response(body.pipeThrough(ending), { status, headers })
}
