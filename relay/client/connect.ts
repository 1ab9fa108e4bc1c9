/** One connection of a channel, from the hello to the secure stream. */
import type { Duplex } from 'node:stream'
import type { CreateByteReader } from '../../effects/byte-reader.ts'
import type { Network, Address } from '../../effects/network.ts'
import { NetworkError } from '../../effects/network.ts'
import type { Random } from '../../effects/random.ts'
import { takeBytes } from '../../effects/take-bytes.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { otherRole, STREAM_SALT_BYTES, streamKey } from '../../protocol/relay/agreement.ts'
import type { CreateAead } from '../../protocol/relay/aead.ts'
import { checkGreeting, encodeHello, GREETING_BYTES, type Hello, HELLO_ANSWER } from '../../protocol/relay/hello.ts'
import { RelayClientError } from './errors.ts'
import { createSecureStream, type SecureStream } from './secure-stream.ts'

export interface ConnectEffects {
  readonly network: Pick<Network, 'connect'>
  readonly random: Random
  readonly aead: CreateAead
  readonly reader?: CreateByteReader
}

export interface Connecting {
  readonly address: Address
  readonly hello: Hello
  /** Secret of the role. */
  readonly uuid: string
  /** What the two ends agreed on. */
  readonly session: Uint8Array
  /** Until which the peer has to be there. */
  readonly signal: AbortSignal
}

const CONNECT_MS = 20_000

/** @throws RelayClientError; the signal's reason */
export const connectStream = async (effects: ConnectEffects, connecting: Connecting): Promise<SecureStream> => {
  const { address, signal } = connecting
  const connection = await effects.network.connect(address, CONNECT_MS, signal).catch((cause: unknown) => {
    if (!(cause instanceof NetworkError)) throw cause
    throw new RelayClientError('ERR_RELAY_UNREACHABLE', 'the port of the relay cannot be reached', { cause })
  })
  const abort = () => connection.destroy()
  signal.addEventListener('abort', abort)
  try {
    return await meet(effects, connecting, connection)
  } catch (error) {
    connection.destroy()
    signal.throwIfAborted()
    if (error instanceof ProtocolError)
      throw new RelayClientError('ERR_RELAY_ANSWER', 'what answers on the port is no relay of Chrove', { cause: error })
    throw error instanceof NetworkError ? broken(error) : error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

const meet = async (
  { random, aead, reader }: ConnectEffects,
  { hello, uuid, session }: Connecting,
  connection: Duplex,
): Promise<SecureStream> => {
  const greeting = await takeBytes(connection, GREETING_BYTES)
  checkGreeting(greeting)
  connection.write(encodeHello(hello, uuid, greeting))
  // Fresh for this connection: were it replayed, nothing of an earlier one could be read as part of it.
  const ours = random.bytes(STREAM_SALT_BYTES)
  connection.write(ours)
  await stapled(connection)
  const theirs = await takeBytes(connection, STREAM_SALT_BYTES)
  const { role, stream } = hello
  const salts = role === 'sender' ? { sender: ours, recipient: theirs } : { sender: theirs, recipient: ours }
  const cipher = (from: Hello['role']) => {
    const key = streamKey(session, stream, from, salts)
    const made = aead(key)
    key.fill(0)
    return made
  }
  const ciphers = { sending: cipher(role), receiving: cipher(otherRole(role)) }
  return createSecureStream(connection, ciphers, reader)
}

const stapled = async (connection: Duplex): Promise<void> => {
  for (;;) {
    const [answer] = await takeBytes(connection, 1)
    if (answer === HELLO_ANSWER.stapled) return
    if (answer === HELLO_ANSWER.busy) throw new RelayClientError('ERR_RELAY_BUSY', 'the relay takes no connections now')
    if (answer === HELLO_ANSWER.notProven)
      throw new RelayClientError('ERR_CHANNEL_OVER', 'the channel is over: ask for a new code')
    if (answer === HELLO_ANSWER.occupied) throw broken()
    if (answer !== HELLO_ANSWER.waiting)
      throw new RelayClientError('ERR_RELAY_REFUSED', 'the relay does not know this channel any more')
  }
}

const broken = (cause?: unknown) =>
  new RelayClientError('ERR_STREAM_BROKEN', 'the connection broke before the two ends met', { cause })
