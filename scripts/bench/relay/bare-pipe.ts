/** What the relay is held against: a process that joins two connections with Node's own `pipe`, and does nothing else. */
import { createServer, type AddressInfo, type Socket } from 'node:net'

let waiting: Socket | undefined

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  if (waiting === undefined) {
    waiting = socket
    return
  }
  const other = waiting
  waiting = undefined
  socket.pipe(other)
  other.pipe(socket)
})

server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`)
})
