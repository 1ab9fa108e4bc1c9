/** A relay, and people who send and receive through it, each in a process of their own. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, startChild } from '../child.ts'

const MAIN = 'buyer/main.ts'

export interface People {
  /** A folder for the files of all. */
  readonly folder: string
  /** Sends; `answer` has the code. */
  send(...args: readonly string[]): Child
  receive(...args: readonly string[]): Child
  close(): Promise<void>
}

export const gatherPeople = async (): Promise<People> => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-transfer-'))
  const environment = { HOME: folder, CHROVE_HOME: join(folder, 'home') }
  const relay = startChild(MAIN, ['relay', 'serve', '--port', '0', '--ports', '0,0', '--json'], environment)
  const { url } = await relay.answer
  const start = (...args: readonly string[]) => startChild(MAIN, args, { ...environment, CHROVE_RELAY: String(url) })
  return {
    folder,
    send: (...args) => start('send', '--json', ...args),
    receive: (...args) => start('receive', ...args),
    async close() {
      await relay.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The code that a sender has been given. */
export const codeOf = async (sender: Child): Promise<string> => String((await sender.answer).code)

/** Bytes of a file that is on its way into a folder; 0 before there is one. */
export const arrivedIn = async (folder: string, name: string): Promise<number> => {
  const hidden = (await readdir(folder)).find((each) => each.startsWith('.chrove-'))
  if (hidden === undefined) return 0
  return stat(join(folder, hidden, 'tree', name)).then(
    ({ size }) => size,
    () => 0,
  )
}
