/**
 * Events told to subscribers by a directory whose vendors change, and the same bytes written by a bare server, turn by
 * turn.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { median } from './median.ts'
import type { SseOrder } from './sse-client.ts'

const SUBSCRIPTION = `subscription { vendorChanged {
  id retracted vendorId vendor { version active profile { title serviceTypes } } evidence { blockNumber logIndex } } }`

const SUBSCRIBERS = 100
const EVENTS_PER_ROUND = 400
const ROUNDS = 7
const WARM_UP_ROUNDS = 2

export interface SseRates {
  /** Events per second, of all subscribers together. */
  readonly directory: number
  readonly bare: number
}

/** @param keepApart gives servers and client processors of their own */
export const benchSse = async (
  folder: string,
  execArgv: readonly string[],
  keepApart: (servers: readonly ChildProcess[], client: ChildProcess) => void,
): Promise<SseRates> => {
  const children: ChildProcess[] = []
  const start = (program: URL, argument: string): ChildProcess => {
    const child = fork(program, [argument], { execArgv: [...execArgv] })
    children.push(child)
    return child
  }
  try {
    const directory = start(new URL('sse-directory.ts', import.meta.url), folder)
    const [directoryPort] = (await once(directory, 'message')) as [number]
    const bare = start(new URL('sse-bare.ts', import.meta.url), await frameOf(directory, directoryPort))
    const [barePort] = (await once(bare, 'message')) as [number]
    const client = start(new URL('sse-client.ts', import.meta.url), SUBSCRIPTION)
    keepApart([directory, bare], client)

    const measure = async (server: ChildProcess, port: number): Promise<number> => {
      const tell = async (order: SseOrder) => {
        client.send(order)
        await once(client, 'message')
      }
      await tell({ port, subscribers: SUBSCRIBERS })
      await tell({ events: EVENTS_PER_ROUND })
      const startedAt = performance.now()
      server.send(EVENTS_PER_ROUND)
      await once(client, 'message')
      return (SUBSCRIBERS * EVENTS_PER_ROUND * 1000) / (performance.now() - startedAt)
    }
    const rates: SseRates[] = []
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
      const rate = { directory: await measure(directory, directoryPort), bare: await measure(bare, barePort) }
      if (round >= 0) rates.push(rate)
    }
    return { directory: median(rates.map((rate) => rate.directory)), bare: median(rates.map((rate) => rate.bare)) }
  } finally {
    for (const child of children) child.kill('SIGTERM')
  }
}

/** An event as the directory tells it. */
const frameOf = async (directory: ChildProcess, port: number): Promise<string> => {
  const url = `http://127.0.0.1:${port}/graphql?query=${encodeURIComponent(SUBSCRIPTION)}`
  const response = await fetch(url, { headers: { accept: 'text/event-stream' } })
  directory.send(20)
  let text = ''
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    text += new TextDecoder().decode(chunk)
    const frame = /event: next\n[^]*?\n\n/.exec(text)?.[0]
    if (frame) return frame
  }
  throw new Error('the directory told nothing')
}
