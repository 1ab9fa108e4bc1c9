import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createNativeAead } from '../../effects/aead-node.ts'
import { type CreateAead, createPortableAead } from '../../protocol/relay/aead.ts'
import { createSecureStream, type SecureStream } from './secure-stream.ts'

const key = (fill: number) => new Uint8Array(32).fill(fill)

/** Two ends, with their connections; the keys are right unless they are said to differ. */
const createPair = (left: CreateAead = createPortableAead, right: CreateAead = left, wrong = 1) => {
  const [a, b] = duplexPair()
  return {
    a,
    left: createSecureStream(a, { sending: left(key(1)), receiving: left(key(2)) }),
    right: createSecureStream(b, { sending: right(key(2)), receiving: right(key(wrong)) }),
  }
}

const receiveAll = async (stream: SecureStream): Promise<Uint8Array[]> => {
  const records: Uint8Array[] = []
  for (let record = await stream.receive(); record; record = await stream.receive()) records.push(record)
  return records
}

const hex = (records: readonly Uint8Array[]) => records.map((record) => Buffer.from(record).toString('hex'))

describe('a secure stream', () => {
  it('carries the same records both ways, whoever computes the cipher', async () => {
    const records = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(records, records, fc.boolean(), async (there, back, isMixed) => {
        const { left, right } = createPair(createPortableAead, isMixed ? createNativeAead : createPortableAead)
        const send = async (stream: SecureStream, all: readonly Uint8Array[]) => {
          for (const record of all) await stream.send(record)
          await stream.end()
        }
        const [, , atRight, atLeft] = await Promise.all([
          send(left, there),
          send(right, back),
          receiveAll(right),
          receiveAll(left),
        ])
        assert.deepEqual([hex(atRight), hex(atLeft)], [hex(there), hex(back)])
      }),
      { numRuns: 50 },
    )
  })

  it('takes records of 64 KiB and no longer ones', async () => {
    const { left, right } = createPair(createNativeAead)
    const largest = new Uint8Array(65_536).fill(7)
    const sent = left.send(largest)
    assert.deepEqual(Buffer.from((await right.receive()) ?? []), Buffer.from(largest))
    await sent
    await assert.rejects(left.send(new Uint8Array(65_537)), { code: 'ERR_RECORD' })
  })

  it('sends no faster than the other end receives', async () => {
    const { left, right } = createPair(createNativeAead)
    let sent = 0
    const sending = (async () => {
      for (let i = 0; i < 100; i++, sent++) await left.send(new Uint8Array(65_536))
    })()
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(sent <= 10, `${sent} records are on their way and nobody takes them`)
    for (let i = 0; i < 100; i++) await right.receive()
    await sending
  })

  it('tells a cut from an end, wherever the cut is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.boolean(), async (where, isHard) => {
        const [a, b] = duplexPair()
        const [middle, far] = duplexPair()
        const left = createSecureStream(a, {
          sending: createPortableAead(key(1)),
          receiving: createPortableAead(key(2)),
        })
        const [bytes] = await Promise.all([buffer(b), left.send(new Uint8Array(100)).then(() => left.end())])
        const receiver = createSecureStream(far, {
          sending: createPortableAead(key(2)),
          receiving: createPortableAead(key(1)),
        })
        middle.write(bytes.subarray(0, where % bytes.length))
        if (isHard) middle.once('close', () => far.destroy()).destroy()
        else middle.end()
        await assert.rejects(receiveAll(receiver), { code: 'ERR_STREAM_BROKEN', retryable: true })
      }),
    )
  })

  it('does not take what was made with another key, and sends nothing after the end', async () => {
    const { left, right } = createPair(createPortableAead, createPortableAead, 3)
    await left.send(Uint8Array.of(1))
    await assert.rejects(right.receive(), { code: 'ERR_STREAM_FORGED', retryable: false })
    const other = createPair()
    const ended = other.left.end()
    assert.equal(await other.right.receive(), undefined)
    assert.equal(await other.right.receive(), undefined)
    await ended
    await assert.rejects(other.left.send(Uint8Array.of(1)), /after the end/)
  })

  it('says so when the connection breaks while it waits to send', async () => {
    const { left, a } = createPair()
    const sending = (async () => {
      for (;;) await left.send(new Uint8Array(65_536))
    })()
    setImmediate(() => a.destroy())
    await assert.rejects(sending, { code: 'ERR_STREAM_BROKEN' })
    await assert.rejects(left.end(), { code: 'ERR_STREAM_BROKEN' })
  })
})
