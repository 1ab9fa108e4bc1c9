import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type ChannelInput, type ChannelState, channelTable, isOver, isRefusal } from './channel.ts'

const states = Object.keys(channelTable) as ChannelState[]
const inputs = Object.keys(channelTable.waiting) as ChannelInput[]

/** Every cell, in words that were written without looking at the table: rows are states, columns inputs. */
const EXPECTED = `
state     sender-joins recipient-joins share    answer    proof     wrong-proof wrong-words staple      close
waiting   occupied     joined          offered  too-early too-early too-early   too-early   not-proven  closed
offered   occupied     ready           written  too-early too-early too-early   too-early   not-proven  closed
joined    occupied     full            ready    too-early too-early too-early   too-early   not-proven  closed
ready     occupied     full            written  answered  too-early too-early   burned      not-proven  closed
answered  occupied     full            written  written   proven    burned      burned      not-proven  closed
proven    occupied     full            written  written   written   written     burned      stapled     closed
stapled   occupied     full            written  written   written   written     burned      stapled     closed
burned    occupied     over            over     over      over      over        over        over        burned
closed    occupied     over            over     over      over      over        over        over        closed
`

const REFUSALS: Readonly<Record<string, string>> = {
  occupied: 'ERR_CHANNEL_OCCUPIED',
  full: 'ERR_CHANNEL_FULL',
  'too-early': 'ERR_TOO_EARLY',
  written: 'ERR_WRITTEN',
  'not-proven': 'ERR_NOT_PROVEN',
  over: 'ERR_CHANNEL_OVER',
}

const cells = () => {
  const [head = [], ...rows] = EXPECTED.trim()
    .split('\n')
    .map((line) => line.split(/ +/))
  return rows.flatMap(([state = '', ...row]) =>
    row.map((cell, at) => [state, head[at + 1] ?? '', REFUSALS[cell] ?? cell] as const),
  )
}

describe('the table of a channel', () => {
  for (const [state, input, outcome] of cells()) {
    it(`${state}: ${input} gives ${outcome}`, () => {
      assert.equal(channelTable[state as ChannelState][input as ChannelInput], outcome)
    })
  }

  it('has every state and every input, and no others', () => {
    assert.equal(cells().length, states.length * inputs.length)
    for (const state of states) assert.deepEqual(Object.keys(channelTable[state]).toSorted(), inputs.toSorted())
  })

  it('staples only what a right proof has opened, and never lets in a third, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...inputs), { maxLength: 60 }), (story) => {
        let state: ChannelState = 'waiting'
        const happened: ChannelInput[] = []
        for (const input of story) {
          const outcome: string = channelTable[state][input]
          if (isRefusal(outcome as ChannelState)) continue
          happened.push(input)
          state = outcome as ChannelState
        }
        const count = (input: ChannelInput) => happened.filter((one) => one === input).length
        assert.ok(count('recipient-joins') <= 1 && count('sender-joins') === 0)
        for (const once of ['share', 'answer', 'proof'] as const) assert.ok(count(once) <= 1)
        const order = (['recipient-joins', 'share', 'answer', 'proof', 'staple'] as const).map((one) =>
          happened.indexOf(one),
        )
        const [joins = -1, share = -1, answer = -1, proof = -1, staple = -1] = order
        if (answer >= 0) assert.ok(joins >= 0 && share >= 0 && joins < answer && share < answer)
        if (proof >= 0) assert.ok(answer >= 0 && answer < proof)
        if (staple >= 0) assert.ok(proof >= 0 && proof < staple)
        if (count('wrong-proof') > 0) assert.ok(count('proof') === 0 && isOver(state))
      }),
      { numRuns: 500 },
    )
  })
})
