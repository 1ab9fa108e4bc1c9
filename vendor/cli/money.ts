/** Money as vendors' commands read and show it: of the chain's coin, or of a token. */
import { createTokenReader, tokenAmountText, type TokenFacts } from '../../chain/token.ts'
import { type Address, parseAddress, ZERO_ADDRESS } from '../../chain/types.ts'
import { CommandError } from '../../effects/command-error.ts'
import type { Session } from '../../effects/command.ts'
import { formatAmount, NATIVE_DECIMALS, parseAmount } from '../../protocol/amount.ts'

/** What a token says of itself; undefined: the chain's coin. */
export type Currency = TokenFacts | undefined

/** For people; the symbol of the coin is the chain's business. */
export const coins = (wei: bigint): string => `${formatAmount(wei, NATIVE_DECIMALS)} coins`

export const moneyText = (amount: bigint, currency: Currency): string =>
  currency ? tokenAmountText(amount, currency) : coins(amount)

/** For scripts: which currency; nothing for the coin. */
export const currencyJson = (currency: Currency) =>
  currency ? { token: currency.address, symbol: currency.symbol, decimals: currency.decimals } : {}

/** @param tokens as the registry has them, zero for the coin */
export const readCurrencies = async (
  { effects, signal }: Pick<Session, 'effects' | 'signal'>,
  tokens: Iterable<Address>,
): Promise<ReadonlyMap<Address, Currency>> => {
  const reader = createTokenReader(effects.chain)
  const read = async (token: Address): Promise<readonly [Address, Currency]> => [
    token,
    token === ZERO_ADDRESS ? undefined : await reader.facts(token, signal),
  ]
  return new Map(await Promise.all([...new Set(tokens)].map(read)))
}

/**
 * The token that an option names.
 * @throws ERR_USAGE where no token is; whether it takes a fee or rebases cannot be seen from outside
 */
export const tokenOption = async ({ effects, signal }: Session, text: string): Promise<TokenFacts> => {
  const token = parseAddress(text)
  const reader = createTokenReader(effects.chain)
  if (!token || (await reader.balance(token, token, signal)) === undefined) {
    throw new CommandError('ERR_USAGE', '--token is the address of an ERC-20, and none is there')
  }
  return reader.facts(token, signal)
}

const UINT128_MAX = 2n ** 128n - 1n

/**
 * A positive amount that an option gives, in units that people speak of; in the smallest ones where a token does not
 * tell its decimals.
 * @throws ERR_USAGE
 */
export const amountOption = (option: string, text: string, currency: Currency): bigint => {
  const decimals = currency ? (currency.decimals ?? 0) : NATIVE_DECIMALS
  const amount = parseAmount(text, decimals)
  if (amount && amount <= UINT128_MAX) return amount
  const unit = !currency
    ? 'of coins, such as 0.002'
    : currency.decimals === undefined
      ? 'of smallest units: the token does not tell its decimals'
      : `with at most ${decimals} decimals`
  throw new CommandError('ERR_USAGE', `${option} is a positive number ${unit}`)
}
