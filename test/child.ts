/** Programs of ours as processes of their own, which can be killed at any moment. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { serveHttp } from '../effects/http-server.ts'

export interface Ending {
  /** Null when it was killed. */
  readonly exitCode: number | null
  /** All of its standard output. */
  readonly said: string
  /** All of its standard error. */
  readonly complained: string
}

export interface Child {
  /** Of its process; undefined when it could not be started. */
  readonly pid: number | undefined
  /** The first line of its standard output, from JSON. @throws Error when it ends without one */
  readonly answer: Promise<Record<string, unknown>>
  /** Its standard output is gone, as if its terminal had been closed: what it says from now on reaches nobody. */
  hangUp(): void
  /** Resolves when it has ended, however that was. */
  readonly ended: Promise<Ending>
  /** kill -9; resolves when it has ended. */
  kill(): Promise<Ending>
}

/**
 * Starts a program of this project, with none of the settings of whoever runs the tests.
 * @param script its path from the root
 */
export const startChild = (
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Child => {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url))
  const child = spawn(process.execPath, [path, ...args], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  let complained = ''
  const killWithUs = () => child.kill('SIGKILL')
  process.once('exit', killWithUs)
  const ended = once(child, 'close').then(([exitCode]): Ending => {
    process.removeListener('exit', killWithUs)
    return { exitCode: exitCode as number | null, said, complained }
  })
  child.stderr.on('data', (chunk) => (complained += String(chunk)))
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      said += String(chunk)
      const [line = '', ...rest] = said.split('\n')
      if (rest.length > 0) resolve(line)
    })
    child.once('close', (code, signal) => {
      reject(new Error(`${script} ended without an answer (${code ?? signal}): ${complained}`))
    })
  })
  const answer = firstLine.then((line) => JSON.parse(line) as Record<string, unknown>)
  // It may be killed before anybody asks.
  answer.catch(() => {})
  return {
    pid: child.pid,
    answer,
    ended,
    hangUp: () => void child.stdout.destroy(),
    async kill() {
      child.kill('SIGKILL')
      return ended
    },
  }
}

export interface ChainTap {
  readonly url: string
  close(): Promise<void>
}

/**
 * A way to a chain that tells of every call: progress of a process, in steps that do not depend on the machine's speed.
 * @param onCall told before a call is passed on, and before its answer is passed back; what it waits for delays both.
 * `call` is the text of the call; where it answers a question itself, the chain is not asked
 */
export const tapChain = async (
  chainUrl: string,
  onCall: (side: 'question' | 'answer', count: number, call: string) => unknown,
): Promise<ChainTap> => {
  let count = 0
  const listener = await serveHttp(
    async (request) => {
      const mine = ++count
      const body = await request.text()
      const ownAnswer = await onCall('question', mine, body)
      if (ownAnswer instanceof Response) return ownAnswer
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(chainUrl, { method: 'POST', headers, body })
      const text = await answer.text()
      await onCall('answer', mine, body)
      return new Response(text, { status: answer.status, headers })
    },
    { host: '127.0.0.1', port: 0 },
  )
  return { url: `http://127.0.0.1:${listener.address.port}`, close: () => listener.close() }
}
