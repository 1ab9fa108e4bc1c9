/**
 * Money is conserved to the smallest unit, in the native coin and in the token: what left an account is in the
 * contract, with a named party, or was gas.
 */
import type { ChroveEvent } from '../../chain/events.ts'
import { createRpc } from '../../chain/rpc.ts'
import { ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { keptKey, owed, planOf, refundable, type MarketModel } from '../world/model.ts'
import { readNumber, tokenCall } from '../world/token.ts'
import type { World } from '../world/world.ts'
import type { Happening, Retold, Transaction } from './retell.ts'

const PROPERTY = 'money conserved'

/** The native coin and the token, as contracts name them. */
const moneyOf = ({ token }: World): readonly Address[] => [ZERO_ADDRESS, token.address]

/** @param at number of a block; the newest if not given */
const balanceOf = async ({ chain }: World, money: Address, account: Address, at?: number): Promise<bigint> => {
  if (money !== ZERO_ADDRESS) return readNumber(createRpc(chain.node), tokenCall(money, 'balanceOf', account), at)
  const block = at === undefined ? 'latest' : `0x${at.toString(16)}`
  return BigInt((await chain.node.request('eth_getBalance', [account, block])) as string)
}

/** What the events say the Payments contract holds, against what it has. */
export const checkHeld = async (world: World): Promise<void> => {
  const { contracts, chain, history, breach } = world
  const { market, block } = history.head()
  const has: bigint[] = []
  for (const money of moneyOf(world)) has.push(await balanceOf(world, money, contracts.payments))
  if (chain.head().hash !== block.hash) return
  const [complaint] = market.complaints
  if (complaint) breach(PROPERTY, complaint)
  for (const [index, money] of moneyOf(world).entries()) {
    const held = market.held.get(money) ?? 0n
    if (has[index] !== held)
      breach(PROPERTY, `the contract has ${has[index]} of ${money}; paid in and not out are ${held}`)
  }
}

/** So much more, or less, that an account has of some money. */
interface Flow {
  readonly account: Address
  readonly money: Address
  readonly amount: bigint
}

/** Whose money came in: that of whoever signed, else of whoever called. */
const payerOf = ({ call, from }: Transaction): Address => {
  switch (call?.name) {
    case 'buyWithPermit':
    case 'buyWithAuthorization':
      return call.args.purchase.payer
    case 'depositWithPermit':
    case 'depositWithAuthorization':
      return call.args.settings.payer
    default:
      return from
  }
}

const moneyOfEvent = (event: ChroveEvent, market: MarketModel): Address | undefined => {
  if ('token' in event) return event.token
  if ('channelId' in event) return market.channels.get(event.channelId)?.settings.token
  if (event.type === 'OrderPaid') return planOf(market, event)?.terms.token
  const order = 'orderId' in event ? market.orders.get(event.orderId) : undefined
  return order && planOf(market, order)?.terms.token
}

/** What an event moved between accounts other than that of Payments. */
const flowsOf = ({ event, before, transaction }: Happening): readonly Flow[] => {
  const money = moneyOfEvent(event, before)
  if (money === undefined) return []
  const flow = (account: Address, amount: bigint): Flow => ({ account, money, amount })
  const payout = 'vendorId' in event ? (before.vendors.get(event.vendorId)?.payout ?? ZERO_ADDRESS) : ZERO_ADDRESS
  switch (event.type) {
    case 'OrderPaid': {
      const isInstant = planOf(before, event)?.terms.settlement === 'Instant'
      return [flow(payerOf(transaction), -event.amount), ...(isInstant ? [flow(payout, event.amount)] : [])]
    }
    case 'ChannelDeposited':
      return [flow(payerOf(transaction), -event.amount)]
    case 'OrderCancelled':
    case 'OrderRefunded':
      return [flow(event.refundTo, event.refunded)]
    case 'OrderWithdrawn':
    case 'PayoutRedelivered':
      return [flow(event.payout, event.amount)]
    case 'ChannelClaimed':
      return [flow(payout, event.amount)]
    case 'PayoutKept':
      return [flow(event.payout, -event.amount)]
    case 'ChannelRefunded':
    case 'ChannelWithdrawn':
      return [flow(event.to, event.amount)]
    default:
      return []
  }
}

/** Payouts of the token as a bookkeeper who is a mutant counts them. */
const miscounted = ({ sabotage, token }: World, { event }: Happening, { money, amount }: Flow): bigint => {
  const isPayout = event.type === 'OrderWithdrawn' || event.type === 'ChannelClaimed'
  const isTwice = money === token.address ? sabotage.countsTokenPayoutsTwice : sabotage.countsPayoutsTwice
  return isPayout && isTwice ? 2n * amount : amount
}

/** What a plain transfer of the coin moves. */
const flowsOfTransfer = ({ from, to, valueWei, succeeded }: Transaction): readonly Flow[] =>
  succeeded
    ? [
        { account: from, money: ZERO_ADDRESS, amount: -valueWei },
        { account: to, money: ZERO_ADDRESS, amount: valueWei },
      ]
    : []

/**
 * Explains every balance from the transactions and events of the chain: start, payments, refunds, withdrawals and gas.
 * Blocks stand still meanwhile.
 * @param pays who may send the coin without any contract: vendors that give credit back
 */
export const checkMoney = async (
  world: World,
  { transactions, happenings }: Retold,
  pays: readonly Address[] = [],
): Promise<void> => {
  const { history, accounts, contracts, token } = world
  const [first] = history.canonical()
  if (!first) return
  await checkHeld(world)
  const known = [contracts.payments, contracts.registry, token.address]
  const transfers = transactions.filter(({ to }) => !known.includes(to))
  if (transfers.some(({ from }) => !pays.includes(from)))
    world.breach(PROPERTY, 'a transaction pays someone who is no contract of the market')

  for (const money of moneyOf(world)) {
    const should = new Map<Address, bigint>()
    const add = (account: Address, amount: bigint) => void should.set(account, (should.get(account) ?? 0n) + amount)
    for (const { address } of accounts) {
      const account = address.toLowerCase() as Address
      add(account, await balanceOf(world, money, account, first.block.number))
    }
    if (money === ZERO_ADDRESS) for (const { from, feeWei } of transactions) add(from, -feeWei)
    for (const happening of happenings) {
      for (const flow of flowsOf(happening))
        if (flow.money === money) add(flow.account, miscounted(world, happening, flow))
    }
    for (const { account, money: of, amount } of transfers.flatMap(flowsOfTransfer))
      if (of === money) add(account, amount)
    // What Payments sent to itself it still holds.
    should.delete(contracts.payments)
    for (const [account, amount] of should) {
      const has = await balanceOf(world, money, account)
      if (has !== amount) world.breach(PROPERTY, `account ${account} has ${has} of ${money}, explained are ${amount}`)
    }
    checkDust(world, money)
  }
}

/** What the contract holds is what it owes: to vendors, controllers and payers. */
const checkDust = ({ history, breach }: World, money: Address): void => {
  const { market, block } = history.head()
  const held = market.held.get(money) ?? 0n
  let due = market.stranded.get(money) ?? 0n
  let orders = 0n
  for (const order of market.orders.values()) {
    const plan = planOf(market, order)
    if (plan?.terms.token !== money) continue
    orders++
    due += owed(order, plan, block.timestampSeconds) + refundable(order, plan, block.timestampSeconds)
  }
  for (const vendorId of market.vendors.keys()) due += market.kept.get(keptKey(vendorId, money)) ?? 0n
  for (const { settings, balance, claimed } of market.channels.values())
    if (settings.token === money) due += balance - claimed
  // Each order's earned and refundable parts are rounded apart by less than a unit each.
  const dust = held - due
  if (dust < 0n || dust > orders) breach(PROPERTY, `the contract holds ${held} of ${money} and owes ${due}`)
}
