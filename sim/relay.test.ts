/** The real relay and its real clients in virtual time: whatever fails and whoever lies, two meet or know that they did not. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { actionsOf } from './arbitraries.ts'
import type { Intrusion } from './relay/parties.ts'
import type { Hostility } from './relay/process.ts'
import { MARK, type Meeting, type RelayCommand, type RelayPlan, type RelayRun, runRelay } from './relay/run.ts'
import { firstDifference } from './trace.ts'

const COMMANDS_MIN = 10
const COMMANDS_MAX = 30

const action = actionsOf<RelayCommand>()
const honest = fc.constant<Hostility>('none')
const hostile = fc.constantFrom<Hostility>('none', 'change', 'repeat', 'reorder', 'swap', 'truncate', 'lie')
const ms = fc.integer({ min: 50, max: 6_000 })

const meet = action(3, 'meet', {
  words: fc.constantFrom<'right' | 'wrong'>('right', 'right', 'right', 'wrong'),
  records: fc.integer({ min: 1, max: 20 }),
})
const wait = action(6, 'wait', { ms })

const troublesOf = (relays: fc.Arbitrary<Hostility>) => [
  action(1, 'intrude', { meeting: fc.nat(3), how: fc.constantFrom<Intrusion>('join', 'write', 'close', 'hello') }),
  action(2, 'crash', { afterWrites: fc.nat(5), downMs: ms, hostility: relays }),
  action(1, 'partition', { who: fc.constantFrom<'sender' | 'recipient'>('sender', 'recipient'), forMs: ms }),
]

const plansOf = (
  relays: fc.Arbitrary<Hostility>,
  troubles: ReturnType<typeof troublesOf>,
  calm: fc.Arbitrary<boolean>,
) =>
  fc.record({
    seed: fc.nat(1_000_000),
    hostility: relays,
    calm,
    commands: fc
      .tuple(
        meet.arbitrary,
        fc.array(fc.oneof(meet, wait, ...troubles), { minLength: COMMANDS_MIN, maxLength: COMMANDS_MAX, size: 'max' }),
      )
      .map(([first, others]) => [first, ...others]),
  })

/** What holds whatever the relay does. */
const checkMeeting = ({ words, content, arrived, sent, received, links }: Meeting): void => {
  assert.ok(sent !== undefined && received !== undefined, 'both sides know how it ended')
  assert.ok(arrived.length <= 1, 'it arrives once')
  for (const came of arrived) assert.ok(came.equals(content), 'it arrives whole')
  if (sent === 'whole' || received === 'whole') assert.equal(arrived.length, 1, 'nobody believes what did not happen')
  if (words === 'wrong') assert.deepEqual([links, arrived.length], [0, 0], 'a wrong code opens nothing')
}

const checkRun = (run: RelayRun): void => {
  const all = run.seen.text.join('\n')
  for (const meeting of run.meetings) {
    checkMeeting(meeting)
    const words = meeting.code.split('-').slice(1).join('-')
    if (words !== '') assert.ok(!all.includes(words) && !run.kept.includes(words), 'the words stay with the two')
  }
  assert.ok(!all.includes(MARK) && !run.kept.includes(MARK), 'nothing readable passes')
  if (!run.honest) return
  for (const [role, secrets] of run.seen.given) assert.equal(secrets.size, 1, `one party in a role: ${role}`)
  assert.ok(!run.meetings.some(({ intruded }) => intruded), 'no third party')
}

/**
 * Runs each case twice, which must do the same.
 * @param check what holds beside the rest
 * @returns how meetings ended, and what happened to them
 */
const campaign = async (
  plans: fc.Arbitrary<RelayPlan>,
  { runs, seed }: { readonly runs: number; readonly seed: number },
  check: (run: RelayRun) => void = () => {},
): Promise<ReadonlySet<string>> => {
  const reached = new Set<string>()
  const property = fc.asyncProperty(plans, async (plan) => {
    const [run, again] = [await runRelay(plan), await runRelay(plan)]
    assert.equal(firstDifference(run.trace, again.trace), undefined, 'the same seed does the same')
    checkRun(run)
    check(run)
    for (const { sent, received } of run.meetings) reached.add(`sent ${sent}`).add(`received ${received}`)
    for (const line of run.trace.lines()) {
      const [, kind = '', , , event = ''] = line.split(' ')
      reached.add(kind === 'log' ? event : kind)
    }
  })
  await fc.assert(property, { numRuns: runs, seed })
  return reached
}

const missing = (reached: ReadonlySet<string>, wanted: readonly string[]): readonly string[] =>
  wanted.filter((name) => !reached.has(name))

describe('a relay in the simulator', () => {
  it('joins all who have the same words, and burns the channels of those who have not', async () => {
    const reached = await campaign(
      plansOf(honest, [], fc.constant(true)),
      { runs: 2, seed: 1 },
      ({ meetings, trace }) => {
        for (const { words, sent, received, arrived } of meetings) {
          if (words === 'right') assert.deepEqual([sent, arrived.length], ['whole', 1])
          else assert.deepEqual([sent, received], ['ERR_WRONG_CODE', 'ERR_WRONG_CODE'])
        }
        const burned = trace.lines().filter((line) => line.includes(' relay.burned ')).length
        assert.equal(burned, meetings.filter(({ words }) => words === 'wrong').length)
      },
    )
    assert.deepEqual(missing(reached, ['sent whole', 'received whole', 'sent ERR_WRONG_CODE', 'relay.burned']), [])
  })

  it('joins two or tells both, through crashes, partitions, lost messages and intruders', async () => {
    const reached = await campaign(plansOf(honest, troublesOf(honest), fc.boolean()), { runs: 7, seed: 22 })
    const wanted = ['sent whole', 'received whole', 'received ERR_WRONG_CODE', 'sent ERR_WRONG_CODE']
    const troubles = ['crash', 'partition', 'intruded', 'relay.burned', 'party.again', 'sent ERR_PEER_ABSENT']
    assert.deepEqual(missing(reached, [...wanted, ...troubles]), [])
  })

  it('that is hostile reads nothing, changes nothing unnoticed, and can only break off', async () => {
    const reached = await campaign(plansOf(hostile, troublesOf(hostile), fc.boolean()), { runs: 8, seed: 3 })
    const wanted = ['sent whole', 'received whole', 'received ERR_WRONG_CODE', 'received ERR_STREAM_FORGED']
    assert.deepEqual(missing(reached, wanted), [])
  })
})
