/**
 * Finds others by their UUIDs and connects to them:
 *
 *   const client = await openRendezvousClient(effects, { server, identity, … })
 *   const connection = await client.connect(uuid)          // asks; direct, or through the relay
 *   await client.run(signal)                               // is there; those who ask are decided about
 *
 * Every connection needs a request of its own. @see SEED 002; DESIGN 10
 */
import type { Address } from '../../effects/network.ts'
import { createDoorman } from './doorman.ts'
import type { ClientEffects } from './effects.ts'
import { RendezvousClientError } from './errors.ts'
import type { Identity } from './identity.ts'
import { type Asking, createIntroductions, type Decision, type Introduction } from './introductions.ts'
import { meet, type MeetSettings, type PeerConnection } from './meet.ts'
import { keepPresent, type Line } from './presence.ts'
import { createRegistryDoor, type FoundClient } from './registry-door.ts'

export interface RendezvousClientSettings {
  /** URL of the rendezvous, without a slash at the end. */
  readonly server: string
  readonly identity: Identity
  /** Whether deny, ignore and offline are to look the same to those who ask for us; undefined: as it was. */
  readonly uniform: boolean | undefined
  /** Show our address to nobody: connections go through a relay. */
  readonly hide: boolean
  /** Where to take connections; without it, they are only made. */
  readonly listen: Address | undefined
  /** Further addresses that lead to it. */
  readonly hosts: readonly string[]
  readonly allowPrivate: boolean
  readonly isProxied: boolean
  /** About those who ask. */
  decide(asking: Asking): Promise<Decision>
  /** Somebody asked, was accepted, and is connected; or could not be. */
  connected(connection: Connected): void
  failed(peer: FoundClient, error: Error): void
}

export interface Connected extends PeerConnection {
  readonly peer: FoundClient
}

export interface RendezvousClient {
  /** Where connections are taken. */
  readonly port: number | undefined
  /** Whether others can ask us now. */
  isPresent(): boolean
  /**
   * Registers if needed, and is there until the signal aborts; `connect` works meanwhile.
   * @throws RendezvousClientError when it cannot be, however often it is tried; what `decide` throws
   */
  run(signal: AbortSignal): Promise<void>
  /**
   * Asks a client, and connects to it.
   * @throws RendezvousClientError; the signal's reason
   */
  connect(uuid: string, signal: AbortSignal): Promise<Connected>
  /** Never to be asked by this client again, wherever we are. */
  block(uuid: string, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** @throws ERR_NETWORK_ADDRESS_IN_USE */
export const openRendezvousClient = async (
  effects: ClientEffects,
  settings: RendezvousClientSettings,
): Promise<RendezvousClient> => {
  const { server, identity, uniform, hide, listen, hosts, allowPrivate, isProxied } = settings
  const registry = createRegistryDoor(effects, server)
  const doorman = hide || listen === undefined ? undefined : await createDoorman(effects, listen)
  const meeting: MeetSettings = { identity, doorman, allowPrivate, isProxied }
  const closing = new AbortController()
  const broken = new AbortController()
  let line: Line | undefined
  let waiting: ((line: Line) => void)[] = []

  const welcomed = async (introduction: Introduction, signal: AbortSignal): Promise<Connected> => {
    const connection = await meet(effects, introduction, meeting, signal)
    const { peer } = introduction
    try {
      // Only now has it shown that it is the one whose name was said.
      await registry.remember(peer)
    } catch (error) {
      connection.stream.close()
      throw error
    }
    return { ...connection, peer }
  }

  const introductions = createIntroductions(
    { ...effects, registry },
    {
      server,
      identity,
      sharing: () => ({ hide, port: doorman?.port, hosts }),
      decide: (asking) => settings.decide(asking),
      introduced(introduction) {
        welcomed(introduction, closing.signal).then(
          (connection) => settings.connected(connection),
          (error: unknown) => settings.failed(introduction.peer, error as Error),
        )
      },
      broke: (fault) => broken.abort(fault),
    },
  )

  const present = (signal: AbortSignal): Promise<Line> =>
    new Promise((resolve, reject) => {
      if (line) return resolve(line)
      const onAbort = () => reject(signal.reason as Error)
      if (signal.aborted) return onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
      waiting.push(resolve)
    })

  return {
    port: doorman?.port,
    isPresent: () => line !== undefined,

    async run(signal) {
      await untilRegistered(effects, () => registry.register(identity), signal)
      const events = {
        welcome(welcome: Line) {
          line = welcome
          const woken = waiting
          waiting = []
          for (const wake of woken) wake(welcome)
        },
        message: (message: Parameters<typeof introductions.hear>[1]) => {
          if (line) introductions.hear(line, message)
        },
        gone() {
          line = undefined
          introductions.gone()
        },
      }
      await keepPresent(effects, { server, identity, uniform }, events, AbortSignal.any([signal, broken.signal]))
      broken.signal.throwIfAborted()
    },

    async connect(uuid, signal) {
      return welcomed(await introductions.ask(await present(signal), uuid, signal), signal)
    },

    async block(uuid, signal) {
      ;(await present(signal)).say({ type: 'block', uuid })
    },

    async close() {
      closing.abort(new RendezvousClientError('ERR_PEER_UNREACHABLE', 'the client was closed'))
      await doorman?.close()
    },
  }
}

const REGISTER_PAUSE_MS = 5_000

/** A rendezvous that is away for a while is waited for. */
const untilRegistered = async (
  { clock, log }: Pick<ClientEffects, 'clock' | 'log'>,
  register: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> => {
  for (;;) {
    try {
      return await register()
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof RendezvousClientError && error.retryable)) throw error
      log.warn('rendezvous.unreachable', { code: error.code })
      await clock.sleep(REGISTER_PAUSE_MS, signal).catch(() => {})
    }
  }
}
