import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { faultsOf } from './lockfile.ts'

describe('the lockfile', () => {
  const manifest = { dependencies: { a: '1.0.0' }, devDependencies: { b: '2.0.0' } }

  it('fixes what package.json asks for, no more and no less', () => {
    assert.deepEqual(faultsOf(manifest, { packages: { '': manifest } }), [])
    assert.match(faultsOf(manifest, { packages: { '': { dependencies: { a: '1.0.0' } } } }).join(), /^b differs/)
    assert.match(faultsOf({}, { packages: { '': { dependencies: { a: '1.0.0' } } } }).join(), /^a differs/)
    const older = { ...manifest, dependencies: { a: '0.9.0' } }
    assert.match(faultsOf(manifest, { packages: { '': older } }).join(), /^a differs/)
  })

  it('names no registry', () => {
    const packages = { '': manifest, 'node_modules/a': { resolved: 'https://registry.example/a.tgz' } }
    assert.match(faultsOf(manifest, { packages }).join(), /^node_modules\/a names a registry/)
  })
})
