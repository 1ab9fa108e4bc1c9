/** `fetch`: a request that is paid, much as curl makes one. */
import type { Command } from 'commander'
import { CommandError } from '../../effects/command-error.ts'
import { addTo, type CommandContext, type Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { base64url } from '../../protocol/bytes.ts'
import { BuyerError } from '../errors.ts'
import { PAID_BODY_BYTES_MAX } from '../lib/limits.ts'
import { amountText } from '../lib/paying/asset.ts'
import type { PayingFetch } from '../lib/paying/index.ts'
import type { Payment } from '../lib/paying/kit.ts'
import { parseWritten, smallestUnits, withCaps } from './caps.ts'
import { openPaying, type PayingOptions } from './open-paying.ts'
import { placeOutput } from './place-text.ts'

/** A body that is shown in JSON has at most so many bytes. */
const JSON_BODY_BYTES_MAX = 16 * 1024 * 1024
/** Progress is told each so many bytes. */
const PROGRESS_BYTES = 4 * 1024 * 1024

export const addFetchCommand = (program: Command, context: CommandContext): void => {
  withCaps(
    program
      .command('fetch')
      .argument('<url>', 'http or https URL')
      .description('make a request, and pay for it where it costs something')
      .option('-X, --method <method>', 'GET unless there is --data, then POST')
      .option('-H, --header <line>', 'header such as "Accept: text/plain"; again for more', addTo)
      .option('-d, --data <data>', 'body, or @FILE')
      .option('-o, --output <file>', 'new file for the answer (default: standard output)')
      .option('--vendor <vendor>', 'who is to be paid: vendor URI, or number in the registry')
      .option('--deposit <amount>', 'what to put into an account at once (default: 100 times the price)')
      .option('--give <amount>', 'what to give, where the service lets you choose')
      .option('--idempotency-key <key>', 'of a request that was cut off: it is not paid twice')
      .option('--receipt <file>', 'new file for a receipt that the vendor signs')
      .option('--dry-run', 'say what it costs, and pay nothing')
      .option('--yes', 'do not ask; what may be paid has to have caps'),
  )
    .addHelpText(
      'after',
      `
A service asks for payment by offers that its vendor signs; they are held
against the registry before anything is paid. Over plain HTTP, name the vendor
the first time: anybody on the way could ask to be paid instead. It is
remembered then.

What caps of the settings bound is paid without asking (chrove init
--max-per-request 0.001 --max-per-day 0.01). Amounts are of the coin, or say
otherwise: 0.5:nano, 2:0x... of a token.

An account is opened by the first deposit. Your deposit in a payment channel
stays yours until vouchers for it are signed: chrove channels, chrove refund.

Examples:
  $ chrove fetch http://api.example.com/v1/rates --vendor 1 --dry-run
  $ chrove fetch http://api.example.com/v1/rates --vendor 1
  $ chrove fetch https://api.example.com/film.mp4 -o film.mp4 \\
      --max-per-request 0.05 --max-per-day 0.1 --yes
  $ chrove fetch https://api.example.com/ask -d '{"q":"?"}' \\
      -H 'Content-Type: application/json' --json`,
    )
    .action(context.action(fetchUrl))
}

interface FetchCommandOptions extends PayingOptions {
  readonly method?: string
  readonly header?: readonly string[]
  readonly data?: string
  readonly output?: string
  readonly give?: string
  readonly idempotencyKey?: string
  readonly receipt?: string
  readonly dryRun?: true
}

const fetchUrl = async (session: Session, url: string, options: FetchCommandOptions): Promise<Output | undefined> => {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) throw new CommandError('ERR_USAGE', 'give an http or https URL')
  const paying = await openPaying(session, options, options.give !== undefined)
  if (options.dryRun) return placeOutput(await paying.place(url, session.signal), 'Nothing was paid (--dry-run)')
  const request = await requestOf(session, url, options)
  try {
    return await fetched(session, paying, request, options)
  } finally {
    await paying.close()
  }
}

const requestOf = async (
  { userFiles, effects }: Session,
  url: string,
  { method, header = [], data, idempotencyKey }: FetchCommandOptions,
): Promise<Request> => {
  const headers = new Headers()
  for (const line of header) {
    const colon = line.indexOf(':')
    if (colon < 1) throw new CommandError('ERR_USAGE', '--header is a line such as "Accept: text/plain"')
    headers.append(line.slice(0, colon).trim(), line.slice(colon + 1).trim())
  }
  // Its own, so that it can be told when the request is cut off.
  headers.set('idempotency-key', idempotencyKey ?? base64url.encode(effects.random.bytes(16)))
  const body = data?.startsWith('@')
    ? ((await userFiles.read(data.slice(1), PAID_BODY_BYTES_MAX)) as Uint8Array<ArrayBuffer>)
    : data
  try {
    return new Request(url, {
      method: method?.toUpperCase() ?? (body === undefined ? 'GET' : 'POST'),
      headers,
      ...(body !== undefined && { body }),
    })
  } catch (error) {
    throw new CommandError('ERR_USAGE', `this is no request: ${(error as Error).message}`)
  }
}

const fetched = async (
  session: Session,
  paying: PayingFetch,
  request: Request,
  options: FetchCommandOptions,
): Promise<Output | undefined> => {
  const { say, signal, terminal, userFiles } = session
  const { output, receipt } = options
  const isJson = session.wantsJson
  let payment: Payment | undefined
  const key = request.headers.get('idempotency-key') ?? ''
  const give = options.give === undefined ? undefined : parseWritten('--give', options.give)
  let body: Uint8Array | undefined
  let answer: Response
  try {
    answer = await paying.fetch(request, {
      signal,
      ...(give && { give: (asset) => smallestUnits('--give', give, asset) }),
      signedReceipt: receipt !== undefined,
      statement: true,
      onPaid: (paid) => (payment = paid),
    })
    if (output === undefined && isJson) body = await wholeBody(answer)
    else {
      const file = output === undefined ? undefined : await userFiles.begin(output)
      const write = file ? file.write : (piece: Uint8Array) => terminal.out(piece)
      try {
        await flow(answer, write, file && !isJson ? say : undefined)
      } catch (error) {
        await file?.leave()
        throw error
      }
      await file?.finish()
    }
  } catch (error) {
    say(`Again without paying twice: the same with --idempotency-key ${key}`)
    throw error
  }
  if (payment) say(paymentText(payment))
  if (receipt !== undefined && payment?.receiptText) {
    await userFiles.create(receipt, new TextEncoder().encode(`${payment.receiptText}\n`))
  }
  if (!isJson) {
    if (answer.ok) return undefined
    throw new BuyerError('ERR_SERVICE_STATUS', `the service answers with status ${answer.status}`)
  }
  return {
    ok: answer.ok,
    json: {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      ...(output === undefined ? bodyJson(body ?? new Uint8Array()) : { file: output }),
      ...(payment && { payment: paymentJson(payment) }),
      idempotencyKey: key,
    },
    text: '',
  }
}

const flow = async (
  answer: Response,
  write: (piece: Uint8Array) => Promise<void>,
  say: ((text: string) => void) | undefined,
): Promise<void> => {
  let length = 0
  let told = 0
  for await (const piece of answer.body ?? []) {
    await write(piece)
    length += piece.length
    if (length - told < PROGRESS_BYTES) continue
    told = length
    say?.(`${Math.floor(length / 1024 / 1024)} MiB`)
  }
}

const wholeBody = async (answer: Response): Promise<Uint8Array> => {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of answer.body ?? []) {
    length += piece.length
    if (length > JSON_BODY_BYTES_MAX) throw new CommandError('ERR_USAGE', 'the answer is long: give --output FILE')
    pieces.push(piece)
  }
  return new Uint8Array(Buffer.concat(pieces))
}

const bodyJson = (body: Uint8Array) => {
  try {
    return { body: new TextDecoder('utf-8', { fatal: true }).decode(body) }
  } catch {
    return { bodyBase64: Buffer.from(body).toString('base64') }
  }
}

export const paymentText = ({ cost, asset, receipt, standing, vendor }: Payment): string => {
  const paid = `Paid ${receipt ? '' : 'at most '}${amountText(cost, asset)} to ${vendor}`
  return standing ? `${paid}, which says that ${amountText(standing.balance, asset)} are left` : paid
}

export const paymentJson = ({ vendor, account, asset, cost, receipt, standing }: Payment) => ({
  vendor,
  account,
  asset: asset.name,
  cost,
  receipt,
  standing,
})
