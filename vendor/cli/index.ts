/** `chrove vendor …`: everything a vendor does from a terminal. */
import type { Command } from 'commander'
import type { CommandContext } from '../../effects/command.ts'
import { addPlanCommands } from './plan.ts'
import { addRefundCommand } from './refund.ts'
import { addRotateKeysCommand } from './rotate-keys.ts'
import { addServeCommand } from './serve.ts'
import { addSetupCommands } from './setup.ts'
import { addStatusCommand } from './status.ts'
import { addWithdrawCommand } from './withdraw.ts'

export const addVendorCommands = (program: Command, context: CommandContext): void => {
  const vendor = program.command('vendor').description('sell: register, set prices, serve, get paid')
  addSetupCommands(vendor, context)
  addPlanCommands(vendor, context)
  addServeCommand(vendor, context)
  addStatusCommand(vendor, context)
  addWithdrawCommand(vendor, context)
  addRefundCommand(vendor, context)
  addRotateKeysCommand(vendor, context)
}
