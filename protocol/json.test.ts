import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readOrRefused, refusedAs } from '../test/refusal.ts'
import { fromUtf8, utf8 } from './bytes.ts'
import { canonicalJson, parseJson } from './json.ts'
import { JSON_DEPTH_MAX } from './limits.ts'

const canonical = (value: unknown) => fromUtf8(canonicalJson(value))
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

describe('canonicalJson', () => {
  it('RFC 8785 §3.2.2: literals, numbers and strings of the published sample', () => {
    const sample = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`
    const expected =
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],` +
      String.raw`"string":"€$\u000f\nA'B\"\\\\\"/"}`
    assert.equal(canonical(parseJson(sample)), expected)
  })

  it('RFC 8785 §3.2.3: members are sorted by UTF-16 code units', () => {
    const sample = String.raw`{
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis"
    }`
    const order = [...canonical(parseJson(sample)).matchAll(/:"([^"]+)"/g)].map(([, value]) => value)
    assert.deepEqual(order, [
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ])
  })

  const numbers: readonly (readonly [string, string])[] = [
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
  ]
  for (const [bits, text] of numbers) {
    it(`RFC 8785 Appendix B: the number 0x${bits} is ${text}`, () => {
      assert.equal(canonical(Buffer.from(bits, 'hex').readDoubleBE()), text)
    })
  }

  it('does not depend on the order in which members were written', () => {
    const members = fc.uniqueArray(fc.tuple(fc.string(), fc.jsonValue()), { selector: ([key]) => key, maxLength: 8 })
    fc.assert(
      fc.property(members, (list) => {
        const forwards = Object.fromEntries(list)
        const backwards = Object.fromEntries(list.toReversed())
        assert.equal(canonical(forwards), canonical(backwards))
      }),
    )
  })

  it('is JSON of the same value, and canonical already', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonical(value)
        assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))
        assert.equal(canonical(JSON.parse(text)), text)
      }),
    )
  })

  it('holds a member named __proto__, so that none can hide from a signature', () => {
    const value = parseJson('{"b":1,"__proto__":{"admin":true}}')
    assert.equal(canonical(value), '{"__proto__":{"admin":true},"b":1}')
    assert.equal(({} as { admin?: boolean }).admin, undefined)
  })

  const circular: unknown[] = []
  circular.push(circular)
  const unspeakable: Readonly<Record<string, unknown>> = {
    undefined: undefined,
    'a function': () => 1,
    'a bigint': 1n,
    'NaN inside': { a: [Number.NaN] },
    'Infinity, as JSON.parse makes of 1e400': JSON.parse('[1e400]'),
    'a lone surrogate': '\ud800',
    'a lone surrogate in a name': { '\udfff': 1 },
    'a circle': circular,
  }
  for (const [name, value] of Object.entries(unspeakable)) {
    it(`refuses ${name}`, () => assert.throws(() => canonicalJson(value), refusedAs('ERR_JSON_INVALID')))
  }
})

describe('parseJson', () => {
  it('reads text and UTF-8 bytes alike', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        fc.pre(text.isWellFormed())
        assert.deepEqual(parseJson(text), JSON.parse(text))
        assert.deepEqual(parseJson(utf8(text)), JSON.parse(text))
      }),
    )
  })

  it(`reads ${JSON_DEPTH_MAX} levels and refuses one more`, () => {
    assert.ok(Array.isArray(parseJson(nested(JSON_DEPTH_MAX))))
    assert.throws(() => parseJson(nested(JSON_DEPTH_MAX + 1)), refusedAs('ERR_JSON_INVALID'))
    const objects = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)
    assert.ok(parseJson(objects(JSON_DEPTH_MAX)))
    assert.throws(() => parseJson(objects(JSON_DEPTH_MAX + 1)), refusedAs('ERR_JSON_INVALID'))
  })

  it('counts levels, not brackets: what was closed counts no more, and hides nothing that follows', () => {
    const closed = `${nested(JSON_DEPTH_MAX - 1)},`.repeat(40)
    assert.ok(parseJson(`[${closed}1]`))
    assert.throws(() => parseJson(`[${closed}${nested(JSON_DEPTH_MAX)}]`), refusedAs('ERR_JSON_INVALID'))
  })

  it('refuses a million levels without following them', () => {
    assert.throws(() => parseJson(nested(1_000_000)), refusedAs('ERR_JSON_INVALID'))
    assert.throws(() => parseJson('[{"a":'.repeat(500_000)), refusedAs('ERR_JSON_INVALID'))
  })

  it('does not count brackets in strings, also after escaped quotes and backslashes', () => {
    const text = JSON.stringify(['['.repeat(100), '"' + '{'.repeat(100), '\\', '['.repeat(100)])
    assert.deepEqual(parseJson(text), JSON.parse(text))
  })

  it('counts brackets after a string that ends in a backslash', () => {
    assert.throws(() => parseJson(`["\\\\",${nested(JSON_DEPTH_MAX)}]`), refusedAs('ERR_JSON_INVALID'))
  })

  const notJson = {
    nothing: '',
    'two values': '1 2',
    'a comment': '1 // one',
    'a trailing comma': '[1,]',
    'a byte order mark': Uint8Array.of(0xef, 0xbb, 0xbf, 0x31),
    'bytes that are not UTF-8': Uint8Array.of(0x22, 0xff, 0x22),
  }
  for (const [name, input] of Object.entries(notJson)) {
    it(`refuses ${name}`, () => assert.throws(() => parseJson(input), refusedAs('ERR_JSON_INVALID')))
  }

  it('refuses all else in one way, whatever the input', async () => {
    const brackets = fc.string({ unit: fc.constantFrom(...'[]{}":,\\01a') })
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), brackets, fc.uint8Array()), async (input) => {
        await readOrRefused(() => parseJson(input))
      }),
      { numRuns: 500 },
    )
  })
})
