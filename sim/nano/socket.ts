/**
 * The WebSocket protocol of a Nano node, message by message: the topic `confirmation` with its filter of accounts, and
 * acknowledgements.
 * @see https://docs.nano.org/integration-guides/websockets/
 */
import { formatNanoAccount, parseNanoAccount } from '../../protocol/nano/account.ts'
import type { LedgerBlock } from './ledger.ts'
import { contentsOf } from './rpc.ts'
import type { NanoNetwork } from './network.ts'

type Json = Readonly<Record<string, unknown>>

export interface NanoSocket {
  /** A message of the client. */
  receive(text: string): void
  close(): void
}

const readAccounts = (list: unknown): readonly string[] =>
  (Array.isArray(list) ? list : [])
    .map((text) => parseNanoAccount(String(text)))
    .flatMap((key) => (key ? [formatNanoAccount(key)] : []))

/** One client. @param send a message to it */
export const openNanoSocket = (network: NanoNetwork, nowMs: () => number, send: (text: string) => void): NanoSocket => {
  /** Undefined while there is no subscription; 'all' without filter. */
  let subscription: Set<string> | 'all' | undefined
  const say = (message: Json) => send(JSON.stringify(message))
  const time = () => String(Math.floor(nowMs()))

  const isWanted = (account: string, destination: unknown): boolean =>
    subscription === 'all' || [account, String(destination)].some((name) => (subscription as Set<string>).has(name))

  const onConfirmed = (entry: LedgerBlock) => {
    const { account } = entry.block
    const block = { ...contentsOf(entry), subtype: entry.subtype === 'open' ? 'receive' : entry.subtype }
    if (!subscription || !isWanted(account, contentsOf(entry).link_as_account)) return
    const { hash, amount } = entry
    const message = { account, amount: String(amount), hash, confirmation_type: 'active_quorum', block }
    say({ topic: 'confirmation', time: time(), message })
  }
  const stop = network.onConfirmed(onConfirmed)

  const optionsOf = ({ options }: Json): Json | undefined => options as Json | undefined
  const actions: Readonly<Record<string, (request: Json) => boolean>> = {
    subscribe(request) {
      if (request.topic !== 'confirmation') return false
      const options = optionsOf(request)
      subscription = options ? new Set(readAccounts(options.accounts)) : 'all'
      return true
    },
    update(request) {
      if (request.topic !== 'confirmation' || !subscription || subscription === 'all') return false
      for (const account of readAccounts(optionsOf(request)?.accounts_add)) subscription.add(account)
      for (const account of readAccounts(optionsOf(request)?.accounts_del)) subscription.delete(account)
      return true
    },
    unsubscribe(request) {
      if (request.topic !== 'confirmation') return false
      subscription = undefined
      return true
    },
  }

  return {
    receive(text) {
      const request = parse(text)
      if (!request) return
      if (request.action === 'ping') return say({ ack: 'pong', time: time() })
      const done = actions[String(request.action)]?.(request) ?? false
      const wantsAck = request.ack === true || request.ack === 'true'
      if (done && wantsAck)
        say({ ack: request.action, time: time(), ...(request.id !== undefined && { id: request.id }) })
    },
    close: stop,
  }
}

/** A node passes over what it cannot read. */
const parse = (text: string): Json | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Json) : undefined
  } catch {
    return undefined
  }
}
