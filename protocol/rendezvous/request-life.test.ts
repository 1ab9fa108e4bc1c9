import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { beginRequest, type RequestAct, type RequestInput, requestLife, type RequestState } from './request-life.ts'

const inputs = Object.keys(requestLife.over) as RequestInput[]

interface Told {
  readonly acts: readonly RequestAct[]
  readonly state: RequestState
}

/** What happens in this life; the window ends at its end. */
const live = (isReachable: boolean, isUniform: boolean, ...happens: readonly RequestInput[]): Told => {
  let { next: state, acts } = beginRequest({ isReachable, isUniform })
  for (const input of [...happens, 'window-over' as const]) {
    const step = requestLife[state][input]
    acts = [...acts, ...step.acts]
    state = step.next
  }
  return { acts, state }
}

describe('the life of a connection request', () => {
  it('SEED 002 §3.1.1: accepting exchanges addresses, denying and ignoring deny', () => {
    assert.deepEqual(live(true, false, 'accept').acts, ['ask-target', 'exchange'])
    assert.deepEqual(live(true, false, 'deny').acts, ['ask-target', 'deny-source'])
    assert.deepEqual(live(true, false).acts, ['ask-target', 'deny-source', 'tell-target'])
  })

  it('SEED 002 §3.1.2: a target that is offline is a denial at once', () => {
    assert.deepEqual(beginRequest({ isReachable: false, isUniform: false }), { next: 'over', acts: ['deny-source'] })
  })

  it('with uniform answers tells the source nothing before the window ends', () => {
    const before: RequestInput[][] = [[], ['deny'], ['target-gone'], ['deny', 'target-gone']]
    for (const happens of before) {
      const { next, acts } = happens.reduce<{ next: RequestState; acts: readonly RequestAct[] }>(
        (step, input) => requestLife[step.next][input],
        beginRequest({ isReachable: true, isUniform: true }),
      )
      assert.deepEqual(
        acts.filter((act) => act === 'deny-source'),
        [],
      )
      assert.ok(requestLife[next]['window-over'].acts.some((act) => act === 'deny-source'))
    }
    assert.deepEqual(live(false, true).acts, ['deny-source'])
  })

  it('ends once, whatever happens in whatever order', () => {
    const anything = fc.array(fc.constantFrom(...inputs), { maxLength: 12 })
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), anything, (isReachable, isUniform, happens) => {
        const { acts, state } = live(isReachable, isUniform, ...happens)
        const count = (act: RequestAct) => acts.filter((each) => each === act).length
        assert.equal(state, 'over')
        // The source hears one answer, or has gone.
        const cancelledAt = happens.indexOf('cancel')
        const answers = count('exchange') + count('deny-source')
        assert.ok(cancelledAt === -1 ? answers === 1 : answers <= 1)
        assert.ok(count('tell-target') <= 1)
        // No address without consent.
        if (count('exchange') > 0) assert.ok(isReachable && happens.includes('accept'))
        const refusedAt = happens.findIndex(
          (input) => input === 'deny' || input === 'target-gone' || input === 'cancel',
        )
        const acceptedAt = happens.indexOf('accept')
        if (refusedAt !== -1 && (acceptedAt === -1 || refusedAt < acceptedAt)) assert.equal(count('exchange'), 0)
      }),
    )
  })
})
