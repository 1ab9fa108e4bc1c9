/**
 * A simulated internet: hosts by name or address, HTTP exchanges and TCP connections between them, and all that may
 * go wrong on the way. Transport security is not simulated: https is http here.
 */
import { NetworkError, type Network } from '../effects/network.ts'
import type { Streams } from '../effects/streams.ts'
import { exchange } from './http.ts'
import { openStream } from './http-stream.ts'
import { createInternet, occupy, type HttpHandler, type InternetParts } from './internet.ts'
import type { Life } from './life.ts'
import { connect, listen } from './tcp.ts'

export type { HttpHandler } from './internet.ts'

/** One host's door, for one incarnation of it. */
export interface HostNetwork extends Network, Streams {
  /** The host's address. */
  readonly ip: string
  /**
   * Answers HTTP requests on a port until released or dead. An error that the handler throws fails the run.
   * @returns releases the port
   * @throws ERR_NETWORK_ADDRESS_IN_USE
   */
  serve(port: number, handler: HttpHandler): () => void
}

export interface SimNetwork {
  /**
   * The door of the host of this name, which comes into being with the first one.
   * @param name lower case, as other hosts use it in URLs
   */
  host(name: string, life: Life): HostNetwork
  /** Nothing passes between two hosts: exchanges are lost, streams wait. */
  partition(a: string, b: string): void
  join(a: string, b: string): void
  /** The host takes requests and connections and never answers, until `heal`. */
  hang(name: string): void
  /** Ends all faults and partitions: from here on every message arrives. */
  heal(): void
}

export const createSimNetwork = (parts: InternetParts): SimNetwork => {
  const internet = createInternet(parts)
  const { partition, join, hang, heal } = internet
  return {
    partition,
    join,
    hang,
    heal,
    host: (name, life) => {
      const machine = internet.machine(name)
      const caller = { machine, life }
      return {
        ip: machine.ip,
        fetch: (request, limits) => exchange(internet, caller, request, limits),
        open: (request, limits) => openStream(internet, caller, request, limits),
        connect: (...parameters) => connect(internet, caller, ...parameters),
        listen: (address, accept) => listen(internet, caller, address, accept),
        serve: (port, handler) => {
          if (machine.ports.has(port)) throw new NetworkError('ERR_NETWORK_ADDRESS_IN_USE', 'the port is in use')
          return occupy(machine, port, { life, handler })
        },
      }
    },
  }
}
