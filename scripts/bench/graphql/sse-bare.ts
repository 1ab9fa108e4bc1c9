/** What subscriptions are held against: a process that writes the same text to everyone who is connected. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Written between two looks at what comes in, as the directory has them of one block. */
const AT_ONCE = 20

const [, , text = ''] = process.argv
const frame = Buffer.from(text)
const readers = new Set<ServerResponse>()

const server = createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }).write(':\n\n')
  readers.add(response.once('close', () => readers.delete(response)))
})

const write = (events: number): void => {
  for (let i = 0; i < Math.min(events, AT_ONCE); i++) {
    for (const reader of readers) reader.write(frame)
  }
  if (events > AT_ONCE) setImmediate(write, events - AT_ONCE)
}

process.on('message', write)
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
