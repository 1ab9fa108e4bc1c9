/** What clients of a rendezvous take from the world, streams and relays of other folders included. */
import type { Duplex } from 'node:stream'
import type { Clock } from '../../effects/clock.ts'
import type { Log } from '../../effects/log.ts'
import type { Network } from '../../effects/network.ts'
import type { Random } from '../../effects/random.ts'
import type { FileStore } from '../../effects/store.ts'
import type { OpenSocket } from '../../effects/web-socket.ts'
import type { Jose } from '../../protocol/jose.ts'
import type { Aead, CreateAead } from '../../protocol/relay/aead.ts'

/** Records to and from a peer, sealed; as `relay/client/secure-stream.ts` has them. */
export interface PeerStream {
  /** @param record at most 64 KiB; resolves when there is room for the next */
  send(record: Uint8Array): Promise<void>
  /** @returns undefined at the end that the peer meant */
  receive(): Promise<Uint8Array | undefined>
  end(): Promise<void>
  close(): void
}

export type SecureConnection = (
  connection: Duplex,
  ciphers: { readonly sending: Aead; readonly receiving: Aead },
) => PeerStream

/** One stream through a relay; as `relay/client/index.ts` does it. */
export type JoinRelay = (
  effects: {
    readonly clock: Clock
    readonly random: Random
    readonly network: Pick<Network, 'fetch' | 'connect'>
    readonly aead: CreateAead
  },
  options: {
    readonly relay: string
    readonly role: 'sender' | 'recipient'
    readonly code: string
    readonly streams: number
    readonly signal: AbortSignal
  },
) => Promise<{ readonly streams: readonly PeerStream[]; close(): Promise<void> }>

export interface PeerTools {
  readonly secure: SecureConnection
  readonly joinRelay: JoinRelay
}

export interface ClientEffects extends PeerTools {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly files: FileStore
  readonly log: Log
  readonly jose: Jose
  readonly aead: CreateAead
  readonly openSocket: OpenSocket
}
