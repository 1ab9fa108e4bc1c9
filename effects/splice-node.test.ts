import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'
import { spliceSockets } from './splice-node.ts'
import { listening } from './testing.ts'

/** Two clients, spliced in the middle; `early` is what the left one says before that. */
const setUp = async (t: TestContext, early = '', onBytes?: Parameters<typeof spliceSockets>[2]) => {
  const accepted: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => void accepted.push(socket.on('error', () => {})))
  const port = await listening(t, server)
  const client = async () => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {})
    const [, [inside]] = await Promise.all([once(socket, 'connect'), once(server, 'connection')])
    return [socket, inside as Socket] as const
  }
  const [left, a] = await client()
  const [right, b] = await client()
  if (early !== '') {
    left.write(early)
    await once(a, 'readable')
  }
  return { left, right, a, b, done: spliceSockets(a, b, onBytes) }
}

const digest = () => createHash('sha256')

/** Sizes around every bound there is inside: short, a whole buffer, several of them. */
const SIZES = [1, 100, 16_383, 16_384, 65_535, 65_536, 65_537, 3_000_000, 5, 1_000_000, 20_000]

describe('spliced sockets', () => {
  it('carry all bytes of both sides, however fast they are taken', async (t) => {
    const counted = { a: 0, b: 0 }
    const { left, right, done } = await setUp(t, '', (from, length) => (counted[from] += length))
    const total = SIZES.reduce((sum, size) => sum + size, 0)
    const send = async (socket: Socket) => {
      const sum = digest()
      for (const size of SIZES) {
        const piece = randomBytes(size)
        sum.update(piece)
        if (!socket.write(piece)) await once(socket, 'drain')
      }
      socket.end()
      return sum.digest('hex')
    }
    const receive = async (socket: Socket) => {
      const sum = digest()
      let chunks = 0
      for await (const chunk of socket) {
        sum.update(chunk as Buffer)
        // Now and then it stands still for many turns, and everything behind it comes to a stop.
        if (++chunks % 16 === 0)
          for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      }
      return sum.digest('hex')
    }
    const [sentLeft, sentRight, gotRight, gotLeft] = await Promise.all([
      send(left),
      send(right),
      receive(right),
      receive(left),
    ])
    assert.deepEqual([gotRight, gotLeft], [sentLeft, sentRight])
    assert.equal(await done, true)
    assert.deepEqual(counted, { a: total, b: total })
  })

  it('keep apart what comes from many at once', async (t) => {
    const pairs = await Promise.all(Array.from({ length: 8 }, () => setUp(t)))
    await Promise.all(
      pairs.map(async ({ left, right, done }, index) => {
        const piece = Buffer.alloc(400_000, index + 1)
        left.end(piece)
        right.end(piece)
        for (const side of [left, right]) {
          let length = 0
          for await (const chunk of side) {
            assert.ok((chunk as Buffer).every((byte) => byte === index + 1))
            length += (chunk as Buffer).length
          }
          assert.equal(length, piece.length)
        }
        assert.equal(await done, true)
      }),
    )
  })

  it('keep apart what waits for one from what comes for another, and from what comes after it', async (t) => {
    const quick = await setUp(t)
    // Neither short nor a whole buffer; and whole buffers.
    const slow = await Promise.all(
      [20_000, 300_000].map(async (size) => ({ ...(await setUp(t)), size, sent: digest() })),
    )
    for (const { left, right, size, sent } of slow) {
      right.pause()
      // Until the system takes nothing more.
      while (left.writableLength < 1_000_000) {
        const piece = randomBytes(size)
        sent.update(piece)
        left.write(piece)
        await new Promise((resolve) => setImmediate(resolve))
      }
      left.end()
    }
    quick.left.end(Buffer.alloc(20_000, 2))
    for await (const chunk of quick.right) assert.ok((chunk as Buffer).every((byte) => byte === 2))
    for (const { right, sent } of slow) {
      const received = digest()
      for await (const chunk of right) received.update(chunk as Buffer)
      assert.equal(received.digest('hex'), sent.digest('hex'))
    }
    for (const { left, right, done } of [...slow, quick]) {
      right.end()
      left.resume()
      assert.equal(await done, true)
    }
  })

  it('begin with what had come before', async (t) => {
    const { left, right, done } = await setUp(t, 'early ')
    left.end('and late')
    assert.equal(await text(right), 'early and late')
    right.end('answer')
    assert.equal(await text(left), 'answer')
    assert.equal(await done, true)
  })

  it('end each direction on its own', async (t) => {
    const { left, right, done } = await setUp(t)
    left.end('question')
    assert.equal(await text(right), 'question')
    right.write('ans')
    await once(left, 'readable')
    right.end('wer')
    assert.equal(await text(left), 'answer')
    assert.equal(await done, true)
  })

  it('break together, and say so', async (t) => {
    for (const broken of ['a', 'b', 'left', 'right'] as const) {
      const ends = await setUp(t)
      const { left, right } = ends
      left.resume()
      right.resume()
      if (broken === 'left' || broken === 'right') ends[broken].resetAndDestroy()
      else ends[broken].destroy()
      assert.equal(await ends.done, false)
      assert.ok(ends.a.destroyed && ends.b.destroyed)
    }
  })

  it('hold little of what nobody takes', async (t) => {
    const { left, right, a, b } = await setUp(t)
    right.pause()
    const piece = Buffer.alloc(65_536, 1)
    let written = 0
    // Until the system takes nothing more: what it keeps itself is not ours.
    for (let idle = 0; idle < 20;) {
      const isTaken = left.writableLength < 1_000_000
      if (isTaken) written += left.write(piece) ? piece.length : 0
      await new Promise((resolve) => setImmediate(resolve))
      idle = isTaken ? 0 : idle + 1
    }
    assert.ok(a.readableLength + b.writableLength <= 65_536, `${a.readableLength} + ${b.writableLength}`)
    left.destroy()
    right.destroy()
  })

  it('are spliced like any streams when they are no sockets', async () => {
    const [left, a] = duplexPair()
    const [right, b] = duplexPair()
    const done = spliceSockets(a, b)
    left.end('there')
    right.end('back')
    assert.deepEqual([await text(right), await text(left)], ['there', 'back'])
    assert.equal(await done, true)
  })
})
