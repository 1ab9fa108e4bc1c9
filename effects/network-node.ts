/** The real network: undici and net, everything outgoing through one SOCKS5 proxy when there is one. */
import { createFetch } from './http-node.ts'
import { underDeadline } from './network-fault.ts'
import type { Network } from './network.ts'
import { type Dial, dialDirect, dialThrough, listen, type Proxy } from './tcp-node.ts'

export interface NetworkSettings {
  /** `socks5h://[user:password@]host[:port]`: every outgoing connection goes through it, and it resolves all names. */
  readonly proxy?: URL
}

/** The way to open connections that all of the network takes. @throws TypeError when the proxy is not a socks5h URL */
export const createDial = ({ proxy }: NetworkSettings): Dial => (proxy ? dialThrough(parseProxy(proxy)) : dialDirect)

/** @throws TypeError when the proxy is not a socks5h URL */
export const createNetwork = (settings: NetworkSettings = {}): Network => {
  const dial = createDial(settings)
  return {
    fetch: createFetch(dial),
    connect: (address, timeoutMs, signal, allow) =>
      underDeadline(timeoutMs, signal ? [signal] : [], (deadline) => dial(address, deadline, allow)),
    listen,
  }
}

const SOCKS_PORT = 1080

const parseProxy = (url: URL): Proxy => {
  // socks5: without the h would have us ask the local DNS for every name.
  if (url.protocol !== 'socks5h:' || url.hostname === '') {
    throw new TypeError('a proxy is given as socks5h://[user:password@]host[:port]')
  }
  const username = decodeURIComponent(url.username)
  return {
    address: { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? SOCKS_PORT : Number(url.port) },
    credentials: username === '' ? undefined : { username, password: decodeURIComponent(url.password) },
  }
}
