/** Ports of this machine that nothing listens on. */
import { createServer, type AddressInfo } from 'node:net'

const tryPort = (port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const { port: bound } = server.address() as AddressInfo
      server.close(() => resolve(bound))
    })
  })

/** The wanted port of loopback if it is free, else any that is. */
export const freePort = async (wanted = 0): Promise<number> => {
  const port = (await tryPort(wanted)) ?? (await tryPort(0))
  if (port === undefined) throw new Error('no port of loopback is free')
  return port
}
