/** One account per order on the embedded SOCKS5 server. */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { base58, utf8 } from '../../protocol/bytes.ts'
import type { PaidOrder } from '../orders.ts'
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

  return {
    provision(order) {
      const username = derive('socks5 username', order)
      const password = derive('socks5 password', order)
      book.accounts.set(username, { password, expiresAtMs: order.endsAtSeconds * 1000, orderId: order.orderId })
      const { serverName, address, port } = settings
      const config = { address, port, username, password }
      return Promise.resolve([{ type: 'socks5', server_name: serverName, config }])
    },
    revoke(order) {
      const username = derive('socks5 username', order)
      if (book.accounts.delete(username)) server.revoke(username)
      return Promise.resolve()
    },
  }
}
