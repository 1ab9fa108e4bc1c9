import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatIp } from './ip-address.ts'
import {
  decideSocks,
  SOCKS_LOGIN_ANSWER,
  type SocksAuth,
  type SocksDecision,
  socksReply,
  type SocksStage,
} from './socks5.ts'

/** A client's messages, as the RFCs draw them. */
const greetingBytes = (methods: readonly number[]) => Uint8Array.of(5, methods.length, ...methods)
const loginBytes = (username: string, password: string) => {
  const [name, secret] = [Buffer.from(username), Buffer.from(password)]
  return Uint8Array.of(1, name.length, ...name, secret.length, ...secret)
}
const requestBytes = (addressType: number, address: Iterable<number>, port: number, command = 1) =>
  Uint8Array.of(5, command, 0, addressType, ...address, port >> 8, port & 255)
const domain = (name: string) => [name.length, ...Buffer.from(name, 'latin1')]

/** Decides as a server does that reads no byte more than it is told to. */
const decideFrom = (
  auth: SocksAuth,
  stage: SocksStage,
  bytes: Uint8Array,
): { decision: SocksDecision; taken: number } => {
  let taken = 0
  for (;;) {
    const decision = decideSocks(auth, stage, bytes.subarray(0, taken))
    if (decision.do !== 'read' || taken === bytes.length) return { decision, taken }
    assert.ok(decision.bytes >= 1)
    taken = Math.min(bytes.length, taken + decision.bytes)
  }
}

const auth = fc.constantFrom<SocksAuth>('none', 'password')
const stage = fc.constantFrom<SocksStage>('greeting', 'login', 'request')
const port = fc.integer({ min: 0, max: 65_535 })
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
const name = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_.'), minLength: 1, maxLength: 255 })
const address = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((ip) => ({ type: 1, bytes: [...ip], host: formatIp(ip) })),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((ip) => ({ type: 4, bytes: [...ip], host: formatIp(ip) })),
  name.map((host) => ({ type: 3, bytes: domain(host), host })),
)

/** A whole message of each stage. */
const message = fc.oneof(
  fc.record({
    stage: fc.constant('greeting' as const),
    bytes: fc.uint8Array({ maxLength: 255 }).map((methods) => greetingBytes([...methods])),
  }),
  fc.record({
    stage: fc.constant('login' as const),
    bytes: fc.tuple(text, text).map(([username, password]) => loginBytes(username, password)),
  }),
  fc.record({
    stage: fc.constant('request' as const),
    bytes: fc.tuple(address, port).map(([{ type, bytes }, to]) => requestBytes(type, bytes, to)),
  }),
)

describe('SOCKS5 messages', () => {
  it('RFC 1929 §2: a login is read as it was written', () => {
    fc.assert(
      fc.property(text, text, (username, password) => {
        const { decision } = decideFrom('password', 'login', loginBytes(username, password))
        assert.deepEqual(decision, { do: 'check-login', login: { username, password } })
      }),
    )
  })

  it('RFC 1928 §4: a request is read as it was written, for all three kinds of address', () => {
    fc.assert(
      fc.property(auth, address, port, (way, { type, bytes, host }, to) => {
        const { decision } = decideFrom(way, 'request', requestBytes(type, bytes, to))
        assert.deepEqual(decision, { do: 'connect', destination: { host, port: to } })
      }),
    )
  })

  it('are taken whole and not a byte beyond, however they are cut', () => {
    fc.assert(
      fc.property(auth, message, fc.uint8Array({ maxLength: 9 }), (way, { stage: at, bytes }, beyond) => {
        const whole = decideSocks(way, at, bytes)
        assert.notEqual(whole.do, 'read')
        assert.deepEqual(decideFrom(way, at, Uint8Array.of(...bytes, ...beyond)), {
          decision: whole,
          taken: bytes.length,
        })
        for (let cut = 0; cut < bytes.length; cut++) {
          const part = decideSocks(way, at, bytes.subarray(0, cut))
          assert.ok(part.do === 'read' && part.bytes <= bytes.length - cut)
        }
      }),
    )
  })

  it('of any other bytes are refused or waited for, within 513 bytes', () => {
    const start = fc.constantFrom([], [5], [1], [5, 1, 0, 1], [5, 1, 0, 3], [5, 1, 0, 4], [5, 2])
    fc.assert(
      fc.property(auth, stage, start, fc.uint8Array({ maxLength: 600, size: 'max' }), (way, at, first, rest) => {
        const { taken } = decideFrom(way, at, Uint8Array.of(...first, ...rest))
        assert.ok(taken <= 513)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the server half of a SOCKS5 handshake', () => {
  /** What is decided for a whole message, by stage and input: anything not in the table is not accepted. */
  const table: [string, SocksAuth, SocksStage, Uint8Array, SocksDecision['do'], number[]][] = [
    ['password offered', 'password', 'greeting', greetingBytes([0, 2]), 'go-on', [5, 2]],
    ['password offered alone', 'password', 'greeting', greetingBytes([2]), 'go-on', [5, 2]],
    [
      'no authentication offered where a password is due',
      'password',
      'greeting',
      greetingBytes([0, 1]),
      'refuse',
      [5, 255],
    ],
    ['no method offered', 'password', 'greeting', greetingBytes([]), 'refuse', [5, 255]],
    ['no authentication offered', 'none', 'greeting', greetingBytes([0, 2]), 'go-on', [5, 0]],
    ['password offered alone where none is due', 'none', 'greeting', greetingBytes([2]), 'refuse', [5, 255]],
    ['SOCKS4', 'password', 'greeting', Uint8Array.of(4), 'refuse', []],
    ['HTTP', 'none', 'greeting', Buffer.from('CONNECT'), 'refuse', []],
    ['a login of another version', 'password', 'login', Uint8Array.of(5), 'refuse', [1, 1]],
    ['a login not in UTF-8', 'password', 'login', Uint8Array.of(1, 1, 0xff, 1, 97), 'refuse', [1, 1]],
    ['a request of another version', 'none', 'request', Uint8Array.of(4), 'refuse', [...socksReply(1)]],
    ['reserved bits', 'none', 'request', Uint8Array.of(5, 1, 1), 'refuse', [...socksReply(1)]],
    ['BIND', 'none', 'request', requestBytes(1, [192, 0, 2, 1], 80, 2), 'refuse', [...socksReply(7)]],
    ['UDP ASSOCIATE', 'none', 'request', requestBytes(1, [192, 0, 2, 1], 80, 3), 'refuse', [...socksReply(7)]],
    ['an unknown kind of address', 'none', 'request', Uint8Array.of(5, 1, 0, 2), 'refuse', [...socksReply(8)]],
    ['an empty name', 'none', 'request', requestBytes(3, [0], 80), 'refuse', [...socksReply(1)]],
    [
      'a name with other characters',
      'none',
      'request',
      requestBytes(3, domain('a b\0'), 80),
      'refuse',
      [...socksReply(1)],
    ],
    ['an IPv6 address as a name', 'none', 'request', requestBytes(3, domain('2001:db8::1'), 80), 'connect', []],
  ]
  for (const [input, way, at, bytes, does, sends] of table) {
    it(`${at}: ${input} → ${does}`, () => {
      const decision = decideSocks(way, at, bytes)
      assert.equal(decision.do, does)
      assert.deepEqual('send' in decision ? [...decision.send] : [], sends)
    })
  }

  it('asks for a login exactly where a password is due', () => {
    const next = (way: SocksAuth) => {
      const decision = decideSocks(way, 'greeting', greetingBytes([0, 2]))
      return decision.do === 'go-on' && decision.stage
    }
    assert.equal(next('password'), 'login')
    assert.equal(next('none'), 'request')
    assert.deepEqual(SOCKS_LOGIN_ANSWER, { granted: Uint8Array.of(1, 0), denied: Uint8Array.of(1, 1) })
  })

  it('RFC 1928 §6: a reply has the length of its address', () => {
    assert.deepEqual([...socksReply(3)], [5, 3, 0, 1, 0, 0, 0, 0, 0, 0])
  })
})
