/** In which of the ways that there are a token can be paid, and which of them costs the least. */
import { tokenCall, type TokenFacts } from '../../chain/token.ts'
import type { Account, Quote } from '../../chain/transactions.ts'
import type { Address, Hex } from '../../chain/types.ts'
import type { Random } from '../../effects/random.ts'
import { toHex } from '../../protocol/bytes.ts'
import { partsOf } from '../../protocol/typed-data.ts'
import { BuyerError } from '../errors.ts'
import type { Market } from './market.ts'

/**
 * How a token is paid. `authorization`: one signature, which moves the money (EIP-3009). `permit`: one that allows it
 * (EIP-2612), beside one of the purchase. `allowance`: a transaction that allows it, before the purchase.
 */
export type PayBy = 'authorization' | 'permit' | 'allowance'

/** What the buyer says of how to pay. */
export interface PayWish {
  /** The cheapest way unless one is named. */
  readonly payBy?: PayBy
  /** Somebody else will send the purchase. */
  readonly signOnly?: boolean
}

/** How a purchase is paid, with what it takes. */
export type Way =
  | { readonly by: 'coin'; readonly quote: Quote }
  | {
      readonly by: 'allowance'
      /** To be sent before, one after the other. */
      readonly approvals: readonly Quote[]
      readonly quote: Quote
      /** Whether the quote is a guess: the purchase fails until the approvals are there. */
      readonly isUntried: boolean
    }
  | {
      readonly by: 'authorization' | 'permit'
      readonly token: Address
      /** The token's, for its signatures; undefined where none of them is needed. */
      readonly domain: Hex | undefined
      /** Whether Payments may take the price already. */
      readonly isAllowed: boolean
      /** A guess; undefined where somebody else sends it. */
      readonly quote: Quote | undefined
    }

/** How an account stands with a token. */
export interface TokenStanding {
  readonly facts: TokenFacts
  readonly balance: bigint
  /** What Payments may take already. */
  readonly allowance: bigint
}

/** @throws ERR_TOKEN_INVALID unless it answers as tokens do; ChainError */
export const readStanding = async (
  { tokens, payments }: Market,
  token: Address,
  owner: Address,
  signal?: AbortSignal,
): Promise<TokenStanding> => {
  const [facts, balance, allowance] = await Promise.all([
    tokens.facts(token, signal),
    tokens.balance(token, owner, signal),
    tokens.allowance(token, owner, payments, signal),
  ])
  if (balance !== undefined && allowance !== undefined) return { facts, balance, allowance }
  throw new BuyerError('ERR_TOKEN_INVALID', `what this plan is priced in is no token: ${token}`)
}

/** What a token takes signatures for. */
export interface TokenSigning {
  /** The token's domain. */
  readonly domain: Hex
  readonly takes: (payBy: 'authorization' | 'permit') => Promise<boolean>
}

/**
 * Finds out which signatures a token takes by letting the node try harmless ones: they move nothing, and only their
 * signer could carry them out.
 * @returns undefined where it takes none
 */
export const readSigning = async (
  { random }: { readonly random: Random },
  { tokens, chainId, rpc }: Market,
  token: Address,
  account: Account,
  signal?: AbortSignal,
): Promise<TokenSigning | undefined> => {
  const domain = (await tokens.domain(token, chainId, signal))?.separator
  const block = await rpc.block('latest', signal)
  if (!domain || !block) return undefined
  const { address: self } = account
  // Some nodes try calls in the newest block, others in the next.
  const until = BigInt(block.timestampSeconds) + 3600n

  const takes = {
    async authorization() {
      const nonce = toHex(random.bytes(32))
      if ((await tokens.isAuthorizationUsed(token, self, nonce, signal)) !== false) return false
      const message = { from: self, to: self, value: 0n, validAfter: 0n, validBefore: until, nonce }
      const { v, r, s } = partsOf(account.sign(domain, 'ReceiveWithAuthorization', message))
      const call = tokenCall(token, 'receiveWithAuthorization', self, self, 0n, 0n, until, nonce, v, r, s)
      return tokens.accepts({ ...call, from: self }, signal)
    },
    async permit() {
      const nonce = await tokens.permitNonce(token, self, signal)
      if (nonce === undefined) return false
      const message = { owner: self, spender: self, value: 0n, nonce, deadline: until }
      const { v, r, s } = partsOf(account.sign(domain, 'Permit', message))
      return tokens.accepts({ ...tokenCall(token, 'permit', self, self, 0n, until, v, r, s), from: self }, signal)
    },
  }
  return { domain, takes: (payBy) => takes[payBy]() }
}

/**
 * Chooses the way that costs the least: an allowance that is there already, an authorisation, a permit, and last an
 * allowance of its own.
 * @param isAllowed whether the allowance is enough already
 * @param signing asked only as far as needed
 * @throws ERR_PAY_BY when the way that is wished for is not there
 */
export const choosePayBy = async (
  { payBy, signOnly = false }: PayWish,
  isAllowed: boolean,
  signing: () => Promise<TokenSigning | undefined>,
): Promise<PayBy> => {
  if (signOnly && payBy === 'allowance') throw notThere('what others send is paid by authorization or permit')
  if (payBy === 'allowance' || (!payBy && isAllowed && !signOnly)) return 'allowance'
  const found = await signing()
  for (const each of ['authorization', 'permit'] as const) {
    if (payBy && payBy !== each) continue
    // With an allowance the purchase itself is all that has to be signed.
    if (signOnly && each === 'permit' && isAllowed) return each
    if (await found?.takes(each)) return each
    if (payBy) throw notThere(`this token takes no ${each}`)
  }
  if (!signOnly) return 'allowance'
  throw notThere('this token takes no signatures, so its owner has to send the purchase: buy without --sign-only')
}

const notThere = (message: string): BuyerError => new BuyerError('ERR_PAY_BY', message)
