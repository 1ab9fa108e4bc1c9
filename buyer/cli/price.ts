/** `price`: what holds of a price document, and what does not. */
import type { Command } from 'commander'
import { parseAddress } from '../../chain/types.ts'
import { CommandError } from '../../effects/command-error.ts'
import { nowSeconds } from '../../effects/clock.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { createJose } from '../../protocol/jose.ts'
import { parseJson } from '../../protocol/json.ts'
import { PRICE_DOCUMENT_BYTES_MAX } from '../../protocol/limits.ts'
import { examinePriceDocument, isContractMethod } from '../../protocol/price.ts'
import type { ContractMethod, PriceAnchor, PriceCheck, PriceExamination } from '../../protocol/price.ts'
import { BuyerError } from '../errors.ts'
import { VENDOR_TIMEOUT_MS } from '../lib/limits.ts'
import { anchorOf, readPricedListing, vendorIn, type TokenBook } from '../lib/market.ts'
import { openMarketOf } from './open-buyer.ts'
import { factsIn, money, oneLine, perPeriod, timeText } from './text.ts'

export const addPriceCommand = (program: Command, context: CommandContext): void => {
  program
    .command('price')
    .argument('<url|file>', 'price document, by http(s) URL or as a file')
    .description('verify a price document, line by line')
    .option('--vendor <vendor>', 'hold it against what the registry says of this vendor')
    .addHelpText(
      'after',
      `
With --vendor the exit code is 0 only if a buyer would accept the document.
Without, it is 0 if the document is whole: its keys are sound and its signatures
are by them; whose keys they are, only the registry can say. A document of the
original system, whose terms nobody signed, is marked legacy.

Examples:
  $ chrove price test/vectors/chrove-price-2019.json
  $ chrove price http://198.51.100.7/price.json --vendor 1`,
    )
    .action(context.action(price))
}

const price = async (session: Session, source: string, options: { readonly vendor?: string }): Promise<Output> => {
  const { effects } = session
  const document = parseJson(await read(session, source))
  const { anchor, tokens } = await registered(session, options.vendor)
  const examination = await examinePriceDocument(createJose(), document, nowSeconds(effects.clock), anchor)
  const { findings, legacy, acceptable, content } = examination
  return {
    ok: anchor ? acceptable : isWhole(examination),
    json: { legacy, acceptable, findings, ...(content ? { content } : {}) },
    text: examinationText(examination, tokens, anchor !== undefined),
  }
}

/** What the registry says of a vendor, and the tokens of themselves. */
const registered = async (
  session: Session,
  vendor: string | undefined,
): Promise<{ readonly anchor?: PriceAnchor; readonly tokens: TokenBook }> => {
  if (vendor === undefined) return { tokens: new Map() }
  const market = await openMarketOf(session)
  const uri = vendorIn(market, vendor)
  const listing = await readPricedListing(market, uri, session.signal)
  return { anchor: anchorOf(uri, listing), tokens: listing.tokens }
}

const read = async ({ effects, userFiles, signal }: Session, source: string): Promise<Uint8Array> => {
  if (!/^https?:\/\//i.test(source)) return userFiles.read(source, PRICE_DOCUMENT_BYTES_MAX)
  if (!URL.canParse(source)) throw new CommandError('ERR_USAGE', 'this is no URL')
  const limits = { timeoutMs: VENDOR_TIMEOUT_MS, bodyBytesMax: PRICE_DOCUMENT_BYTES_MAX, signal }
  const response = await effects.network.fetch(new Request(source), limits)
  if (response.status !== 200) {
    throw new BuyerError('ERR_VENDOR_UNREACHABLE', `the server answered with HTTP status ${response.status}`)
  }
  return new Uint8Array(await response.arrayBuffer())
}

/** What can be said without the chain and at any time. */
const WHOLE: ReadonlySet<PriceCheck> = new Set<PriceCheck>(['shape', 'keys', 'ts_signature', 'content_signature'])

const isWhole = ({ findings, legacy }: PriceExamination): boolean =>
  findings.every(({ check, holds }) => holds || !WHOLE.has(check) || (legacy && check === 'content_signature'))

const examinationText = (
  { findings, legacy, acceptable, content }: PriceExamination,
  tokens: TokenBook,
  anchored: boolean,
): string => {
  const verdict = acceptable
    ? 'A buyer accepts this document.'
    : anchored
      ? 'A buyer REFUSES this document.'
      : 'Whose keys these are was not checked: give --vendor to hold them against the registry.'
  return [
    ...(content ? [`${oneLine(content.brandinfo.title)}, made ${timeText(content.ts)}`] : []),
    ...(legacy ? ['LEGACY: made as the original system made them; only its time is signed, not its terms'] : []),
    ...findings.map(({ check, holds, says }) => `${holds ? 'holds' : 'FAILS'}  ${check.padEnd(17)}  ${says}`),
    ...(content?.PaymentChannels.filter(isContractMethod).map((method) => methodText(method, tokens)) ?? []),
    verdict,
  ].join('\n')
}

/** By the amount that is paid, and not by what the document shows people of it. */
const methodText = ({ PlanId, Name, Token, Amount, PeriodSeconds }: ContractMethod, tokens: TokenBook): string => {
  const cost = perPeriod(money(BigInt(Amount), factsIn(tokens, parseAddress(Token))), PeriodSeconds)
  return `plan ${PlanId}  ${cost}  ${oneLine(Name)}`
}
