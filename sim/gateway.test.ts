import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runSeed, unreached } from './campaign.ts'
import { meteredScenario } from './metered/run.ts'
import { openGround, type Ground } from './world/deployment.ts'
import { addReached, type Reached } from './world/reached.ts'

/** `npm run sim -- --world gateway` runs more of them. */
const SEEDS = [1, 2, 3, 4]
const COMMANDS = 120

let ground: Ground
before(async () => {
  ground = await openGround()
})

describe('metered access', () => {
  let reached: Reached = {}

  for (const seed of SEEDS) {
    it(`keeps every property through ${COMMANDS} commands and faults, twice the same (npm run sim -- --world gateway --commands ${COMMANDS} --replay ${seed})`, async () => {
      const totals = await runSeed(meteredScenario, ground, seed, { length: COMMANDS })
      const [failure] = totals.failures
      const story = failure?.story.join('\n') ?? ''
      assert.equal(failure, undefined, `${failure?.property}: ${failure?.message}\n${failure?.replay}\n${story}`)
      assert.equal(totals.commands, COMMANDS)
      reached = addReached(reached, totals.reached)
    })
  }

  it('gets to nearly every state of interest in these runs', () => {
    const never = unreached(meteredScenario, reached)
    assert.ok(never.length <= 8, `never reached: ${never.join('; ')}`)
  })
})
