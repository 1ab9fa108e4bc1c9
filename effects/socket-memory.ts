/**
 * Sockets that read into memory of ours. Node allocates 64 KiB whenever a socket has something to read; in a program of
 * some size it is collecting them that takes most of the time. What `onread` does for sockets while they connect is done
 * here for those that stand already.
 * @see node:net, `new net.Socket([options])`
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** As much as the system gives at once. */
export const READ_BYTES = 64 * 1024

type Internals = Record<symbol, unknown> & { _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null }

export interface Reading {
  /** What had come already; told first, and only if there is any. */
  early(bytes: Uint8Array): void
  /** Into which the next bytes are read. */
  memory(): Uint8Array
  /**
   * They have come.
   * @param bytes the memory that they are in, at its beginning
   * @returns whether to go on; `socket.resume()` does so later
   */
  read(length: number, bytes: Uint8Array): boolean
}

/** Whether `readInto` can do its work; undefined for what is no socket, or where this Node keeps its own things elsewhere. */
export const asSocket = (connection: Duplex): Socket | undefined => {
  if (!(connection instanceof Socket) || connection.readableEnded) return undefined
  const { _handle } = connection as unknown as Internals
  const isKnown = ['kBuffer', 'kBufferCb', 'kBufferGen'].every((name) => placeOf(connection, name) !== undefined)
  return isKnown && typeof _handle?.useUserBuffer === 'function' ? connection : undefined
}

const placeOf = (socket: Socket, name: string): symbol | undefined =>
  Object.getOwnPropertySymbols(socket).find(({ description }) => description === name)

/**
 * From here on nothing comes by `data` and `readable`; `end` and `close` come as ever.
 * @param socket as `asSocket` gave it; it does not flow until it is resumed
 */
export const readInto = (socket: Socket, { early, memory, read }: Reading): void => {
  const internals = socket as unknown as Internals
  const there = socket.read() as Uint8Array | null
  if (there !== null) early(there)
  const first = memory()
  for (const [name, value] of [
    ['kBuffer', first],
    ['kBufferCb', read],
    ['kBufferGen', memory],
  ] as const) {
    internals[placeOf(socket, name) ?? Symbol(name)] = value
  }
  internals._handle?.useUserBuffer?.(first)
}
