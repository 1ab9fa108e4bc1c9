/**
 * Follows deposits: confirmed sends to the service's account, which stay receivable while their credit is used. So the
 * node's list of what can be received has all that matters, and nothing is missed by not having listened.
 */
import type { Log } from '../../../effects/log.ts'
import { nanoBlockIsSigned } from '../../../protocol/nano/block.ts'
import type { Deposits } from '../../rail.ts'
import type { Receivable } from './answers.ts'
import { balanceAfter, isReplaced, provedBlock } from './chain.ts'
import { DEPOSITS_AT_ONCE, RECEIVABLE_MAX, RECEIVABLE_PAGE } from './limits.ts'
import type { NanoNode } from './node.ts'
import { receiveOf } from './payments.ts'
import type { DepositState, NanoStore } from './store.ts'

export interface FollowerParts {
  readonly log: Log
  readonly node: NanoNode
  readonly store: NanoStore
  readonly account: string
  /** Public key of the account, 64 upper-case hex digits: the link of sends to it. */
  readonly link: string
  /** Raw. */
  readonly minimum: bigint
}

/** @returns looks once, and tells the ledger what is new @throws NanoError, or the signal's reason */
export const createFollower = (parts: FollowerParts) => {
  const { log, node, store, account, link, minimum } = parts

  /** All that can be received, a page at a time. */
  const list = async function* (signal: AbortSignal): AsyncGenerator<readonly Receivable[]> {
    const seen = new Set<string>()
    while (seen.size < RECEIVABLE_MAX) {
      const page = await node.receivable(account, minimum, seen.size, signal)
      const fresh = page.filter(({ hash }) => !seen.has(hash))
      for (const { hash } of fresh) seen.add(hash)
      if (fresh.length > 0) yield fresh
      // A node without offsets, an old one, gives the first page again.
      if (page.length < RECEIVABLE_PAGE || fresh.length === 0) return
    }
    log.warn('nano.too-many-receivable', { max: RECEIVABLE_MAX })
  }

  /**
   * Checks all that can be checked: the block says who sends, to whom, and by its hash and that of the one before, how
   * much. Whether it is confirmed is the node's word.
   */
  const examine = async ({ hash, source, amount }: Receivable, signal: AbortSignal) => {
    const proved = await provedBlock(node, hash, signal)
    if (!proved?.confirmed) return undefined
    const { block } = proved
    const before = await balanceAfter(node, block.previous, signal)
    if (before === undefined) return undefined
    const isGood = block.account === source && block.link === link && nanoBlockIsSigned(block)
    if (isGood && before - block.balance === amount) return { hash, account: source, amount, previous: block.previous }
    log.error('nano.deposit-does-not-add-up')
    return undefined
  }

  /** Notes what is new on a page. @returns what of the page was credited before */
  const take = async (page: readonly Receivable[], signal: AbortSignal): Promise<readonly string[]> => {
    const known = new Map((await store.depositsOf(page.map(({ hash }) => hash))).map((row) => [row.hash, row.state]))
    const isFresh = ({ hash, source }: Receivable) => !known.has(hash) && source !== account
    const fresh = page.filter(isFresh)
    while (fresh.length > 0) {
      const examined = await Promise.all(fresh.splice(0, DEPOSITS_AT_ONCE).map((send) => examine(send, signal)))
      for (const deposit of examined) if (deposit) await store.addDeposit(deposit)
    }
    // What the service sent to itself is nobody's credit.
    const own = page.filter(({ source }) => source === account)
    await store.want(own.map(({ hash, amount }) => receiveOf({ hash, account, amount })))
    const areIn = (state: DepositState) => [...known.keys()].filter((hash) => known.get(hash) === state)
    for (const hash of areIn('revoked')) await store.setDeposit(hash, 'seen')
    return areIn('credited')
  }

  const credit = async (deposits: Deposits): Promise<void> => {
    const seen = await store.depositsIn('seen')
    await Promise.all(
      seen.map(({ hash, account: payer, amount }) => deposits.credit({ id: hash, account: payer, amount })),
    )
    for (const { hash } of seen) await store.setDeposit(hash, 'credited')
  }

  /** A credited send that is not to be had any more was received, or another block is confirmed in its place. */
  const revoke = async (listed: ReadonlySet<string>, deposits: Deposits, signal: AbortSignal): Promise<void> => {
    if ((await store.creditedCount()) <= listed.size) return
    const missing = (await store.depositsIn('credited')).filter(({ hash }) => !listed.has(hash))
    for (const { hash, account: payer, previous } of missing) {
      if ((await node.blockInfo(hash, signal))?.confirmed) continue
      if (!(await isReplaced(node, { hash, account: payer, previous }, signal))) continue
      log.error('nano.deposit-undone')
      await deposits.revoke(hash)
      await store.setDeposit(hash, 'revoked')
    }
  }

  return async (deposits: Deposits, signal: AbortSignal): Promise<void> => {
    const listed = new Set<string>()
    for await (const page of list(signal)) for (const hash of await take(page, signal)) listed.add(hash)
    await revoke(listed, deposits, signal)
    await credit(deposits)
  }
}
