/** TCP over the simulated internet: connecting and listening. */
import type { Duplex } from 'node:stream'
import { NetworkError, type Address, type AllowIp, type Listener } from '../effects/network.ts'
import { SimConnection } from './duplex.ts'
import type { Caller } from './http.ts'
import { occupy, type Internet } from './internet.ts'
import { never } from './life.ts'

/** @throws NetworkError, or the signal's reason */
export const connect = async (
  internet: Internet,
  { machine: from, life }: Caller,
  address: Address,
  timeoutMs: number,
  signal?: AbortSignal,
  allow?: AllowIp,
): Promise<Duplex> => {
  const { loop, random, faults, trace } = internet
  if (!life.isAlive()) return never()
  signal?.throwIfAborted()
  const to = internet.resolve(from, address.host)
  if (allow && !allow(internet.ipOf(from, to, address.host)))
    throw new NetworkError('ERR_NETWORK_FORBIDDEN', 'this address may not be connected to')
  const lost = random.chance(faults.rate('request-loss'))
  const [thereMs, backMs] = [internet.delayMs(), internet.delayMs()]
  const peer: Address = { host: to === from ? '127.0.0.1' : from.ip, port: internet.freePort(from) }

  return new Promise((resolve, reject) => {
    let open = true
    const finish = (outcome: () => void) => {
      open = false
      stopTimer()
      signal?.removeEventListener('abort', onAbort)
      if (life.isAlive()) outcome()
    }
    const fail = (error: Error) => finish(() => reject(error))
    const onAbort = () => fail(signal?.reason as Error)
    signal?.addEventListener('abort', onAbort, { once: true })
    const stopTimer = loop.schedule(timeoutMs, () =>
      fail(new NetworkError('ERR_NETWORK_TIMEOUT', 'connecting took too long')),
    )

    const arrive = () => {
      if (to !== undefined && (internet.isSeparated(from, to) || internet.isHanging(to))) return
      const server = to?.ports.get(address.port)
      if (to === undefined || server === undefined || !('accept' in server)) {
        loop.schedule(backMs, () => fail(new NetworkError('ERR_NETWORK_UNREACHABLE', 'the host cannot be reached')))
        return
      }
      const reset = () => ends.forEach((end) => end.reset())
      const ends = SimConnection.pair(internet.wire(from, to, reset), internet.wire(to, from, reset))
      const [ours, theirs] = ends
      ours.on(
        'close',
        life.onEnd(() => ours.abandon()),
      )
      theirs.on(
        'close',
        server.life.onEnd(() => theirs.abandon()),
      )
      trace.add('connect', from.name, to.name, address.port)
      server.accept(theirs, peer)
      loop.schedule(backMs, () => {
        if (open) finish(() => resolve(ours))
        else ours.destroy()
      })
    }
    if (!lost) loop.schedule(thereMs, arrive)
  })
}

/** @throws ERR_NETWORK_ADDRESS_IN_USE */
export const listen = async (
  internet: Internet,
  { machine, life }: Caller,
  address: Address,
  accept: (connection: Duplex, peer: Address) => void,
): Promise<Listener> => {
  if (!life.isAlive()) return never()
  const port = address.port === 0 ? internet.freePort(machine) : address.port
  if (machine.ports.has(port)) throw new NetworkError('ERR_NETWORK_ADDRESS_IN_USE', 'the port is in use')
  const open = new Set<SimConnection>()
  const release = occupy(machine, port, {
    life,
    accept: (connection, peer) => {
      open.add(connection)
      connection.on('close', () => open.delete(connection))
      accept(connection, peer)
    },
  })
  return {
    address: { host: address.host, port },
    close: async () => {
      if (!life.isAlive()) return never()
      release()
      for (const connection of open) connection.destroy()
    },
  }
}
