import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { calm, createFaults, drawFaultRates, faultKinds } from './faults.ts'
import { createSimRandom } from './random.ts'

const RUNS = 200
const drawn = Array.from({ length: RUNS }, (_, seed) => drawFaultRates(createSimRandom(seed)))

describe('fault rates of a run', () => {
  it('have each kind off in about half of the runs, and at its own rate in the others', () => {
    for (const kind of faultKinds) {
      const rates = drawn.map((run) => run[kind]).filter((rate) => rate > 0)
      assert.ok(rates.length > RUNS / 3 && rates.length < (2 * RUNS) / 3, `${kind} is on in ${rates.length} runs`)
      assert.equal(new Set(rates).size, rates.length)
      assert.ok(rates.every((rate) => rate <= 1))
    }
  })

  it('are 0 for kinds that are not wanted, and for the others as they would be anyway', () => {
    for (let seed = 0; seed < RUNS; seed++) {
      const rates = drawFaultRates(createSimRandom(seed), ['duplicate'])
      assert.deepEqual(rates, { ...calm, duplicate: drawn[seed]?.duplicate })
    }
  })

  it('are all 0 once healed', () => {
    const faults = createFaults({ ...calm, duplicate: 0.5 })
    assert.equal(faults.rate('duplicate'), 0.5)
    faults.heal()
    for (const kind of faultKinds) assert.equal(faults.rate(kind), 0)
  })
})
