import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { createSocketReader } from './byte-reader-node.ts'
import { createByteReader } from './byte-reader.ts'
import { listening } from './testing.ts'

type Ends = readonly [writing: Duplex, reading: Duplex]

const sockets = async (t: TestContext): Promise<() => Promise<Ends>> => {
  const server = createServer({ allowHalfOpen: true })
  const port = await listening(t, server)
  return async () => {
    const writing = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {})
    const [reading] = (await once(server, 'connection')) as [Socket]
    return [writing, reading.on('error', () => {})]
  }
}

const kinds = [
  { name: 'streams', createReader: createByteReader, open: async () => async () => duplexPair() as Ends },
  { name: 'sockets', createReader: createSocketReader, open: sockets },
  {
    name: 'streams, for the one of sockets',
    createReader: createSocketReader,
    open: async () => async () => duplexPair() as Ends,
  },
] as const

const MAX = 70_000

for (const { name, createReader, open } of kinds) {
  describe(`a reader of ${name}`, () => {
    it('gives what was written, in whatever pieces it is written and asked for', async (t) => {
      const connected = await open(t)
      const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: MAX })), {
        minLength: 20,
        maxLength: 60,
      })
      await fc.assert(
        fc.asyncProperty(sizes, sizes, fc.nat({ max: 100 }), async (pieces, questions, early) => {
          const [writing, reading] = await connected()
          const content = randomBytes(pieces.reduce((sum, size) => sum + size, 0))
          if (early > 0) {
            writing.write(content.subarray(0, early))
            await once(reading, 'readable')
          }
          const reader = createReader(reading, MAX)
          const write = async () => {
            let at = Math.min(early, content.length)
            for (const size of pieces) {
              writing.write(content.subarray(at, (at += size)))
              if (size % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
            }
            writing.end()
          }
          const written = write()
          let at = 0
          for (const size of questions) {
            const bytes = await reader.take(size)
            if (at + size > content.length) {
              assert.equal(bytes, undefined)
              break
            }
            assert.ok(bytes && content.subarray(at, (at += size)).equals(bytes))
          }
          await written
          reader.drop()
          reading.end()
          writing.resume()
        }),
        // Small pieces alone would never fill its memory.
        { numRuns: 20, unbiased: true },
      )
    })

    it('says so when the connection is over, while it waits and after', async (t) => {
      const connected = await open(t)
      const [, reading] = await connected()
      const reader = createReader(reading, MAX)
      const waiting = reader.take(5)
      reading.destroy()
      assert.equal(await waiting, undefined)
      assert.equal(await reader.take(1), undefined)
    })

    it('lets the connection close by itself once nothing more is of interest', async (t) => {
      const connected = await open(t)
      const [writing, reading] = await connected()
      const reader = createReader(reading, MAX)
      writing.write('wanted')
      assert.equal(Buffer.from((await reader.take(6)) ?? []).toString(), 'wanted')
      writing.end('and not')
      reader.drop()
      const closed = once(reading, 'close')
      reading.end()
      writing.resume()
      await closed
    })
  })
}
