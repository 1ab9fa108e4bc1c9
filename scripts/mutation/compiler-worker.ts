/** One thread of the compiler: standard JSON in, standard JSON out. */
import { createRequire } from 'node:module'
import { parentPort } from 'node:worker_threads'

const { compile } = createRequire(import.meta.url)('solc') as { compile: (input: string) => string }

parentPort?.on('message', (input: string) => parentPort?.postMessage(compile(input), []))
