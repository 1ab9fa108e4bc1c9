/** TCP on the machine's own network stack: connections out, straight or through a SOCKS5 proxy, and in. */
import { lookup } from 'node:dns'
import { connect, createServer, isIP, type LookupFunction, type Socket } from 'node:net'
import { toNetworkError } from './network-fault.ts'
import { type Address, type AllowIp, type Listener, type Network, NetworkError } from './network.ts'
import { plainHost } from './plain-host.ts'
import { type SocksCredentials, socksHandshake } from './socks-client.ts'

export interface Proxy {
  readonly address: Address
  readonly credentials: SocksCredentials | undefined
}

/** Connects before the signal aborts. */
export type Dial = (address: Address, signal: AbortSignal, allow?: AllowIp) => Promise<Socket>

/** More open connections than this on one listener are turned away, unless it says otherwise: each costs memory. */
const LISTEN_CONNECTIONS_MAX = 4096

export const dialDirect: Dial = (address, signal, allow) =>
  new Promise((resolve, reject) => {
    if (isOnion(address.host)) {
      // RFC 7686 §2: such a name must not reach the DNS, where it would tell on its user.
      return reject(new NetworkError('ERR_NETWORK_PROXY', 'an .onion host is reached through a proxy only'))
    }
    if (allow && isIP(address.host) !== 0 && !allow(address.host)) return reject(forbidden())
    const socket = connect({
      ...address,
      allowHalfOpen: true,
      noDelay: true,
      autoSelectFamily: true,
      ...(allow && { lookup: lookupAllowed(allow) }),
    })
    // Without a listener a connection that breaks later would end the process.
    socket.on('error', (fault) => finish(fault))
    const onAbort = () => socket.destroy(signal.reason as Error)
    const finish = (fault?: unknown) => {
      signal.removeEventListener('abort', onAbort)
      if (fault === undefined) resolve(socket)
      else reject(fault as Error)
    }
    signal.addEventListener('abort', onAbort)
    socket.once('connect', () => finish())
  })

/** Through the proxy, names resolved there. */
export const dialThrough =
  (proxy: Proxy): Dial =>
  async (address, signal, allow) => {
    if (allow && !(isIP(address.host) !== 0 && allow(address.host))) throw forbidden()
    const socket = await dialDirect(proxy.address, signal).catch(() => {
      throw new NetworkError('ERR_NETWORK_PROXY', 'the proxy cannot be reached')
    })
    const onAbort = () => socket.destroy()
    signal.addEventListener('abort', onAbort)
    try {
      await socksHandshake(socket, address, proxy.credentials)
      return socket
    } catch (fault) {
      socket.destroy()
      throw fault
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

const isOnion = (host: string): boolean => /\.onion\.?$/i.test(host)

const forbidden = () => new NetworkError('ERR_NETWORK_FORBIDDEN', 'this destination may not be connected to')

/** Resolves as the system does and hands on only what is allowed, so that nothing can change between check and use. */
const lookupAllowed =
  (allow: AllowIp): LookupFunction =>
  (hostname, options, callback) =>
    lookup(hostname, { ...options, all: true }, (fault, found) => {
      if (fault) return callback(fault, [])
      const allowed = found.filter(({ address }) => allow(address))
      return allowed.length === 0 ? callback(forbidden(), []) : callback(null, allowed)
    })

export const listen: Network['listen'] = (address, accept, connectionsMax = LISTEN_CONNECTIONS_MAX) =>
  new Promise((resolve, reject) => {
    const open = new Set<Socket>()
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      socket.on('error', () => socket.destroy())
      const { remoteAddress, remotePort } = socket
      // Both are missing when the peer has gone already.
      if (remoteAddress === undefined || remotePort === undefined) return socket.destroy()
      open.add(socket)
      socket.once('close', () => open.delete(socket))
      return accept(socket, { host: plainHost(remoteAddress), port: remotePort })
    })
    server.maxConnections = connectionsMax
    server.once('error', (fault) => reject(toNetworkError(fault)))
    server.listen({ host: address.host, port: address.port }, () => {
      // Running out of file descriptors while accepting is a passing fault of a server that stands.
      server.on('error', () => {})
      const bound = server.address()
      const port = bound !== null && typeof bound === 'object' ? bound.port : address.port
      resolve({ address: { host: address.host, port }, close: () => closeServer(server, open) } satisfies Listener)
    })
  })

const closeServer = (server: ReturnType<typeof createServer>, open: ReadonlySet<Socket>): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    for (const socket of open) socket.destroy()
  })
