/** The door that HTTP requests come in by. Only entry points open it; services are functions of a `Request`. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createAdaptorServer } from '@hono/node-server'
import type { Address, Listener } from './network.ts'
import { NetworkError } from './network.ts'
import { plainHost } from './plain-host.ts'
import type { Upgrade } from './web-socket-server.ts'

/** Connections of one server, unless it says otherwise. */
export const HTTP_CONNECTIONS_MAX = 2048

/** Of those, connections of one place, where places are told apart. */
const CONNECTIONS_PER_PLACE_MAX = 512

/** Bounds on what a peer may make a server hold; sizes in bytes, times in milliseconds. */
export const HTTP_LIMITS = {
  /** A `code` of 12 KiB in the query has to fit. */
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 5_000,
  /** How often the two time-outs above are looked at. */
  connectionsCheckingInterval: 2_000,
} as const

/**
 * A connection over which nothing passes for so long is closed, milliseconds, also one whose reader takes nothing of what
 * is written to it. Streams of events beat more often.
 */
const IDLE_MS = 120_000

/** Requests under way get so long to end when a server closes, milliseconds. */
const DRAIN_MS = 5_000

export interface HttpServerOptions {
  /** How long a connection may be silent, milliseconds. */
  readonly idleMs?: number
  /** More connections at once are turned away. */
  readonly connectionsMax?: number
  /** What a peer's address counts for, so that no place has all connections; undefined for who may have any number. */
  placeOf?(peerHost: string): string | undefined
  /** Without it no request to upgrade is heard. */
  readonly upgrade?: Upgrade
}

/**
 * Serves until closed; closing lets requests under way end, and breaks off connections that were upgraded.
 * @param fetch gets each request with the address that its connection comes from
 * @throws ERR_NETWORK_ADDRESS_IN_USE
 */
export const serveHttp = async (
  fetch: (request: Request, peerHost: string) => Response | Promise<Response>,
  { host, port }: Address,
  { idleMs = IDLE_MS, connectionsMax = HTTP_CONNECTIONS_MAX, placeOf, upgrade }: HttpServerOptions = {},
): Promise<Listener> => {
  const answer = (request: Request, { incoming }: { incoming: Pick<IncomingMessage, 'socket'> }) =>
    fetch(request, plainHost(incoming.socket.remoteAddress ?? ''))
  const server = createAdaptorServer({ fetch: answer, hostname: host, serverOptions: HTTP_LIMITS }) as Server
  server.maxConnections = connectionsMax
  server.timeout = idleMs
  if (placeOf) server.on('connection', limitPlaces(placeOf))
  const upgraded = new Set<Duplex>()
  if (upgrade) {
    server.on('upgrade', (request, connection: Duplex, head) => {
      upgraded.add(connection)
      connection.once('close', () => upgraded.delete(connection))
      upgrade(request, connection, head)
    })
  }
  const underWay = new Set<ServerResponse>()
  server.on('request', (_, response: ServerResponse) => {
    underWay.add(response)
    response.once('close', () => underWay.delete(response))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const text = 'cannot listen: the address is in use or not of this machine'
      reject(new NetworkError('ERR_NETWORK_ADDRESS_IN_USE', text, { cause }))
    })
    server.listen(port, host, resolve)
  })
  const bound = server.address() as AddressInfo
  return {
    address: { host: bound.address, port: bound.port },
    close: () =>
      new Promise((resolve) => {
        const drain = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
        server.close(() => {
          clearTimeout(drain)
          resolve()
        })
        server.closeIdleConnections()
        for (const connection of upgraded) connection.destroy()
        // Else the connection would stay open for a next request that is never answered.
        for (const response of underWay) response.shouldKeepAlive = false
      }),
  }
}

/** @returns what turns away connections of a place that has as many as it may */
const limitPlaces = (placeOf: (peerHost: string) => string | undefined) => {
  const counts = new Map<string, number>()
  return (connection: Socket): void => {
    const place = placeOf(connection.remoteAddress ?? '')
    if (place === undefined) return
    const count = (counts.get(place) ?? 0) + 1
    if (count > CONNECTIONS_PER_PLACE_MAX) return void connection.destroy()
    counts.set(place, count)
    connection.once('close', () => {
      const left = (counts.get(place) ?? 1) - 1
      if (left === 0) counts.delete(place)
      else counts.set(place, left)
    })
  }
}
