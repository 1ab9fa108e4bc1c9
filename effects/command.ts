/**
 * What every Chrove command line shares: global options, results for people and for scripts, errors as one sentence
 * with a code, exit codes. What a command does is its own business.
 */
import { Command, CommanderError } from 'commander'
import { CommandError, EXIT_CODES, failureOf, type Failure } from './command-error.ts'
import { jsonLine, terminalSafe, type Output } from './command-output.ts'
import { readSettings, type Environment, type Settings } from './command-settings.ts'
import type { NodeEffects, NodeEffectsOptions } from './node.ts'
import type { Terminal } from './terminal.ts'
import type { UserFiles } from './user-files.ts'

/** One run of one command. */
export interface Session {
  readonly settings: Settings
  readonly effects: NodeEffects
  /** Aborts on Ctrl-C and on a polite kill. */
  readonly signal: AbortSignal
  readonly terminal: Terminal
  readonly environment: Environment
  /** The folder of `--home`. */
  readonly home: string
  /** Files that the person named. */
  readonly userFiles: UserFiles
  /** Progress for people, on standard error; made safe for a terminal. */
  say(text: string): void
  /** Prints the result of a command that goes on after it, once it is out of this process; others return theirs. */
  print(output: Output): Promise<void>
  /**
   * The passphrase from `CHROVE_PASSPHRASE`, else asked for.
   * @param fresh a new one: it is asked for twice
   * @throws ERR_PASSPHRASE_MISSING
   */
  passphrase(fresh: boolean): Promise<string>
  /**
   * Resolves when the person agrees.
   * @throws ERR_NOT_CONFIRMED when they do not, or nobody is there to be asked
   */
  confirm(question: string): Promise<void>
}

/** Does a command; `args` are its arguments and then its own options, as commander gives them. */
export type Action<Args extends readonly unknown[]> = (session: Session, ...args: Args) => Promise<Output | undefined>

export interface CommandContext {
  /** Wraps what a command does for commander's `.action()`. */
  action<Args extends readonly unknown[]>(
    act: Action<Args>,
    defaults?: ActionDefaults,
  ): (...given: unknown[]) => Promise<void>
}

export interface ActionDefaults {
  /** What the program logs unless the settings say otherwise; `warn` for commands, `info` for servers. */
  readonly logLevel?: NonNullable<NodeEffectsOptions['logLevel']>
  /** Options of the command that have a setting's name and are none: they are for the action alone. */
  readonly ownOptions?: readonly string[]
}

/** The process around a command line. */
export interface CommandWorld {
  /** Without the program's and the script's own path. */
  readonly arguments: readonly string[]
  readonly environment: Environment
  readonly terminal: Terminal
  readonly signal: AbortSignal
  /** The user's home folder. */
  readonly userHome: string
  readonly userFiles: UserFiles
  createEffects(options: NodeEffectsOptions): NodeEffects
}

/**
 * Runs one command line to its end.
 * @param build adds commands to the program
 * @returns the exit code, one of `EXIT_CODES`
 */
export const runCommandLine = async (
  world: CommandWorld,
  build: (program: Command, context: CommandContext) => void | Promise<void>,
): Promise<number> => {
  const { terminal } = world
  const wantsJson = world.arguments.includes('--json')
  let exitCode: number = EXIT_CODES.ok
  let hasPrinted = false
  const print = ({ json, text, ok = true }: Output): Promise<void> => {
    if (!ok) exitCode = EXIT_CODES.refused
    hasPrinted = true
    return terminal.out(wantsJson ? `${jsonLine({ ok, ...json })}\n` : `${terminalSafe(text)}\n`)
  }
  const context: CommandContext = {
    action:
      <Args extends readonly unknown[]>(act: Action<Args>, defaults: ActionDefaults = {}) =>
      async (...given: unknown[]) => {
        const command = given.at(-1) as Command
        const session = await openSession(world, command, print, defaults)
        const output = await act(session, ...(given.slice(0, -1) as unknown as Args))
        if (output) await print(output)
      },
  }

  const fail = async ({ code, message, exitCode: failed }: Failure): Promise<number> => {
    const sentence = terminalSafe(message).replaceAll('\n', ' ')
    // There is one JSON object on standard output.
    if (wantsJson && !hasPrinted) await terminal.out(`${jsonLine({ ok: false, error: { code, message: sentence } })}\n`)
    else terminal.err(`chrove: ${sentence} (${code})\n`)
    return failed
  }

  const program = globalOptions(new Command('chrove'), world)
  try {
    await build(program, context)
    guard(program, terminal)
    await program.parseAsync(world.arguments, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT_CODES.ok
      // commander has printed its help already when that is all that is wrong.
      const message = error.code === 'commander.help' ? 'a command is missing: see --help' : error.message
      return await fail({ code: 'ERR_USAGE', message: message.replace(/^error: /, ''), exitCode: EXIT_CODES.usage })
    }
    if (world.signal.aborted) {
      // Some commands have more to say than that.
      const isSaid = error instanceof CommandError && error.code === 'ERR_INTERRUPTED' && error !== world.signal.reason
      const message = isSaid ? error.message : 'interrupted; nothing that was paid for is lost'
      return await fail({ code: 'ERR_INTERRUPTED', message, exitCode: EXIT_CODES.interrupted })
    }
    const failure = failureOf(error)
    if (failure.exitCode === EXIT_CODES.bug) terminal.err(`${terminalSafe((error as Error).stack ?? '')}\n`)
    return await fail(failure)
  }
}

const globalOptions = (program: Command, { userHome }: CommandWorld): Command =>
  program
    .option('--json', 'print one JSON object instead of text')
    .option('--home <dir>', 'folder of keyring and settings (CHROVE_HOME)')
    .option(
      '--rpc <url>',
      'node of the chain; again for more nodes of it, used when one fails, and for a ws or wss URL over which one tells of new blocks (CHROVE_RPC)',
      addTo,
    )
    .option('--registry <address>', 'contract that lists vendors (CHROVE_REGISTRY)')
    .option('--directory <url>', 'directory to search (CHROVE_DIRECTORY)')
    .option('--proxy <socks5h-url>', 'SOCKS5 proxy, such as Tor, for all connections (CHROVE_PROXY)')
    .option('--log-level <level>', 'debug, info, warn, error or silent (CHROVE_LOG_LEVEL)')
    .addHelpText(
      'after',
      `
Settings come from options, then the environment, then config.json in the
home folder (${userHome}/.chrove unless --home is given).
The passphrase comes from CHROVE_PASSPHRASE, or is asked for.

Exit codes: 0 done, 1 refused, 2 wrong usage, 3 passing fault: try again,
70 a bug, 130 interrupted. Commands that serve until stopped end with 0.`,
    )

/** Gathers an option that may be given several times. */
export const addTo = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** Makes every command throw instead of exiting, and write through the terminal's door. */
const guard = (command: Command, terminal: Terminal): void => {
  command.exitOverride()
  command.configureOutput({
    writeOut: (text) => void terminal.out(text),
    writeErr: (text) => terminal.err(text),
    // Told once, by `fail`, in the form that was asked for.
    outputError: () => {},
    getOutHelpWidth: () => 80,
    getErrHelpWidth: () => 80,
  })
  for (const child of command.commands) {
    guard(child, terminal)
    if (child.commands.length === 0)
      child.addHelpText('after', '\nOptions of every command, settings and exit codes: chrove --help')
  }
}

const openSession = async (
  world: CommandWorld,
  command: Command,
  print: Session['print'],
  defaults: ActionDefaults,
): Promise<Session> => {
  const { environment, terminal, signal } = world
  const given = Object.entries(command.optsWithGlobals<Record<string, unknown>>())
  const options = Object.fromEntries(given.filter(([name]) => !defaults.ownOptions?.includes(name)))
  const home = (options.home as string | undefined) ?? (environment.CHROVE_HOME || `${world.userHome}/.chrove`)
  const service = 'chrove'
  // Settings are read from a file of the home folder, through a door that needs no settings.
  const { files } = world.createEffects({ service, home, logLevel: 'silent' })
  const settings = await readSettings(options, environment, files)
  const { rpc, proxy, logLevel = defaults.logLevel } = settings
  const effects = world.createEffects({
    service,
    home,
    ...(rpc === undefined ? {} : { rpc }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(logLevel === undefined ? {} : { logLevel }),
  })
  return {
    settings,
    effects,
    signal,
    terminal,
    environment,
    home,
    userFiles: world.userFiles,
    print,
    say: (text) => terminal.err(`${terminalSafe(text)}\n`),
    passphrase: (fresh) => readPassphrase(terminal, environment, fresh),
    confirm: async (question) => {
      if (!terminal.interactive) throw new CommandError('ERR_NOT_CONFIRMED', 'nobody is here to agree: add --yes')
      if (!(await terminal.confirm(terminalSafe(question))))
        throw new CommandError('ERR_NOT_CONFIRMED', 'not agreed; nothing was done')
    },
  }
}

const readPassphrase = async (terminal: Terminal, environment: Environment, fresh: boolean): Promise<string> => {
  const given = environment.CHROVE_PASSPHRASE
  if (given) return given
  if (!terminal.interactive) throw new CommandError('ERR_PASSPHRASE_MISSING', 'set CHROVE_PASSPHRASE to the passphrase')
  const typed = await terminal.askSecret(fresh ? 'New passphrase: ' : 'Passphrase: ')
  if (typed === '') throw new CommandError('ERR_PASSPHRASE_MISSING', 'a passphrase cannot be empty')
  if (fresh && typed !== (await terminal.askSecret('The same again: '))) {
    throw new CommandError('ERR_PASSPHRASE_MISSING', 'the two passphrases differ: try again')
  }
  return typed
}
