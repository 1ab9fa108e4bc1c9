import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { utf8 } from './bytes.ts'
import { chainText, CLEAN_TEXT_LENGTH_MAX, cleanText } from './text.ts'

describe('the cleaned view of a stranger’s text', () => {
  const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 100 }).map(utf8))

  it('keeps ordinary text of any script as it is', () => {
    for (const text of [
      'Fast proxy, 5 €/month',
      'Прокси\tбыстрый\n',
      '高速代理',
      'بروكسي سريع',
      'שלום',
      '🚀',
      'नमस्ते',
    ]) {
      assert.equal(cleanText(utf8(text)), text)
    }
  })

  it('drops NUL, controls, direction changes, invisible characters and line separators', () => {
    const unsafe = [
      0, 7, 0xd, 0x1b, 0x7f, 0x85, 0xad, 0x61c, 0x200b, 0x200f, 0x2028, 0x202e, 0x2066, 0x2069, 0xfeff, 0xfffe, 0xe0041,
    ]
    for (const point of unsafe) {
      assert.equal(cleanText(utf8(`a${String.fromCodePoint(point)}b`)), 'ab', point.toString(16))
    }
  })

  it('shows what is not UTF-8 as replacement characters', () => {
    assert.equal(cleanText(new Uint8Array([0x61, 0xff, 0x62])), 'a\ufffdb')
    assert.equal(cleanText(new Uint8Array([0xed, 0xa0, 0x80])), '\ufffd\ufffd\ufffd')
  })

  it('cleans nothing more the second time', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const once = cleanText(bytes)
        assert.equal(cleanText(utf8(once)), once)
      }),
    )
  })

  it('is well-formed and free of controls, whatever the bytes', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const text = cleanText(bytes)
        assert.ok(text.isWellFormed())
        assert.doesNotMatch(text, /(?![\t\n])[\p{Cc}\u202a-\u202e\u2066-\u2069]/u)
      }),
    )
  })

  it('is bounded, and is cut between characters', () => {
    const long = cleanText(utf8(`a${'🚀'.repeat(50_000)}`))
    assert.ok(long.length <= CLEAN_TEXT_LENGTH_MAX)
    assert.ok(long.isWellFormed())
    assert.ok(/^a🚀+$/u.test(long))
    assert.equal(cleanText(utf8(long)), long)
  })

  it('stands beside the bytes, which stay as they are', () => {
    const bytes = new Uint8Array([0, 0x61, 0xff])
    assert.deepEqual(chainText(bytes), { bytes, text: 'a\ufffd' })
  })
})
