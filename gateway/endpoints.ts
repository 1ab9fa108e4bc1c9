/** What the gateway answers itself: refund requests, further vouchers, an account's own usage, health and metrics. */
import type { Clock } from '../effects/clock.ts'
import { nowSeconds } from '../effects/clock.ts'
import { paymentProblems, type PaymentProblemCode } from '../protocol/payment-problems.ts'
import { GatewayError } from './errors.ts'
import { signedAmount } from './admission.ts'
import type { Ledger } from './ledger/index.ts'
import type { RefundRow } from './ledger/store.ts'
import type { Endpoints } from './offers.ts'
import type { Rail } from './rail.ts'
import { wantsSignedReceipt, type Receipts } from './receipts.ts'
import type { Refunds } from './refunds.ts'
import { voucherRow, type Incoming, type LiveVoucher, type VoucherBook } from './vouchers.ts'

export interface EndpointParts {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly vouchers: VoucherBook
  readonly receipts: Receipts
  readonly refunds: Refunds
  readonly rails: readonly Rail[]
  readonly endpoints: Endpoints
}

/** An answer of the gateway itself. */
export interface OwnAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readonly<Record<string, unknown>>
}

/**
 * @param readBody reads the body as text, up to `VOUCHER_BODY_BYTES_MAX`
 * @returns undefined for what is the service's to answer
 */
export type AnswerOwn = (request: Incoming, readBody: () => Promise<string>) => Promise<OwnAnswer> | undefined

export const createEndpoints = (parts: EndpointParts): AnswerOwn => {
  const { clock, ledger, vouchers, receipts, refunds, rails, endpoints } = parts

  const voucherOf = async (request: Incoming, readBody: () => Promise<string>): Promise<string> => {
    const text = request.header('payment-voucher') ?? (await readBody()).trim()
    if (text !== '') return text
    throw new GatewayError('ERR_PAYMENT_HEADERS', 'send the voucher as the body, or as the header Payment-Voucher')
  }

  const refund = async (request: Incoming, readBody: () => Promise<string>): Promise<OwnAnswer> => {
    const text = await voucherOf(request, readBody)
    const row = await refunds.request(await vouchers.refund(text, request.host, rails))
    return answer(202, refundAnswer(row), { location: `${endpoints.refund}?id=${row.id}` })
  }

  const refundState = async (request: Incoming): Promise<OwnAnswer> => {
    const [, id] = /[?&]id=([\w-]{22})(?:&|$)/.exec(request.target) ?? []
    const row = id === undefined ? undefined : await ledger.refundOf(id)
    if (!row) throw new GatewayError('ERR_NOT_FOUND', 'there is no refund of this id')
    return answer(200, refundAnswer(row))
  }

  const refundAnswer = ({ id, book, amount, to, state, reference }: RefundRow) => {
    const { currency } = rails.find((rail) => rail.id === book) ?? {}
    const paid = reference === '' ? {} : { reference }
    return { refund: id, state, currency: currency?.code, amount: String(amount), to, ...paid }
  }

  /** Takes a request that costs nothing, so that nobody repeats it. */
  const takeFree = async (voucher: LiveVoucher, request: Incoming): Promise<number> => {
    const counter = await vouchers.take(voucher, request)
    if (voucher.mac) return counter
    const { account, id, untilSeconds } = voucher
    try {
      await ledger.write({ voucher: voucherRow(account, id, untilSeconds) })
      return counter
    } finally {
      vouchers.putBack(voucher)
    }
  }

  const account = ({ rail, account: held }: LiveVoucher) => ({
    account: held.account,
    currency: rail.currency.code,
    decimals: rail.currency.decimals,
    deposited: String(held.deposited),
    usage: String(held.charged),
    refunded: String(held.refunded),
    balance: String(ledger.balance(held)),
    /** What can still be charged: less than the balance where a channel has signed less. */
    available: String(ledger.available(held)),
    ...(held.signed === undefined ? {} : { cumulative: String(held.signed) }),
  })

  const headersOf = ({ rail, account: held }: LiveVoucher) => ({
    'payment-account-balance': signedAmount(ledger.balance(held), rail.currency.decimals),
    'payment-account-usage': signedAmount(held.charged, rail.currency.decimals),
  })

  /** @param text of the voucher, in place of the header */
  const present = async (request: Incoming, text: string): Promise<LiveVoucher> => {
    const header = (name: string) => (name === 'payment-voucher' ? text : request.header(name))
    const voucher = await vouchers.present({ ...request, header }, rails)
    if (!voucher) throw new GatewayError('ERR_PAYMENT_HEADERS', 'send a voucher of the account as Payment-Voucher')
    return voucher
  }

  const usage = async (request: Incoming): Promise<OwnAnswer> => {
    const voucher = await present(request, await voucherOf(request, async () => ''))
    const counter = await takeFree(voucher, request)
    const text = receipts.text(voucher, counter, 0n, nowSeconds(clock))
    const signed = wantsSignedReceipt(request.header('prefer'))
    const receipt = signed ? await receipts.signed(text) : receipts.quick(voucher, text)
    const headers = headersOf(voucher)
    return answer(200, account(voucher), receipt === undefined ? headers : { ...headers, 'payment-receipt': receipt })
  }

  /** A further voucher lets more be charged. */
  const more = async (request: Incoming, readBody: () => Promise<string>): Promise<OwnAnswer> => {
    const voucher = await present(request, await voucherOf(request, readBody))
    await takeFree(voucher, request)
    return answer(200, account(voucher), headersOf(voucher))
  }

  return (request, readBody) => {
    const { method, target } = request
    if (method === 'REFUND') return refund(request, readBody)
    const query = target.indexOf('?')
    const path = query === -1 ? target : target.slice(0, query)
    if (path === endpoints.refund) {
      if (method === 'POST') return refund(request, readBody)
      if (method === 'GET') return refundState(request)
      return refuse('ERR_METHOD', 'REFUND or POST a refund request, or GET with ?id= how it stands')
    }
    if (path === endpoints.voucher) {
      return method === 'POST' ? more(request, readBody) : refuse('ERR_METHOD', 'POST a voucher')
    }
    if (path === endpoints.usage) {
      return method === 'GET' ? usage(request) : refuse('ERR_METHOD', 'GET with a voucher')
    }
    return undefined
  }
}

const answer = (
  status: number,
  body: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
): OwnAnswer => ({
  status,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  body,
})

const refuse = (code: PaymentProblemCode, text: string): Promise<never> => Promise.reject(new GatewayError(code, text))

/** The problem document of a refusal (RFC 9457). */
export const problemOf = (error: GatewayError) => {
  const { status, title } = paymentProblems[error.code]
  return {
    type: `urn:chrove:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...error.more,
  }
}
