import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { utf8 } from '../bytes.ts'
import siec from '../vectors/siec-255.json' with { type: 'json' }
import vectors from '../vectors/spake2-rfc9382.json' with { type: 'json' }
import { scalarEntropyBytes, scalarFrom, scheduleOf, sharedElement, shareOf, transcriptOf } from './spake2.ts'
import { SUITE_NAMES, suiteOf } from './suites.ts'

const number = (hex: string): bigint => BigInt(`0x${hex}`)

describe('SPAKE2', () => {
  for (const [index, vector] of vectors.rfc9382.entries()) {
    it(`RFC 9382 Appendix B, vector ${index + 1} (A = '${vector.A}', B = '${vector.B}'): every value`, () => {
      const suite = suiteOf('p256')
      const [w, x, y] = [number(vector.w), number(vector.x), number(vector.y)]
      const pA = shareOf(suite, 'A', w, x)
      const pB = shareOf(suite, 'B', w, y)
      const K = sharedElement(suite, 'A', w, x, pB)
      assert.deepEqual(K, sharedElement(suite, 'B', w, y, pA))
      const TT = transcriptOf(suite, { A: utf8(vector.A), B: utf8(vector.B), pA, pB, K, w })
      const schedule = scheduleOf(suite, TT, hexToBytes(vector.aad))
      const values = { pA, pB, K, TT, hashTT: suite.hash(TT), ...schedule }
      for (const [name, value] of Object.entries(values)) {
        assert.equal(bytesToHex(value), vector[name as keyof typeof values], name)
      }
    })
  }

  it('has the constants of RFC 9382 §4, and for siec those of its own file', () => {
    const constants = {
      p256: vectors.constants['P-256'],
      p384: vectors.constants['P-384'],
      p521: vectors.constants['P-521'],
    }
    for (const [name, { M, N, orderBytes, uncompressedBytes }] of Object.entries(constants)) {
      const suite = suiteOf(name as keyof typeof constants)
      assert.deepEqual([suite.M.toHex(true), suite.N.toHex(true)], [M, N])
      assert.deepEqual([suite.orderBytes, suite.shareBytes], [orderBytes, uncompressedBytes])
    }
    const { M, N, group } = suiteOf('siec')
    const { p, n, a, b, h, Gx, Gy } = group.CURVE()
    const hex = { p, n, a, b, h, Gx, Gy }
    for (const [name, value] of Object.entries(hex)) assert.equal(value, number(siec[name as keyof typeof hex]), name)
    assert.deepEqual([M.toHex(true), N.toHex(true)], [siec.M, siec.N])
    // The order is the group's: n times any point is nothing.
    assert.ok(
      group.BASE.multiplyUnsafe(n - 1n)
        .add(group.BASE)
        .is0(),
    )
  })

  for (const name of SUITE_NAMES) {
    const suite = suiteOf(name)
    const scalar = fc
      .uint8Array({ minLength: scalarEntropyBytes(suite), maxLength: scalarEntropyBytes(suite) })
      .map((bytes) => scalarFrom(suite, bytes))

    it(`${name}: the same words give the same element, others another`, () => {
      fc.assert(
        fc.property(scalar, scalar, scalar, scalar, (w, other, x, y) => {
          const pA = shareOf(suite, 'A', w, x)
          const pB = shareOf(suite, 'B', other, y)
          const [atA, atB] = [sharedElement(suite, 'A', w, x, pB), sharedElement(suite, 'B', other, y, pA)]
          assert.equal(bytesToHex(atA) === bytesToHex(atB), w === other)
          assert.deepEqual(
            sharedElement(suite, 'B', w, y, pA),
            sharedElement(suite, 'A', w, x, shareOf(suite, 'B', w, y)),
          )
        }),
        { numRuns: 5 },
      )
    })

    it(`${name}: takes uncompressed points of the curve and nothing else`, () => {
      const [w, x] = [7n, 11n]
      const good = shareOf(suite, 'B', w, 13n)
      const refused = (share: Uint8Array) =>
        assert.throws(() => sharedElement(suite, 'A', w, x, share), { code: 'ERR_PAKE_SHARE' })
      refused(new Uint8Array())
      refused(good.subarray(1))
      refused(Uint8Array.of(...good, 0))
      refused(suite.group.fromBytes(good).toBytes(true))
      // The identity: alone, and as what is left once the words are taken away.
      refused(Uint8Array.of(0))
      refused(new Uint8Array(suite.shareBytes))
      refused(Uint8Array.of(4, ...new Uint8Array(suite.shareBytes - 1)))
      refused(suite.N.multiply(w).toBytes(false))
      // Coordinates that are not below p.
      refused(Uint8Array.of(4, ...new Uint8Array(suite.shareBytes - 1).fill(255)))
      // Hybrid and compressed marks before a whole point.
      for (const mark of [0, 2, 3, 5, 6, 7]) refused(Uint8Array.of(mark, ...good.subarray(1)))
      fc.assert(
        fc.property(fc.nat({ max: good.length - 2 }), fc.nat({ max: 7 }), (at, bit) => {
          const bad = good.slice()
          bad[at + 1] = (bad[at + 1] ?? 0) ^ (1 << bit)
          refused(bad)
        }),
        { numRuns: 30 },
      )
    })

    it(`${name}: scalars are never 0, nor the order`, () => {
      const bytes = scalarEntropyBytes(suite)
      assert.equal(scalarFrom(suite, new Uint8Array(bytes)), 1n)
      const order = suite.group.Fn.ORDER
      const most = BigInt(`0x${'ff'.repeat(bytes)}`)
      assert.equal(scalarFrom(suite, new Uint8Array(bytes).fill(255)), (most % (order - 1n)) + 1n)
    })
  }
})
