/** `chrove directory …`: running a directory from a terminal. */
import type { Command } from 'commander'
import type { CommandContext } from '../../effects/command.ts'
import { addServeCommand } from './serve.ts'

export const addDirectoryCommands = (program: Command, context: CommandContext): void => {
  addServeCommand(program.command('directory').description('index a registry and answer GraphQL about it'), context)
}
