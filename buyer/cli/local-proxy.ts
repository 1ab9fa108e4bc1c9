/**
 * A SOCKS5 proxy for the programs of this machine, without a login, that leads each connection through a proxy that
 * was bought. So programs that cannot log in to a proxy can use one, and none of them learns the credentials.
 */
import type { Duplex } from 'node:stream'
import type { Clock } from '../../effects/clock.ts'
import type { Log } from '../../effects/log.ts'
import { type Address, type Listener, type Network, NetworkError } from '../../effects/network.ts'
import { type SocksCredentials, socksHandshake, socksReplyFor } from '../../effects/socks-client.ts'
import { splice } from '../../effects/splice.ts'
import { takeBytes } from '../../effects/take-bytes.ts'
import { conductSocks } from '../../protocol/socks5-handshake.ts'
import { SOCKS_REPLY, type SocksDestination, socksReply } from '../../protocol/socks5.ts'

/** For a local program to say what it wants, milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 15_000
/** For each of the two steps to the destination, milliseconds: to the bought proxy, and from there on. */
const CONNECT_TIMEOUT_MS = 60_000
/** For a program that was refused to read why and close, milliseconds. */
const LINGER_MS = 5_000

export interface BoughtProxy extends SocksCredentials {
  readonly address: Address
}

export interface LocalProxy {
  /**
   * Listens on this machine's loopback address only.
   * @param port 0 lets the system choose
   * @throws ERR_NETWORK_ADDRESS_IN_USE
   */
  listen(port: number): Promise<Listener>
}

type Effects = { readonly clock: Clock; readonly network: Network; readonly log: Log }

export const createLocalProxy = ({ clock, network, log }: Effects, bought: BoughtProxy): LocalProxy => {
  /** Destroys the connection if the work takes longer, which makes the work fail. */
  const within = async <Result>(ms: number, connection: Duplex, work: Promise<Result>): Promise<Result> => {
    const done = new AbortController()
    clock.sleep(ms, done.signal).then(
      () => connection.destroy(),
      () => {},
    )
    return work.finally(() => done.abort())
  }

  const connect = async (destination: SocksDestination, signal: AbortSignal): Promise<Duplex> => {
    const upstream = await network.connect(bought.address, CONNECT_TIMEOUT_MS, signal)
    const onAbort = () => upstream.destroy()
    signal.addEventListener('abort', onAbort)
    try {
      await within(CONNECT_TIMEOUT_MS, upstream, socksHandshake(upstream, destination, bought))
      return upstream
    } catch (fault) {
      upstream.destroy()
      throw fault
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  const dismiss = (client: Duplex, reply?: Uint8Array) => {
    client.end(reply)
    client.resume()
    if (client.closed) return
    void within(LINGER_MS, client, new Promise((resolve) => client.once('close', resolve)))
  }

  const serve = async (client: Duplex): Promise<void> => {
    const gone = new AbortController()
    client.on('error', () => {})
    client.once('close', () => gone.abort(new NetworkError('ERR_NETWORK_UNREACHABLE', 'the local program left')))
    const io = {
      read: (length: number) => takeBytes(client, length),
      write: (bytes: Uint8Array) => void client.write(bytes),
    }
    const outcome = await within(HANDSHAKE_TIMEOUT_MS, client, conductSocks(io))
    if (outcome.do === 'close') return dismiss(client)
    let upstream: Duplex
    try {
      upstream = await connect(outcome.destination, gone.signal)
    } catch (fault) {
      if (!(fault instanceof NetworkError)) throw fault
      log.warn('proxy-refused', { code: fault.code })
      return dismiss(client, socksReply(socksReplyFor[fault.code]))
    }
    client.write(socksReply(SOCKS_REPLY.granted))
    await splice(client, upstream)
  }

  const accept = (client: Duplex) => {
    serve(client).catch((fault: unknown) => {
      client.destroy()
      log.debug('proxy-broken', { fault: (fault as Error).name })
    })
  }

  return { listen: (port) => network.listen({ host: '127.0.0.1', port }, accept) }
}
