/** Serves one client of the SOCKS5 proxy: handshake, connection to the destination, bytes both ways, end. */
import type { Duplex } from 'node:stream'
import type { Clock } from '../effects/clock.ts'
import { type AllowIp, type Network, NetworkError } from '../effects/network.ts'
import { socksReplyFor } from '../effects/socks-client.ts'
import { splice } from '../effects/splice.ts'
import { takeBytes } from '../effects/take-bytes.ts'
import { conductSocks } from '../protocol/socks5-handshake.ts'
import {
  SOCKS_REPLY,
  type SocksDestination,
  type SocksLogin,
  type SocksRefusal,
  socksReply,
} from '../protocol/socks5.ts'

/** From accepting to the request: slow links need seconds, attackers would take forever. */
export const HANDSHAKE_TIMEOUT_MS = 15_000
/** To a destination; about as long as clients wait. */
const CONNECT_TIMEOUT_MS = 30_000
/** Without a byte either way; longer than the keep-alive intervals of what runs through proxies. */
export const IDLE_TIMEOUT_MS = 600_000
/** For a client that was refused to read why and close. */
const LINGER_MS = 5_000

/** What an account gives one connection. */
export interface Socks5Grant {
  /** False when the account has too many connections. */
  readonly mayConnect: boolean
  /** As of now; it moves when the order is extended. */
  expiresAtMs(): number
  onBytes(direction: 'bytesUp' | 'bytesDown', length: number): void
  /** The connection is over. */
  leave(): void
}

export interface Socks5Rules {
  /** @param kill ends the connection at once */
  admit(login: SocksLogin, kill: () => void): Socks5Grant | undefined
  /** Which addresses clients may connect to; undefined for all. */
  readonly allow: AllowIp | undefined
}

export type Socks5Outcome = 'done' | 'broken' | 'too-many' | 'unreachable' | 'login' | SocksRefusal

type Effects = { readonly clock: Clock; readonly network: Network }

/** @returns when nothing is left to do, how it ended */
export const serveSocks5Client = async (
  { clock, network }: Effects,
  client: Duplex,
  rules: Socks5Rules,
): Promise<Socks5Outcome> => {
  const over = new AbortController()
  const known = new AbortController()
  let destination: Duplex | undefined
  let grant: Socks5Grant | undefined
  let lastActiveMs = clock.nowMs()

  const kill = () => {
    over.abort()
    client.destroy()
    destination?.destroy()
  }
  const killAfter = (ms: number, unless: AbortSignal) => void clock.sleep(ms, unless).then(kill, () => {})
  const killWhenDue = async (expiresAtMs: () => number): Promise<void> => {
    for (;;) {
      const leftMs = Math.min(expiresAtMs(), lastActiveMs + IDLE_TIMEOUT_MS) - clock.nowMs()
      if (leftMs <= 0) return kill()
      await clock.sleep(leftMs, over.signal)
    }
  }
  const dismiss = (outcome: Socks5Outcome, reply?: number): Socks5Outcome => {
    client.end(reply === undefined ? undefined : socksReply(reply))
    // What the client still sends is thrown away: closing on unread bytes would take the reply back.
    client.resume()
    killAfter(LINGER_MS, over.signal)
    return outcome
  }
  const admit = (login: SocksLogin): boolean => {
    grant = rules.admit(login, kill)
    if (grant) killWhenDue(grant.expiresAtMs).catch(() => {})
    return grant !== undefined
  }
  const connect = async (address: SocksDestination): Promise<Socks5Outcome> => {
    if (!grant?.mayConnect) return dismiss('too-many', SOCKS_REPLY.forbidden)
    try {
      destination = await network.connect(address, CONNECT_TIMEOUT_MS, over.signal, rules.allow)
    } catch (fault) {
      return fault instanceof NetworkError ? dismiss('unreachable', socksReplyFor[fault.code]) : 'broken'
    }
    if (over.signal.aborted) destination.destroy()
    client.write(socksReply(SOCKS_REPLY.granted))
    const { onBytes } = grant
    const isWhole = await splice(client, destination, (from, length) => {
      lastActiveMs = clock.nowMs()
      onBytes(from === 'a' ? 'bytesUp' : 'bytesDown', length)
    })
    return isWhole ? 'done' : 'broken'
  }

  // Whatever breaks also closes, and only that matters.
  client.on('error', () => {})
  client.once('close', () => {
    over.abort()
    known.abort()
    grant?.leave()
  })
  killAfter(HANDSHAKE_TIMEOUT_MS, known.signal)
  const io = {
    read: (length: number) => takeBytes(client, length),
    write: (bytes: Uint8Array) => void client.write(bytes),
  }
  try {
    const outcome = await conductSocks(io, admit)
    known.abort()
    return await (outcome.do === 'close' ? dismiss(outcome.why) : connect(outcome.destination))
  } catch (fault) {
    kill()
    if (fault instanceof NetworkError) return 'broken'
    throw fault
  }
}
