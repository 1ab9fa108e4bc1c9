/** Runs checks side by side; each keeps its output to itself until it is done. */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { delimiter, join } from 'node:path'

export interface Check {
  readonly name: string
  /** A program of the project's dependencies, or `node`, and its parameters. */
  readonly command: readonly [string, ...string[]]
  /** Does the same, and puts right what it can. */
  readonly fix?: readonly [string, ...string[]]
  /** It writes files that other checks read: it runs before them, alone. */
  readonly writes?: boolean
}

export interface Result {
  readonly name: string
  readonly ok: boolean
  readonly durationMs: number
  /** What the program said, standard error included. */
  readonly output: string
}

/**
 * Runs one check to its end.
 * @returns not ok, with the reason as output, also when the program cannot be started
 */
export const runCheck = (check: Check, root: string, fix: boolean): Promise<Result> => {
  const startedAtMs = performance.now()
  const [program, ...parameters] = (fix && check.fix) || check.command
  const child = spawn(program, parameters, {
    cwd: root,
    env: { ...process.env, PATH: [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const chunks: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => void chunks.push(text))
  }
  return new Promise((resolve) => {
    const end = (ok: boolean) => {
      const durationMs = Math.round(performance.now() - startedAtMs)
      resolve({ name: check.name, ok, durationMs, output: chunks.join('') })
    }
    child.once('error', (error) => {
      chunks.push(`${error.message}\n`)
      end(false)
    })
    child.once('close', (code) => end(code === 0))
  })
}

/**
 * Runs all checks: those that write one after the other, then as many at a time as there are processors.
 * @param onResult is told of each as soon as it is done
 * @returns results in the order of the checks
 */
export const runChecks = async (
  checks: readonly Check[],
  root: string,
  fix: boolean,
  onResult: (result: Result) => void,
): Promise<readonly Result[]> => {
  const results: Result[] = []
  const run = async (waiting: (readonly [number, Check])[]) => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [at, check] = next
      const result = await runCheck(check, root, fix)
      results[at] = result
      onResult(result)
    }
  }
  const isWriting = (check: Check) => check.writes === true || (fix && check.fix !== undefined)
  const entries = [...checks.entries()]
  await run(entries.filter(([, check]) => isWriting(check)))
  const reading = entries.filter(([, check]) => !isWriting(check))
  await Promise.all(Array.from({ length: availableParallelism() }, () => run(reading)))
  return results
}
