/** Connections that cost the one who measures as little as Node allows. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

const READ_BYTES = 1024 * 1024
const WRITE_BYTES = 1024 * 1024
/** Of all connections: what comes is counted, and not kept. */
const buffer = new Uint8Array(READ_BYTES)

export interface Sink {
  readonly socket: Socket
  /** Bytes so far. */
  received(): number
  /** The first bytes, up to 64, for handshakes. */
  first(): Uint8Array
  /** Resolves when so many have come in all. */
  until(bytes: number): Promise<void>
}

/** A connection that reads into one buffer and counts. */
export const openSink = async (port: number): Promise<Sink> => {
  let received = 0
  let wanted = Infinity
  let wake = () => {}
  const first = new Uint8Array(64)
  const callback = (count: number, bytes: Uint8Array): boolean => {
    if (received < first.length) first.set(bytes.subarray(0, Math.min(count, first.length - received)), received)
    received += count
    if (received >= wanted) wake()
    return true
  }
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer, callback } })
  socket.on('error', () => socket.destroy())
  await once(socket, 'connect')
  return {
    socket,
    received: () => received,
    first: () => first,
    async until(bytes) {
      if (received >= bytes) return
      wanted = bytes
      await Promise.race([
        new Promise<void>((resolve) => (wake = resolve)),
        once(socket, 'close').then(() => {
          throw new Error(`the connection closed after ${received} bytes`)
        }),
      ])
      wanted = Infinity
    },
  }
}

/** Writes so many bytes, no faster than they are taken. */
export const pour = async (socket: Socket, bytes: number): Promise<void> => {
  const piece = Buffer.alloc(WRITE_BYTES, 1)
  for (let left = bytes; left > 0; left -= piece.length) {
    const isTaken = socket.write(left < piece.length ? piece.subarray(0, left) : piece)
    if (!isTaken) await once(socket, 'drain')
  }
}

/** What socat connects to: counts what comes, all connections together. */
export const countingServer = async (): Promise<{
  readonly port: number
  readonly server: Server
  until(bytes: number): Promise<void>
}> => {
  let received = 0
  let wanted = Infinity
  let wake = () => {}
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      received += chunk.length
      if (received >= wanted) wake()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    server,
    async until(bytes) {
      wanted = bytes
      if (received < wanted) await new Promise<void>((resolve) => (wake = resolve))
      received = 0
    },
  }
}
