/**
 * Metered access once faults have stopped: who wanted something has it or knows why not, and ledger and chain tell the
 * same story to the smallest unit.
 */
import { formatKeyId } from '../../protocol/keys.ts'
import { fromHex } from '../../protocol/bytes.ts'
import type { Metered } from '../metered/world.ts'
import { accountRows, refundRows, type AccountRow, type RefundRow } from '../metered/ledger-rows.ts'
import type { Happening, Retold } from './retell.ts'

const SERVED = 'every client is served or told why not'
const REFUNDS = 'refunds are exact and single'
const CLAIMED = 'a vendor can claim what it charged'
const CHAIN = 'the ledger equals the chain'

/** Wishes of everybody, when nothing is under way. */
export const checkWishes = ({ world, shop, payers }: Metered): void => {
  const paid = new Map<string, number>()
  for (const each of shop.audit.charged()) {
    const key = each.slice(each.indexOf(' ') + 1)
    paid.set(key, (paid.get(key) ?? 0) + 1)
  }
  for (const payer of payers) {
    for (const { key, good, state, code } of payer.wishes) {
      if ((paid.get(key) ?? 0) > 1 && !payer.isRestored() && !payer.hasLeft())
        world.breach('a request is paid once', `${key} (${good.path}) was charged to ${paid.get(key)} accounts`)
      if (state === 'served') continue
      // Whose store was put back, or who took its rest out and did not hear of it, is told that money is missing.
      const isExcused = payer.isRestored() || payer.hasLeft()
      // Where a client has lost count of what a body came to, that breaks off when the money that it knows of ends.
      if (state === 'open' && good.per !== 'bit' && !(isExcused && code !== ''))
        world.breach(SERVED, `${key} (${good.path}) is neither served nor refused: ${code}`)
      // Nothing is answered again for ever. What costs by the bit keeps no key: it was paid for as far as it came.
      const isTold = code.includes('ERR_IDEMPOTENCY_SPENT')
      if (paid.has(key) && !isTold && !isExcused)
        world.breach('what is charged is served', `${key} (${good.path}) was charged and is not served: ${code}`)
    }
    const fresh = payer.wishes.slice(-GOODS)
    const refused = fresh.find(({ state, good }) => state !== 'served' && good.per !== 'bit')
    if (refused && !payer.isRestored() && !payer.hasLeft())
      world.breach(SERVED, `${payer.name} wants ${refused.good.path} when all is well: ${refused.code}`)
  }
}

const GOODS = 10

export const checkMeteredAtEnd = (metered: Metered, retold: Retold): void => {
  const { shop } = metered
  shop.audit.checkStreams()
  const accounts = accountRows(shop.host)
  checkDeposits(metered, accounts, retold)
  checkRefunds(metered, retold)
  checkClaims(metered, accounts)
}

/** What the chain says was paid into an account, less what its payer took out alone. */
const depositsOf = ({ happenings }: Retold): ReadonlyMap<string, bigint> => {
  const sums = new Map<string, bigint>()
  const add = (account: string, amount: bigint) => void sums.set(account, (sums.get(account) ?? 0n) + amount)
  for (const { event } of happenings) {
    if (event.type === 'ChannelDeposited') add(event.channelId, event.amount)
    if (event.type === 'ChannelWithdrawn') add(event.channelId, -event.amount)
    if (event.type === 'OrderPaid') add(formatKeyId(fromHex(event.keyHash)), event.amount)
  }
  return sums
}

const checkDeposits = ({ world }: Metered, accounts: readonly AccountRow[], retold: Retold): void => {
  const deposits = depositsOf(retold)
  for (const [account, amount] of deposits) {
    const counted = accounts.find((row) => row.account === account)?.deposited ?? 0n
    if (counted !== amount) world.breach(CHAIN, `${account.slice(0, 10)} has ${amount} on chain and ${counted} here`)
  }
  for (const { account, deposited } of accounts)
    if (!deposits.has(account) && deposited !== 0n) world.breach(CHAIN, `nobody deposited into ${account.slice(0, 10)}`)
}

const isOfChannel = ({ book }: { readonly book: string }): boolean => book.startsWith('channel:')

const checkRefunds = ({ world, shop }: Metered, { happenings, transactions }: Retold): void => {
  const refunds = refundRows(shop.host)
  const onChain = (row: RefundRow): readonly string[] =>
    isOfChannel(row)
      ? happenings.filter((each) => isRefund(each, row)).map(({ transaction }) => transaction.hash)
      : transactions
          .filter(({ from, to, valueWei, succeeded }) => {
            return succeeded && from === shop.account && to === row.to && valueWei === row.amount
          })
          .map(({ hash }) => hash)
  for (const row of refunds) {
    const found = onChain(row).filter((hash) => hash === row.reference)
    // As deep as the gateway waits for, and undone even so: what the vendor sent since may have taken its place for good.
    const isOnChain = transactions.some(({ hash, succeeded }) => hash === row.reference && succeeded)
    const isUndone = !isOnChain && (world.history.depthUndone(row.reference) ?? -1) >= world.knobs.confirmations
    if (row.state === 'paid' && found.length !== 1 && !isUndone)
      world.breach(REFUNDS, `a refund of ${row.amount} is told to be paid; on chain are ${found.length}`)
    if (row.state === 'paid' && !isUndone)
      world.reach(isOfChannel(row) ? refundKind(row, happenings) : 'refund paid from credit')
    if (row.state === 'failed') world.reach('refund failed and went back')
  }
  const paid = new Set(refunds.map(({ reference }) => reference))
  for (const { event, transaction } of happenings)
    if (event.type === 'ChannelRefunded' && !paid.has(transaction.hash))
      world.breach(REFUNDS, `a refund of ${event.amount} is on chain that nobody asked for`)
  for (const { hash, from, valueWei, call, succeeded } of transactions)
    if (from === shop.account && succeeded && !call && valueWei > 0n && !paid.has(hash))
      world.breach(REFUNDS, `${valueWei} left the vendor's account for nobody who asked`)
}

const isRefund = ({ event }: Happening, { account, to, amount }: RefundRow): boolean =>
  event.type === 'ChannelRefunded' && event.channelId === account && event.to === to && event.amount === amount

const refundKind = ({ account, to }: RefundRow, happenings: readonly Happening[]) => {
  const deposit = happenings.find(({ event }) => event.type === 'ChannelDeposited' && event.channelId === account)
  return deposit?.transaction.from === to ? 'refund paid to its payer' : 'refund paid to another account'
}

/** After all vouchers were cashed. */
const checkClaims = ({ world }: Metered, accounts: readonly AccountRow[]): void => {
  const { channels } = world.history.head().market
  for (const row of accounts) {
    if (!isOfChannel(row) || row.charged === 0n) continue
    const { claimed = 0n, wasWithdrawn = false } = channels.get(row.account as `0x${string}`) ?? {}
    if (claimed > 0n) world.reach('voucher cashed')
    const { cumulative = '0' } = JSON.parse(row.evidence ?? '{}') as { cumulative?: string }
    if (BigInt(cumulative) < row.charged)
      world.breach(CLAIMED, `a voucher of ${cumulative} is all there is for ${row.charged} that were charged`)
    // Who took out what was left may have been faster than a gateway whose node did not answer, and a reorg deeper than
    // the gateway waits for may have taken back what a voucher was good for: the contract cashes it whole or not at all.
    const isUncovered = row.deposited - row.refunded < BigInt(cumulative)
    if (claimed < row.charged && !wasWithdrawn && !isUncovered)
      world.breach(CLAIMED, `${row.charged} were charged on ${row.account.slice(0, 10)}; claimed are ${claimed}`)
  }
}
