/** Who is let in by `chrove listen` when a person is asked. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Terminal } from '../../effects/terminal.ts'
import type { Connected } from '../client/index.ts'
import type { Asking } from '../client/introductions.ts'
import { person, SERVER } from '../testing.ts'
import { createGuests, type GuestRules } from './guests.ts'

const [alice, bob, carol] = [person(0), person(1), person(2)]
const never = new AbortController().signal

const asking = ({ uuid, keys } = alice, { hides = false, signal = never } = {}): Asking => ({
  peer: { server: SERVER, uuid, key: keys.publicKey, version: 1, tsSeconds: 0, isKnown: false },
  ...{ hides, signal },
})

/** Guests of a person who answers when the test does. */
const openDoor = (rules: Partial<GuestRules> = {}) => {
  const questions: { readonly text: string; answer(yes: boolean): void; interrupt(error: Error): void }[] = []
  const confirm = (text: string) =>
    new Promise<boolean>((answer, interrupt) => void questions.push({ text, answer, interrupt }))
  const terminal = { confirm } as Partial<Terminal> as Terminal
  const guests = createGuests({ signal: never, terminal, say: () => {} }, { accept: 'ask', hide: false, ...rules })
  return { guests, questions }
}

/** What is ready has gone on. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** A connection that breaks while it is served, and is waited for once more. */
const servesAndBreaks = async ({ guests, questions }: ReturnType<typeof openDoor>, first: Asking) => {
  const decision = guests.decide(first)
  await settled()
  questions.at(-1)?.answer(true)
  assert.equal(await decision, 'accept')
  guests.setServing(true)
  const again = guests.again(first.peer.uuid, never)
  return { again }
}

describe('a guest whose connection broke', () => {
  it('is shown no more than the person agreed to show', async () => {
    const hidden = openDoor()
    await servesAndBreaks(hidden, asking(alice, { hides: true }))
    assert.equal(await hidden.guests.decide(asking()), 'ignore')
    assert.equal(await hidden.guests.decide(asking(alice, { hides: true })), 'accept')
    const open = openDoor()
    await servesAndBreaks(open, asking())
    for (const hides of [false, true]) assert.equal(await open.guests.decide(asking(alice, { hides })), 'accept')
    assert.deepEqual(
      [hidden, open].map(({ questions }) => questions.map(({ text }) => text)),
      [['Accept, through the relay?'], ['Accept, and let it see your address?']],
    )
  })

  it('is let in as before when we show nothing to anybody, and by a rule', async () => {
    for (const rules of [{ hide: true }, { accept: 'all' }, { accept: [alice.uuid] }] as const) {
      const door = openDoor(rules)
      await servesAndBreaks(door, asking(alice, { hides: true }))
      assert.equal(await door.guests.decide(asking()), 'accept')
    }
  })

  it('is waited for alone', async () => {
    const door = openDoor()
    const { again } = await servesAndBreaks(door, asking())
    assert.equal(await door.guests.decide(asking(bob)), 'ignore')
    const guest = { peer: asking().peer } as Connected
    door.guests.came(guest)
    assert.equal(await again, guest)
  })
})

describe('a person who is asked', () => {
  it('hears one question at a time, of those who still want an answer', async () => {
    const { guests, questions } = openDoor()
    const leaving = new AbortController()
    const decisions = [
      guests.decide(asking(alice)),
      guests.decide(asking(bob, { signal: leaving.signal })),
      guests.decide(asking(carol)),
    ]
    await settled()
    assert.equal(questions.length, 1)
    leaving.abort()
    questions[0]?.answer(false)
    await settled()
    assert.equal(questions.length, 2)
    questions[1]?.answer(true)
    assert.deepEqual(await Promise.all(decisions), ['deny', 'ignore', 'accept'])
  })

  it('lets in one by one yes, and hears of others only when that one is not coming', async () => {
    const { guests, questions } = openDoor()
    const leaving = new AbortController()
    const [first, second] = [guests.decide(asking(alice, { signal: leaving.signal })), guests.decide(asking(bob))]
    await settled()
    questions[0]?.answer(true)
    assert.deepEqual(await Promise.all([first, second]), ['accept', 'ignore'])
    assert.equal(await guests.decide(asking(carol)), 'ignore')
    assert.equal(questions.length, 1)
    leaving.abort()
    void guests.decide(asking(bob))
    await settled()
    questions[1]?.answer(true)
    await settled()
    guests.failed()
    void guests.decide(asking(carol))
    await settled()
    assert.equal(questions.length, 3)
  })

  it('hears no more once one was interrupted', async () => {
    const { guests, questions } = openDoor()
    const decisions = [alice, bob].map((who) => guests.decide(asking(who)))
    await settled()
    questions[0]?.interrupt(new Error('interrupted'))
    for (const decision of decisions) await assert.rejects(decision, /interrupted/)
    assert.equal(questions.length, 1)
  })
})
