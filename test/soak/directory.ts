/** The directory as a process of its own, killed and started again. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild, type Child } from '../child.ts'
import type { Run } from './run.ts'

export const SAMPLE_MS = 10_000
/** Of pino. */
const LEVEL_ERROR = 50

export interface KeptDirectory {
  readonly url: string
  /** Numbers the life under way; undefined while there is none. */
  life(): number | undefined
  /** kill -9, and after a while the next life. Resolves when that serves. */
  restart(awayMs: number): Promise<void>
  /** kill -9, for good. */
  close(): Promise<void>
}

/** Resolves when it serves. */
export const keepDirectory = async (port: number, args: readonly string[], run: Run): Promise<KeptDirectory> => {
  let lives = 0
  let serving: number | undefined
  let doomed = false
  let child: Child

  const start = async (): Promise<void> => {
    doomed = false
    child = startChild('indexer/main.ts', ['serve', '--json', '--port', String(port), ...args])
    const { pid, ended, answer } = child
    const samples: number[] = []
    run.rssMiB.push(samples)
    const sampling = setInterval(() => {
      if (!doomed) samples.push(residentMiB(pid))
    }, SAMPLE_MS)
    void ended.then(({ exitCode, complained }) => {
      clearInterval(sampling)
      serving = undefined
      if (!doomed) run.isWrong(`the directory ended by itself (${exitCode}): ${complained.slice(-500)}`)
      readComplaints(complained, run)
    })
    await answer
    serving = ++lives
  }
  const kill = async (): Promise<void> => {
    doomed = true
    serving = undefined
    await child.kill()
  }

  await start()
  return {
    url: `http://127.0.0.1:${port}/graphql`,
    life: () => serving,
    async restart(awayMs) {
      await kill()
      run.counts.restarts++
      await sleep(awayMs)
      await start()
    },
    close: kill,
  }
}

const residentMiB = (pid: number | undefined): number => {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kib) / 1024)
}

/** Every line has to be an event of the log, and none an error; the last one may be cut off by kill -9. */
const readComplaints = (complained: string, run: Run): void => {
  for (const line of complained.split('\n').slice(0, -1)) {
    const { level, event } = asEvent(line)
    run.see(`log: ${event}`)
    if (level >= LEVEL_ERROR) run.isWrong(`standard error: ${line}`)
  }
}

const asEvent = (line: string): { readonly level: number; readonly event: string } => {
  try {
    return JSON.parse(line) as { level: number; event: string }
  } catch {
    return { level: LEVEL_ERROR, event: 'no event' }
  }
}
