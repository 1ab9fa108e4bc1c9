/** The directory as a program of its own: `node indexer/main.ts serve --rpc URL --registry 0x… --home DIR --port N`. */
import { runProcess } from '../effects/command-node.ts'
import { addServeCommand } from './cli/serve.ts'

await runProcess((program, context) => {
  program.description('index a Chrove registry and answer GraphQL about it')
  addServeCommand(program, context)
})
