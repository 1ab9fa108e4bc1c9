/** The story that `npm start` tells: chapters, the commands in them, and the real values they brought. */

export interface Story {
  chapter(title: string): void
  /** A command as a person would type it. */
  command(line: string): void
  /** A named value; further lines of it are indented. */
  fact(name: string, value: string): void
  /** Runs a step and remembers how long it took. */
  timed<T>(step: string, work: () => Promise<T>): Promise<T>
  /** Milliseconds of each step so far, and of all since the start. */
  timingsMs(): Readonly<Record<string, number>>
}

const NAME_WIDTH = 14

export const createStory = (write: (text: string) => void): Story => {
  const startedAt = performance.now()
  const timings = new Map<string, number>()
  let chapters = 0
  return {
    chapter: (title) => write(`\n${++chapters}. ${title}\n`),
    command: (line) => write(`   $ ${line}\n`),
    fact: (name, value) => {
      const [first = '', ...more] = value.split('\n')
      write(`   ${name.padEnd(NAME_WIDTH)} ${first}\n`)
      for (const line of more) write(`   ${''.padEnd(NAME_WIDTH)} ${line}\n`)
    },
    async timed(step, work) {
      const before = performance.now()
      const result = await work()
      timings.set(step, Math.round(performance.now() - before))
      return result
    },
    timingsMs: () => ({ ...Object.fromEntries(timings), total: Math.round(performance.now() - startedAt) }),
  }
}
