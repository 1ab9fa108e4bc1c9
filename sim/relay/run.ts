/**
 * One run of the relay's world: meetings over a relay that crashes, over lines that fail, with somebody who knows every
 * channel's number. Then all faults stop, and everybody has to know how it ended.
 */
import { RelayClientError } from '../../relay/client/errors.ts'
import { calm, createFaults, drawFaultRates, type FaultKind } from '../faults.ts'
import { createSimHost, type HostEffects, type SimHost } from '../host.ts'
import { createLoop } from '../loop.ts'
import { createSimNetwork } from '../network.ts'
import { createSimRandom } from '../random.ts'
import { createTrace, type Trace } from '../trace.ts'
import { intrude, type Intrusion, type Outcome, receive, send } from './parties.ts'
import { type Hostility, type Seen, startRelay } from './process.ts'

export type RelayCommand =
  /** @property words which the recipient is told: the right ones, or others */
  | { readonly do: 'meet'; readonly words: 'right' | 'wrong'; readonly records: number }
  | { readonly do: 'intrude'; readonly meeting: number; readonly how: Intrusion }
  | { readonly do: 'crash'; readonly afterWrites: number; readonly downMs: number; readonly hostility: Hostility }
  | { readonly do: 'partition'; readonly who: 'sender' | 'recipient'; readonly forMs: number }
  | { readonly do: 'wait'; readonly ms: number }

export interface RelayPlan {
  readonly seed: number
  readonly hostility: Hostility
  /** Whether no message is ever lost, late or twice. */
  readonly calm: boolean
  readonly commands: readonly RelayCommand[]
}

export interface Meeting {
  readonly words: 'right' | 'wrong'
  readonly content: Buffer
  code: string
  /** Ends that met the other. */
  links: number
  readonly arrived: Buffer[]
  sent: Outcome | undefined
  received: Outcome | undefined
  /** What a stranger did to it was taken for a party's. */
  intruded: boolean
}

export interface RelayRun {
  readonly meetings: readonly Meeting[]
  readonly seen: Seen
  readonly trace: Trace
  /** Rows of the relay's disk at the end. */
  readonly kept: string
  /** Whether the relay was an honest one all the time. */
  readonly honest: boolean
}

/** Both ends of each stretch the words, which takes a tenth of a second. */
const MEETINGS_MAX = 2
const KINDS: readonly FaultKind[] = ['request-loss', 'response-loss', 'duplicate', 'slow', 'reset', 'rechunk']
/** All that waits has waited long enough by then: a channel's idle time, and the patience of the clients. */
const CALM_MS = 3_600_000
/** Between one end's failing and its person's telling the other, milliseconds. */
const TALK_MS = 120_000
/** In each record, for whoever looks for it. */
export const MARK = 'what only the two may read'

export const runRelay = async ({ seed, hostility, calm: isCalm, commands }: RelayPlan): Promise<RelayRun> => {
  const loop = createLoop()
  const trace = createTrace(loop)
  const random = createSimRandom(seed)
  const faults = createFaults(isCalm ? calm : drawFaultRates(random.fork('faults'), KINDS))
  const network = createSimNetwork({ loop, trace, random: random.fork('network'), faults })
  const parts = { loop, trace, network, random }
  const relay = createSimHost(parts, 'relay', { skewMs: 5_000 })
  const doors = ['sender', 'recipient', 'stranger'].map((name) => createSimHost(parts, name).boot())
  const [sender, recipient, stranger] = doors as [HostEffects, HostEffects, HostEffects]
  const seen: Seen = { text: [], given: new Map() }
  const meetings: Meeting[] = []
  const underWay: Promise<unknown>[] = []
  let honest = hostility === 'none'

  const start = (how: Hostility): Promise<void> => {
    honest &&= how === 'none'
    return startRelay(relay.boot(), seen, how)
  }

  const meet = (words: 'right' | 'wrong', records: number): void => {
    const content = Buffer.from(`${MARK} ${meetings.length}. `.repeat(records * 24))
    const told = Promise.withResolvers<string>()
    const meeting: Meeting = {
      ...{ words, content, code: '', links: 0, arrived: [], sent: undefined, received: undefined, intruded: false },
    }
    meetings.push(meeting)
    const onLink = () => void meeting.links++
    // An end waits for the other for as long as it takes; the two people talk, and the one who waits in vain is told.
    const waiting = new AbortController()
    const gaveUp = new RelayClientError('ERR_PEER_ABSENT', 'the other one says that it did not work')
    const tellOther = () => void loop.schedule(TALK_MS, () => waiting.abort(gaveUp))
    const sending = send(sender, content, { onCode: told.resolve, onLink, signal: waiting.signal }).then((outcome) => {
      tellOther()
      trace.add('sent', meetings.indexOf(meeting), outcome)
      meeting.sent = outcome
      // Who could not even get a code has none to tell.
      told.resolve('')
    })
    const receiving = told.promise.then(async (code) => {
      meeting.code = code
      const [channel] = code.split('-')
      const said = words === 'right' ? code : `${channel}-abacus-abdomen`
      const onContent = (came: Buffer) => void meeting.arrived.push(came)
      const listening = { onContent, onLink, signal: waiting.signal }
      meeting.received = code === '' ? 'no code' : await receive(recipient, said, listening)
      tellOther()
      trace.add('received', meetings.indexOf(meeting), meeting.received)
    })
    underWay.push(sending, receiving)
  }

  const perform = async (command: RelayCommand): Promise<void> => {
    if (command.do === 'meet') {
      if (meetings.length < MEETINGS_MAX) meet(command.words, command.records)
    } else if (command.do === 'intrude') {
      const meeting = meetings[command.meeting % Math.max(1, meetings.length)]
      const [channel] = meeting?.code.split('-') ?? []
      if (!meeting || !channel) return
      const intruding = intrude(stranger, channel, command.how).then((isIn) => {
        trace.add('intruded', channel, command.how, isIn)
        meeting.intruded ||= isIn
      })
      underWay.push(intruding)
    } else if (command.do === 'crash') {
      await crash(relay, command.afterWrites)
      await loop.run({ timeMs: loop.nowMs() + command.downMs })
      await loop.runUntil(start(command.hostility), 1_000)
    } else if (command.do === 'partition') {
      network.partition(command.who, 'relay')
      loop.schedule(command.forMs, () => network.join(command.who, 'relay'))
    } else await loop.run({ timeMs: loop.nowMs() + command.ms })
  }

  const crash = async (host: SimHost, afterWrites: number): Promise<void> => {
    host.crashAfterWrites(afterWrites)
    await loop.run({ timeMs: loop.nowMs() + 2_000 })
    host.crash()
  }

  await loop.runUntil(start(hostility), 1_000)
  for (const command of commands) {
    await perform(command)
    await loop.run({ timeMs: loop.nowMs() + 50 })
  }
  network.heal()
  await loop.runUntil(Promise.all(underWay), CALM_MS)
  const kept = JSON.stringify(relay.inspect('relay', 'select * from channels'))
  relay.crash()
  return { meetings, seen, trace, kept, honest }
}
