/** What counts as a word. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { distanceFrom, encodePhrase, phrasesOf, planWords, vendorWords, wordsOf } from './words.ts'

describe('words', () => {
  it('are letters, marks and digits in a row, in any case and compatibility form', () => {
    assert.deepEqual(wordsOf('100% Ünïcode_Relay, ＡＢＣ x86-64'), ['100', 'ünïcode', 'relay', 'abc', 'x86', '64'])
    assert.deepEqual(wordsOf('नमस्ते Привет مرحبا'), ['नमस्ते', 'привет', 'مرحبا'])
    assert.deepEqual(wordsOf('%_\\\0\u202e<>'), [])
  })

  it('are single characters where writing has no spaces', () => {
    assert.deepEqual(wordsOf('快速代理proxy高速'), ['快', '速', '代', '理', 'proxy', '高', '速'])
    assert.deepEqual(phrasesOf('快速 代理'), [
      ['快', '速'],
      ['代', '理'],
    ])
  })

  it('hold nothing that means something in a pattern or separates words, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const words = wordsOf(text)
        for (const word of words) {
          assert.match(word, /^[\p{L}\p{M}\p{N}]+$/u)
          assert.ok(word.length <= 64 && word.isWellFormed())
        }
        assert.deepEqual(wordsOf(encodePhrase(words)), words)
      }),
    )
  })

  it('are the first of a profile that has too many, title before all', () => {
    const many = (letter: string, count: number) => Array.from({ length: count }, (_, i) => `${letter}${i}`).join(' ')
    const profile = {
      title: many('t', 600),
      description: many('d', 600),
      serviceTypes: ['proxy'],
      regions: ['eu-west'],
    }
    const words = vendorWords(profile)
    assert.equal(words.length, 1024)
    assert.deepEqual(words.slice(599, 604), ['t599', 'proxy', 'eu', 'west', 'd0'])
    assert.equal(planWords(many('p', 600)).length, 128)
  })
})

describe('a search', () => {
  const said = { title: 'Paper Boat', description: 'floats quickly', serviceTypes: ['proxy'], regions: ['eu-west'] }
  const distance = (search: string) => distanceFrom(phrasesOf(search) ?? [], said, ['One hour'])

  it('finds what begins a word, in all that is said', () => {
    for (const search of ['', 'boat', 'flo', 'prox', 'EU-west', 'hour', 'paper one quick']) {
      assert.notEqual(distance(search), undefined, search)
    }
    for (const search of ['oat', 'west-eu', 'paper sea', 'hour-one', '%', 'boat !']) {
      assert.equal(distance(search), undefined, search)
    }
  })

  it('is nearer to a title that has its words, and nearest to one that has them whole', () => {
    assert.deepEqual(['boat', 'boa', 'proxy', 'boat pap floats', ''].map(distance), [0, 1, 2, 3, 0])
  })

  it('has at most 16 words and 256 characters', () => {
    assert.equal(phrasesOf('a '.repeat(16))?.length, 16)
    assert.equal(phrasesOf('a '.repeat(17)), undefined)
    assert.equal(phrasesOf('a'.repeat(256))?.length, 1)
    assert.equal(phrasesOf('a'.repeat(257)), undefined)
  })
})
