/**
 * Reads of ERC-20 tokens. A token is anybody's code: what it answers is bounded and checked, and what is no answer to
 * the question counts as none. Nothing that it says of itself is taken for the truth: two tokens may have one symbol.
 */
import { type Chain, ChainError } from '../effects/chain.ts'
import { formatAmount } from '../protocol/amount.ts'
import { fromHex, fromUtf8 } from '../protocol/bytes.ts'
import { tokenDomain } from '../protocol/typed-data.ts'
import type { ArgumentsOf, EntryOf, NameOf } from './abi.ts'
import { encodeCall } from './abi-encode.ts'
import { canonical } from './abi-read.ts'
import { ContractRevert } from './errors.ts'
import { tokenDecoders } from './generated/token.ts'
import { TOKEN_ANSWER_BYTES_MAX, TOKEN_DECIMALS_MAX } from './limits.ts'
import { type Call, createRpc } from './rpc.ts'
import { tokenAbi } from './token-abi.ts'
import type { Address, Hex } from './types.ts'

type TokenFunction = NameOf<typeof tokenAbi, 'function'>
type Arguments<Name extends TokenFunction> = ArgumentsOf<EntryOf<typeof tokenAbi, 'function', Name>>
type Results = typeof tokenDecoders.results

/** A call of a token, such as `tokenCall(token, 'approve', spender, amount)`. */
export const tokenCall = <Name extends TokenFunction>(token: Address, name: Name, ...args: Arguments<Name>): Call => ({
  to: token,
  data: encodeCall(tokenAbi, name, ...args),
})

/** What a token says of itself, as far as it can be shown. */
export interface TokenFacts {
  readonly address: Address
  /** Letters, digits and few marks; undefined where the token says nothing of the kind. */
  readonly symbol: string | undefined
  /** Undefined: amounts can be shown in the smallest unit only. */
  readonly decimals: number | undefined
}

/** A token's domain of signatures. */
export interface TokenDomain {
  readonly name: string
  readonly version: string
  /** What both make, with chain and address: 32 bytes. */
  readonly separator: Hex
}

/** All methods give undefined where the token does not answer; they throw only ChainError, and only passing ones. */
export interface TokenReader {
  facts(token: Address, signal?: AbortSignal): Promise<TokenFacts>
  balance(token: Address, owner: Address, signal?: AbortSignal): Promise<bigint | undefined>
  allowance(token: Address, owner: Address, spender: Address, signal?: AbortSignal): Promise<bigint | undefined>
  /** Next nonce of an owner's permits. */
  permitNonce(token: Address, owner: Address, signal?: AbortSignal): Promise<bigint | undefined>
  /** Whether an authorisation was carried out or called off. */
  isAuthorizationUsed(token: Address, payer: Address, nonce: Hex, signal?: AbortSignal): Promise<boolean | undefined>
  /**
   * The domain that the token verifies signatures for; undefined unless it is that of this token on this chain. Else a
   * token could have messages signed that are good for another one.
   * @see EIP-712
   */
  domain(token: Address, chainId: bigint, signal?: AbortSignal): Promise<TokenDomain | undefined>
  /** Whether a call would succeed, whatever it answers. */
  accepts(call: Call, signal?: AbortSignal): Promise<boolean>
}

export const createTokenReader = (chain: Chain): TokenReader => {
  const rpc = createRpc(chain)

  /** The answer to a call, if it is one: a token that fails, or answers without end, does not answer. */
  const attempt = async (call: Call, signal?: AbortSignal): Promise<Hex | undefined> => {
    try {
      return await rpc.call(call, 'latest', signal)
    } catch (error) {
      if (error instanceof ContractRevert || (error instanceof ChainError && !error.retryable)) return undefined
      throw error
    }
  }

  const askRaw = async (call: Call, signal?: AbortSignal): Promise<Hex | undefined> => {
    const answer = await attempt(call, signal)
    return answer && answer.length <= 2 + 2 * TOKEN_ANSWER_BYTES_MAX ? answer : undefined
  }

  const read = async <Name extends keyof Results>(
    token: Address,
    name: Name,
    args: Arguments<Name>,
    signal?: AbortSignal,
  ): Promise<ReturnType<Results[Name]>[0] | undefined> => {
    const answer = await askRaw(tokenCall(token, name, ...args), signal)
    const decode: (answer: Hex) => ReturnType<Results[Name]> = tokenDecoders.results[name] as never
    return answer && canonical(decode, answer)?.[0]
  }

  const known = new Map<Address, TokenFacts>()

  return {
    async facts(token, signal) {
      const before = known.get(token)
      if (before) return before
      const [symbol, decimals] = await Promise.all([
        askRaw(tokenCall(token, 'symbol'), signal),
        read(token, 'decimals', [], signal),
      ])
      const facts = {
        address: token,
        symbol: symbol && symbolIn(symbol),
        decimals: decimals !== undefined && decimals <= TOKEN_DECIMALS_MAX ? decimals : undefined,
      }
      known.set(token, facts)
      return facts
    },

    balance: (token, owner, signal) => read(token, 'balanceOf', [owner], signal),

    allowance: (token, owner, spender, signal) => read(token, 'allowance', [owner, spender], signal),

    permitNonce: (token, owner, signal) => read(token, 'nonces', [owner], signal),

    isAuthorizationUsed: (token, payer, nonce, signal) => read(token, 'authorizationState', [payer, nonce], signal),

    async domain(token, chainId, signal) {
      const [separator, name, version] = await Promise.all([
        read(token, 'DOMAIN_SEPARATOR', [], signal),
        read(token, 'name', [], signal),
        read(token, 'version', [], signal),
      ])
      const nameText = name && exactText(name.bytes)
      if (nameText === undefined) return undefined
      // Tokens older than EIP-5267 do not tell their version, which then is the first.
      const versions = [version && exactText(version.bytes), '1'].filter((each) => each !== undefined)
      const found = versions.find((each) => tokenDomain(nameText, each, chainId, token) === separator)
      return separator && found !== undefined ? { name: nameText, version: found, separator } : undefined
    },

    accepts: async (call, signal) => (await attempt(call, signal)) !== undefined,
  }
}

const exactText = (bytes: Uint8Array): string | undefined => {
  try {
    return fromUtf8(bytes)
  } catch {
    return undefined
  }
}

/** What turns no writing around and looks like nothing else: scripts beside Latin hold its look-alikes. */
const SYMBOL = /^[\p{Script=Latin}0-9$¢£¥\u20a0-\u20c0._+-]{1,16}$/u
/** What is no number. */
const HAS_LETTER = /[^0-9._+-]/u

/** A symbol that can be shown beside an amount. Old tokens answer with 32 bytes instead of a string. */
const symbolIn = (answer: Hex): string | undefined => {
  const [decoded] = canonical(tokenDecoders.results.symbol, answer) ?? []
  const word = fromHex(answer)
  const bytes = decoded?.bytes ?? (word.length === 32 ? word.subarray(0, lengthWithoutZeros(word)) : undefined)
  const text = bytes && exactText(bytes)
  return text !== undefined && SYMBOL.test(text) && HAS_LETTER.test(text) ? text : undefined
}

const lengthWithoutZeros = (bytes: Uint8Array): number => bytes.findLastIndex((byte) => byte !== 0) + 1

/** A token's address where there is no room for all of it. */
export const shortAddress = (token: Address): string => `${token.slice(0, 6)}…${token.slice(-4)}`

/**
 * An amount of a token for people.
 * @param name its symbol, beside which stands its address, for any token may have that symbol
 */
export const tokenAmountText = (
  amount: bigint,
  { address: token, symbol = 'token', decimals }: TokenFacts,
  name = `${symbol} (${shortAddress(token)})`,
): string => `${decimals === undefined ? `${amount} smallest units of` : formatAmount(amount, decimals)} ${name}`
