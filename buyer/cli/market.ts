/** `search`, `show`: looking around. */
import { Option, type Command } from 'commander'
import { parseAddress, ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { CommandError } from '../../effects/command-error.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { NATIVE_DECIMALS, parseAmount } from '../../protocol/amount.ts'
import type {
  EndpointReport,
  Found,
  FromDirectory,
  Observed,
  Origin,
  SearchQuery,
  SearchResult,
  VendorView,
} from '../lib/index.ts'
import { readTokens } from '../lib/market.ts'
import { roughly } from '../lib/origin.ts'
import { searchOrders, type SearchOrder } from '../lib/wish.ts'
import { openBuyer, openMarketOf, wholeNumber } from './open-buyer.ts'
import { factsIn, oneLine, perPeriod, table, tableMoney, timeText } from './text.ts'

const FOUND_DEFAULT = '20'
/** In place of an address, for the chain's own coin. */
const COIN = 'coin'

export const addMarketCommands = (program: Command, context: CommandContext): void => {
  program
    .command('search')
    .argument('[text...]', 'words that all begin a word of what a vendor says of itself')
    .description('find vendors')
    .option('--type <type>', 'service type, such as proxy')
    .option('--region <region>', 'where the service comes from')
    .option('--token <token>', 'plans in this token: its address, or "coin"')
    .option('--max-price <amount>', 'plans that cost at most this much a day, in --token or else in the coin')
    .option('--reachable', 'vendors that answered the directory when it last asked')
    .option('--verified', 'vendors whose price document held when the directory last asked')
    .addOption(
      new Option('--order <order>', 'cheapest day, most paid, oldest, or most often verified first').choices(
        searchOrders,
      ),
    )
    .option('--limit <n>', 'vendors to show, up to 100', FOUND_DEFAULT)
    .option('--after <place>', 'go on from here: what an earlier search with these options gave as next')
    .addHelpText(
      'after',
      `
Asks the directory if one is set, else reads the contract itself, and says
which. The contract cannot tell what a directory has seen: --reachable,
--verified and the orders volume and uptime are then left out of account, and
that is said.

SEEN: "verified", "doubtful" (it answers, but its price document did not hold),
"silent", or "-" where the directory has not asked.

A directory can say what it likes. Before anything is paid, terms are read from
the contract; see chrove show.

Examples:
  $ chrove search
  $ chrove search tokyo --type proxy --json
  $ chrove search --verified --order uptime
  $ chrove search --order price --max-price 0.05 --limit 5`,
    )
    .action(context.action(search))
  program
    .command('show')
    .argument('<vendor>', 'vendor URI, or number in the registry')
    .description('what the chain says of a vendor, and whether its servers agree')
    .addHelpText(
      'after',
      `
Terms and keys are read from the contract. A directory, if one is set, adds what
it has seen of the vendor.

Examples:
  $ chrove show 1
  $ chrove show chrove:eip155:1:0x5fbd...0aa3/1 --json`,
    )
    .action(context.action(show))
}

interface SearchOptions {
  readonly type?: string
  readonly region?: string
  readonly token?: string
  readonly maxPrice?: string
  readonly reachable?: true
  readonly verified?: true
  readonly order?: SearchOrder
  readonly limit: string
  readonly after?: string
}

const search = async (session: Session, words: string[], options: SearchOptions): Promise<Output> => {
  const { type, region, order, after, reachable = false, verified = false } = options
  const token = tokenOf(options)
  const maxPricePerDay = await maxPriceOf(session, options, token)
  const query: SearchQuery = {
    text: words.join(' '),
    limit: wholeNumber('--limit', options.limit, 100),
    reachable,
    verified,
    ...(type === undefined ? {} : { serviceType: type }),
    ...(region === undefined ? {} : { region }),
    ...(token === undefined ? {} : { token }),
    ...(maxPricePerDay === undefined ? {} : { maxPricePerDay }),
    ...(order === undefined ? {} : { order }),
    ...(after === undefined ? {} : { after }),
  }
  const result = await openBuyer(session).search(query, session.signal)
  sayDoubts(session, result, 'reading the contract instead')
  if (result.ignored.length > 0) {
    const left = result.ignored.map((option) => (option === 'order' ? `--order ${order}` : `--${option}`))
    session.say(`the contract cannot tell what a directory has seen: ${left.join(', ')} left out of account`)
  }
  const comparesDays = order === 'price' || maxPricePerDay !== undefined
  return { json: { ...result, tokens: [...result.tokens.values()] }, text: foundText(result, comparesDays) }
}

const tokenOf = ({ token }: SearchOptions): Address | undefined => {
  if (token === undefined) return undefined
  const address = token === COIN ? ZERO_ADDRESS : parseAddress(token)
  if (address === undefined) throw new CommandError('ERR_USAGE', `--token is the address of a token, or "${COIN}"`)
  return address
}

/** Smallest units; only the token itself says how many make one. */
const maxPriceOf = async (
  session: Session,
  { maxPrice }: SearchOptions,
  token: Address = ZERO_ADDRESS,
): Promise<bigint | undefined> => {
  if (maxPrice === undefined) return undefined
  const decimals = token === ZERO_ADDRESS ? NATIVE_DECIMALS : await decimalsOf(session, token)
  const amount = parseAmount(maxPrice, decimals)
  if (amount !== undefined) return amount
  throw new CommandError('ERR_USAGE', `--max-price is a number with at most ${decimals} decimals`)
}

const decimalsOf = async (session: Session, token: Address): Promise<number> => {
  const tokens = await readTokens(await openMarketOf(session), [token], session.signal)
  return tokens.get(token)?.decimals ?? 0
}

/** On standard error: why it was not the directory that answered, or what speaks against its answer. */
const sayDoubts = (session: Session, origin: Origin, instead: string): void => {
  if (origin.source === 'directory') for (const { message } of origin.warnings) session.say(message)
  else if (origin.directoryFault) session.say(`${origin.directoryFault}; ${instead}`)
}

/** How far the directory is. */
const stateText = ({ directory: { block, ageSeconds } }: FromDirectory): string =>
  `at block ${block.number}, ${roughly(ageSeconds)} old`

const originText = (origin: Origin): string => {
  if (origin.source === 'directory') return `from the directory ${stateText(origin)}`
  return `from the contract itself${origin.because === 'ERR_DIRECTORY_UNSET' ? ', for no directory is set' : ''}`
}

const foundText = (result: SearchResult, comparesDays: boolean): string => {
  const { source, found, tokens, total, complete, next } = result
  const from = `${originText(result)}${complete ? '' : ', which cannot prove that it has seen all'}`
  const [first] = found
  if (!first) return `No vendor found (${from})`
  const registry = first.vendor.slice(0, first.vendor.lastIndexOf('/') + 1)
  const { money, notes } = tableMoney(found.flatMap(({ plans }) => plans.map(({ token }) => factsIn(tokens, token))))
  const priceOf = ({ price, pricePerDay, periodSeconds, token }: Found['plans'][number]): string =>
    comparesDays
      ? money(pricePerDay, factsIn(tokens, token))
      : perPeriod(money(price, factsIn(tokens, token)), periodSeconds)
  const price = comparesDays ? 'A DAY' : 'PRICE'
  const seen = source === 'directory' ? ['SEEN', 'UPTIME'] : []
  const rowsOf = ({ vendor, title, plans, observed }: Found): string[][] =>
    plans.map((plan) => [
      vendor.slice(vendor.lastIndexOf('/') + 1),
      title || '(no name)',
      String(plan.planId),
      plan.title,
      priceOf(plan),
      ...(observed ? [seenText(observed), uptimeText(observed)] : []),
    ])
  const cut = found.filter(({ plans, planTotal }) => planTotal > plans.length)
  return [
    table(['VENDOR', 'NAME', 'PLAN', 'TITLE', price, ...seen], found.flatMap(rowsOf), price),
    '',
    ...notes,
    ...cut.map(({ vendor, planTotal }) => `chrove show ${vendor} has all ${planTotal} plans`),
    `${found.length} of ${total} vendors, ${from}`,
    ...(next === undefined ? [] : [`More: the same with --after ${next}`]),
    `Vendor N is ${registry}N`,
  ].join('\n')
}

/** How its endpoints did when the directory last asked. */
const seenText = ({ probes }: Observed): string => {
  if (probes.length === 0) return '-'
  if (probes.some(({ verified }) => verified)) return 'verified'
  return probes.some(({ reachable }) => reachable) ? 'doubtful' : 'silent'
}

const uptimeText = ({ uptime }: Observed): string => (uptime === undefined ? '-' : `${Math.floor(uptime * 100)}%`)

const show = async (session: Session, vendor: string): Promise<Output> => {
  const view = await openBuyer(session).show(vendor, session.signal)
  sayDoubts(session, view, 'showing what the contract and the vendor say')
  return { json: viewJson(view), text: viewText(view) }
}

const plansOf = ({ listing }: VendorView) =>
  listing.plans.map(({ title, token, ...plan }, index) => {
    const { address, symbol, decimals } = factsIn(listing.tokens, token) ?? {}
    return { planId: index + 1, title: title.text, ...plan, ...(address && { token: address, symbol, decimals }) }
  })

const viewJson = (view: VendorView) => {
  const { listing, vendor, profile, endpoints, ...origin } = view
  const { endpoints: _endpoints, profile: _profile, ...state } = listing.vendor
  return {
    vendor,
    ...profile,
    ...state,
    ...origin,
    plans: plansOf(view),
    endpoints: endpoints.map(({ examination, ...report }) => ({
      ...report,
      ...(examination ? { findings: examination.findings, legacy: examination.legacy } : {}),
    })),
  }
}

const viewText = (view: VendorView): string => {
  const { vendor, profile, listing, endpoints } = view
  const { money, notes } = tableMoney(listing.plans.map(({ token }) => factsIn(listing.tokens, token)))
  const rows = plansOf(view).map(({ planId, title, price, periodSeconds, maxPeriods, settlement, onSale, token }) => [
    String(planId),
    title,
    perPeriod(money(price, factsIn(listing.tokens, token)), periodSeconds),
    String(maxPeriods),
    settlement === 'Streamed' ? 'by the second' : 'at once',
    onSale ? 'yes' : 'no',
  ])
  return [
    oneLine(profile.title) || '(no name)',
    ...(profile.description ? [oneLine(profile.description)] : []),
    vendor,
    listing.vendor.active ? 'Takes orders' : 'Takes no new orders',
    '',
    rows.length > 0 ? table(['PLAN', 'TITLE', 'PRICE', 'MOST', 'PAID', 'ON SALE'], rows, 'PRICE') : 'No plans',
    '',
    ...notes,
    ...(endpoints.length > 0 ? endpoints.map(endpointText) : ['No endpoints']),
    '',
    ...observedText(view),
  ].join('\n')
}

const observedText = (view: VendorView): string[] => {
  if (view.source === 'contract') {
    const why = view.because === 'ERR_DIRECTORY_UNSET' ? ', for no directory is set' : ''
    return [`All of this is from the contract and the vendor itself${why}`]
  }
  const { orderCount, createdBlock, probes, uptime } = view.observed
  const asked = probes.map(({ endpoint, verified, code, latencyMs, triedAtSeconds }) => {
    const how = verified ? `verified${latencyMs === undefined ? '' : ` in ${latencyMs} ms`}` : `not verified (${code})`
    return `  ${oneLine(endpoint)} ${how}, ${timeText(triedAtSeconds)}`
  })
  const up = uptime === undefined ? 'it has not asked the vendor' : `up ${uptimeText(view.observed)} of the time`
  return [
    `Seen by the directory, ${stateText(view)}:`,
    `  ${orderCount} orders since block ${createdBlock}; ${up}`,
    ...asked,
  ]
}

const endpointText = ({ endpoint, outcome, examination, code }: EndpointReport): string => {
  const wrong = examination?.findings.filter(({ holds }) => !holds).map(({ says }) => says) ?? []
  const verdict = {
    acceptable: 'answers, and its price document holds',
    untrusted: `NOT TO BE TRUSTED: ${wrong.join('; ') || code}`,
    unreachable: `does not answer (${code})`,
    invalid: 'is no URL',
  }[outcome]
  return `${oneLine(endpoint)} ${verdict}`
}
