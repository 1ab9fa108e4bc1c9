/** Purchases that their payer signs, so that any account can send them: making one, and what the chain says of it. */
import { paymentsCall } from '../../chain/contracts.ts'
import type { Call } from '../../chain/rpc.ts'
import type { Account } from '../../chain/transactions.ts'
import type { Address } from '../../chain/types.ts'
import { ChainError } from '../../effects/chain.ts'
import type { Random } from '../../effects/random.ts'
import { toHex } from '../../protocol/bytes.ts'
import { authorizationOf, signedOrderDigest, type SignedPurchase } from '../../protocol/signed-order.ts'
import { paymentsDomain } from '../../protocol/typed-data.ts'
import { LAG_SECONDS_MAX } from './limits.ts'
import type { Market } from './market.ts'
import type { Way } from './pay-by.ts'

type SignedWay = Extract<Way, { by: 'authorization' | 'permit' }>

/** Seconds of the newest block: deadlines count by the chain's clock. @throws ChainError */
export const chainSeconds = async ({ rpc }: Pick<Market, 'rpc'>, signal?: AbortSignal): Promise<number> => {
  const block = await rpc.block('latest', signal)
  if (!block) throw new ChainError('ERR_CHAIN_MALFORMED', 'the node has no newest block')
  return block.timestampSeconds
}

/**
 * Signs a purchase. Whoever sees it can send it, so it is stored before anyone does.
 * @param terms what is bought, and who pays and may cancel: the account
 */
export const signPurchase = async (
  { random }: { readonly random: Random },
  market: Market,
  account: Account,
  { by: payBy, token, domain, isAllowed }: SignedWay,
  terms: Omit<SignedPurchase['purchase'], 'payer' | 'salt' | 'deadline'>,
  validSeconds: number,
  signal?: AbortSignal,
): Promise<SignedPurchase> => {
  const { chainId, registry, payments } = market
  const payer = account.address
  const deadline = BigInt((await chainSeconds(market, signal)) + validSeconds)
  const purchase = { ...terms, payer, salt: toHex(random.bytes(32)), deadline }
  const unsigned = { format: 'chrove-signed-order-1', kind: 'purchase', chainId, registry, payments } as const
  const whole = { ...unsigned, payBy, purchase }
  const digest = signedOrderDigest({ ...whole, signature: '0x' })
  if (payBy === 'authorization' && domain) {
    const authorization = authorizationOf(payments, purchase, digest)
    return { ...whole, signature: account.sign(domain, 'ReceiveWithAuthorization', authorization) }
  }
  const signature = account.sign(paymentsDomain(chainId, payments), 'Purchase', purchase)
  if (isAllowed || !domain) return { ...whole, signature }
  const nonce = (await market.tokens.permitNonce(token, payer, signal)) ?? 0n
  const permit = { owner: payer, spender: payments, value: purchase.amount, nonce, deadline }
  return { ...whole, signature, permit: account.sign(domain, 'Permit', permit) }
}

/** What sends it. */
export const purchaseCall = ({ payments, payBy, purchase, signature, permit = '0x' }: SignedPurchase): Call =>
  payBy === 'authorization'
    ? paymentsCall(payments as Address, 'buyWithAuthorization', purchaseInput(purchase), signature)
    : paymentsCall(payments as Address, 'buyWithPermit', purchaseInput(purchase), permit, signature)

const purchaseInput = (purchase: SignedPurchase['purchase']) => ({
  ...purchase,
  controller: purchase.controller as Address,
  payer: purchase.payer as Address,
})

/**
 * Whether it is on chain, whoever sent it; undefined where the token does not say. A token that lies about its
 * authorisations deceives about itself only.
 */
export const isCarriedOut = async (
  { reader, tokens }: Pick<Market, 'reader' | 'tokens'>,
  token: Address,
  signed: SignedPurchase,
  signal?: AbortSignal,
): Promise<boolean | undefined> => {
  const digest = signedOrderDigest(signed)
  return signed.payBy === 'permit'
    ? reader.isUsed(signed.payments as Address, digest, 'latest', signal)
    : tokens.isAuthorizationUsed(token, signed.purchase.payer as Address, digest, signal)
}

/**
 * How far a signed purchase is. It can be carried out in blocks up to its deadline, so once a block past that is final
 * what the chain says of it stays so.
 */
export const standingOf = async (
  market: Pick<Market, 'rpc' | 'reader' | 'tokens'>,
  token: Address,
  signed: SignedPurchase,
  signal?: AbortSignal,
): Promise<'signed' | 'failed' | 'paid' | 'final'> => {
  // Where no block is ever final, the newest has to do.
  const block = (await market.rpc.block('finalized', signal)) ?? (await market.rpc.block('latest', signal))
  const isOver = block !== undefined && block.timestampSeconds > Number(signed.purchase.deadline) + LAG_SECONDS_MAX
  const carriedOut = await isCarriedOut(market, token, signed, signal)
  if (carriedOut) return isOver ? 'final' : 'paid'
  return isOver && carriedOut === false ? 'failed' : 'signed'
}
