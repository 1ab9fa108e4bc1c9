import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createPortableAead } from './aead.ts'
import { createOpener, createSealer, RECORD_HEADER_BYTES } from './records.ts'

const key = new Uint8Array(32).fill(5)
const aead = () => createPortableAead(key)

/** Seals the data and an end; each record as one piece. */
const sealAll = (records: readonly Uint8Array[]): Uint8Array[] => {
  const sealer = createSealer(aead())
  return [...records.map((record) => sealer.data(record)), sealer.end()].map((pieces) => Buffer.concat(pieces))
}

/** Opens records one after the other; true when the last of them is the end. */
const openAll = (records: readonly Uint8Array[]): boolean => {
  const opener = createOpener(aead())
  let isEnd = false
  for (const record of records) {
    assert.ok(!isEnd)
    const header = record.subarray(0, RECORD_HEADER_BYTES)
    const rest = record.subarray(RECORD_HEADER_BYTES)
    if (opener.restLength(header) !== rest.length) throw Object.assign(new Error('length'), { code: 'ERR_RECORD' })
    isEnd = opener.open(header, rest) === undefined
  }
  return isEnd
}

const some = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 6 })

describe('records', () => {
  it('opened in their order are whole', () => {
    fc.assert(fc.property(some, (records) => assert.ok(openAll(sealAll(records)))))
  })

  it('are refused when one is changed, in any bit', () => {
    fc.assert(
      fc.property(some, fc.nat(), fc.nat({ max: 7 }), (records, where, bit) => {
        const sealed = sealAll(records)
        const bytes = Buffer.concat(sealed)
        const at = where % bytes.length
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
        let offset = 0
        const changed = sealed.map(({ length }) => bytes.subarray(offset, (offset += length)))
        assert.throws(() => openAll(changed), { code: 'ERR_RECORD' })
      }),
    )
  })

  it('are refused when one is left out, repeated or moved', () => {
    fc.assert(
      fc.property(some, fc.nat(), fc.nat(), (records, from, to) => {
        const sealed = sealAll(records)
        const at = from % (sealed.length - 1)
        const record = sealed[at] as Uint8Array
        assert.throws(() => openAll(sealed.toSpliced(at, 1)), { code: 'ERR_RECORD' })
        assert.throws(() => openAll(sealed.toSpliced(at, 0, record)), { code: 'ERR_RECORD' })
        const place = to % sealed.length
        if (place === at) return
        const moved = sealed.toSpliced(at, 1).toSpliced(place, 0, record)
        assert.throws(() => openAll(moved), { code: 'ERR_RECORD' })
      }),
    )
  })

  it('have headers of two kinds and bounded lengths only', () => {
    const opener = createOpener(aead())
    assert.equal(opener.restLength(Uint8Array.of(0, 1, 0, 0)), 65_536 + 16)
    assert.equal(opener.restLength(Uint8Array.of(1, 0, 0, 40)), 40 + 16)
    for (const header of [[0, 1, 0, 1], [1, 0, 0, 39], [2, 0, 0, 0], [255, 255, 255, 255], []]) {
      assert.throws(() => opener.restLength(Uint8Array.from(header)), { code: 'ERR_RECORD' })
    }
  })
})
