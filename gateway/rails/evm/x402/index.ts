/**
 * x402 version 2, scheme `exact`: each request is paid by itself, with a transfer that the payer authorised (EIP-3009)
 * and we carry out. The facilitator is x402's own, in this process and on our own door to the chain; no third party is
 * asked. It reads the machine's clock, which is the one thing here that no effect gives.
 *
 * A payment is looked at before the request is served, and taken after: see docs/payment-rails.md for why.
 */
import { x402Facilitator } from '@x402/core/facilitator'
import { sha256 } from '@noble/hashes/sha2.js'
import { encodePaymentRequiredHeader, encodePaymentResponseHeader } from '@x402/core/http'
import { ExactEvmScheme } from '@x402/evm/exact/facilitator'
import { ContractRevert, TransactionError } from '../../../../chain/errors.ts'
import { createTokenReader, type TokenDomain } from '../../../../chain/token.ts'
import type { Account } from '../../../../chain/transactions.ts'
import { type Address, ZERO_ADDRESS } from '../../../../chain/types.ts'
import { type Chain, ChainError } from '../../../../effects/chain.ts'
import { nowSeconds, type Clock } from '../../../../effects/clock.ts'
import type { Log } from '../../../../effects/log.ts'
import { base64url, utf8 } from '../../../../protocol/bytes.ts'
import { GatewayError } from '../../../errors.ts'
import type { Currency, DirectPayment, DirectRail, DirectTerms } from '../../../rail.ts'
import { X402_GAS_MAX, X402_RESUME_SECONDS, X402_TIMEOUT_SECONDS } from '../limits.ts'
import type { Outbox } from '../outbox.ts'
import type { RailDatabase } from '../store.ts'
import { parsePayment, paymentIdOf, transferCall, type X402Payment } from './payment.ts'
import { createDoorSigner } from './signer.ts'

export interface X402Settings {
  readonly id: string
  readonly chainId: bigint
  readonly currency: Currency
  /** An ERC-20 with EIP-3009. */
  readonly token: Address
  /** Who is paid. */
  readonly payTo: Address
}

export interface X402Parts {
  readonly chain: Chain
  readonly clock: Clock
  readonly log: Log
  readonly outbox: Outbox
  /** Pays the gas of the transfers. */
  readonly account: Account
}

/** Less is left of an authorisation than it takes to be mined, seconds. */
const TIME_LEFT_SECONDS = 6

/** @param domain that the token verifies signatures for */
export const createX402Rail = (
  parts: X402Parts,
  settings: X402Settings,
  domain: Pick<TokenDomain, 'name' | 'version'>,
): DirectRail => {
  const { chain, clock, log, outbox, account } = parts
  const { id, chainId, currency, token, payTo } = settings
  const network = `eip155:${chainId}` as const
  const tokens = createTokenReader(chain)

  const requirementsOf = (price: bigint) => ({
    scheme: 'exact',
    network,
    asset: token,
    amount: price.toString(),
    payTo,
    maxTimeoutSeconds: X402_TIMEOUT_SECONDS,
    extra: { name: domain.name, version: domain.version },
  })

  const facilitatorFor = (payment: X402Payment, signal: AbortSignal) => {
    const untilSeconds = nowSeconds(clock) + X402_RESUME_SECONDS
    const transfer = () =>
      outbox.send(rowOf(payment), transferCall(payment), { gasMax: X402_GAS_MAX, untilSeconds, signal })
    const door = createDoorSigner({ chain, sender: account.address, transfer, signal })
    const scheme = new ExactEvmScheme(door.signer, { pendingSettlementStore: nothingPending })
    return { facilitator: new x402Facilitator().register(network, scheme), fault: door.fault }
  }

  /** @throws ERR_PAYMENT_INVALID unless it is for exactly these terms */
  const checkTerms = ({ accepted, payload }: X402Payment, { price }: DirectTerms): void => {
    const { authorization } = payload
    if (accepted.network !== network) throw invalid('is for another network', 'network_mismatch')
    if (accepted.asset !== token) throw invalid('is in another token', 'asset_mismatch')
    if (accepted.payTo !== payTo || authorization.to !== payTo)
      throw invalid('goes to another account', 'pay_to_mismatch')
    if (BigInt(accepted.amount) !== price || BigInt(authorization.value) !== price) {
      throw invalid('is not of the price that is asked for', 'amount_mismatch')
    }
  }

  /** Checks signature, times and funds, and tries the transfer. @throws ERR_PAYMENT_INVALID | ERR_UPSTREAM */
  const verify = async (payment: X402Payment, terms: DirectTerms, signal: AbortSignal): Promise<void> => {
    if (BigInt(payment.payload.authorization.validBefore) < BigInt(nowSeconds(clock) + TIME_LEFT_SECONDS)) {
      throw invalid('has expired, or is about to', 'expired')
    }
    const { facilitator, fault } = facilitatorFor(payment, signal)
    const verdict = await facilitator.verify(payloadOf(payment), requirementsOf(terms.price))
    signal.throwIfAborted()
    if (fault()) throw chainAway(fault())
    if (!verdict.isValid) throw invalid(await whyNot(payment, signal), verdict.invalidReason ?? 'invalid')
  }

  /** In words, for the usual reasons. */
  const whyNot = async ({ payload }: X402Payment, signal: AbortSignal): Promise<string> => {
    const { from, nonce, value } = payload.authorization
    if (await tokens.isAuthorizationUsed(token, from, nonce, signal)) return 'was taken before: each works once'
    const balance = await tokens.balance(token, from, signal)
    return balance !== undefined && balance < BigInt(value) ? 'is of more than its payer has' : 'is not good'
  }

  const settle = async (payment: X402Payment, terms: DirectTerms, signal: AbortSignal) => {
    const { from } = payment.payload.authorization
    // What an earlier process sent is waited for, not judged anew: it may be mined, and its time over.
    if (await outbox.knows(rowOf(payment))) {
      const { transactionHash } = await sent(outbox.send(rowOf(payment), transferCall(payment), { signal }))
      return { success: true, transaction: transactionHash, network, payer: from }
    }
    const { facilitator, fault } = facilitatorFor(payment, signal)
    const settled = await facilitator.settle(payloadOf(payment), requirementsOf(terms.price))
    signal.throwIfAborted()
    if (settled.success) return settled
    if (fault()) await sent(Promise.reject(fault() as Error))
    throw failed(settled.errorReason ?? 'invalid')
  }

  return {
    scheme: 'x402',
    id,
    currency,
    serviceAccount: payTo,
    ready: () => true,
    offer: () => ({ x402Version: 2, network, asset: token, payTo, maxTimeoutSeconds: X402_TIMEOUT_SECONDS }),

    challenge: ({ price, url }) => ({
      'PAYMENT-REQUIRED': encodePaymentRequiredHeader({
        x402Version: 2,
        error: 'PAYMENT-SIGNATURE header is required',
        resource: { url },
        accepts: [requirementsOf(price)],
      }),
    }),

    async payment(headers, terms, signal): Promise<DirectPayment | undefined> {
      const header = headers.get('payment-signature')
      if (header === null) return undefined
      const payment = parsePayment(header)
      const isSent = await outbox.knows(rowOf(payment))
      checkTerms(payment, terms)
      if (!isSent) await verify(payment, terms, signal)
      return {
        id: paymentIdOf(payment),
        async settle(settleSignal) {
          const settled = await settle(payment, terms, settleSignal)
          log.debug('rails.x402-settled')
          return { 'PAYMENT-RESPONSE': encodePaymentResponseHeader(settled) }
        },
      }
    },
  }
}

/**
 * One for each transfer, by all that is in it: what is waited for, and not looked at again, is what was found good before.
 * A payment that says another amount with the same nonce is another one here.
 */
const rowOf = (payment: X402Payment): string => {
  const { to, data } = transferCall(payment)
  return `x402 ${base64url.encode(sha256(utf8(`${payment.accepted.network} ${to} ${data}`)))}`
}

/** As the facilitator takes it. */
const payloadOf = ({ accepted, payload, x402Version }: X402Payment) => ({
  x402Version,
  accepted: { ...accepted, network: accepted.network as `${string}:${string}`, extra: {} },
  payload,
})

/** What is under way is in our outbox, where a restart finds it. */
const nothingPending = {
  get: () => Promise.resolve(undefined),
  set: () => Promise.resolve(),
  delete: () => Promise.resolve(),
}

/** @throws ERR_PAYMENT_FAILED, `retryable` where the transfer may still happen */
const sent = async <T>(sending: Promise<T>): Promise<T> => {
  try {
    return await sending
  } catch (cause) {
    if (cause instanceof ContractRevert) throw failed('transaction_failed', { cause })
    if (!(cause instanceof TransactionError || cause instanceof ChainError)) throw cause
    const text =
      'it is not certain yet whether the payment was taken: send the same request with the same payment again'
    throw new GatewayError('ERR_PAYMENT_FAILED', text, {
      cause,
      retryable: true,
      more: { reason: 'settlement_pending' },
    })
  }
}

const invalid = (what: string, reason: string) =>
  new GatewayError('ERR_PAYMENT_INVALID', `this payment ${what}`, { more: { reason } })

const failed = (reason: string, options?: ErrorOptions) =>
  new GatewayError('ERR_PAYMENT_FAILED', 'the payment could not be taken, and nothing was', {
    more: { reason },
    ...options,
  })

const chainAway = (cause: unknown) =>
  new GatewayError('ERR_UPSTREAM', 'the chain cannot be asked whether the payment is good', { cause, retryable: true })

/**
 * The domain of signatures of a token that x402 can be paid in; asked of the chain once, for it never changes.
 * @returns undefined for a token without EIP-3009
 */
export const readX402Domain = async (
  db: RailDatabase,
  chain: Chain,
  chainId: bigint,
  token: Address,
): Promise<Pick<TokenDomain, 'name' | 'version'> | undefined> => {
  const known = await db.selectFrom('token_domains').selectAll().where('token', '=', token).executeTakeFirst()
  if (known) return known
  const tokens = createTokenReader(chain)
  const nonce = `0x${'0'.repeat(64)}` as const
  const domain = await tokens.domain(token, chainId)
  if (!domain || (await tokens.isAuthorizationUsed(token, ZERO_ADDRESS, nonce)) === undefined) return undefined
  const { name, version } = domain
  await db.insertInto('token_domains').values({ token, name, version }).execute()
  return { name, version }
}
