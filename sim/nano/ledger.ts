/**
 * What a Nano node knows: blocks, accounts, what can be received, and how far each account's chain is confirmed. Blocks are
 * checked as nano_node's ledger does, in its order and with its results.
 * @see https://docs.nano.org/protocol-design/ledger/
 */
import { parseNanoAccount } from '../../protocol/nano/account.ts'
import {
  nanoBlockHash,
  nanoBlockIsSigned,
  nanoRootOf,
  upperHex,
  type WorkedBlock,
  ZERO_HASH,
} from '../../protocol/nano/block.ts'
import { nanoWorkValue, type WorkThresholds } from '../../protocol/nano/work.ts'
import { formatNanoAccount } from '../../protocol/nano/account.ts'
import { hexToBytes } from '@noble/hashes/utils.js'

export type BlockStatus =
  | 'progress'
  | 'old'
  | 'bad_signature'
  | 'opened_burn_account'
  | 'gap_previous'
  | 'gap_source'
  | 'fork'
  | 'unreceivable'
  | 'balance_mismatch'
  | 'insufficient_work'

export type Subtype = 'send' | 'receive' | 'open' | 'change'

export interface LedgerBlock {
  readonly hash: string
  readonly block: WorkedBlock
  readonly subtype: Subtype
  /** What it moves, raw. */
  readonly amount: bigint
  /** Place in its account's chain, from 1. */
  readonly height: number
  readonly confirmed: boolean
  /** Zeros for the newest. */
  readonly successor: string
}

export interface LedgerAccount {
  readonly open: string
  readonly frontier: string
  readonly confirmedFrontier: string
  readonly height: number
  readonly confirmedHeight: number
  readonly balance: bigint
  readonly representative: string
}

export interface ReceivableSend {
  readonly hash: string
  readonly source: string
  readonly amount: bigint
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const BURN_ACCOUNT = formatNanoAccount(new Uint8Array(32))

/** Whom a send goes to. */
export const destinationOf = ({ link }: Pick<WorkedBlock, 'link'>): string => formatNanoAccount(hexToBytes(link))

export type NanoLedger = ReturnType<typeof createNanoLedger>

/** @param genesis the first block of the first account, which receives all there is; confirmed, and checked by nobody */
export const createNanoLedger = (genesis: WorkedBlock, work: WorkThresholds) => {
  const blocks = new Map<string, Mutable<LedgerBlock>>()
  const chains = new Map<string, string[]>()
  const confirmedHeights = new Map<string, number>()
  const receivable = new Map<string, ReceivableSend & { readonly destination: string }>()

  const get = (hash: string): LedgerBlock | undefined => blocks.get(hash)
  const frontierOf = (account: string) => blocks.get(chains.get(account)?.at(-1) ?? '')
  const existing = (hash: string): Mutable<LedgerBlock> => {
    const found = blocks.get(hash)
    if (!found) throw new TypeError('the ledger has no such block')
    return found
  }

  /** What the block would be, or why it cannot be. */
  const judge = (block: WorkedBlock): { subtype: Subtype; amount: bigint } | Exclude<BlockStatus, 'progress'> => {
    const { account, previous, balance, link } = block
    if (blocks.has(nanoBlockHash(block))) return 'old'
    if (!nanoBlockIsSigned(block)) return 'bad_signature'
    if (account === BURN_ACCOUNT) return 'opened_burn_account'
    const head = frontierOf(account)
    if (head) {
      if (previous === ZERO_HASH) return 'fork'
      if (!blocks.has(previous)) return 'gap_previous'
      if (previous !== head.hash) return 'fork'
    } else {
      if (previous !== ZERO_HASH) return 'gap_previous'
      if (link === ZERO_HASH) return 'gap_source'
    }
    const before = head?.block.balance ?? 0n
    const isSend = balance < before
    const isChange = !isSend && link === ZERO_HASH
    const amount = isSend ? before - balance : balance - before
    const value = nanoWorkValue(block.work, nanoRootOf(block))
    if (value < (isSend || isChange ? work.send : work.receive)) return 'insufficient_work'
    if (isSend) return { subtype: 'send', amount }
    if (isChange) return amount === 0n ? { subtype: 'change', amount } : 'balance_mismatch'
    if (!blocks.has(link)) return 'gap_source'
    const send = receivable.get(link)
    if (send?.destination !== account) return 'unreceivable'
    if (send.amount !== amount) return 'balance_mismatch'
    return { subtype: head ? 'receive' : 'open', amount }
  }

  const append = (block: WorkedBlock, subtype: Subtype, amount: bigint): LedgerBlock => {
    const { account } = block
    const hash = nanoBlockHash(block)
    const chain = chains.get(account) ?? []
    chains.set(account, chain)
    const head = frontierOf(account)
    if (head) head.successor = hash
    chain.push(hash)
    const added = { hash, block, subtype, amount, height: chain.length, confirmed: false, successor: ZERO_HASH }
    blocks.set(hash, added)
    if (subtype === 'send') receivable.set(hash, { hash, source: account, amount, destination: destinationOf(block) })
    else if (subtype !== 'change') receivable.delete(block.link)
    return added
  }

  const confirm = (hash: string): LedgerBlock[] => {
    const entry = blocks.get(hash)
    if (!entry || entry.confirmed) return []
    const { previous, link } = entry.block
    const isReceive = entry.subtype === 'receive' || entry.subtype === 'open'
    const before = [...confirm(previous), ...(isReceive ? confirm(link) : [])]
    entry.confirmed = true
    confirmedHeights.set(entry.block.account, entry.height)
    return [...before, entry]
  }

  /** @throws TypeError when it, or what depends on it, is confirmed */
  const rollBack = (hash: string): LedgerBlock[] => {
    const entry = existing(hash)
    if (entry.confirmed) throw new TypeError('what is confirmed is never rolled back')
    const undone = entry.successor === ZERO_HASH ? [] : rollBack(entry.successor)
    if (entry.subtype === 'send' && !receivable.has(hash)) {
      const receiver = [...blocks.values()].find(({ subtype, block }) => subtype !== 'send' && block.link === hash)
      if (receiver) undone.push(...rollBack(receiver.hash))
    }
    if (entry.subtype === 'send') receivable.delete(hash)
    else if (entry.subtype !== 'change') {
      const { block, amount } = existing(entry.block.link)
      receivable.set(entry.block.link, {
        ...{ hash: entry.block.link, source: block.account, amount, destination: entry.block.account },
      })
    }
    chains.get(entry.block.account)?.pop()
    blocks.delete(hash)
    const head = frontierOf(entry.block.account)
    if (head) head.successor = ZERO_HASH
    return [...undone, entry]
  }

  append(genesis, 'open', genesis.balance)
  confirm(nanoBlockHash(genesis))

  return {
    get,

    process(block: WorkedBlock): BlockStatus {
      const judged = judge(block)
      if (typeof judged === 'string') return judged
      append(block, judged.subtype, judged.amount)
      return 'progress'
    },

    account(name: string): LedgerAccount | undefined {
      const chain = chains.get(name) ?? []
      const head = frontierOf(name)
      const [open] = chain
      if (!head || open === undefined) return undefined
      const confirmedHeight = confirmedHeights.get(name) ?? 0
      return {
        open,
        frontier: head.hash,
        confirmedFrontier: chain[confirmedHeight - 1] ?? ZERO_HASH,
        height: chain.length,
        confirmedHeight,
        balance: head.block.balance,
        representative: head.block.representative,
      }
    },

    /** Sends to the account that it has not received, in the order of their hashes. */
    receivable: (account: string): readonly ReceivableSend[] =>
      [...receivable.values()]
        .filter(({ destination }) => destination === account)
        .sort((a, b) => (a.hash < b.hash ? -1 : 1)),

    isReceivable: (hash: string): boolean => receivable.has(hash),

    /** The blocks of an account, the first one first. */
    chain: (account: string): readonly LedgerBlock[] => (chains.get(account) ?? []).map(existing),

    unconfirmed: (): readonly LedgerBlock[] => [...blocks.values()].filter(({ confirmed }) => !confirmed),

    /** Confirms a block and all that it depends on. @returns what was not confirmed before, in the chain's order */
    confirm,

    /** Undoes a block and all that depends on it. @returns what is gone */
    rollBack,

    /** All balances and all that is on its way, raw: the same for ever. */
    supply: (): bigint =>
      [...chains.keys()].reduce((sum, name) => sum + (frontierOf(name)?.block.balance ?? 0n), 0n) +
      [...receivable.values()].reduce((sum, { amount }) => sum + amount, 0n),
  }
}

/** Public key of an account, as links have it. */
export const linkTo = (account: string): string => upperHex(parseNanoAccount(account) ?? new Uint8Array(32))
