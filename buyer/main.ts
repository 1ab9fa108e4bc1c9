#!/usr/bin/env node
/** The `chrove` command: joins its parts, and this process. */
import { runProcess } from '../effects/command-node.ts'
import packageJson from '../package.json' with { type: 'json' }
import { createNativeRsa } from '../effects/rsa-node.ts'
import { addVendorClaimCommand } from '../gateway/cli/claim.ts'
import type { GatewayParts } from '../gateway/cli/open-gateway.ts'
import { addGatewayCommand } from '../gateway/cli/serve.ts'
import { openTabs } from '../gateway/cli/tabs.ts'
import { evmRails } from '../gateway/rails/evm/opener.ts'
import { nanoRails } from '../gateway/rails/nano/opener.ts'
import { addDirectoryCommands } from '../indexer/cli/index.ts'
import { vendorDesk } from '../vendor/cli/desk.ts'
import { openKeys, registeredVendor } from '../vendor/cli/home.ts'
import { addRelayCommands } from '../relay/cli/index.ts'
import { joinRelay } from '../relay/client/index.ts'
import { createSecureStream } from '../relay/client/secure-stream.ts'
import { addTransferCommands } from '../relay/transfer/cli/index.ts'
import { receiveOver, sendOver } from '../relay/transfer/cli/over.ts'
import { addRendezvousCommands } from '../rendezvous/cli/index.ts'
import { addVendorCommands } from '../vendor/cli/index.ts'
import { createNativeJose } from '../vendor/native-jose.ts'
import { addBuyerCommands } from './cli/program.ts'

await runProcess((program, context) => {
  program.description('Buy and sell access, paid on chain.').version(packageJson.version)
  addBuyerCommands(program, context)
  addVendorCommands(program, context)
  addVendorClaimCommand(program, context, vendorDesk)
  addDirectoryCommands(program, context)
  const gatewayParts: GatewayParts = {
    openKeys,
    vendorOf: registeredVendor,
    createJose: ({ effects }) => createNativeJose(createNativeRsa(), effects.random),
    openers: [evmRails, nanoRails],
  }
  addGatewayCommand(program, context, gatewayParts)
  addRelayCommands(program, context, (session, config) => openTabs(session, config, gatewayParts))
  addTransferCommands(program, context)
  const peerTools = { secure: createSecureStream, joinRelay, sendFiles: sendOver, receiveFiles: receiveOver }
  addRendezvousCommands(program, context, peerTools)
})
