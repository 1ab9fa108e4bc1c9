/**
 * Being there: one WebSocket to the hub, made again after a pause whenever it breaks, on which the client shows who it is
 * and from then on says something often enough. @see SEED 002 §3, §4
 */
import { nowSeconds } from '../../effects/clock.ts'
import { jittered } from '../../effects/random.ts'
import { parseJson } from '../../protocol/json.ts'
import { RENDEZVOUS_MESSAGE_BYTES_MAX } from '../../protocol/limits.ts'
import { type ClientMessage, type ServerMessage, serverMessageSchema } from '../../protocol/rendezvous/messages.ts'
import { signStatement } from '../../protocol/rendezvous/statement.ts'
import { PING_MS } from '../limits.ts'
import type { ClientEffects } from './effects.ts'
import { RendezvousClientError } from './errors.ts'
import type { Identity } from './identity.ts'

/** For connection, handshake and the challenge, milliseconds; a proxy may have to build a circuit. */
const WELCOME_MS_MAX = 60_000
/** Before a connection is made again, milliseconds: doubled with each that came to nothing, up to the last. */
const PAUSE_MS_MIN = 1_000
const PAUSE_MS_MAX = 60_000

/** A connection on which this client is there. */
export interface Line {
  readonly windowSeconds: number
  say(message: Exclude<ClientMessage, { type: 'present' }>): void
}

export interface PresenceEvents {
  welcome(line: Line): void
  message(message: ServerMessage): void
  /** The line is gone; another may come. */
  gone(): void
}

export interface PresenceSettings {
  readonly server: string
  readonly identity: Identity
  /** Whether deny, ignore and offline are to look the same to those who ask for us; undefined: as it was. */
  readonly uniform: boolean | undefined
}

type PresenceEffects = Pick<ClientEffects, 'clock' | 'random' | 'jose' | 'log' | 'openSocket'>

/**
 * Is there until the signal aborts.
 * @throws ERR_REPLACED; ERR_RENDEZVOUS_REFUSED when our key is not accepted; ERR_RENDEZVOUS_ANSWER when the server has
 *   another name
 */
export const keepPresent = async (
  effects: PresenceEffects,
  settings: PresenceSettings,
  events: PresenceEvents,
  signal: AbortSignal,
): Promise<void> => {
  const { clock, random, log } = effects
  let boundMs = PAUSE_MS_MIN
  const welcome = (line: Line) => {
    boundMs = PAUSE_MS_MIN
    log.debug('rendezvous.present')
    events.welcome(line)
  }
  while (!signal.aborted) {
    try {
      await bePresent(effects, settings, { ...events, welcome }, signal)
      log.debug('rendezvous.gone')
      await clock.sleep(jittered(random, boundMs), signal)
      boundMs = Math.min(boundMs * 2, PAUSE_MS_MAX)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

/** One connection from its begin to its end. */
const bePresent = async (
  { clock, jose, openSocket }: PresenceEffects,
  { server, identity, uniform }: PresenceSettings,
  events: PresenceEvents,
  signal: AbortSignal,
): Promise<void> => {
  const ended = Promise.withResolvers<void>()
  const watching = new AbortController()
  const state = { is: 'new' as 'new' | 'answered' | 'present', hasHeard: false }

  const say = (message: ClientMessage): void => {
    if (!watching.signal.aborted) socket.send(JSON.stringify(message))
  }

  const answer = async (challenge: string): Promise<void> => {
    const said = {
      purpose: 'chrove rendezvous presence',
      server,
      uuid: identity.uuid,
      challenge,
      ...(uniform !== undefined && { uniform }),
    }
    const presence = await signStatement(jose, { ...said, ts: nowSeconds(clock) }, identity.keys.privateKey)
    say({ type: 'present', presence })
  }

  const hear = (message: ServerMessage): void => {
    if (message.type === 'bye') return message.why === 'replaced' ? ended.reject(replaced()) : ended.resolve()
    if (state.is === 'present') return message.type === 'pong' ? undefined : events.message(message)
    if (message.type === 'challenge' && state.is === 'new') {
      if (message.server !== server) return ended.reject(otherName(message.server))
      state.is = 'answered'
      answer(message.challenge).catch(ended.reject)
    } else if (message.type === 'welcome' && state.is === 'answered') {
      state.is = 'present'
      events.welcome({ windowSeconds: message.windowSeconds, say })
    } else if (message.type === 'refused' && message.code === 'ERR_PRESENCE') ended.reject(notAccepted())
    else ended.resolve()
  }

  const watch = async (until: AbortSignal): Promise<void> => {
    await clock.sleep(WELCOME_MS_MAX, until)
    while (state.is === 'present' && state.hasHeard) {
      state.hasHeard = false
      say({ type: 'ping' })
      await clock.sleep(PING_MS, until)
    }
  }

  const socket = openSocket(`${server.replace(/^http/, 'ws')}/connect`, RENDEZVOUS_MESSAGE_BYTES_MAX, {
    open: () => {},
    message(text) {
      // Two may have come at once, and the first have been the last that is wanted.
      if (watching.signal.aborted) return
      state.hasHeard = true
      const message = read(text)
      if (message === undefined) ended.resolve()
      else hear(message)
    },
    close: () => ended.resolve(),
  })
  try {
    const until = AbortSignal.any([signal, watching.signal])
    await Promise.race([ended.promise, watch(until)])
  } finally {
    watching.abort()
    socket.destroy()
    if (state.is === 'present') events.gone()
  }
}

/** Undefined for what is no message of a server. */
const read = (text: string | undefined): ServerMessage | undefined => {
  try {
    return serverMessageSchema.safeParse(parseJson(text ?? '')).data
  } catch {
    return undefined
  }
}

const replaced = () => new RendezvousClientError('ERR_REPLACED', 'the same client has connected from somewhere else')
const notAccepted = () =>
  new RendezvousClientError('ERR_RENDEZVOUS_REFUSED', 'the rendezvous does not accept our key, or our clock is wrong')
const otherName = (name: string) =>
  new RendezvousClientError('ERR_RENDEZVOUS_ANSWER', `this rendezvous calls itself ${name}: give that URL`)
