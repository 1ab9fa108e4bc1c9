/** The terminal of this process. */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { CommandError } from './command-error.ts'
import type { Terminal } from './terminal.ts'

export const createTerminal = (): Terminal => ({
  out: (result) =>
    new Promise((resolve, reject) => {
      process.stdout.write(result, (error) => (error ? reject(error) : resolve()))
    }),
  err: (text) => void process.stderr.write(text),
  interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  input: () => process.stdin,
  ask: (question, complete) => readLine(process.stderr, question, complete),
  askSecret: async (question) => {
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
    const typed = readLine(silent, '')
    // Asked only now that the terminal no longer echoes by itself.
    process.stderr.write(question)
    const line = await typed
    process.stderr.write('\n')
    return line
  },
  confirm: async (question) => /^y(es)?$/i.test((await readLine(process.stderr, `${question} [y/N] `)).trim()),
})

/** One line, edited where `echo` shows it. Ctrl-C and the end of input are an interruption. */
const readLine = (
  echo: Writable,
  question: string,
  complete: (typed: string) => readonly string[] = () => [],
): Promise<string> =>
  new Promise((resolve, reject) => {
    const completer = (typed: string): [string[], string] => [[...complete(typed)], typed]
    const reader = createInterface({ input: process.stdin, output: echo, terminal: true, completer })
    const stop = () => reject(new CommandError('ERR_INTERRUPTED', 'interrupted; nothing was done'))
    const interrupt = () => reader.close()
    // Ctrl-C comes as a key, or as a signal when it was pressed before the terminal was ours.
    reader.once('SIGINT', interrupt)
    process.once('SIGINT', interrupt)
    reader.once('close', () => process.off('SIGINT', interrupt))
    reader.once('close', stop)
    reader.question(question, (line) => {
      reader.off('close', stop)
      reader.close()
      resolve(line)
    })
  })
