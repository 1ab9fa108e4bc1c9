/** `search`, `show`: looking around. */
import type { Command } from 'commander'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import type { EndpointReport, Found, SearchResult, VendorView } from '../lib/index.ts'
import { openBuyer, wholeNumber } from './open-buyer.ts'
import { factsIn, oneLine, perPeriod, table, tableMoney } from './text.ts'

const FOUND_DEFAULT = '20'

export const addMarketCommands = (program: Command, context: CommandContext): void => {
  program
    .command('search')
    .argument('[text...]', 'words that all occur in what a vendor says of itself')
    .description('find vendors')
    .option('--type <type>', 'service type, such as proxy')
    .option('--region <region>', 'where the service comes from')
    .option('--limit <n>', 'vendors to show, up to 100', FOUND_DEFAULT)
    .addHelpText(
      'after',
      `
Asks the directory if one is set, else reads the contract itself.

Examples:
  $ chrove search
  $ chrove search tokyo --type proxy --json`,
    )
    .action(context.action(search))
  program
    .command('show')
    .argument('<vendor>', 'vendor URI, or number in the registry')
    .description('what the chain says of a vendor, and whether its servers agree')
    .addHelpText('after', '\nExamples:\n  $ chrove show 1\n  $ chrove show chrove:eip155:1:0x5fbd...0aa3/1')
    .action(context.action(show))
}

interface SearchOptions {
  readonly type?: string
  readonly region?: string
  readonly limit: string
}

const search = async (session: Session, words: string[], options: SearchOptions): Promise<Output> => {
  const query = {
    text: words.join(' '),
    limit: wholeNumber('--limit', options.limit, 100),
    ...(options.type === undefined ? {} : { serviceType: options.type }),
    ...(options.region === undefined ? {} : { region: options.region }),
  }
  const result = await openBuyer(session).search(query, session.signal)
  if (result.directoryFault) session.say(`${result.directoryFault}; reading the contract instead`)
  return { json: { ...result, tokens: [...result.tokens.values()] }, text: foundText(result) }
}

const foundText = ({ source, found, tokens, total, complete }: SearchResult): string => {
  const from = source === 'directory' ? 'from the directory' : 'from the contract itself'
  const doubt = complete ? '' : ', which cannot prove that it has seen all'
  const [first] = found
  if (!first) return `No vendor found (${from}${doubt})`
  const registry = first.vendor.slice(0, first.vendor.lastIndexOf('/') + 1)
  const { money, notes } = tableMoney(found.flatMap(({ plans }) => plans.map(({ token }) => factsIn(tokens, token))))
  const rowsOf = ({ vendor, title, plans }: Found): string[][] =>
    plans.map((plan) => [
      vendor.slice(vendor.lastIndexOf('/') + 1),
      title || '(no name)',
      String(plan.planId),
      plan.title,
      perPeriod(money(plan.price, factsIn(tokens, plan.token)), plan.periodSeconds),
    ])
  return [
    table(['VENDOR', 'NAME', 'PLAN', 'TITLE', 'PRICE'], found.flatMap(rowsOf)),
    '',
    ...notes,
    `${found.length} of ${total} vendors, ${from}${doubt}`,
    `Vendor N is ${registry}N`,
  ].join('\n')
}

const show = async (session: Session, vendor: string): Promise<Output> => {
  const view = await openBuyer(session).show(vendor, session.signal)
  return { json: viewJson(view), text: viewText(view) }
}

const plansOf = ({ listing }: VendorView) =>
  listing.plans.map(({ title, token, ...plan }, index) => {
    const { address, symbol, decimals } = factsIn(listing.tokens, token) ?? {}
    return { planId: index + 1, title: title.text, ...plan, ...(address && { token: address, symbol, decimals }) }
  })

const viewJson = (view: VendorView) => {
  const { listing, vendor, profile, endpoints } = view
  const { endpoints: _endpoints, profile: _profile, ...state } = listing.vendor
  return {
    vendor,
    ...profile,
    ...state,
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
    rows.length > 0 ? table(['PLAN', 'TITLE', 'PRICE', 'MOST', 'PAID', 'ON SALE'], rows) : 'No plans',
    '',
    ...notes,
    ...(endpoints.length > 0 ? endpoints.map(endpointText) : ['No endpoints']),
  ].join('\n')
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
