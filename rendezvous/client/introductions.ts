/**
 * Asking and being asked, over whatever line there is. What a server brings in another client's name counts as far as
 * that client has signed it, for this request, now and once. @see SEED 002 §3.1.1
 */
import { type Clock, nowSeconds } from '../../effects/clock.ts'
import type { Random } from '../../effects/random.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import type { FlattenedJws, Jose } from '../../protocol/jose.ts'
import type { Meeting, Side } from '../../protocol/peer-handshake.ts'
import {
  addressesSchema,
  type ConnectionRequest,
  requestSchema,
  type RelayPlace,
  type ServerMessage,
  type SharedAddresses,
} from '../../protocol/rendezvous/messages.ts'
import { readStatement, requireRecent, signStatement, verifyStatement } from '../../protocol/rendezvous/statement.ts'
import { uuidOf } from '../../protocol/rendezvous/uuid.ts'
import { RendezvousClientError } from './errors.ts'
import type { Identity } from './identity.ts'
import type { Line } from './presence.ts'
import type { FoundClient, RegistryDoor } from './registry-door.ts'

/** What two clients know once both have agreed. */
export interface Introduction {
  readonly meeting: Meeting
  /** Ours. */
  readonly side: Side
  readonly peer: FoundClient
  readonly isHidden: boolean
  /** What the peer shares and has signed. Where one of the two hides, there is no use for it. */
  readonly shared: Pick<SharedAddresses, 'port' | 'hosts'>
  /** Where the server says that it sees the peer. */
  readonly observed: string | undefined
  readonly relay: RelayPlace | undefined
}

/** What is shared with those who ask or are asked. */
export interface Sharing {
  readonly hide: boolean
  /** Where connections are taken. */
  readonly port: number | undefined
  readonly hosts: readonly string[]
}

/** Somebody asks. */
export interface Asking {
  readonly peer: FoundClient
  readonly hides: boolean
  /** Aborts when the answer is not wanted any more. */
  readonly signal: AbortSignal
}

export type Decision = 'accept' | 'deny' | 'ignore'

export interface IntroductionSettings {
  readonly server: string
  readonly identity: Identity
  sharing(): Sharing
  decide(asking: Asking): Promise<Decision>
  /** We were asked and agreed. */
  introduced(introduction: Introduction): void
  /** Nobody can be decided about any more: the fault is ours, or the person's wish. */
  broke(fault: unknown): void
}

export interface IntroductionEffects {
  readonly clock: Clock
  readonly random: Random
  readonly jose: Jose
  readonly registry: Pick<RegistryDoor, 'find'>
}

export interface Introductions {
  /**
   * Asks a client for a connection.
   * @param line undefined while there is none
   * @throws RendezvousClientError; the signal's reason
   */
  ask(line: Line, uuid: string, signal: AbortSignal): Promise<Introduction>
  hear(line: Line, message: ServerMessage): void
  /** The line is gone, and with it all that was under way. */
  gone(): void
}

/** Those who ask at once, beyond which nobody is heard. */
const ASKING_MAX = 16
/** Ids of requests heard; a signed request is too old before its id is forgotten. */
const HEARD_MAX = 4096
/** Beyond the window of the server, milliseconds: for the way there and back. */
const GRACE_MS = 15_000

interface Waiting {
  readonly line: Line
  answered(message: Extract<ServerMessage, { type: 'addresses' | 'denied' | 'refused' }>): void
  failed(error: Error): void
}

export const createIntroductions = (effects: IntroductionEffects, settings: IntroductionSettings): Introductions => {
  const { clock, random, jose, registry } = effects
  const { server, identity } = settings
  /** What we ask, by request. */
  const outgoing = new Map<string, Waiting>()
  /** Who asks us: until we have decided, and then until addresses come. */
  const incoming = new Map<
    string,
    { readonly over: AbortController; accepted?: { statement: ConnectionRequest; peer: FoundClient } }
  >()
  const heard = new Set<string>()

  const shareWith = (request: string, to: string, { hide, port, hosts }: Sharing): Promise<FlattenedJws> => {
    const said = { purpose: 'chrove rendezvous addresses', server, request, from: identity.uuid, to, hide }
    const shown = hide ? { hosts: [] } : { hosts, ...(port !== undefined && { port }) }
    return signStatement(jose, { ...said, ...shown, ts: nowSeconds(clock) }, identity.keys.privateKey)
  }

  /** What the peer shares for this request. @throws ProtocolError */
  const openAddresses = async (
    jws: FlattenedJws | undefined,
    request: string,
    peer: FoundClient,
  ): Promise<SharedAddresses> => {
    if (jws === undefined) throw new ProtocolError('ERR_STATEMENT', 'nothing is signed')
    const shared = await verifyStatement(jose, addressesSchema, jws, peer.key)
    requireRecent(shared.ts, nowSeconds(clock))
    const isOurs = shared.server === server && shared.request === request && shared.to === identity.uuid
    if (!isOurs || shared.from !== peer.uuid) throw new ProtocolError('ERR_STATEMENT', 'signed for something else')
    return shared
  }

  const meetingOf = (request: string, side: Side, peer: FoundClient): Meeting => {
    const us = { uuid: identity.uuid, key: identity.keys.publicKey }
    const them = { uuid: peer.uuid, key: peer.key }
    return { server, request, ...(side === 'source' ? { source: us, target: them } : { source: them, target: us }) }
  }

  const hearRequest = async (line: Line, jws: FlattenedJws): Promise<void> => {
    const statement = readStatement(requestSchema, jws)
    const { request, from, to, hide } = statement
    if (statement.server !== server || to !== identity.uuid || from === to) return
    requireRecent(statement.ts, nowSeconds(clock))
    if (heard.has(request) || incoming.size >= ASKING_MAX) return
    remember(request)
    const over = new AbortController()
    incoming.set(request, { over })
    try {
      const peer = await registry.find(from)
      if (peer === undefined) return
      await verifyStatement(jose, requestSchema, jws, peer.key)
      const decision = await settings.decide({ peer, hides: hide, signal: over.signal })
      if (over.signal.aborted || decision === 'ignore') return
      if (decision === 'deny') return line.say({ type: 'deny', request })
      const sharing = settings.sharing()
      const addresses = await shareWith(request, from, { ...sharing, hide: sharing.hide || hide })
      if (over.signal.aborted) return
      incoming.set(request, { over, accepted: { statement, peer } })
      line.say({ type: 'accept', request, addresses })
    } finally {
      if (incoming.get(request)?.accepted === undefined) incoming.delete(request)
    }
  }

  const remember = (request: string): void => {
    heard.add(request)
    for (const oldest of heard) {
      if (heard.size <= HEARD_MAX) break
      heard.delete(oldest)
    }
  }

  const hearAddresses = async (message: Extract<ServerMessage, { type: 'addresses' }>): Promise<void> => {
    const { request, addresses, observed, relay } = message
    const accepted = incoming.get(request)?.accepted
    if (accepted === undefined) return
    // One connection of one request.
    incoming.delete(request)
    const { statement, peer } = accepted
    const isHidden = statement.hide || settings.sharing().hide
    const shared = isHidden ? { hosts: [] } : await openAddresses(addresses, request, peer)
    const meeting = meetingOf(request, 'target', peer)
    settings.introduced({ meeting, side: 'target', peer, isHidden, shared, observed, relay })
  }

  /** What is wrong with what is said in another's name is not answered: the server may have made it up. */
  const quietly = (work: Promise<void>): void => {
    work.catch((error: unknown) => {
      if (!(error instanceof ProtocolError || error instanceof RendezvousClientError)) settings.broke(error)
    })
  }

  const waitFor = (line: Line, request: string, signal: AbortSignal) =>
    new Promise<Extract<ServerMessage, { type: 'addresses' | 'denied' | 'refused' }>>((resolve, reject) => {
      const done = new AbortController()
      const stop = () => {
        outgoing.delete(request)
        done.abort()
        signal.removeEventListener('abort', onAbort)
      }
      const onAbort = () => {
        line.say({ type: 'cancel', request })
        failed(signal.reason as Error)
      }
      const failed = (error: Error) => {
        stop()
        reject(error)
      }
      outgoing.set(request, { line, failed, answered: (message) => (stop(), resolve(message)) })
      signal.addEventListener('abort', onAbort)
      clock.sleep(line.windowSeconds * 1000 + GRACE_MS, done.signal).then(
        () => failed(denied()),
        () => {},
      )
    })

  return {
    async ask(line, uuid, signal) {
      const peer = await registry.find(uuid)
      if (peer === undefined)
        throw new RendezvousClientError('ERR_CLIENT_UNKNOWN', 'nobody has registered this UUID there')
      signal.throwIfAborted()
      const request = uuidOf(random.bytes(16), 4)
      const sharing = settings.sharing()
      const said = { purpose: 'chrove rendezvous request', server, request, from: identity.uuid, to: uuid }
      const statement = { ...said, hide: sharing.hide, ts: nowSeconds(clock) }
      const signed = await signStatement(jose, statement, identity.keys.privateKey)
      const addresses = await shareWith(request, uuid, sharing)
      signal.throwIfAborted()
      const answer = waitFor(line, request, signal)
      line.say({ type: 'request', request: signed, addresses })
      const message = await answer
      if (message.type === 'denied') throw denied()
      if (message.type === 'refused') throw refusal(message.code)
      const shared = await openAddresses(message.addresses, request, peer).catch((cause: unknown) => {
        if (!(cause instanceof ProtocolError)) throw cause
        const text = 'what the server brings in the name of the other client is not signed by it'
        throw new RendezvousClientError('ERR_PEER_UNTRUSTED', text, { cause })
      })
      const isHidden = sharing.hide || shared.hide
      const { observed, relay } = message
      return { meeting: meetingOf(request, 'source', peer), side: 'source', peer, isHidden, shared, observed, relay }
    },

    hear(line, message) {
      if (message.type === 'request') return quietly(hearRequest(line, message.request))
      if (message.type === 'over') {
        incoming.get(message.request)?.over.abort()
        incoming.delete(message.request)
        return
      }
      if (message.type !== 'addresses' && message.type !== 'denied' && message.type !== 'refused') return
      const waiting = outgoing.get(message.request ?? '')
      if (waiting) waiting.answered(message)
      else if (message.type === 'addresses') quietly(hearAddresses(message))
    },

    gone() {
      const error = new RendezvousClientError('ERR_RENDEZVOUS_UNREACHABLE', 'the connection to the rendezvous broke')
      for (const waiting of [...outgoing.values()]) waiting.failed(error)
      for (const { over } of incoming.values()) over.abort()
      incoming.clear()
    },
  }
}

const denied = () => new RendezvousClientError('ERR_DENIED', 'the other client denied, did not answer, or is not there')

const refusal = (code: string): RendezvousClientError =>
  code === 'ERR_TOO_MANY'
    ? new RendezvousClientError('ERR_RENDEZVOUS_BUSY', 'too many requests: wait a little')
    : new RendezvousClientError('ERR_RENDEZVOUS_REFUSED', `the rendezvous refuses the request (${code})`)
