/** `chrove send` and `chrove receive`. */
import type { Command } from 'commander'
import type { CommandContext } from '../../../effects/command.ts'
import { addReceiveCommand } from './receive.ts'
import { addSendCommand } from './send.ts'

export const addTransferCommands = (program: Command, context: CommandContext): void => {
  addSendCommand(program, context)
  addReceiveCommand(program, context)
}
