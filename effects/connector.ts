/** Opens the connections of undici, for HTTP and what begins as HTTP: by the network's own dialling, then TLS where asked. */
import type { Socket } from 'node:net'
import { buildConnector } from 'undici'
import { underDeadline } from './network-fault.ts'
import type { Dial } from './tcp-node.ts'

/** For one connection, TLS included; a proxy such as Tor may have to build a circuit first. */
const CONNECT_TIMEOUT_MS = 60_000

/** For undici: a limit of the whole exchange stands in for both. */
export const NO_OWN_TIMEOUTS = { headersTimeout: 0, bodyTimeout: 0 } as const

/** @param connecting its signal, as it is when a connection is begun, gives the attempt up */
export const connectorOver = (dial: Dial, connecting: { readonly signal: AbortSignal }): buildConnector.connector => {
  const secure = buildConnector({ allowH2: false, timeout: CONNECT_TIMEOUT_MS })
  const open = async (options: buildConnector.Options, signal: AbortSignal): Promise<Socket> => {
    const isSecure = options.protocol === 'https:'
    const socket = await dial({ host: options.hostname, port: Number(options.port) || (isSecure ? 443 : 80) }, signal)
    if (!isSecure) return socket
    const onAbort = () => socket.destroy()
    signal.addEventListener('abort', onAbort)
    const { promise, resolve, reject } = Promise.withResolvers<Socket>()
    secure({ ...options, httpSocket: socket }, (fault, secured) => (secured ? resolve(secured) : reject(fault)))
    return promise.finally(() => signal.removeEventListener('abort', onAbort))
  }
  return (options, callback) => {
    underDeadline(CONNECT_TIMEOUT_MS, [connecting.signal], (signal) => open(options, signal)).then(
      (socket) => callback(null, socket),
      (fault: Error) => callback(fault, null),
    )
  }
}
