#!/usr/bin/env node
/** The `chrove` command: joins its parts, and this process. */
import { runProcess } from '../effects/command-node.ts'
import packageJson from '../package.json' with { type: 'json' }
import { addDirectoryCommands } from '../indexer/cli/index.ts'
import { addRelayCommands } from '../relay/cli/index.ts'
import { joinRelay } from '../relay/client/index.ts'
import { createSecureStream } from '../relay/client/secure-stream.ts'
import { addTransferCommands } from '../relay/transfer/cli/index.ts'
import { receiveOver, sendOver } from '../relay/transfer/cli/over.ts'
import { addRendezvousCommands } from '../rendezvous/cli/index.ts'
import { addVendorCommands } from '../vendor/cli/index.ts'
import { addBuyerCommands } from './cli/program.ts'

await runProcess((program, context) => {
  program.description('Buy and sell access, paid on chain.').version(packageJson.version)
  addBuyerCommands(program, context)
  addVendorCommands(program, context)
  addDirectoryCommands(program, context)
  addTransferCommands(program, context)
  addRelayCommands(program, context)
  const peerTools = { secure: createSecureStream, joinRelay, sendFiles: sendOver, receiveFiles: receiveOver }
  addRendezvousCommands(program, context, peerTools)
})
