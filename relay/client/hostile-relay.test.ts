/** A relay that does everything it can against those who use it: what they send stays theirs, or they hear that it does not. */
import assert from 'node:assert/strict'
import { duplexPair, type Duplex } from 'node:stream'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { base64url } from '../../protocol/bytes.ts'
import { agreementEntropyBytes, beginAgreement } from '../../protocol/relay/agreement.ts'
import { createTestRelay, RELAY_URL, type Tap, type TestRelay } from '../test-relay.ts'
import { joinRelay, type RelayClientEffects, type RelayLink } from './index.ts'
import type { SecureStream } from './secure-stream.ts'

interface Hostile {
  readonly tapSender?: Tap
  readonly tapRecipient?: Tap
  /** Changes what the relay answers to either; gets the path and what it asked. */
  readonly lie?: (answer: Record<string, unknown>, to: 'sender' | 'recipient') => Record<string, unknown>
}

const lying = (client: ReturnType<TestRelay['clientAt']>, to: 'sender' | 'recipient', lie: Hostile['lie']) => ({
  ...client,
  network: {
    ...client.network,
    fetch: async (request: Request, limits: { readonly signal?: AbortSignal }) => {
      const answer = await client.network.fetch(request, limits)
      if (!lie || answer.status !== 200) return answer
      return Response.json(lie((await answer.json()) as Record<string, unknown>, to))
    },
  },
})

const meet = async (t: TestContext, { tapSender, tapRecipient, lie }: Hostile, streams = 1) => {
  const test = await createTestRelay(t)
  const told = Promise.withResolvers<string>()
  const ends = {
    sender: lying(test.clientAt('198.51.100.7', tapSender), 'sender', lie),
    recipient: lying(test.clientAt('203.0.113.9', tapRecipient), 'recipient', lie),
  }
  const join = (effects: RelayClientEffects, options: object) =>
    joinRelay(effects, { relay: RELAY_URL, streams, ...options } as Parameters<typeof joinRelay>[1])
  const sending = join(ends.sender, { role: 'sender', onCode: told.resolve })
  const code = await told.promise
  const receiving = join(ends.recipient, { role: 'recipient', code })
  const settled = await Promise.allSettled([sending, receiving])
  return { test, code, settled }
}

const links = async (
  t: TestContext,
  hostile: Hostile,
  streams = 1,
): Promise<{ sender: RelayLink; recipient: RelayLink; test: TestRelay; code: string }> => {
  const { settled, test, code } = await meet(t, hostile, streams)
  const [sender, recipient] = settled.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
  assert.ok(sender && recipient)
  return { sender, recipient, test, code }
}

const codes = (settled: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  settled.map((one) => (one.status === 'rejected' ? (one.reason as { code?: string }).code : 'joined'))

/** Passes a connection on through `change`, which gets each piece that comes from the relay, and its offset. */
const changing =
  (change: (piece: Buffer, offset: number) => readonly Buffer[], seen: (piece: Buffer) => void = () => {}): Tap =>
  (toRelay) => {
    const [client, inner] = duplexPair()
    let offset = 0
    inner.on('data', (piece: Buffer) => {
      seen(piece)
      toRelay.write(piece)
    })
    inner.on('end', () => toRelay.end())
    toRelay.on('data', (piece: Buffer) => {
      for (const changed of change(piece, offset)) inner.write(changed)
      offset += piece.length
    })
    toRelay.on('end', () => inner.end())
    toRelay.on('close', () => inner.end())
    client.once('close', () => toRelay.destroy())
    return client
  }

/** What a client gets before the first record: greeting, waiting or not, stapled, and the peer's salt. */
const HANDSHAKE_MAX = 46 + 2 + 32

const receiveAll = async (stream: SecureStream): Promise<Buffer> => {
  const pieces: Uint8Array[] = []
  for (let piece = await stream.receive(); piece; piece = await stream.receive()) pieces.push(piece)
  return Buffer.concat(pieces)
}

describe('a hostile relay', () => {
  it('sees none of what passes, nor the words, nor a key', async (t) => {
    const wire: Buffer[] = []
    const asked: string[] = []
    const tap = changing(
      (piece) => [piece],
      (piece) => wire.push(piece),
    )
    const { sender, recipient, test, code } = await links(t, {
      tapSender: tap,
      lie: (answer) => (asked.push(JSON.stringify(answer)), answer),
    })
    const plaintext = Buffer.from('all that glitters '.repeat(200))
    await sender.streams[0]?.send(plaintext)
    assert.deepEqual(Buffer.from((await recipient.streams[0]?.receive()) ?? []), plaintext)
    const seen = Buffer.concat([
      ...wire,
      Buffer.from(asked.join()),
      Buffer.from(test.log.said.join()),
      test.database.serialize(),
    ])
    const [, ...words] = code.split('-')
    for (const secret of [
      plaintext.subarray(0, 18),
      Buffer.from(words.join('-')),
      ...words.map((word) => Buffer.from(word)),
    ])
      assert.ok(!seen.includes(secret))
    assert.ok(!seen.includes(Buffer.from(sender.secret)))
    assert.ok(seen.length > plaintext.length)
  })

  it('cannot change, repeat, leave out or reorder anything unnoticed', async (t) => {
    const attack = fc.constantFrom<(record: Buffer[]) => Buffer[]>(
      (records) => records.toReversed(),
      (records) => records.slice(1),
      (records) => [...records.slice(0, 1), ...records],
      (records) => records.slice(0, -1),
      (records) =>
        records.map((record) => Buffer.from(record.map((byte, at) => (at === record.length - 1 ? byte ^ 1 : byte)))),
    )
    await fc.assert(
      fc.asyncProperty(attack, async (change) => {
        const held: Buffer[] = []
        let isArmed = false
        const tapRecipient = changing((piece) => {
          if (!isArmed) return [piece]
          held.push(piece)
          return []
        })
        let inner: Duplex | undefined
        const { sender, recipient } = await links(t, {
          tapRecipient: (toRelay, port) => (inner = tapRecipient(toRelay, port)),
        })
        isArmed = true
        const [out] = sender.streams
        assert.ok(out && inner)
        for (let i = 0; i < 4; i++) {
          const before = held.length
          await out.send(Buffer.alloc(100, i))
          while (Buffer.concat(held.slice(before)).length < 120) await new Promise((resolve) => setImmediate(resolve))
        }
        const bytes = Buffer.concat(held)
        const records = Array.from({ length: 4 }, (_, at) => bytes.subarray(at * 120, (at + 1) * 120))
        isArmed = false
        const there = receiveAll(recipient.streams[0] as SecureStream)
        for (const record of change(records)) inner.unshift(record)
        sender.streams[0]?.close()
        await assert.rejects(there, (error: { code: string }) =>
          ['ERR_STREAM_FORGED', 'ERR_STREAM_BROKEN'].includes(error.code),
        )
      }),
      { numRuns: 5 },
    )
  })

  it('cannot give one stream for another, whichever ports it swaps', async (t) => {
    // The recipient's two connections get each other's bytes after the handshake.
    const inners: Duplex[] = []
    const swap: Tap = (toRelay) => {
      const [client, inner] = duplexPair()
      const mine = inners.push(inner) - 1
      let offset = 0
      inner.on('data', (piece: Buffer) => toRelay.write(piece))
      toRelay.on('data', (piece: Buffer) => {
        for (const byte of piece) {
          const to = offset++ < HANDSHAKE_MAX - 1 ? inner : inners[1 - mine]
          to?.write(Buffer.of(byte))
        }
      })
      return client
    }
    const { sender, recipient } = await links(t, { tapRecipient: swap }, 2)
    for (const stream of sender.streams) await stream.send(Buffer.alloc(10))
    for (const stream of recipient.streams) await assert.rejects(stream.receive(), { code: 'ERR_STREAM_FORGED' })
  })

  it('cannot send what a client sent back to it, nor what was sent on an earlier connection', async (t) => {
    const wire: Buffer[] = []
    const { sender, recipient } = await links(t, {
      tapSender: changing(
        (piece) => [piece],
        (piece) => wire.push(piece),
      ),
    })
    await sender.streams[0]?.send(Buffer.from('pay 100'))
    await recipient.streams[0]?.receive()
    const record = wire.at(-1) as Buffer
    const recorded = Buffer.concat(wire).subarray(-(4 + 7 + 16))
    assert.ok(record.length > 0 && recorded.length === 27)
    let last: Duplex | undefined
    const again = await links(t, { tapRecipient: (toRelay) => (last = toRelay) })
    last?.unshift(recorded)
    await assert.rejects(again.recipient.streams[0]?.receive() ?? Promise.resolve(), { code: 'ERR_STREAM_FORGED' })
  })

  it('that cuts off is told from an end', async (t) => {
    const { sender, recipient, test } = await links(t, {})
    await sender.streams[0]?.send(Buffer.from('half'))
    assert.equal(Buffer.from((await recipient.streams[0]?.receive()) ?? []).toString(), 'half')
    await test.relay.close()
    await assert.rejects(recipient.streams[0]?.receive() ?? Promise.resolve(), { code: 'ERR_STREAM_BROKEN' })
  })

  it('that is slow, byte by byte, changes nothing', async (t) => {
    const drip = changing((piece) => Array.from(piece, (byte) => Buffer.of(byte)))
    const { sender, recipient } = await links(t, { tapSender: drip, tapRecipient: drip })
    await sender.streams[0]?.send(Buffer.from('patience'))
    assert.equal(Buffer.from((await recipient.streams[0]?.receive()) ?? []).toString(), 'patience')
  })

  const flipped = (text: unknown): string => {
    const bytes = base64url.decode(String(text)).slice()
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1
    return base64url.encode(bytes)
  }
  for (const field of ['x', 'y', 'hh_k', 'h_k'] as const) {
    it(`that changes ${field} makes both ends stop, and neither opens a stream`, async (t) => {
      const { settled } = await meet(t, {
        lie: (answer) => (answer[field] === undefined ? answer : { ...answer, [field]: flipped(answer[field]) }),
      })
      // Where the sender has gone through with it, all it has left is a peer that has gone.
      assert.ok(
        codes(settled).every((code) =>
          ['ERR_WRONG_CODE', 'ERR_CHANNEL_OVER', 'ERR_PEER_ABSENT'].includes(String(code)),
        ),
        String(codes(settled)),
      )
      assert.ok(codes(settled).includes('ERR_WRONG_CODE'))
    })
  }

  it('that offers fewer streams, another curve or another channel than was said is found out', async (t) => {
    const fewer = await meet(
      t,
      { lie: (answer, to) => (to === 'recipient' && answer.streams ? { ...answer, streams: 1 } : answer) },
      4,
    )
    // With fewer streams the recipient answers for so many, and both know.
    assert.deepEqual(codes(fewer.settled), ['joined', 'joined'])
    const more = await meet(
      t,
      { lie: (answer, to) => (to === 'sender' && answer.y ? { ...answer, streams: 1 } : answer) },
      4,
    )
    assert.ok(codes(more.settled).includes('ERR_WRONG_CODE'))
    const other = await meet(t, {
      lie: (answer, to) => (to === 'recipient' ? { ...answer, channel: '1' } : answer),
    }).catch(String)
    assert.ok(typeof other !== 'string' && codes(other.settled).includes('ERR_RELAY_ANSWER'))
  })

  it('that plays the other end itself has one guess, and learns from a wrong one only that it was wrong', async (t) => {
    const told = Promise.withResolvers<string>()
    const test = await createTestRelay(t)
    const said: string[] = []
    const client = test.clientAt('198.51.100.7')
    const network = {
      ...client.network,
      fetch: async (request: Request, limits: { readonly signal?: AbortSignal }) => {
        said.push(await request.clone().text())
        return client.network.fetch(request, limits)
      },
    }
    const joining = joinRelay(
      { ...client, network },
      { relay: RELAY_URL, role: 'sender', streams: 1, onCode: told.resolve },
    )
    const channel = (await told.promise).split('-')[0] ?? ''
    const { uuid, x } = await test.ask('/join', { role: 'recipient', channel })
    const guess = beginAgreement(
      { suite: 'p256', channel, role: 'recipient', words: ['abacus', 'zoom'] },
      crypto.getRandomValues(new Uint8Array(agreementEntropyBytes('p256'))),
    )
    const { hhK } = guess.agree(base64url.decode(String(x)), 1)
    await test.ask('/channel', { channel, uuid, y: base64url.encode(guess.share), hh_k: base64url.encode(hhK) })
    await assert.rejects(joining, { code: 'ERR_WRONG_CODE' })
    // Nothing that depends on the words left the sender after its share, but that they were others.
    assert.ok(said.every((text) => !text.includes('h_k')))
    assert.ok(said.at(-1)?.includes('"wrong":true'))
  })
})
