/** Words, amounts and times as a terminal of 80 columns shows them. */
import { shortAddress, tokenAmountText, type TokenFacts } from '../../chain/token.ts'
import { ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { formatAmount, formatPeriod, NATIVE_DECIMALS } from '../../protocol/amount.ts'
import { utf8 } from '../../protocol/bytes.ts'
import { cleanText } from '../../protocol/text.ts'
import type { TokenBook } from '../lib/index.ts'

const COLUMNS = 80
const GAP = '  '

/** Anybody's words in one line. */
export const oneLine = (text: string): string => cleanText(utf8(text)).replace(/\s+/g, ' ').trim()

/** What we call the chain's native coin, whose symbol is the chain's business. */
const COIN = 'coin'

/** An amount of it. */
export const coin = (wei: bigint): string => `${formatAmount(wei, NATIVE_DECIMALS)} ${COIN}`

/** An amount of a token, or of the coin. */
export const money = (amount: bigint, token: TokenFacts | undefined): string =>
  token ? tokenAmountText(amount, token) : coin(amount)

/** What a plan costs. @param cost of one period */
export const perPeriod = (cost: string, periodSeconds: number): string => `${cost} / ${formatPeriod(periodSeconds)}`

/**
 * Tokens in a table, where there is no room for addresses: a symbol that only one of them has stands for it, and the
 * notes below the table say for which.
 * @param tokens undefined for the coin
 */
export const tableMoney = (tokens: readonly (TokenFacts | undefined)[]) => {
  const different = [
    ...new Map(tokens.filter((each) => each !== undefined).map((each) => [each.address, each])).values(),
  ]
  const nameOf = ({ address, symbol }: TokenFacts): string => {
    const isClear = symbol !== undefined && symbol !== COIN && different.filter((e) => e.symbol === symbol).length === 1
    return isClear ? symbol : shortAddress(address)
  }
  const noteOf = (token: TokenFacts): string => {
    const called = token.symbol === undefined ? '' : `, which calls itself ${token.symbol}`
    return `${nameOf(token)} is the token ${token.address}${called}`
  }
  return {
    money: (amount: bigint, token: TokenFacts | undefined): string =>
      token ? tokenAmountText(amount, token, nameOf(token)) : coin(amount),
    notes: different.map(noteOf),
  }
}

/** What is known of a token, which is its address at least. @param token zero or undefined for the coin */
export const factsIn = (tokens: TokenBook, token: Address | undefined): TokenFacts | undefined =>
  token === undefined || token === ZERO_ADDRESS
    ? undefined
    : (tokens.get(token) ?? { address: token, symbol: undefined, decimals: undefined })

/** Sweden writes dates as ISO 8601 does. */
const utc = new Intl.DateTimeFormat('sv-SE', { timeZone: 'UTC', dateStyle: 'short', timeStyle: 'short' })

/** Unix seconds as `2026-11-21 09:53 UTC`. */
export const timeText = (unixSeconds: number): string => `${utc.format(unixSeconds * 1000)} UTC`

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u
const NARROW = /\p{Mark}/u

const widthOf = (character: string): number => (NARROW.test(character) ? 0 : WIDE.test(character) ? 2 : 1)
const textWidth = (text: string): number => [...text].reduce((width, character) => width + widthOf(character), 0)

/** Cut to so many columns, with an ellipsis where something is missing. */
export const fit = (text: string, columns: number): string => {
  if (textWidth(text) <= columns) return text
  let kept = ''
  let width = 1
  for (const character of text) {
    width += widthOf(character)
    if (width > columns) break
    kept += character
  }
  return `${kept}…`
}

/** What a column keeps of its words for the sake of one that is to stay whole. */
const WORDS_WIDTH_MIN = 6

/**
 * Rows under a heading, aligned, at most 80 columns wide: the widest columns are cut first.
 * @param rows each as long as the heading; every cell becomes one line
 * @param whole heading of a column that is cut last: half an amount says something else than the whole
 */
export const table = (heading: readonly string[], rows: readonly (readonly string[])[], whole?: string): string => {
  const lines = [heading, ...rows].map((row) => row.map(oneLine))
  const widths = heading.map((_, column) => Math.max(...lines.map((line) => textWidth(line[column] ?? ''))))
  const room = COLUMNS - GAP.length * (heading.length - 1)
  while (widths.reduce((sum, width) => sum + width, 0) > room) {
    const cuttable = widths.map((width, column) => (heading[column] === whole ? 0 : width))
    const among = Math.max(...cuttable) > WORDS_WIDTH_MIN ? cuttable : widths
    const widest = among.indexOf(Math.max(...among))
    widths[widest] = (widths[widest] ?? 1) - 1
  }
  const pad = (text: string, width: number): string => {
    const shown = fit(text, width)
    return shown + ' '.repeat(Math.max(0, width - textWidth(shown)))
  }
  return lines
    .map((line) =>
      line
        .map((cell, column) => pad(cell, widths[column] ?? 0))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n')
}
