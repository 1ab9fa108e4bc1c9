import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKeyRail } from '../testing.ts'
import { openRails, type RailContext, type RailOpener } from './open-rails.ts'

const context = {} as RailContext

const opener = (scheme: 'nano' | 'order', closed: string[], fails = false): RailOpener => ({
  schemes: [scheme],
  async open(_, entries) {
    if (fails) throw new Error('cannot')
    return {
      rails: new Map(Object.keys(entries).map((name) => [name, createKeyRail({ id: name })])),
      run: async () => {},
      close: async () => void closed.push(scheme),
    }
  },
})

describe('the accounts of the settings', () => {
  it('become rails by who knows their scheme', async () => {
    const closed: string[] = []
    const openers = [opener('nano', closed), opener('order', closed)]
    const opened = await openRails(openers, context, { a: { scheme: 'order' }, b: { scheme: 'nano' } })
    const names = [...opened.rails].map(([name, { id }]) => `${name} ${id}`)
    assert.deepEqual(names.toSorted(), ['a a', 'b b'])
    await opened.close()
    assert.deepEqual(closed.toSorted(), ['nano', 'order'])
  })

  it('are refused when nobody does, and closed when one cannot be opened', async () => {
    const closed: string[] = []
    const refused = openRails([opener('nano', closed)], context, { gold: { scheme: 'x402' } })
    await assert.rejects(refused, { code: 'ERR_SETTINGS_INVALID' })
    const openers = [opener('nano', closed), opener('order', closed, true)]
    await assert.rejects(openRails(openers, context, { a: { scheme: 'nano' }, b: { scheme: 'order' } }), /cannot/)
    assert.deepEqual(closed, ['nano'])
  })
})
