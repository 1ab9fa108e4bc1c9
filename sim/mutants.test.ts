import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runSeed, type Failure, type Scenario } from './campaign.ts'
import { meteredScenario } from './metered/run.ts'
import { mutants } from './mutants/index.ts'
import { meteredMutants } from './mutants/metered.ts'
import type { Mutant } from './mutants/mutant.ts'
import { marketScenario } from './run.ts'
import { openGround, type Ground } from './world/deployment.ts'

const RUNS_MAX = 12

let ground: Ground
before(async () => {
  ground = await openGround()
})

const areFound = <Command>(scenario: Scenario<Command>, bugs: Readonly<Record<string, Mutant>>) =>
  describe(`seeded bugs of the world ${scenario.name}, each found within ${RUNS_MAX} runs`, () => {
    for (const [name, { says, breaks, sabotage }] of Object.entries(bugs)) {
      it(`${name}: ${says}`, async () => {
        let failure: Failure | undefined
        for (let seed = 1; seed <= RUNS_MAX && !failure; seed++) {
          const options = { length: 100, once: true, shrinkRunsMax: 1, sabotage }
          const totals = await runSeed(scenario, ground, seed, options)
          failure = totals.failures[0]
        }
        assert.equal(failure?.property, breaks, failure?.message)
      })
    }
  })

void areFound(marketScenario, mutants)
void areFound(meteredScenario, meteredMutants)

describe('a failure', () => {
  it('is shrunk to fewer commands, and repeats from its seed and path', async () => {
    const sabotage = mutants['vendor-ignores-cancel']?.sabotage ?? {}
    const options = { length: 100, once: true, shrinkRunsMax: 10, sabotage }
    const [found] = (await runSeed(marketScenario, ground, 1, options)).failures
    assert.ok(found && found.commands < 100, `${found?.commands} commands are left`)
    const [again] = (await runSeed(marketScenario, ground, found.seed, options, found.path)).failures
    assert.deepEqual(again?.story, found.story)
    assert.equal(again?.message, found.message)
  })
})
