/**
 * A SOCKS5 proxy for those who paid: one account for each order, valid until it expires or is revoked, its bytes
 * counted. Who has an account is decided elsewhere; how one client is served, in `socks5-client.ts`.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import type { Duplex } from 'node:stream'
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Address, Network } from '../effects/network.ts'
import { equalBytes, utf8 } from '../protocol/bytes.ts'
import { isPublicIp } from '../protocol/ip-address.ts'
import type { SocksLogin } from '../protocol/socks5.ts'
import { serveSocks5Client, type Socks5Grant } from './socks5-client.ts'

export interface Socks5Account {
  readonly password: string
  readonly expiresAtMs: number
  readonly orderId: string
}

export interface Socks5Accounts {
  find(username: string): Socks5Account | undefined
}

export interface Socks5Settings {
  /** Asked again while connections last, so that an order that is extended in time keeps them. */
  readonly accounts: Socks5Accounts
  /** Lets clients connect to this machine and its private networks too; off by default. */
  readonly allowPrivate?: boolean
}

export interface Socks5Usage {
  /** From the account's clients to their destinations. */
  readonly bytesUp: bigint
  /** From the destinations to the account's clients. */
  readonly bytesDown: bigint
}

export interface Socks5Server {
  /** Serves one client until it, its destination or its account ends. */
  accept(connection: Duplex, peer: Address): void
  /** Ends all connections of an account at once, and forgets what it used. */
  revoke(username: string): void
  /** What the account used since this server started, or since it was revoked. */
  usage(username: string): Socks5Usage
}

/** A browser opens a few dozen; more is an account that is shared, or an attack. */
export const CONNECTIONS_PER_ACCOUNT_MAX = 256
/** Clients of one host that have not logged in, so that none takes all places of the listener. */
export const STRANGERS_PER_HOST_MAX = 64

interface OpenAccount {
  /** Each ends one connection. */
  readonly kills: Set<() => void>
  usage: Socks5Usage
}

type Effects = { readonly clock: Clock; readonly network: Network; readonly log: Log }

export const createSocks5Server = (
  effects: Effects,
  { accounts, allowPrivate = false }: Socks5Settings,
): Socks5Server => {
  const { clock, log } = effects
  const open = new Map<string, OpenAccount>()
  const strangers = new Map<string, number>()

  const mayLogIn = ({ username, password }: SocksLogin): boolean => {
    const account = accounts.find(username)
    // Hashed, so that neither length nor existence of the right password shows in the time this takes.
    const isRight = equalBytes(sha256(utf8(account?.password ?? '')), sha256(utf8(password)))
    return isRight && account !== undefined && clock.nowMs() < account.expiresAtMs
  }

  const admit = (login: SocksLogin, kill: () => void): Socks5Grant | undefined => {
    if (!mayLogIn(login)) return undefined
    const { username } = login
    const account = open.get(username) ?? { kills: new Set(), usage: { bytesUp: 0n, bytesDown: 0n } }
    open.set(username, account)
    const mayConnect = account.kills.size < CONNECTIONS_PER_ACCOUNT_MAX
    // One too many is about to be closed and takes no place.
    if (mayConnect) account.kills.add(kill)
    return {
      mayConnect,
      expiresAtMs: () => accounts.find(username)?.expiresAtMs ?? 0,
      onBytes: (direction, length) => {
        account.usage = { ...account.usage, [direction]: account.usage[direction] + BigInt(length) }
      },
      leave: () => account.kills.delete(kill),
    }
  }

  /** Counts a host's client until it is known, or gone; refuses it when there are too many. */
  const welcome = (host: string): (() => void) | undefined => {
    const count = (strangers.get(host) ?? 0) + 1
    if (count > STRANGERS_PER_HOST_MAX) return undefined
    strangers.set(host, count)
    let isStranger = true
    return () => {
      if (!isStranger) return
      isStranger = false
      const left = (strangers.get(host) ?? 0) - 1
      if (left === 0) strangers.delete(host)
      else strangers.set(host, left)
    }
  }

  return {
    accept(connection, { host }) {
      const becomeKnown = welcome(host)
      if (!becomeKnown) {
        connection.destroy()
        return log.warn('socks5-too-many-strangers')
      }
      connection.once('close', becomeKnown)
      const rules = {
        admit: (login: SocksLogin, kill: () => void) => {
          const grant = admit(login, kill)
          if (grant) becomeKnown()
          return grant
        },
        allow: allowPrivate ? undefined : isPublicIp,
      }
      serveSocks5Client(effects, connection, rules).then(
        (outcome) => log.debug('socks5-connection', { outcome }),
        (fault: unknown) => log.error('socks5-fault', { fault: (fault as Error).name }),
      )
    },
    revoke(username) {
      const account = open.get(username)
      open.delete(username)
      for (const kill of account?.kills ?? []) kill()
    },
    usage: (username) => open.get(username)?.usage ?? { bytesUp: 0n, bytesDown: 0n },
  }
}
