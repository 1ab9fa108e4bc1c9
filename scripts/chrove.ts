/** Chrove's command line inside this process: the same commands as `chrove`, their JSON answers as values. */
import { Readable } from 'node:stream'
import { addDirectoryCommands } from '../indexer/cli/index.ts'
import { addVendorCommands } from '../vendor/cli/index.ts'
import { addBuyerCommands } from '../buyer/cli/program.ts'
import { runCommandLine } from '../effects/command.ts'
import { createNodeEffects } from '../effects/node.ts'
import type { Terminal } from '../effects/terminal.ts'
import { createUserFiles } from '../effects/user-files-node.ts'

export interface Chrove {
  /**
   * Runs a command to its end.
   * @returns what `--json` prints
   * @throws Error with the command's own message when it fails
   */
  run(...args: readonly string[]): Promise<Record<string, unknown>>
  /** Starts a command that serves; resolves with its first answer, and the command goes on. */
  serve(...args: readonly string[]): Promise<Serving>
}

export interface Serving {
  readonly answer: Record<string, unknown>
  /** Stops it politely. @throws Error when it failed while it served */
  stop(): Promise<void>
}

export interface ChroveOptions {
  readonly home: string
  readonly passphrase: string
  /** Private key of the account, for `init` and `import`. */
  readonly accountKey?: string
  /** Gets what commands say beside their answers. */
  readonly onSaid?: (text: string) => void
}

export const createChrove = ({ home, passphrase, accountKey, onSaid = () => {} }: ChroveOptions): Chrove => {
  const start = (
    args: readonly string[],
    signal: AbortSignal,
    onOut: (text: string) => void,
    onErr = onSaid,
  ): Promise<number> => {
    const terminal: Terminal = {
      out: async (result) => onOut(String(result)),
      err: onErr,
      interactive: false,
      input: () => Readable.from([]),
      ask: () => Promise.reject(new Error('nobody is here to be asked')),
      askSecret: () => Promise.reject(new Error('nobody is here to be asked')),
      confirm: () => Promise.resolve(false),
    }
    return runCommandLine(
      {
        arguments: [...args, '--json', '--home', home],
        environment: { CHROVE_PASSPHRASE: passphrase, CHROVE_PRIVATE_KEY: accountKey, CHROVE_LOG_LEVEL: 'error' },
        terminal,
        signal,
        userHome: home,
        userFiles: createUserFiles(),
        createEffects: createNodeEffects,
      },
      (program, context) => {
        addBuyerCommands(program, context)
        addVendorCommands(program, context)
        addDirectoryCommands(program, context)
      },
    )
  }
  const parse = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>
  const failure = (args: readonly string[], answer: Record<string, unknown>): Error =>
    new Error(`chrove ${args.join(' ')}: ${JSON.stringify(answer.error ?? answer)}`)

  return {
    async run(...args) {
      let text = ''
      const exitCode = await start(args, new AbortController().signal, (out) => (text += out))
      const answer = parse(text)
      if (exitCode !== 0) throw failure(args, answer)
      return answer
    },

    async serve(...args) {
      const stopping = new AbortController()
      const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>()
      let lastSaid = ''
      const onOut = (out: string): void => {
        const answer = parse(out)
        if (answer.ok === false) reject(failure(args, answer))
        else resolve(answer)
      }
      const ended = start(args, stopping.signal, onOut, (text) => onSaid((lastSaid = text)))
      ended.then(() => reject(new Error(`chrove ${args.join(' ')} ended before it served`)), reject)
      const answer = await promise
      return {
        answer,
        async stop() {
          stopping.abort(new Error('stopped'))
          if ((await ended) !== 0) throw new Error(`chrove ${args.join(' ')} failed while it served: ${lastSaid}`)
        },
      }
    },
  }
}
