/** `chrove relay …`: running a relay from a terminal. */
import type { Command } from 'commander'
import type { CommandContext } from '../../effects/command.ts'
import { addServeCommand, type OpenPayments } from './serve.ts'

export const addRelayCommands = (program: Command, context: CommandContext, openPayments: OpenPayments): void => {
  addServeCommand(
    program.command('relay').description('carry what others send to each other, and read none of it'),
    context,
    openPayments,
  )
}
