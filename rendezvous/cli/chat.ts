/** A chat: lines from standard input to the other side, and its lines to the terminal, until both have said enough. */
import type { Session } from '../../effects/command.ts'
import { utf8 } from '../../protocol/bytes.ts'
import { cleanText } from '../../protocol/text.ts'
import type { PeerStream } from '../client/effects.ts'

/** Longer lines go in pieces, UTF-16 units. */
const LINE_LENGTH_MAX = 16 * 1024

/**
 * Resolves when both sides have ended; ours ends with its input, and at a terminal with the other side.
 * @throws what the stream throws when it breaks
 */
export const chat = async (session: Session, stream: PeerStream): Promise<void> => {
  const { terminal, signal, print } = session
  const stop = () => stream.close()
  signal.addEventListener('abort', stop)
  const talk = async () => {
    for await (const line of linesOf(terminal.input())) await stream.send(utf8(line))
    await stream.end()
  }
  const listen = async () => {
    for (;;) {
      const record = await stream.receive()
      if (record === undefined) return
      const text = cleanText(record)
      await print({ json: { text }, text })
    }
  }
  const talking = talk()
  try {
    // Whoever has nothing more to say still listens. A person at a terminal would not notice that the other has gone.
    const talkedEnough = terminal.interactive ? talking.then(() => new Promise<never>(() => {})) : talking
    await (terminal.interactive ? Promise.race([listen(), talkedEnough]) : Promise.all([listen(), talkedEnough]))
  } finally {
    signal.removeEventListener('abort', stop)
    talking.catch(() => {})
    await stream.end().catch(() => {})
    stream.close()
  }
}

/** Lines without what ends them; the last one may have no end. */
async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of input) {
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield* piecesOf(line.replace(/\r$/, ''))
    if (rest.length <= LINE_LENGTH_MAX) continue
    yield* piecesOf(rest)
    rest = ''
  }
  if (rest !== '') yield* piecesOf(rest)
}

function* piecesOf(line: string): Generator<string> {
  for (let at = 0; at === 0 || at < line.length; at += LINE_LENGTH_MAX) yield line.slice(at, at + LINE_LENGTH_MAX)
}
