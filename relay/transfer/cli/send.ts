/** `send`: files, folders, a text or standard input, to whoever is told the code. */
import type { Command } from 'commander'
import { renderUnicodeCompact } from 'uqr'
import { CommandError } from '../../../effects/command-error.ts'
import type { Output } from '../../../effects/command-output.ts'
import type { CommandContext, Session } from '../../../effects/command.ts'
import type { Offer } from '../../../protocol/transfer/messages.ts'
import type { LeftOut, Sendable } from '../source.ts'
import { interrupted, openTransfer, streamCount } from './options.ts'
import { createProgressBar } from './progress-bar.ts'
import { countText, totalsText } from './sizes.ts'

const STREAMS = 4

interface SendCommandOptions {
  readonly text?: string
  readonly streams: number
  readonly compress: boolean
  readonly qr?: boolean
}

export const addSendCommand = (program: Command, context: CommandContext): void => {
  program
    .command('send')
    .argument('[paths...]', 'files and folders; - for standard input')
    .description('send files, folders or a text to whoever you tell the code')
    .option('--text <text>', 'send this text instead')
    .option('--relay <url>', 'relay that joins the two of you (CHROVE_RELAY)')
    .option('--streams <count>', 'connections at once', streamCount, STREAMS)
    .option('--no-compress', 'send everything as it is')
    .option('--qr', 'show the code as a QR code, too')
    .addHelpText(
      'after',
      `
Tell the other person the code that is shown; they type \`chrove receive\`. The
relay sees neither the words of the code nor anything that is sent.

What is interrupted goes on: send the same again, and what has arrived is
compared and not sent twice. Links inside folders are left out. With --json
the code comes first, as one line, and the outcome as another.

Examples:
  $ chrove send photos report.pdf
  $ chrove send --text 'the key is under the mat'
  $ tar c project | chrove send -`,
    )
    .action(context.action(send))
}

const send = async (
  session: Session,
  paths: readonly string[],
  options: SendCommandOptions,
): Promise<Output | undefined> => {
  const { effects, terminal, signal, say } = session
  const sendable = sendableOf(session, paths, options)
  const transfer = openTransfer(session, options.streams)
  const bar = createProgressBar(effects.clock, terminal, say)
  let offered: { readonly offer: Offer; readonly leftOut: LeftOut } | undefined
  let printed: Promise<void> = Promise.resolve()
  try {
    const sent = await transfer.send(sendable, {
      compress: options.compress,
      onOffer: (offer, leftOut) => {
        offered = { offer, leftOut }
        say(`Sending ${offer.kind === 'text' ? 'a text' : totalsText(offer)}${leftOutText(leftOut)}`)
      },
      onCode: (code) => {
        printed = printCode(session, code, offered?.offer, options.qr === true)
      },
      onProgress: (progress) => bar.show(progress),
      onBroken: () => bar.say('The connection broke; waiting for it to come back. Ctrl-C ends, and nothing is lost'),
      signal,
    })
    await printed
    bar.clear()
    return { json: { sent: true, ...sent }, text: 'Sent: it has all arrived' }
  } catch (fault) {
    bar.clear()
    if (!signal.aborted) throw fault
    throw interrupted('what has arrived is kept there: send the same again, and tell them the new code')
  }
}

const sendableOf = ({ terminal }: Session, paths: readonly string[], { text }: SendCommandOptions): Sendable => {
  const ways = [text !== undefined, paths.includes('-'), paths.some((path) => path !== '-')]
  if (ways.filter(Boolean).length !== 1 || paths.filter((path) => path === '-').length > 1)
    throw new CommandError('ERR_USAGE', 'give files and folders, or - for standard input, or --text TEXT')
  if (text !== undefined) return { text }
  return paths[0] === '-' ? { stream: terminal.input(), name: 'stdin' } : { paths }
}

const printCode = async ({ print }: Session, code: string, offer: Offer | undefined, qr: boolean): Promise<void> => {
  if (!offer) throw new TypeError('what is offered is known before the code')
  const { kind, names, files, folders, bytes } = offer
  const lines = [`Code: ${code}`, `On the other machine: chrove receive ${code}`]
  await print({
    json: { code, kind, names, files, folders, bytes },
    text: [...(qr ? [renderUnicodeCompact(code)] : []), ...lines].join('\n'),
  })
}

const leftOutText = ({ links, others }: LeftOut): string => {
  const parts = [
    ...(links > 0 ? [countText(links, 'link')] : []),
    ...(others > 0 ? [`${others} that are neither file nor folder`] : []),
  ]
  return parts.length === 0 ? '' : `; left out: ${parts.join(', ')}`
}
