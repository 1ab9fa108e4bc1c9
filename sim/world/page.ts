/** A page somewhere, and the way to it through a bought proxy. */
import type { Duplex } from 'node:stream'
import type { Clock } from '../../effects/clock.ts'
import { NetworkError, type Network } from '../../effects/network.ts'
import { socksHandshake } from '../../effects/socks-client.ts'
import type { Socks5Server } from '../../protocol/credentials.ts'
import { createSimHost } from '../host.ts'
import type { World } from './world.ts'

const PAGE = { host: 'page', port: 8080 }
const GREETING = 'hello from the other side'
const PATIENCE_MS = 30_000

/** Answers every connection with a greeting once it has said something. */
export const openPage = async (world: World): Promise<void> => {
  const { loop, network, random, trace } = world
  const { network: door } = createSimHost({ loop, network, random, trace }, PAGE.host).boot()
  await door.listen(PAGE, (connection) => {
    connection.once('data', () => connection.end(GREETING))
  })
}

/** `login`: the proxy let us in, and what came after failed. */
export type Visit = 'page' | 'login' | 'refused' | 'unreachable'

const readAll = (connection: Duplex): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ''
    connection.on('data', (chunk: Uint8Array) => (text += Buffer.from(chunk).toString()))
    connection.once('end', () => resolve(text))
    connection.once('close', () => reject(new NetworkError('ERR_NETWORK_UNREACHABLE', 'the connection broke')))
  })

/** Fetches the page through a proxy. */
export const visitPage = async (
  { clock, network }: { readonly clock: Clock; readonly network: Network },
  { config }: Socks5Server,
): Promise<Visit> => {
  const { address, port, username, password } = config
  const over = new AbortController()
  let connection: Duplex | undefined
  let reached: Visit = 'unreachable'
  const kill = clock.sleep(PATIENCE_MS, over.signal).then(
    () => connection?.destroy(),
    () => undefined,
  )
  try {
    connection = await network.connect({ host: address, port }, PATIENCE_MS)
    await socksHandshake(connection, PAGE, { username, password })
    reached = 'login'
    connection.write('hello')
    if ((await readAll(connection)) === GREETING) reached = 'page'
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    if (error.message.includes('refuses the credentials')) reached = 'refused'
    // Whatever else the proxy says, it says to those whom it has let in.
    else if (error.message.includes('SOCKS5 reply')) reached = 'login'
  } finally {
    connection?.destroy()
    over.abort()
    await kill
  }
  return reached
}
