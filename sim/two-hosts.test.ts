import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { before, describe, it } from 'node:test'
import { openEdr, type Edr } from './edr.ts'
import { firstDifference } from './trace.ts'
import { runTwoHosts } from './two-hosts.ts'

const SEEDS = [1, 2, 3, 4, 5]

let edr: Edr
before(async () => {
  edr = await openEdr()
})

/** The traces' hashes as another process computes them. */
const hashesElsewhere = (): string[] => {
  const at = (name: string) => JSON.stringify(new URL(name, import.meta.url).href)
  const program = `
    import { openEdr } from ${at('edr.ts')}
    import { runTwoHosts } from ${at('two-hosts.ts')}
    const edr = await openEdr()
    for (const seed of ${JSON.stringify(SEEDS)}) console.log((await runTwoHosts(edr, seed)).trace.hash())`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  return stdout.trim().split('\n')
}

describe('a world of two hosts', () => {
  it('does the same each time it runs from the same seed', async () => {
    for (const seed of SEEDS) {
      const [first, second] = [await runTwoHosts(edr, seed), await runTwoHosts(edr, seed)]
      assert.equal(firstDifference(first.trace, second.trace), undefined)
      assert.deepEqual(first.counts, second.counts)
    }
  })

  it('does the same in another process', async () => {
    const here: string[] = []
    for (const seed of SEEDS) here.push((await runTwoHosts(edr, seed)).trace.hash())
    assert.deepEqual(hashesElsewhere(), here)
    assert.equal(new Set(here).size, SEEDS.length)
  })

  it('counts every visit once, whatever crashes and gets lost', async () => {
    for (const seed of SEEDS) {
      const { counts, trace } = await runTwoHosts(edr, seed)
      assert.deepEqual(
        counts,
        counts.map((_, at) => at + 1),
      )
      const kinds = new Set(trace.lines().map((line) => line.split(' ')[1]))
      for (const kind of ['boot', 'crash', 'http', 'http-answer', 'sql', 'block', 'reorg', 'heal'])
        assert.ok(kinds.has(kind), kind)
    }
  })
})
