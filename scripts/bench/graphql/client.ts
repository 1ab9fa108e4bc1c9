/**
 * Asks for pages over plain sockets, as fast as answers come: it builds no request twice and looks at no more of an
 * answer than its length, so that it is never what a server waits for.
 */
import { connect } from 'node:net'
import { pageBody } from './page.ts'

/** What the parent process wants asked. */
export interface Order {
  readonly port: number
  readonly connections: number
  /** One page after each of these vendors. */
  readonly vendorIds: readonly number[]
}

export interface Measurement {
  readonly seconds: number
  readonly latenciesMs: readonly number[]
}

const END_OF_HEAD = '\r\n\r\n'

const requestFor = (vendorId: number): Buffer => {
  const body = pageBody(vendorId)
  const head = [
    'POST /graphql HTTP/1.1',
    'host: bench',
    'accept: application/json',
    'content-type: application/json',
    `content-length: ${body.length}`,
  ]
  return Buffer.from(`${head.join('\r\n')}${END_OF_HEAD}${body}`)
}

const measure = async ({ port, connections, vendorIds }: Order): Promise<Measurement> => {
  const requests = vendorIds.map(requestFor)
  const latenciesMs: number[] = []
  let next = 0

  const worker = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1').setNoDelay()
      let sentAt = 0
      let received: Buffer[] = []
      let awaited = Number.POSITIVE_INFINITY
      let length = 0
      const ask = (): void => {
        const request = requests[next++]
        if (!request) return void socket.end(resolve)
        received = []
        length = 0
        awaited = Number.POSITIVE_INFINITY
        sentAt = performance.now()
        socket.write(request)
      }
      socket.on('connect', ask)
      socket.on('error', reject)
      socket.on('data', (chunk) => {
        received.push(chunk)
        length += chunk.length
        if (awaited === Number.POSITIVE_INFINITY) awaited = lengthOf(Buffer.concat(received))
        if (length < awaited) return
        latenciesMs.push(performance.now() - sentAt)
        ask()
      })
    })

  const startedAt = performance.now()
  await Promise.all(Array.from({ length: connections }, worker))
  return { seconds: (performance.now() - startedAt) / 1000, latenciesMs }
}

/** Bytes of the whole answer, once its head is there. */
const lengthOf = (received: Buffer): number => {
  const headLength = received.indexOf(END_OF_HEAD)
  if (headLength < 0) return Number.POSITIVE_INFINITY
  const head = received.toString('latin1', 0, headLength).toLowerCase()
  const [, length] = /\r\ncontent-length: (\d+)/.exec(head) ?? []
  if (!head.startsWith('http/1.1 200') || length === undefined) throw new Error(`not an answer: ${head}`)
  return headLength + END_OF_HEAD.length + Number(length)
}

process.on('message', (order: Order) => {
  measure(order).then(
    (measurement) => process.send?.(measurement),
    (error: unknown) => {
      throw error
    },
  )
})
