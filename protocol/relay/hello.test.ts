import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ROLES } from './agreement.ts'
import { checkGreeting, encodeHello, greetingOf, HELLO_HEAD_BYTES, helloRestBytes, parseHello } from './hello.ts'

const hello = fc.record(
  {
    role: fc.constantFrom(...ROLES),
    stream: fc.nat({ max: 7 }),
    generation: fc.nat({ max: 65_535 }),
    channel: fc.stringMatching(/^[a-z0-9]{1,32}$/),
  },
  { noNullPrototype: true },
)
const greeting = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(greetingOf)

/** As the relay reads it. */
const read = (bytes: Uint8Array, heard: Uint8Array) => {
  const rest = helloRestBytes(bytes.subarray(0, HELLO_HEAD_BYTES))
  if (bytes.length !== HELLO_HEAD_BYTES + rest) throw Object.assign(new Error('length'), { code: 'ERR_HELLO' })
  return parseHello(bytes, heard)
}

describe('a hello', () => {
  it('says what it was given, is of who has the secret, and has at most 256 bytes', () => {
    fc.assert(
      fc.property(hello, greeting, fc.uuid(), fc.uuid(), (said, heard, secret, other) => {
        const bytes = encodeHello(said, secret, heard)
        assert.ok(bytes.length <= 256)
        const { hello: found, isFrom } = read(bytes, heard)
        assert.deepEqual(found, said)
        assert.ok(isFrom(secret))
        assert.equal(isFrom(other), other === secret)
        assert.ok(!isFrom(''))
      }),
    )
  })

  it('is good for one greeting: said again on another connection it is worth nothing', () => {
    fc.assert(
      fc.property(hello, greeting, greeting, fc.uuid(), (said, first, second, secret) => {
        fc.pre(Buffer.compare(first, second) !== 0)
        assert.ok(!read(encodeHello(said, secret, first), second).isFrom(secret))
      }),
    )
  })

  it('is worth nothing with any bit changed: another stream, role or generation is another hello', () => {
    fc.assert(
      fc.property(hello, greeting, fc.uuid(), fc.nat(), fc.nat({ max: 7 }), (said, heard, secret, where, bit) => {
        const bytes = encodeHello(said, secret, heard)
        const at = where % bytes.length
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
        try {
          assert.ok(!read(bytes, heard).isFrom(secret))
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ERR_HELLO')
        }
      }),
    )
  })

  it('is refused by its first bytes when it is none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), (head) => {
        try {
          const rest = helloRestBytes(head)
          assert.ok(rest > 32 && rest <= 64)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ERR_HELLO')
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('is sent to relays of ours only', () => {
    checkGreeting(greetingOf(new Uint8Array(32)))
    for (const other of [
      new Uint8Array(),
      new Uint8Array(46),
      Buffer.from('SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n.....'),
    ])
      assert.throws(() => checkGreeting(other), { code: 'ERR_HELLO' })
  })
})
