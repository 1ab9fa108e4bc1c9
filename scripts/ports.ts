/**
 * Ports of this machine that nothing listens on, to be listened on soon. They lie below those that systems give to
 * outgoing connections, which could take one between; and each process tries ports of its own, so that processes that
 * started one after another do not find the same.
 */
import { createServer } from 'node:net'

const FIRST = 10_000
/** Just below the ports of outgoing connections on Linux, 32,768 to 60,999; other systems begin higher. */
const COUNT = 22_000
/** More than a process asks for in its life. */
const PER_PROCESS = 100

let next = (process.pid * PER_PROCESS) % COUNT

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => {
      server.close(() => resolve(true))
    })
  })

/** The wanted port of loopback if it is free, else, and for 0, any that is. */
export const freePort = async (wanted = 0): Promise<number> => {
  if (wanted !== 0 && (await isFree(wanted))) return wanted
  for (let tries = 0; tries < COUNT; tries++) {
    const port = FIRST + next
    next = (next + 1) % COUNT
    if (await isFree(port)) return port
  }
  throw new Error('no port of loopback is free')
}
