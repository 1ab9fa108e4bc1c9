/** The buyer's part of the `chrove` command. */
import type { Command } from 'commander'
import type { CommandContext } from '../../effects/command.ts'
import { addMarketCommands } from './market.ts'
import { addOrderCommands } from './orders.ts'
import { addPriceCommand } from './price.ts'
import { addProxyCommand } from './proxy.ts'
import { addSetupCommands } from './setup.ts'

export const addBuyerCommands = (program: Command, context: CommandContext): void => {
  addSetupCommands(program, context)
  addMarketCommands(program, context)
  addOrderCommands(program, context)
  addProxyCommand(program, context)
  addPriceCommand(program, context)
}
