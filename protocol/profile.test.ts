/** Profiles, as vendors write them and as nobody should. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { utf8 } from './bytes.ts'
import { chainText } from './text.ts'
import { formatProfile, readProfile } from './profile.ts'

const read = (value: unknown) => readProfile(chainText(utf8(JSON.stringify(value))))

describe('profile', () => {
  it('is read with its words sorted, in lower case, once each', () => {
    const profile = read({
      title: 'T',
      description: 'D',
      logo: 'L',
      serviceTypes: ['relay', 'Proxy', 'proxy'],
      regions: ['eu-west'],
    })
    const words = { serviceTypes: ['proxy', 'relay'], regions: ['eu-west'] }
    assert.deepEqual(profile, { valid: true, title: 'T', description: 'D', logo: 'L', ...words })
  })

  it('may leave anything out and hold anything more', () => {
    const nothing = { title: '', description: '', logo: '', serviceTypes: [], regions: [] }
    assert.deepEqual(read({ more: 1 }), { valid: true, ...nothing })
    for (const wrong of [null, [], 'x', { title: 1 }, { serviceTypes: 'proxy' }]) {
      assert.deepEqual(read(wrong), { valid: false, ...nothing })
    }
  })

  it('cannot smuggle unsafe characters in as JSON escapes', () => {
    assert.equal(readProfile(chainText(utf8(String.raw`{"title":"a\u0000\u202eb"}`))).title, 'ab')
  })

  it('never throws, and gives words of its own spelling only, sorted, once each', () => {
    const words = fc.array(fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map(utf8),
          fc.record({ serviceTypes: words }).map((value) => utf8(JSON.stringify(value))),
        ),
        (bytes) => {
          const { serviceTypes } = readProfile(chainText(bytes))
          for (const word of serviceTypes) assert.match(word, /^[a-z0-9][a-z0-9.-]{0,31}$/)
          assert.deepEqual(serviceTypes, [...new Set(serviceTypes)].toSorted())
        },
      ),
    )
  })

  it('reads what vendors write', () => {
    const profile = { title: 'T', description: 'D', logo: '', serviceTypes: ['proxy'], regions: ['nl'] }
    assert.deepEqual(readProfile(chainText(utf8(formatProfile(profile)))), { valid: true, ...profile })
  })
})
