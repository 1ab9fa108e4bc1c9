import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { completeCode, drawWords, formatCode, parseCode } from './code.ts'

const entropy = fc.uint8Array({ minLength: 16, maxLength: 16 })

describe('a code', () => {
  it('is read as it was written, however it is typed', () => {
    const channel = fc.stringMatching(/^[a-z0-9]{1,32}$/)
    const gap = fc.constantFrom('-', ' ', '  ', ' - ', '--')
    fc.assert(
      fc.property(channel, entropy, gap, fc.boolean(), (name, bytes, between, isLoud) => {
        const code = { channel: name, words: drawWords(bytes) }
        const typed = formatCode(code).replaceAll('-', between)
        assert.deepEqual(parseCode(isLoud ? typed.toUpperCase() : ` ${typed}\n`), code)
      }),
    )
  })

  it('has at least 20 bits: its words follow evenly from 16 bytes', () => {
    const seen = new Set<string>()
    const most = new Uint8Array(16)
    for (let low = 0; low < 256; low++)
      for (let high = 0; high < 256; high++) {
        most[15] = low
        most[14] = high
        seen.add(drawWords(most).join('-'))
      }
    // 65,536 numbers in a row give as many codes, since there are more than 60 million.
    assert.equal(seen.size, 65_536)
    assert.equal(drawWords(new Uint8Array(16).fill(255)).length, 2)
  })

  it('is refused before anything is sent when it cannot be right', () => {
    const bad = [
      '',
      '7',
      '7-',
      '7-mustard',
      '7-mustard-reunoin',
      '7-mustard-',
      'Ü-mustard-reunion',
      '7-9-9',
      `${'7'.repeat(33)}-mustard-reunion`,
    ]
    for (const text of bad) assert.throws(() => parseCode(text), { code: 'ERR_CODE_WORDS' }, text)
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        try {
          parseCode(text)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ERR_CODE_WORDS')
        }
      }),
    )
  })

  it('is completed word by word', () => {
    assert.deepEqual(completeCode('7-mustar'), ['7-mustard'])
    assert.deepEqual(completeCode('7-mustard-reuni'), ['7-mustard-reunion', '7-mustard-reunite'])
    assert.deepEqual(completeCode('7'), [])
    assert.deepEqual(completeCode('7-zzz'), [])
    assert.equal(completeCode('7-').length, 16)
    for (const code of completeCode('7-mustard-a', 5)) assert.equal(parseCode(code).channel, '7')
  })
})
