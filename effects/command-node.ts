/** Puts a command line into the process it runs in. */
import { homedir } from 'node:os'
import process from 'node:process'
import type { Command } from 'commander'
import { CommandError, EXIT_CODES } from './command-error.ts'
import { runCommandLine, type CommandContext } from './command.ts'
import { createNodeEffects } from './node.ts'
import { createTerminal } from './terminal-node.ts'
import { createUserFiles } from './user-files-node.ts'

/**
 * Runs the process's command line and ends the process with its exit code. The first Ctrl-C asks the command to
 * stop, the second does not ask.
 */
export const runProcess = async (
  build: (program: Command, context: CommandContext) => void | Promise<void>,
): Promise<never> => {
  const controller = new AbortController()
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(EXIT_CODES.interrupted)
    controller.abort(new CommandError('ERR_INTERRUPTED', 'interrupted'))
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  // Whoever read our output, `head` for one, has had enough.
  process.stdout.on('error', () => process.exit(EXIT_CODES.ok))

  const exitCode = await runCommandLine(
    {
      arguments: process.argv.slice(2),
      environment: process.env,
      terminal: createTerminal(),
      signal: controller.signal,
      userHome: homedir(),
      userFiles: createUserFiles(),
      createEffects: createNodeEffects,
    },
    build,
  )
  // Kept-alive connections would hold the process open; what was written must be out first.
  await new Promise((resolve) => process.stdout.write('', resolve))
  process.exit(exitCode)
}
