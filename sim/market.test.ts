import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runSeed } from './campaign.ts'
import { marketScenario } from './run.ts'
import { openGround, type Ground } from './world/deployment.ts'
import { addReached, REACHABLE, type Reached } from './world/reached.ts'

/** `npm run sim` runs more of them. */
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8]
const COMMANDS = 200

let ground: Ground
before(async () => {
  ground = await openGround()
})

describe('the market', () => {
  let reached: Reached = {}

  for (const seed of SEEDS) {
    it(`keeps every property through ${COMMANDS} commands and faults, twice the same (npm run sim -- --commands ${COMMANDS} --replay ${seed})`, async () => {
      const totals = await runSeed(marketScenario, ground, seed, { length: COMMANDS })
      const [failure] = totals.failures
      const story = failure?.story.join('\n') ?? ''
      assert.equal(failure, undefined, `${failure?.property}: ${failure?.message}\n${failure?.replay}\n${story}`)
      assert.equal(totals.commands, COMMANDS)
      reached = addReached(reached, totals.reached)
    })
  }

  it('gets to nearly every state of interest in these runs', () => {
    const never = REACHABLE.filter((name) => !reached[name])
    assert.ok(never.length <= 8, `never reached: ${never.join('; ')}`)
  })
})
