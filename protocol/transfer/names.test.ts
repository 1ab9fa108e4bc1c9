import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { compareNames, createPathOrder, foldName, nameFault, pathFault, type Path } from './names.ts'

const posix = { windows: false, distinct: true }
const windows = { windows: true, distinct: false }

describe('a name', () => {
  it('leads nowhere but into its folder, on any system', () => {
    for (const name of ['', '.', '..', '/', 'a/b', '/etc/passwd', '../x']) {
      assert.ok(nameFault(name, posix), name)
      assert.ok(nameFault(name, windows), name)
    }
  })

  it('drives no terminal and turns no text around', () => {
    for (const name of [
      'a\0b',
      'a\nb',
      '\u001b[2J',
      'a\u009bm',
      'gpj\u202eexe',
      'a\u2066b',
      'a\u2028b',
      '\ud800',
      'a\ufffe',
    ])
      assert.match(nameFault(name, posix) ?? '', /harm/)
  })

  it('may be any other, where the system takes it', () => {
    for (const name of [
      'CON',
      'aux.c',
      'a:b',
      'a\\b',
      'a ',
      'a.',
      '.bashrc',
      'Screenshot 12:30.png',
      'ש\u200fלום',
      '👩‍💻',
    ])
      assert.equal(nameFault(name, posix), undefined, name)
  })

  it('is no device of Windows and keeps its form there', () => {
    const devices = ['CON', 'con', 'Aux.c', 'nul .txt', 'COM1', 'com¹.log', 'LPT9', 'CONIN$', 'PRN.tar.gz']
    for (const name of [
      ...devices,
      'a:b',
      'C:',
      'a\\b',
      '..\\x',
      'a*',
      'a?',
      'a"b',
      'a|b',
      'a<b',
      'a ',
      'a.',
      '...',
      ' ',
    ])
      assert.ok(nameFault(name, windows), name)
    for (const name of ['console', 'auxiliary', 'com10', 'nullable.txt', '.bashrc', 'a b'])
      assert.equal(nameFault(name, windows), undefined, name)
  })

  it('is as long as file systems take, and so is a path', () => {
    assert.equal(nameFault('ä'.repeat(127), posix), undefined)
    assert.match(nameFault('ä'.repeat(128), posix) ?? '', /longer than 255 bytes/)
    assert.match(pathFault(Array<string>(20).fill('a'.repeat(200)), posix) ?? '', /longer than 3072 bytes/)
    assert.match(pathFault(Array<string>(129).fill('a'), posix) ?? '', /128 folders/)
    assert.match(pathFault([], posix) ?? '', /empty/)
    assert.match(pathFault(['a', '..'], posix) ?? '', /elsewhere/)
  })

  it('has one fold with every name that some file system takes for the same', () => {
    for (const [a, b] of [
      ['README', 'readme'],
      ['\u00e9', 'e\u0301'],
      ['straße', 'STRASSE'],
      ['\u212a', 'k'],
      ['a\u200bb', 'ab'],
      ['ΑΣ', 'ας'],
    ] as const)
      assert.equal(foldName(a), foldName(b), `${a} ${b}`)
    assert.notEqual(foldName('a'), foldName('b'))
  })

  it('has its place in one order, with names of one fold side by side', () => {
    const unicode = fc.string({ unit: 'grapheme', maxLength: 4 })
    fc.assert(
      fc.property(unicode, unicode, unicode, (a, b, c) => {
        assert.equal(compareNames(a, b) + compareNames(b, a), 0)
        if (compareNames(a, b) <= 0 && compareNames(b, c) <= 0) assert.ok(compareNames(a, c) <= 0)
        assert.equal(compareNames(a, b) === 0, a === b)
        if (foldName(a) === foldName(c) && compareNames(a, b) < 0 && compareNames(b, c) < 0)
          assert.equal(foldName(b), foldName(a))
      }),
    )
  })
})

const refusal = (paths: readonly string[], distinct = true): string | undefined => {
  const order = createPathOrder({ distinct })
  for (const path of paths) {
    const fault = order.next(path.replace(/\/$/, '').split('/'), path.endsWith('/'))
    if (fault !== undefined) return `${path} ${fault}`
  }
  return undefined
}

describe('the order of paths', () => {
  it('has each folder before what is in it', () => {
    assert.equal(refusal(['a/', 'a/b/', 'a/b/c', 'a/d', 'b']), undefined)
    assert.equal(refusal(['a/b']), 'a/b is in no folder before it')
    assert.equal(refusal(['a', 'a/b']), 'a/b is in no folder before it')
    assert.equal(refusal(['a/', 'b/', 'a/c']), 'a/c is in no folder before it')
    assert.equal(refusal(['a/', 'a/b', 'a/b/c']), 'a/b/c is in no folder before it')
  })

  it('has nothing twice, be it as a file and as a folder', () => {
    for (const paths of [
      ['a', 'a'],
      ['a', 'a/'],
      ['a/', 'a/b', 'a'],
      ['b', 'a'],
      ['a/', 'a/b', 'a/b/'],
    ])
      assert.match(refusal(paths) ?? '', /out of order, or comes twice/)
  })

  it('has none that would become the same file, where case and form do not count', () => {
    for (const paths of [
      ['A', 'a'],
      ['A/', 'A/x', 'a/'],
      ['a/', 'a/e\u0301', 'a/\u00e9'],
    ]) {
      assert.equal(refusal(paths, true), undefined)
      assert.match(refusal(paths, false) ?? '', /differs from another only in case/)
    }
  })

  it('remembers one path and finds every repetition', () => {
    const path = fc.array(fc.constantFrom('a', 'A', 'b', 'ä', 'ss', 'ß'), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(fc.array(fc.tuple(path, fc.boolean()), { maxLength: 12 }), fc.boolean(), (entries, distinct) => {
        const order = createPathOrder({ distinct })
        const seen = new Map<string, boolean>()
        const key = (each: Path) => each.map((name) => (distinct ? name : foldName(name))).join('/')
        for (const [each, isFolder] of entries) {
          if (order.next(each, isFolder) !== undefined) continue
          assert.ok(!seen.has(key(each)))
          assert.ok(each.length === 1 || seen.get(key(each.slice(0, -1))) === true)
          seen.set(key(each), isFolder)
        }
      }),
    )
  })
})
