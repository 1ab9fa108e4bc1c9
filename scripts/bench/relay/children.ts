/** The processes that are measured: the relay as it is served, a bare pipe of Node, and socat. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import packageJson from '../../../package.json' with { type: 'json' }

const root = join(import.meta.dirname, '../../..')

export interface Program {
  readonly process: ChildProcess
  /** The first line that it said, from JSON. */
  readonly said: Readonly<Record<string, unknown>>
}

/** @param args of node */
export const startProgram = async (args: readonly string[]): Promise<Program> => {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code}`)))
  })
  return { process: child, said: JSON.parse(line) as Record<string, unknown> }
}

/** As `npm run relay -- serve` starts it, with bounds that one machine does not reach. */
export const startRelay = (home: string): Promise<Program> => {
  const [, ...program] = packageJson.scripts.relay.split(' ')
  const many = '1000000'
  const bounds = ['--channels-per-address', many, '--joins-per-minute', many, '--requests-per-minute', many]
  const serve = ['serve', '--home', home, '--port', '0', '--ports', '0,0,0,0', '--log-level', 'error', '--json']
  return startProgram([...program, ...serve, ...bounds])
}

export const startBarePipe = (): Promise<Program> => startProgram([join(import.meta.dirname, 'bare-pipe.ts')])

export const isSocatThere = (): boolean => spawnSync('socat', ['-V']).status === 0

/** One that passes all that comes to `from` on to `to`, in a process of its own for each connection, as it does by default. */
export const startSocat = (from: number, to: number): ChildProcess =>
  spawn('socat', [`TCP4-LISTEN:${from},bind=127.0.0.1,reuseaddr,fork`, `TCP4:127.0.0.1:${to}`], { stdio: 'inherit' })

/** @see proc(5), statm */
export const rssKiB = ({ pid }: ChildProcess): number =>
  Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4
