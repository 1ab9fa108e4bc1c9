/** `receive`: what somebody sends, into a folder, to standard output, or on the screen if it is a text. */
import type { Command } from 'commander'
import { CommandError } from '../../../effects/command-error.ts'
import type { Output } from '../../../effects/command-output.ts'
import type { CommandContext, Session } from '../../../effects/command.ts'
import { utf8 } from '../../../protocol/bytes.ts'
import { CHANNEL_STREAMS_MAX } from '../../../protocol/limits.ts'
import { completeCode } from '../../../protocol/relay/code.ts'
import type { Received, ReceiveOptions } from '../receive.ts'
import { accept, type AcceptOptions } from './accept.ts'
import { interrupted, openTransfer } from './options.ts'
import { createProgressBar } from './progress-bar.ts'
import { totalsText } from './sizes.ts'

interface ReceiveCommandOptions extends AcceptOptions {
  readonly out: string
  readonly stdout?: boolean
}

export const addReceiveCommand = (program: Command, context: CommandContext): void => {
  program
    .command('receive')
    .argument('[code]', 'what the sender tells you; asked for without it')
    .description('receive what somebody sends')
    .option('--relay <url>', 'relay of the sender (CHROVE_RELAY)')
    .option('--out <folder>', 'where it goes', '.')
    .option('--stdout', 'write the content of the one file to standard output')
    .option('--yes', 'do not ask whether to receive it')
    .option('--overwrite', 'let files that arrive take the place of those that are there')
    .option('--resume', 'go on with what an earlier attempt left, without asking')
    .addHelpText(
      'after',
      `
Nothing that exists is touched unless you say so, and nothing is put anywhere
but into the one folder. What arrives is gathered in a hidden folder there until
it is whole. After an interruption let the same be sent again and receive into
the same folder: it goes on where it was.

Typing the code, the tab key completes its words.

Examples:
  $ chrove receive 7-mustard-reunion
  $ chrove receive 7-mustard-reunion --out Downloads --yes
  $ chrove receive 7-mustard-reunion --stdout --yes | tar x`,
    )
    .action(context.action(receive))
}

const receive = async (
  session: Session,
  given: string | undefined,
  options: ReceiveCommandOptions,
): Promise<Output | undefined> => {
  const { effects, terminal, signal, say } = session
  const transfer = openTransfer(session, CHANNEL_STREAMS_MAX)
  const code = given ?? (await askCode(session))
  const bar = createProgressBar(effects.clock, terminal, say)
  const into: ReceiveOptions['into'] = options.stdout
    ? { give: (bytes) => terminal.out(bytes) }
    : { folder: options.out }
  try {
    const received = await transfer.receive(code, {
      into,
      accept: (proposal) => accept(session, proposal, options),
      onProgress: (progress) => bar.show(progress),
      onBroken: () => bar.say('The connection broke; waiting for it to come back. Ctrl-C ends, and nothing is lost'),
      signal,
    })
    bar.clear()
    return await outputOf(session, received, options)
  } catch (fault) {
    bar.clear()
    if (!signal.aborted) throw fault
    throw interrupted('what has arrived is kept: let the same be sent again, and receive it into the same folder')
  }
}

const askCode = ({ terminal }: Session): Promise<string> => {
  if (terminal.interactive) return terminal.ask('Code: ', completeCode)
  throw new CommandError('ERR_USAGE', 'give the code that the sender tells you')
}

export const outputOf = async (
  { terminal, say }: Session,
  received: Received,
  { stdout, out }: ReceiveCommandOptions,
): Promise<Output | undefined> => {
  const { text, ...rest } = received
  if (!received.confirmed) say('It has all arrived, but the sender could not be told so')
  if (stdout) {
    if (text !== undefined) await terminal.out(utf8(text))
    return undefined
  }
  return text === undefined
    ? { json: { folder: out, ...rest }, text: `Received ${totalsText(received)} into ${out}` }
    : { json: { text, ...rest }, text: text.replaceAll('\t', '    ') }
}
