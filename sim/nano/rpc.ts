/**
 * The RPC of a Nano node, with nano_node's members and words.
 * @see https://docs.nano.org/commands/rpc-protocol/
 */
import { formatNanoAccount, parseNanoAccount } from '../../protocol/nano/account.ts'
import { nanoBlockHash, nanoRootOf, type WorkedBlock, ZERO_HASH } from '../../protocol/nano/block.ts'
import { nanoSearchWork, nanoWorkValue, type WorkThresholds } from '../../protocol/nano/work.ts'
import { type BlockStatus, destinationOf, type LedgerBlock } from './ledger.ts'
import type { NanoNetwork } from './network.ts'

export type NanoJson = Readonly<Record<string, unknown>>
type Json = NanoJson
type Action = (request: Json) => Json

/** What makes a node answer `{ "error": … }`. */
class Refusal extends Error {}

const words: Record<Exclude<BlockStatus, 'progress'>, string> = {
  old: 'Old block',
  bad_signature: 'Bad signature',
  opened_burn_account: 'Burning account',
  gap_previous: 'Gap previous block',
  gap_source: 'Gap source block',
  fork: 'Fork',
  unreceivable: 'Unreceivable',
  balance_mismatch: 'Balance and amount delta do not match',
  insufficient_work: 'Block work is insufficient',
}

/** More tries than the work of a simulated network can take. */
const WORK_TRIES_MAX = 1_000_000

const textOf = (request: Json, name: string, orElse?: string): string => {
  const value = request[name]
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (value === undefined && orElse !== undefined) return orElse
  throw new Refusal('Unable to parse JSON')
}

const flagOf = (request: Json, name: string, orElse: boolean): boolean => {
  const value = request[name]
  return value === undefined ? orElse : value === true || value === 'true'
}

const accountOf = (request: Json, name = 'account', wrong = 'Bad account number'): string => {
  const key = parseNanoAccount(textOf(request, name, ''))
  if (!key) throw new Refusal(wrong)
  return formatNanoAccount(key)
}

const hexOf = (request: Json, name: string, digits: number, wrong: string): string => {
  const text = textOf(request, name, '')
  if (!new RegExp(`^[0-9a-fA-F]{${digits}}$`).test(text)) throw new Refusal(wrong)
  return text.toUpperCase()
}

const hashOf = (request: Json): string => hexOf(request, 'hash', 64, 'Invalid block hash')

/** As the node shows a block to RPC and WebSocket clients. */
export const contentsOf = ({ block }: LedgerBlock): Json => ({
  type: 'state',
  ...block,
  balance: String(block.balance),
  link_as_account: destinationOf(block),
})

const readBlock = (request: Json): WorkedBlock => {
  const given = request.block
  const fields = (typeof given === 'string' ? JSON.parse(given) : given) as Json | undefined
  if (typeof fields !== 'object' || fields.type !== 'state') throw new Refusal('Block is invalid')
  const balance = textOf(fields, 'balance')
  if (!/^\d{1,39}$/.test(balance)) throw new Refusal('Block is invalid')
  return {
    account: accountOf(fields, 'account', 'Block is invalid'),
    previous: hexOf(fields, 'previous', 64, 'Block is invalid'),
    representative: accountOf(fields, 'representative', 'Block is invalid'),
    balance: BigInt(balance),
    link: hexOf(fields, 'link', 64, 'Block is invalid'),
    signature: hexOf(fields, 'signature', 128, 'Block is invalid'),
    work: hexOf(fields, 'work', 16, 'Block is invalid').toLowerCase(),
  }
}

/** @returns answers one request, which is JSON */
export const createNanoRpc = (network: NanoNetwork, thresholds: WorkThresholds): ((body: string) => Json) => {
  const { ledger } = network

  /** nano_node looks at the subtype first, against the balance that the account has by now. */
  const checkSubtype = ({ account, previous, balance }: WorkedBlock, subtype: string): void => {
    if (previous !== ZERO_HASH && !ledger.get(previous)) throw new Refusal(words.gap_previous)
    const held = ledger.account(account)?.balance ?? 0n
    const fits: Readonly<Record<string, boolean>> = {
      send: balance < held,
      receive: balance >= held,
      open: true,
      change: balance === held,
    }
    if (fits[subtype] === undefined) throw new Refusal('Invalid block subtype')
    if (!fits[subtype]) throw new Refusal('Invalid block balance for given subtype')
    const isFirst = previous === ZERO_HASH
    if ((subtype === 'open' && !isFirst) || (subtype === 'change' && isFirst))
      throw new Refusal('Invalid previous block for given subtype')
  }

  const actions: Readonly<Record<string, Action>> = {
    version: () => ({ rpc_version: '1', store_version: '24', protocol_version: '21', node_vendor: 'Nano V28.1' }),

    account_info(request) {
      const info = ledger.account(accountOf(request))
      if (!info) throw new Refusal('Account not found')
      return {
        frontier: info.frontier,
        open_block: info.open,
        representative_block: info.open,
        balance: String(info.balance),
        modified_timestamp: '0',
        block_count: String(info.height),
        account_version: '2',
        confirmation_height: String(info.confirmedHeight),
        confirmation_height_frontier: info.confirmedFrontier,
        ...(flagOf(request, 'representative', false) && { representative: info.representative }),
      }
    },

    account_balance(request) {
      const account = accountOf(request)
      const pending = ledger.receivable(account).reduce((sum, { amount }) => sum + amount, 0n)
      const receivable = String(pending)
      return { balance: String(ledger.account(account)?.balance ?? 0n), pending: receivable, receivable }
    },

    block_info(request) {
      const entry = ledger.get(hashOf(request))
      if (!entry) throw new Refusal('Block not found')
      const contents = contentsOf(entry)
      return {
        block_account: entry.block.account,
        amount: String(entry.amount),
        balance: String(entry.block.balance),
        height: String(entry.height),
        local_timestamp: '0',
        successor: entry.successor,
        confirmed: String(entry.confirmed),
        contents: flagOf(request, 'json_block', false) ? contents : JSON.stringify(contents),
        subtype: entry.subtype === 'open' ? 'receive' : entry.subtype,
      }
    },

    receivable(request) {
      const threshold = BigInt(textOf(request, 'threshold', '0'))
      const offset = Number(textOf(request, 'offset', '0'))
      const count = Number(textOf(request, 'count', '4294967295'))
      const onlyConfirmed = flagOf(request, 'include_only_confirmed', true)
      const found = ledger
        .receivable(accountOf(request))
        .filter(({ hash, amount }) => amount >= threshold && (!onlyConfirmed || ledger.get(hash)?.confirmed))
        .slice(offset, offset + count)
      const withSource = flagOf(request, 'source', false)
      if (threshold === 0n && !withSource) return { blocks: found.length === 0 ? '' : found.map(({ hash }) => hash) }
      const rows = found.map(({ hash, source, amount }) => {
        return [hash, withSource ? { amount: String(amount), source } : String(amount)] as const
      })
      return { blocks: rows.length === 0 ? '' : Object.fromEntries(rows) }
    },

    receivable_exists(request) {
      const hash = hashOf(request)
      const entry = ledger.get(hash)
      if (!entry) throw new Refusal('Block not found')
      const counts = entry.confirmed || !flagOf(request, 'include_only_confirmed', true)
      return { exists: ledger.isReceivable(hash) && counts ? '1' : '0' }
    },

    process(request) {
      const block = readBlock(request)
      const subtype = textOf(request, 'subtype', '')
      if (subtype !== '') checkSubtype(block, subtype)
      const easiest = thresholds.receive < thresholds.send ? thresholds.receive : thresholds.send
      if (nanoWorkValue(block.work, nanoRootOf(block)) < easiest) throw new Refusal('Block work is less than threshold')
      const status = network.publish(block)
      if (status !== 'progress') throw new Refusal(words[status])
      return { hash: nanoBlockHash(block) }
    },

    work_generate(request) {
      const root = hashOf(request)
      const threshold = BigInt(`0x${textOf(request, 'difficulty', thresholds.send.toString(16))}`)
      if (threshold > thresholds.send) throw new Refusal('Difficulty above config limit or below publish threshold')
      const work = nanoSearchWork(root, threshold, 0n, WORK_TRIES_MAX)
      if (work === undefined) throw new Refusal('Work generation cancellation or failure')
      return { work, difficulty: nanoWorkValue(work, root).toString(16), multiplier: '1', hash: root }
    },
  }

  return (body) => {
    try {
      const request = JSON.parse(body) as Json | null
      if (typeof request !== 'object' || request === null) throw new Refusal('Unable to parse JSON')
      const action = actions[textOf(request, 'action', '')]
      if (!action) throw new Refusal('Unknown command')
      return action(request)
    } catch (error) {
      if (error instanceof Refusal) return { error: error.message }
      if (error instanceof SyntaxError) return { error: 'Unable to parse JSON' }
      throw error
    }
  }
}
