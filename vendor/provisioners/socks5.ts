/** One account per order on the embedded SOCKS5 server. */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { base58, utf8 } from '../../protocol/bytes.ts'
import { runOf, type PaidOrder } from '../orders.ts'
import type { Socks5Account, Socks5Accounts, Socks5Server } from '../socks5-server.ts'
import type { Provisioner } from './provisioner.ts'

export interface Socks5ProvisionerSettings {
  /** As buyers see it. */
  readonly serverName: string
  /** Where buyers reach the SOCKS5 server. */
  readonly address: string
  readonly port: number
  /** 32 secret bytes. Accounts follow from it and the order, so that a lost database loses no access. */
  readonly secret: Uint8Array
}

export interface Socks5AccountBook extends Socks5Accounts {
  readonly accounts: Map<string, Socks5Account>
}

/** The accounts that are open now, shared by the server that checks them and the provisioner that opens them. */
export const createAccountBook = (): Socks5AccountBook => {
  const accounts = new Map<string, Socks5Account>()
  return { accounts, find: (username) => accounts.get(username) }
}

export const createSocks5Provisioner = (
  book: Socks5AccountBook,
  server: Pick<Socks5Server, 'revoke'>,
  settings: Socks5ProvisionerSettings,
): Provisioner => {
  const derive = (purpose: string, { orderId, startedAtSeconds }: PaidOrder): string =>
    base58.encode(hmac(sha256, settings.secret, utf8(`${purpose} ${orderId} ${startedAtSeconds}`)).subarray(0, 16))

  /** Those of open orders, since a buyer may ask for them often. */
  const logins = new Map<string, { readonly username: string; readonly password: string }>()
  const loginOf = (order: PaidOrder) => {
    const known = logins.get(runOf(order))
    if (known) return known
    const login = { username: derive('socks5 username', order), password: derive('socks5 password', order) }
    logins.set(runOf(order), login)
    return login
  }

  return {
    provision(order) {
      const { username, password } = loginOf(order)
      book.accounts.set(username, { password, expiresAtMs: order.endsAtSeconds * 1000, orderId: order.orderId })
      const { serverName, address, port } = settings
      const config = { address, port, username, password }
      return Promise.resolve([{ type: 'socks5', server_name: serverName, config }])
    },
    revoke(order) {
      const { username } = loginOf(order)
      logins.delete(runOf(order))
      if (book.accounts.delete(username)) server.revoke(username)
      return Promise.resolve()
    },
  }
}
