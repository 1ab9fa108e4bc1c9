/** The project's Solidity compiler in as many threads as there are processors. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { SourceUnit } from 'solidity-ast'

export interface Input {
  readonly language: string
  readonly sources: Readonly<Record<string, { readonly content: string }>>
  readonly settings: Readonly<Record<string, unknown>>
}

export interface CompileError {
  readonly message: string
  readonly severity: 'error' | 'warning' | 'info'
  readonly sourceLocation?: { readonly file: string; readonly start: number; readonly end: number }
}

interface Bytecode {
  readonly object: string
}

export interface Output {
  readonly errors?: readonly CompileError[]
  readonly sources?: Readonly<Record<string, { readonly ast?: SourceUnit }>>
  readonly contracts?: Readonly<
    Record<
      string,
      Record<string, { readonly evm: { readonly bytecode: Bytecode; readonly deployedBytecode: Bytecode } }>
    >
  >
}

export interface Compiler {
  /** Takes its turn; the input is made only then, so that few are held at a time. */
  compile(input: () => Input): Promise<Output>
  close(): Promise<void>
}

interface Job {
  readonly input: () => Input
  readonly resolve: (output: Output) => void
  readonly reject: (reason: unknown) => void
}

export const openCompiler = (): Compiler => {
  const jobs: Job[] = []
  const workers = new Set<Worker>()
  const idle: Worker[] = []
  const dispatch = () => {
    for (let job = jobs[0]; job && (idle.length > 0 || workers.size < availableParallelism()); job = jobs[0]) {
      jobs.shift()
      give(idle.pop() ?? start(), job)
    }
  }
  const start = () => {
    const worker = new Worker(new URL('compiler-worker.ts', import.meta.url))
    workers.add(worker)
    return worker
  }
  const give = (worker: Worker, { input, resolve, reject }: Job) => {
    const done = () => {
      worker.off('message', succeed).off('error', fail)
      dispatch()
    }
    const succeed = (output: string) => {
      idle.push(worker)
      done()
      resolve(JSON.parse(output) as Output)
    }
    const fail = (error: unknown) => {
      workers.delete(worker)
      done()
      reject(error)
    }
    worker.once('message', succeed).once('error', fail)
    worker.postMessage(JSON.stringify(input()), [])
  }
  return {
    compile: (input) =>
      new Promise((resolve, reject) => {
        jobs.push({ input, resolve, reject })
        dispatch()
      }),
    close: async () => {
      await Promise.all([...workers].map((worker) => worker.terminate()))
    },
  }
}

export const errorsOf = ({ errors = [] }: Output): readonly CompileError[] =>
  errors.filter(({ severity }) => severity === 'error')
