/** The door to other machines: HTTP requests, and TCP connections out and in. */
import type { Duplex } from 'node:stream'

export interface Address {
  /** Host name, IPv4, or IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

export interface FetchLimits {
  /** For the whole exchange, the body included; milliseconds. */
  readonly timeoutMs: number
  /** The answer's body may not be longer; bytes. */
  readonly bodyBytesMax: number
  readonly signal?: AbortSignal
  /** As `connect` has it. The exchange then has a connection of its own, which nobody used before or will after. */
  readonly allow?: AllowIp
}

/** Says whether an IP address, as text, may be connected to. */
export type AllowIp = (ip: string) => boolean

/**
 * Connections are half-open both ways: the end of the peer's data does not end ours, so whoever holds one ends or
 * destroys it. A connection that breaks is destroyed; it never throws for want of an `error` listener.
 */
export interface Network {
  /**
   * One HTTP exchange. Redirects are not followed: they come back as they are. The body has been read, within the
   * limits, when the promise resolves, and is as it was on the wire: no compression is asked for, none undone.
   * @throws NetworkError, or the signal's reason when it aborts; ERR_NETWORK_FORBIDDEN when `limits.allow` says no
   */
  fetch(request: Request, limits: FetchLimits): Promise<Response>
  /**
   * A TCP connection, once it stands. Names are resolved by the proxy when there is one.
   * @param allow is asked about the very IP address that would be connected to, after names were resolved. A name
   * that only a proxy resolves cannot be asked about and is refused.
   * @throws NetworkError, or the signal's reason when it aborts; ERR_NETWORK_FORBIDDEN when `allow` says no
   */
  connect(address: Address, timeoutMs: number, signal?: AbortSignal, allow?: AllowIp): Promise<Duplex>
  /**
   * Accepts TCP connections until closed.
   * @param address port 0 lets the system choose
   * @param accept gets each connection with the peer's address
   * @param connectionsMax more at once are turned away; 4096 unless it is given
   * @throws NetworkError
   */
  listen(
    address: Address,
    accept: (connection: Duplex, peer: Address) => void,
    connectionsMax?: number,
  ): Promise<Listener>
}

export interface Listener {
  readonly address: Address
  /** Stops accepting and destroys what is open. */
  close(): Promise<void>
}

export type NetworkErrorCode =
  | 'ERR_NETWORK_UNREACHABLE'
  | 'ERR_NETWORK_TIMEOUT'
  | 'ERR_NETWORK_BODY_TOO_LARGE'
  | 'ERR_NETWORK_ADDRESS_IN_USE'
  | 'ERR_NETWORK_PROXY'
  | 'ERR_NETWORK_PROTOCOL'
  | 'ERR_NETWORK_FORBIDDEN'

const lasting: ReadonlySet<NetworkErrorCode> = new Set(['ERR_NETWORK_BODY_TOO_LARGE', 'ERR_NETWORK_FORBIDDEN'])

/**
 * A passing fault of the network, or a peer that exceeds a limit. Its message names no address, and neither may a
 * `cause`: the system's own errors, which have the address in their text, are not kept.
 */
export class NetworkError extends Error {
  readonly code: NetworkErrorCode
  readonly retryable: boolean
  constructor(code: NetworkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'NetworkError'
    this.code = code
    this.retryable = !lasting.has(code)
  }
}
