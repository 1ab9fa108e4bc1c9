/**
 * A WebSocket server on any byte stream, as much of RFC 6455 as a node's clients use: text both ways, pings, goodbyes. A
 * client that breaks the rules is cut off.
 */
import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'

/** RFC 6455 §1.3. */
const PROOF_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** Bytes of a request head, and of a message: those of a node's clients are short. */
const HEAD_BYTES_MAX = 8 * 1024
const MESSAGE_BYTES_MAX = 64 * 1024

const TEXT = 1
const CLOSE = 8
const PING = 9
const PONG = 10

export interface WebSocketClient {
  receive(text: string): void
  close(): void
}

const frame = (opcode: number, payload: Uint8Array): Buffer => {
  const { length } = payload
  if (length < 126) return Buffer.concat([Buffer.of(0x80 | opcode, length), payload])
  const head = Buffer.of(0x80 | opcode, 126, length >> 8, length & 255)
  if (length <= 0xffff) return Buffer.concat([head, payload])
  const long = Buffer.alloc(10)
  long[0] = 0x80 | opcode
  long[1] = 127
  long.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([long, payload])
}

interface Frame {
  readonly opcode: number
  readonly payload: Buffer
  /** What follows it. */
  readonly rest: Buffer
}

/** The first frame of these bytes; undefined until it is whole. @throws Error for one that no client may send */
const takeFrame = (bytes: Buffer): Frame | undefined => {
  if (bytes.length < 2) return undefined
  const [first = 0, second = 0] = bytes
  if ((first & 0xf0) !== 0x80 || (second & 0x80) === 0) throw new Error('not one whole, masked frame')
  const short = second & 127
  const at = short === 126 ? 4 : 2
  if (short === 127) throw new Error('too long')
  if (bytes.length < at) return undefined
  const length = short === 126 ? bytes.readUInt16BE(2) : short
  if (length > MESSAGE_BYTES_MAX) throw new Error('too long')
  const end = at + 4 + length
  if (bytes.length < end) return undefined
  const mask = bytes.subarray(at, at + 4)
  const payload = Buffer.from(bytes.subarray(at + 4, end).map((byte, place) => byte ^ (mask[place % 4] ?? 0)))
  return { opcode: first & 15, payload, rest: bytes.subarray(end) }
}

const handshake = (head: string): string => {
  const [, key] = /^sec-websocket-key: *(\S+)\r$/im.exec(head) ?? []
  if (key === undefined) throw new Error('not a handshake')
  const proof = createHash('sha1').update(`${key}${PROOF_SUFFIX}`).digest('base64')
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
  return [...lines, `Sec-WebSocket-Accept: ${proof}`, '', ''].join('\r\n')
}

/** Serves one connection until it ends. @param open makes the client's side of the protocol */
export const serveWebSocket = (stream: Duplex, open: (send: (text: string) => void) => WebSocketClient): void => {
  let bytes: Buffer = Buffer.alloc(0)
  let client: WebSocketClient | undefined
  const say = (opcode: number, payload: Uint8Array) => void (stream.writable && stream.write(frame(opcode, payload)))

  const begin = () => {
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0) {
      if (bytes.length > HEAD_BYTES_MAX) throw new Error('too long')
      return false
    }
    stream.write(handshake(bytes.subarray(0, end + 2).toString('latin1')))
    bytes = bytes.subarray(end + 4)
    client = open((text) => say(TEXT, Buffer.from(text)))
    return true
  }

  const take = () => {
    if (!client && !begin()) return
    for (let next = takeFrame(bytes); next; next = takeFrame(bytes)) {
      bytes = next.rest
      if (next.opcode === TEXT) client?.receive(next.payload.toString())
      else if (next.opcode === PING) say(PONG, next.payload)
      else if (next.opcode === CLOSE) {
        say(CLOSE, next.payload)
        stream.end()
      }
    }
  }

  stream.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    try {
      take()
    } catch {
      stream.destroy()
    }
  })
  stream.on('end', () => stream.end())
  stream.on('close', () => client?.close())
  stream.on('error', () => {})
}
