/** Stapled pairs of a relay, made as fast as it lets them be: nobody on these channels has words, or anything to hide. */
import { createHash } from 'node:crypto'
import { encodeHello, GREETING_BYTES } from '../../../protocol/relay/hello.ts'
import { openSink, type Sink } from './sockets.ts'

export interface RawChannel {
  readonly channel: string
  readonly sender: string
  readonly recipient: string
  readonly ports: readonly number[]
}

/** A channel whose proof is opened. */
export const proveChannel = async (relay: string, streams: number): Promise<RawChannel> => {
  const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await fetch(`${relay}${path}`, { method: 'POST', body: JSON.stringify(body) })
    const read = (await answer.json()) as Record<string, unknown>
    if (answer.status !== 200) throw new Error(JSON.stringify(read))
    return read
  }
  const { channel, uuid: sender, ports } = await post('/join', { role: 'sender' })
  await post('/channel', { channel, uuid: sender, x: 'AAAA', streams })
  const { uuid: recipient } = await post('/join', { role: 'recipient', channel })
  const proof = Buffer.alloc(32, 7)
  const hash = createHash('sha256').update(proof).digest()
  const before = Buffer.alloc(32)
  const hh_k = Buffer.concat([before, hash]).toString('base64url')
  await post('/channel', { channel, uuid: recipient, y: 'AAAA', hh_k, streams })
  await post('/channel', { channel, uuid: sender, h_k: Buffer.concat([before, proof]).toString('base64url') })
  return { channel, sender, recipient, ports } as unknown as RawChannel
}

const helloAs = async (of: RawChannel, role: 'sender' | 'recipient', stream: number): Promise<Sink> => {
  const sink = await openSink(of.ports[stream % of.ports.length] ?? 0)
  await sink.until(GREETING_BYTES)
  const greeting = sink.first().slice(0, GREETING_BYTES)
  sink.socket.write(encodeHello({ role, stream, generation: 0, channel: of.channel }, of[role], greeting))
  return sink
}

/** @returns the sender's and the recipient's end, with nothing of the handshake still to come */
export const stapledPair = async (of: RawChannel, stream: number): Promise<readonly [Sink, Sink]> => {
  const a = await helloAs(of, 'sender', stream)
  // It waits, and has been told so.
  await a.until(GREETING_BYTES + 1)
  const b = await helloAs(of, 'recipient', stream)
  await Promise.all([a.until(GREETING_BYTES + 2), b.until(GREETING_BYTES + 1)])
  return [a, b]
}
