/** What a gateway adds to the command line. */
import type { Command } from 'commander'
import type { CommandContext } from '../../effects/command.ts'
import { addClaimCommand } from './claim.ts'

/** @param program has `chrove vendor` already */
export const addGatewayCommands = (program: Command, context: CommandContext): void => {
  const vendor = program.commands.find((command) => command.name() === 'vendor')
  if (vendor) addClaimCommand(vendor, context)
}
