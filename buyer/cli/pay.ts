/** `pay`, `refund`: money into an account of a service, and back. */
import { Option, type Command } from 'commander'
import { CommandError } from '../../effects/command-error.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { amountText, type Asset } from '../lib/paying/asset.ts'
import type { Payer } from '../lib/paying/book.ts'
import { chosenOf, type Wanted } from '../lib/paying/give.ts'
import type { PayingFetch } from '../lib/paying/index.ts'
import type { Payment } from '../lib/paying/kit.ts'
import type { Place } from '../lib/paying/place.ts'
import { parseWritten, smallestUnits, withCaps } from './caps.ts'
import { paymentJson, paymentText } from './fetch.ts'
import { openPaying, type PayingOptions } from './open-paying.ts'
import { placeOutput } from './place-text.ts'

const schemes = ['channel', 'order'] satisfies Payer['scheme'][]

export const addPayCommands = (program: Command, context: CommandContext): void => {
  withCaps(
    program
      .command('pay')
      .argument('<target>', 'URL that costs something, or a vendor: its URI or number')
      .description('put money into an account of a service, or give')
      .option('--amount <amount>', 'how much: 0.01, 0.5:nano, 2:0x... of a token')
      .addOption(new Option('--scheme <scheme>', 'way of paying (default: the safest offered)').choices(schemes))
      .option('--vendor <vendor>', 'who is to be paid: vendor URI, or number in the registry')
      .option('--dry-run', 'say what is asked for, and pay nothing')
      .option('--yes', 'do not ask'),
  )
    .addHelpText(
      'after',
      `
Where the service lets people choose what they give, the amount is given for
this URL, and its answer is dropped (chrove fetch --give keeps it). Else it is
put into your account there, for requests to come. A payment channel's money
is yours until you sign for it; credit is the vendor's at once.

A deposit that was cut off, at any moment, is not made twice: the same command
again tells what became of it.

Examples:
  $ chrove pay 1 --dry-run
  $ chrove pay 1 --amount 0.01
  $ chrove pay https://example.com/song.ogg --amount 0.001 --yes`,
    )
    .action(context.action(pay))

  program
    .command('refund')
    .argument('<target>', 'URL that costs something, or a vendor: its URI or number')
    .description('get back what is left of your account with a service')
    .option('--to <address>', 'account that gets the money; any')
    .addOption(new Option('--scheme <scheme>', 'of several accounts, this one').choices(schemes))
    .option('--asset <asset>', 'of several accounts, the one in this: coin, or a token')
    .option('--vendor <vendor>', 'whose service it is: vendor URI, or number in the registry')
    .addHelpText(
      'after',
      `
A vendor that does not answer cannot keep what is left of a payment channel:
see chrove channels withdraw.

Examples:
  $ chrove refund 1
  $ chrove refund https://example.com/song.ogg --to 0x7099...79c8`,
    )
    .action(context.action(refund))
}

interface PayCommandOptions extends PayingOptions {
  readonly amount?: string
  readonly scheme?: Payer['scheme']
  readonly dryRun?: true
}

const pay = async (session: Session, target: string, options: PayCommandOptions): Promise<Output | undefined> => {
  const { signal } = session
  const paying = await openPaying(session, options, true)
  const place = await paying.place(target, signal)
  if (options.dryRun) return placeOutput(place, 'Nothing was paid (--dry-run)')
  if (options.amount === undefined) throw new CommandError('ERR_USAGE', 'say how much: --amount 0.01')
  const written = parseWritten('--amount', options.amount)
  const checked = chosenOf(place, { scheme: options.scheme, asset: written.asset })
  const amount = smallestUnits('--amount', written, checked.asset)
  if (place.offers.donation) return give(session, paying, place, amount)

  const made = await paying.deposit(place, checked, amount, signal)
  const { account, scheme, vendor, asset, isResumed } = made
  await session.print({
    json: { dryRun: false, resumed: isResumed, vendor, account, scheme, asset: asset.name, amount: made.amount },
    text: [
      ...(isResumed ? ['Nothing is put in now: an earlier command did it and was cut off before it could say so'] : []),
      `Put ${amountText(made.amount, asset)} into ${scheme} ${account}`,
      `For ${vendor}; chrove refund gets back what is not used`,
    ].join('\n'),
  })
  // Only now: who has not seen this and tries again is not to pay again.
  await made.acknowledge()
  return undefined
}

const give = async ({ signal }: Session, paying: PayingFetch, place: Place, amount: bigint): Promise<Output> => {
  let payment: Payment | undefined
  const onPaid = (paid: Payment) => (payment = paid)
  const options = { signal, give: (_asset: Asset) => amount, onPaid, statement: true }
  const answer = await paying.fetch(new Request(place.asked.url), options)
  // To its end: a gift is charged before the last byte leaves.
  for await (const _piece of answer.body ?? []);
  await paying.close()
  return {
    ok: answer.ok,
    json: { dryRun: false, status: answer.status, ...(payment && { payment: paymentJson(payment) }) },
    text: payment ? paymentText(payment) : 'Nothing was asked for, so nothing was given',
  }
}

interface RefundCommandOptions extends Wanted, PayingOptions {
  readonly to?: string
}

const refund = async (session: Session, target: string, options: RefundCommandOptions): Promise<Output> => {
  const paying = await openPaying(session, options)
  const place = await paying.place(target, session.signal)
  const refunded = await paying.refund(place, chosenOf(place, options), options.to, session.signal)
  const { account, asset, amount, to, state, reference } = refunded
  const said = { paid: 'went to', failed: 'could not be paid, and stay yours; they were for', pending: 'will go to' }
  return {
    ok: state === 'paid',
    json: { account, asset: asset.name, amount, to, state, reference },
    text: `${amountText(amount, asset)} ${said[state]} ${to}${reference === undefined ? '' : `\nBy ${reference}`}`,
  }
}
