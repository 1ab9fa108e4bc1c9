import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runSeed, type Failure } from './campaign.ts'
import { mutants } from './mutants/index.ts'
import { openGround, type Ground } from './world/deployment.ts'

const RUNS_MAX = 12

let ground: Ground
before(async () => {
  ground = await openGround()
})

describe(`seeded bugs, each found within ${RUNS_MAX} runs`, () => {
  for (const [name, { says, breaks, sabotage }] of Object.entries(mutants)) {
    it(`${name}: ${says}`, async () => {
      let failure: Failure | undefined
      for (let seed = 1; seed <= RUNS_MAX && !failure; seed++) {
        const totals = await runSeed(ground, seed, { length: 100, once: true, shrinkRunsMax: 1, sabotage })
        failure = totals.failures[0]
      }
      assert.equal(failure?.property, breaks, failure?.message)
    })
  }
})

describe('a failure', () => {
  it('is shrunk to fewer commands, and repeats from its seed and path', async () => {
    const sabotage = mutants['vendor-ignores-cancel']?.sabotage ?? {}
    const options = { length: 100, once: true, shrinkRunsMax: 10, sabotage }
    const [found] = (await runSeed(ground, 1, options)).failures
    assert.ok(found && found.commands < 100, `${found?.commands} commands are left`)
    const [again] = (await runSeed(ground, found.seed, options, found.path)).failures
    assert.deepEqual(again?.story, found.story)
    assert.equal(again?.message, found.message)
  })
})
