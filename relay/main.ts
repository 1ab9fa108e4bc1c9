/**
 * The relay as a program of its own: `npm run relay -- serve --home DIR`. What passes leaves next to no garbage, so that a
 * small young generation is enough, and a pair of connections costs what it holds.
 */
import { runProcess } from '../effects/command-node.ts'
import { addServeCommand } from './cli/serve.ts'

await runProcess((program, context) => {
  program.description('carry what others send to each other, and read none of it')
  addServeCommand(program, context)
})
