/** Subscribers over plain sockets, which count what they are told. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** What the parent process wants: connections to a port, or to know when each has been told so many more events. */
export type SseOrder = { readonly port: number; readonly subscribers: number } | { readonly events: number }

/** Begins an event, and is in no data. */
const EVENT = Buffer.from('event: next\n')

const [, , subscription = ''] = process.argv
const request = [
  `GET /graphql?query=${encodeURIComponent(subscription)} HTTP/1.1`,
  ...['host: bench', 'accept: text/event-stream', '', ''],
].join('\r\n')

interface Subscriber {
  readonly socket: Socket
  told: number
  /** The end of what came, which may begin an event. */
  rest: Buffer
}

let subscribers: Subscriber[] = []
let awaited = Number.POSITIVE_INFINITY
let behind = 0

const count = (subscriber: Subscriber, chunk: Buffer): void => {
  const bytes = Buffer.concat([subscriber.rest, chunk])
  const before = subscriber.told
  let at = 0
  for (let found = bytes.indexOf(EVENT); found >= 0; found = bytes.indexOf(EVENT, at)) {
    subscriber.told++
    at = found + EVENT.length
  }
  subscriber.rest = bytes.subarray(Math.max(at, bytes.length - EVENT.length + 1))
  if (before < awaited && subscriber.told >= awaited && --behind === 0) process.send?.('told')
}

const subscribe = async (port: number, how: number): Promise<void> => {
  for (const { socket } of subscribers) socket.destroy()
  subscribers = await Promise.all(
    Array.from({ length: how }, async () => {
      const socket = connect(port, '127.0.0.1').setNoDelay()
      await once(socket, 'connect')
      socket.write(request)
      const [first] = (await once(socket, 'data')) as [Buffer]
      const subscriber: Subscriber = { socket, told: 0, rest: first.subarray(0, 0) }
      socket.on('data', (chunk) => count(subscriber, chunk))
      return subscriber
    }),
  )
  process.send?.('subscribed')
}

process.on('message', (order: SseOrder) => {
  if ('port' in order) return void subscribe(order.port, order.subscribers)
  awaited = (subscribers[0]?.told ?? 0) + order.events
  behind = subscribers.length
  process.send?.('waiting')
})
