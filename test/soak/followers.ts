/** Subscribers that come, go and come back, each with what it has been told and was not taken back. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChroveEvent } from '../../chain/events.ts'
import { Refused, subscribe, type Kind, type Subscriber, type Told } from '../directory-client.ts'
import { eventually } from '../eventually.ts'
import type { KeptDirectory } from './directory.ts'
import type { Run } from './run.ts'

/** After nothing. */
const FROM_THE_BEGIN = `0-${'0'.repeat(16)}`
const AWAY_MS_MAX = 5_000
const RETRY_MS = 200

type Place = Told['evidence']

const textOf = ({ blockNumber, blockHash, logIndex }: Place): string => `${blockNumber} ${blockHash} ${logIndex}`

/** The places of what there is to tell of a chain, in its order: of a vendor the last change in each block. */
export const toTell = (events: readonly ChroveEvent[], kind: Kind): string[] => {
  const places = new Map<string, string>()
  for (const event of events) {
    const { blockNumber } = event.evidence
    const text = textOf(event.evidence)
    if (kind === 'orderPaid' && event.type === 'OrderPaid') places.set(text, text)
    // Its place is that of the last one.
    if (kind === 'vendorChanged' && 'version' in event) {
      const change = `${blockNumber} ${event.vendorId}`
      places.delete(change)
      places.set(change, text)
    }
  }
  return [...places.values()]
}

export interface Follower {
  readonly kind: Kind
  /** Places of what stands, oldest first. */
  standing(): readonly string[]
  /** Follows until the run ends. */
  follow(): Promise<void>
}

/** @param stays how many events it hears before it goes away for a while; always there when undefined */
export const createFollower = (
  directory: KeptDirectory,
  run: Run,
  kind: Kind,
  name: string,
  stays?: { readonly min: number; readonly max: number },
): Follower => {
  const random = run.random.fork(name)
  const stack: Place[] = []
  let last = FROM_THE_BEGIN

  /** What is taken back is the newest of what stands, and what is told comes after it. */
  const hear = ({ id, retracted, evidence }: Told): void => {
    const top = stack.at(-1)
    if (retracted) {
      if (!top || textOf(top) !== textOf(evidence)) {
        run.isWrong(`${name}: ${textOf(evidence)} is taken back, but ${top ? textOf(top) : 'nothing'} stands last`)
      }
      stack.pop()
    } else {
      const isNext =
        !top ||
        top.blockNumber < evidence.blockNumber ||
        (top.blockHash === evidence.blockHash && top.logIndex < evidence.logIndex)
      if (!isNext) run.isWrong(`${name}: ${textOf(evidence)} is told after ${textOf(top)}`)
      stack.push(evidence)
    }
    last = id
    run.counts.events++
  }

  const listen = async (subscriber: Subscriber): Promise<void> => {
    const close = () => void subscriber.close()
    run.signal.addEventListener('abort', close)
    try {
      let left = stays ? random.int(stays.min, stays.max) : Infinity
      for (; left > 0; left--) {
        const told = await subscriber.next()
        if (!told) return
        hear(told)
      }
    } finally {
      run.signal.removeEventListener('abort', close)
      await subscriber.close()
    }
    await sleep(random.int(0, AWAY_MS_MAX))
  }

  return {
    kind,
    standing: () => stack.map(textOf),
    async follow() {
      while (!run.signal.aborted) {
        const life = directory.life()
        try {
          if (life !== undefined) await listen(await subscribe(directory.url, kind, last))
        } catch (error) {
          if (error instanceof Refused) run.isWrong(`${name}: ended by ${error.code}`)
          else if (directory.life() === life) run.isWrong(`${name}: ${String(error)}`)
        }
        await sleep(RETRY_MS)
      }
    },
  }
}

/** Waits until what a follower was told is what there is to tell. */
export const compareFollower = async (
  { kind, standing }: Follower,
  events: readonly ChroveEvent[],
  run: Run,
): Promise<void> => {
  const expected = toTell(events, kind)
  const isTold = () => {
    const stands = standing()
    return stands.length === expected.length && stands.every((place, index) => place === expected[index])
  }
  await eventually(`${kind} is told`, () => Promise.resolve(isTold() || undefined)).catch(() => {
    const at = expected.findIndex((place, index) => place !== standing()[index])
    run.isWrong(
      `${kind}: ${standing().length} of ${expected.length} stand; at ${at} ${standing()[at]}, not ${expected[at]}`,
    )
  })
}
