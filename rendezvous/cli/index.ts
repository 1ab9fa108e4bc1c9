/** `chrove rendezvous …`, `chrove listen` and `chrove connect`. */
import type { Command } from 'commander'
import type { CommandContext } from '../../effects/command.ts'
import { addConnectCommand } from './connect.ts'
import { addIdentityCommands } from './identity.ts'
import { addListenCommand } from './listen.ts'
import { addServeCommand } from './serve.ts'
import type { CommandTools } from './tools.ts'

export const addRendezvousCommands = (program: Command, context: CommandContext, tools: CommandTools): void => {
  addListenCommand(program, context, tools)
  addConnectCommand(program, context, tools)
  const rendezvous = program.command('rendezvous').description('where clients find each other by UUID')
  addServeCommand(rendezvous, context)
  addIdentityCommands(rendezvous, context)
}
