#!/usr/bin/env node
/** The `chrove` command: joins its parts, and this process. */
import { runProcess } from '../effects/command-node.ts'
import packageJson from '../package.json' with { type: 'json' }
import { createNativeRsa } from '../effects/rsa-node.ts'
import { addGatewayCommand } from '../gateway/cli/serve.ts'
import { addDirectoryCommands } from '../indexer/cli/index.ts'
import { openKeys, registeredVendor } from '../vendor/cli/home.ts'
import { addVendorCommands } from '../vendor/cli/index.ts'
import { createNativeJose } from '../vendor/native-jose.ts'
import { addBuyerCommands } from './cli/program.ts'

await runProcess((program, context) => {
  program.description('Buy and sell access, paid on chain.').version(packageJson.version)
  addBuyerCommands(program, context)
  addVendorCommands(program, context)
  addDirectoryCommands(program, context)
  addGatewayCommand(program, context, {
    openKeys,
    vendorOf: registeredVendor,
    createJose: ({ effects }) => createNativeJose(createNativeRsa(), effects.random),
    openers: [],
  })
})
