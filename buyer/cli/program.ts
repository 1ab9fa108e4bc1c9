/** The buyer's part of the `chrove` command. */
import type { Command } from 'commander'
import type { CommandContext } from '../../effects/command.ts'
import { addBuyCommand } from './buy.ts'
import { addChannelCommands } from './channels.ts'
import { addFetchCommand } from './fetch.ts'
import { addMarketCommands } from './market.ts'
import { addOrderCommands } from './orders.ts'
import { addPayCommands } from './pay.ts'
import { addPriceCommand } from './price.ts'
import { addProxyCommand } from './proxy.ts'
import { addSetupCommands } from './setup.ts'
import { addSendSignedCommand } from './signed.ts'

export const addBuyerCommands = (program: Command, context: CommandContext): void => {
  addSetupCommands(program, context)
  addMarketCommands(program, context)
  addBuyCommand(program, context)
  addOrderCommands(program, context)
  addSendSignedCommand(program, context)
  addProxyCommand(program, context)
  addPriceCommand(program, context)
  addFetchCommand(program, context)
  addPayCommands(program, context)
  addChannelCommands(program, context)
}
