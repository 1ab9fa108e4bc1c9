/** What the simulated network's doors share: machines by name and address, delays, faults, partitions. */
import type { Address } from '../effects/network.ts'
import type { SimConnection, Wire } from './duplex.ts'
import { SimulationError } from './errors.ts'
import { SLOW_MS_MAX, type Faults } from './faults.ts'
import type { Life } from './life.ts'
import type { Loop } from './loop.ts'
import type { SimRandom } from './random.ts'
import type { Trace } from './trace.ts'

/** A service's HTTP face, with the address the request came from. */
export type HttpHandler = (request: Request, peer: Address) => Response | Promise<Response>

/** Takes a TCP connection that has come in: makes the server's end of it known to the service. */
export type Acceptor = (connection: SimConnection, peer: Address) => void

/** What answers on one port, and whose it is. */
export type Server = { readonly life: Life } & ({ readonly handler: HttpHandler } | { readonly accept: Acceptor })

export interface Machine {
  readonly name: string
  readonly ip: string
  readonly ports: Map<number, Server>
  nextPort: number
}

/**
 * Puts a server on a port until it is released or its program dies.
 * @returns releases the port
 */
export const occupy = (machine: Machine, port: number, server: Server): (() => void) => {
  machine.ports.set(port, server)
  const release = () => {
    forget()
    if (machine.ports.get(port) === server) machine.ports.delete(port)
  }
  const forget = server.life.onEnd(release)
  return release
}

export interface InternetParts {
  readonly loop: Loop
  readonly random: SimRandom
  readonly faults: Faults
  readonly trace: Trace
}

/** Delay of every message, milliseconds, both included. */
const DELAY_MS_MIN = 1
const DELAY_MS_MAX = 40

/** Ports that the system hands out, to callers and to listeners that do not care. */
const EPHEMERAL_PORT_MIN = 49_152
const PORT_MAX = 65_535

/** A chunk is cut into so many pieces at most. */
const PIECES_MAX = 4

const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1'])

const pairOf = (a: Machine, b: Machine): string => [a.name, b.name].sort().join('|')

export type Internet = ReturnType<typeof createInternet>

export const createInternet = ({ loop, random, faults, trace }: InternetParts) => {
  const machines = new Map<string, Machine>()
  const byIp = new Map<string, Machine>()
  const hanging = new Set<Machine>()
  /** For each pair of machines that cannot reach each other: the stream data that waits, in order. */
  const separated = new Map<string, (() => void)[]>()

  const delayMs = (): number => {
    const slow = random.chance(faults.rate('slow'))
    const extraMs = random.int(0, SLOW_MS_MAX)
    return random.int(DELAY_MS_MIN, DELAY_MS_MAX) + (slow ? extraMs : 0)
  }

  const machine = (name: string): Machine => {
    const known = machines.get(name)
    if (known !== undefined) return known
    const index = machines.size + 1
    // Public as far as any address policy can tell; nothing is ever sent there.
    const made: Machine = {
      name,
      ip: `11.0.${index >> 8}.${index & 255}`,
      ports: new Map(),
      nextPort: EPHEMERAL_PORT_MIN,
    }
    machines.set(name, made)
    byIp.set(made.ip, made)
    return made
  }

  const existing = (name: string): Machine => {
    const found = machines.get(name)
    if (found === undefined) throw new SimulationError('ERR_SIM_HOST', `there is no host named ${name}`)
    return found
  }

  const join = (pair: string) => {
    const waiting = separated.get(pair) ?? []
    separated.delete(pair)
    for (const deliver of waiting) deliver()
  }

  return {
    loop,
    random,
    faults,
    trace,
    delayMs,
    machine,
    /** Who `host` is when `from` says it. */
    resolve: (from: Machine, host: string): Machine | undefined => {
      const name = host.toLowerCase().replace(/^\[|\]$/g, '')
      return loopbackNames.has(name) ? from : (machines.get(name) ?? byIp.get(name))
    },
    /** The address that `from` would connect to. */
    ipOf: (from: Machine, to: Machine | undefined, host: string): string =>
      to === from ? '127.0.0.1' : (to?.ip ?? host),
    freePort: (of: Machine): number => {
      do of.nextPort = of.nextPort < PORT_MAX ? of.nextPort + 1 : EPHEMERAL_PORT_MIN
      while (of.ports.has(of.nextPort))
      return of.nextPort
    },
    isSeparated: (a: Machine, b: Machine): boolean => separated.has(pairOf(a, b)),
    isHanging: (of: Machine): boolean => hanging.has(of),
    partition: (a: string, b: string) => {
      const pair = pairOf(existing(a), existing(b))
      if (!separated.has(pair)) separated.set(pair, [])
      trace.add('partition', a, b)
    },
    join: (a: string, b: string) => {
      trace.add('join', a, b)
      join(pairOf(existing(a), existing(b)))
    },
    hang: (name: string) => {
      hanging.add(existing(name))
      trace.add('hang', name)
    },
    heal: () => {
      trace.add('heal')
      faults.heal()
      hanging.clear()
      for (const pair of separated.keys()) join(pair)
    },
    /** @param onReset breaks the connection */
    wire: (from: Machine, to: Machine, onReset: () => void): Wire => {
      let lastMs = 0
      return {
        split: (chunk) => {
          const cuts = random.chance(faults.rate('rechunk')) ? random.int(1, PIECES_MAX - 1) : 0
          const places = Array.from({ length: cuts }, () => random.int(1, Math.max(1, chunk.length - 1)))
          const bounds = [...new Set([0, ...places, chunk.length])].sort((a, b) => a - b)
          return bounds.slice(1).map((end, at) => chunk.subarray(bounds[at], end))
        },
        carry: (deliver) => {
          const broken = random.chance(faults.rate('reset'))
          lastMs = Math.max(lastMs, loop.nowMs() + delayMs())
          loop.schedule(lastMs - loop.nowMs(), () => {
            const waiting = separated.get(pairOf(from, to))
            if (waiting !== undefined) waiting.push(deliver)
            else if (broken) onReset()
            else deliver()
          })
        },
      }
    },
  }
}
