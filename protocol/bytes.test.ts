import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  base58,
  base64url,
  CANONICAL_BASE64URL,
  equalBytes,
  fromHex,
  fromUtf8,
  toHex,
  utf8,
  utf8Padded,
} from './bytes.ts'

const bytes = fc.uint8Array({ maxLength: 200 })

describe('text forms of bytes', () => {
  it('base64url, base58 and hex give back what was written, and agree with Node where it has the form', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        assert.deepEqual(base64url.decode(base64url.encode(value)), value)
        assert.deepEqual(base58.decode(base58.encode(value)), value)
        assert.deepEqual(fromHex(toHex(value)), value)
        assert.equal(base64url.encode(value), Buffer.from(value).toString('base64url'))
        assert.equal(toHex(value), `0x${Buffer.from(value).toString('hex')}`)
      }),
    )
  })

  it('hex is read in either case, and only after 0x', () => {
    assert.deepEqual(fromHex('0xDEADbeef'), Uint8Array.of(0xde, 0xad, 0xbe, 0xef))
    for (const text of ['deadbeef', '0xabc', '0xzz', '0X00', '0x 0']) assert.throws(() => fromHex(text))
  })

  const misspelt = { padded: 'AA==', 'stray low bits': 'AB', 'another alphabet': '+/8', cut: 'A', spaced: 'A A' }
  for (const [name, text] of Object.entries(misspelt)) {
    it(`base64url that is ${name} is refused`, () => {
      assert.throws(() => base64url.decode(text))
      assert.doesNotMatch(text, CANONICAL_BASE64URL)
    })
  }

  it('the pattern of base64url matches exactly what can be decoded', () => {
    const decodes = (text: string) => {
      try {
        base64url.decode(text)
        return true
      } catch {
        return false
      }
    }
    const nearly = fc.string({ unit: fc.constantFrom(...'AQgwBEz09-_+/= \n'), maxLength: 9 })
    fc.assert(
      fc.property(nearly, (text) => {
        assert.equal(CANONICAL_BASE64URL.test(text), decodes(text))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('UTF-8', () => {
  it('gives back any text that has no lone surrogate', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0x10ffff)), (codePoints) => {
        const text = String.fromCodePoint(...codePoints)
        fc.pre(text.isWellFormed())
        assert.equal(fromUtf8(utf8(text)), text)
      }),
    )
  })

  it('keeps a byte order mark, so that equal text means equal bytes', () => {
    assert.equal(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31)), '\ufeff1')
  })

  it('is refused when it is not UTF-8', () => {
    for (const wrong of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80]]) {
      assert.throws(() => fromUtf8(Uint8Array.from(wrong)), TypeError)
    }
  })

  it('is padded with as many spaces as the next multiple needs', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.integer({ min: 1, max: 64 }), (text, multiple) => {
        const padded = utf8Padded(text, multiple)
        const spaces = padded.length - utf8(text).length
        assert.deepEqual(padded, utf8(text + ' '.repeat(spaces)))
        assert.equal(padded.length % multiple, 0)
        assert.ok(spaces < multiple)
      }),
    )
  })
})

describe('equalBytes', () => {
  it('is equality of all bytes', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        assert.equal(equalBytes(a, a.slice()), true)
        assert.equal(equalBytes(a, b), Buffer.compare(a, b) === 0)
      }),
    )
  })

  it('sees one changed bit anywhere, and one byte more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(), fc.nat(7), (value, at, bit) => {
        const changed = value.slice()
        changed[at % changed.length]! ^= 1 << bit
        assert.equal(equalBytes(value, changed), false)
        assert.equal(equalBytes(value, Uint8Array.of(...value, 0)), false)
      }),
    )
  })
})
