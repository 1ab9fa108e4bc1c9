/** Money is conserved to the wei: what left an account is in the contract, with a named party, or was gas. */
import { createRpc } from '../../chain/rpc.ts'
import { ZERO_ADDRESS, type Address, type Hash } from '../../chain/types.ts'
import { owedWei, planKey } from '../world/model.ts'
import type { World } from '../world/world.ts'

const PROPERTY = 'money conserved'

interface RawTransaction {
  readonly from: Address
  readonly to: Address | null
  readonly value: string
}

/** What the events say the Payments contract holds, against what it has. */
export const checkHeld = async ({ contracts, chain, history, breach }: World): Promise<void> => {
  const { market, block } = history.head()
  const has = await createRpc(chain.node).balanceWei(contracts.payments)
  if (chain.head().hash !== block.hash) return
  const [complaint] = market.complaints
  if (complaint) breach(PROPERTY, complaint)
  if (has !== market.heldWei) breach(PROPERTY, `the contract has ${has} wei; paid in and not out are ${market.heldWei}`)
}

/**
 * Explains every balance from the transactions of the chain: start, payments, refunds, withdrawals and gas. Blocks
 * stand still meanwhile.
 */
export const checkMoney = async (world: World): Promise<void> => {
  const { chain, history, accounts, contracts, sabotage } = world
  const rpc = createRpc(chain.node)
  const blocks = history.canonical()
  const [first] = blocks
  if (!first) return
  await checkHeld(world)

  const should = new Map<Address, bigint>()
  const add = (address: Address, wei: bigint) => void should.set(address, (should.get(address) ?? 0n) + wei)
  for (const { address } of accounts) {
    const at = `0x${first.block.number.toString(16)}`
    const start = await chain.node.request('eth_getBalance', [address, at])
    add(address.toLowerCase() as Address, BigInt(start as string))
  }
  const payoutFactor = sabotage.countsPayoutsTwice ? 2n : 1n
  let owed = 0n
  for (const { block, events, market } of blocks.slice(1)) {
    for (const hash of block.transactions) {
      const { from, to, value } = (await chain.node.request('eth_getTransactionByHash', [hash])) as RawTransaction
      const receipt = await rpc.receipt(hash as Hash)
      if (!receipt) return world.breach(PROPERTY, 'a mined transaction has no receipt')
      add(from.toLowerCase() as Address, -receipt.feeWei - (receipt.succeeded ? BigInt(value) : 0n))
      const known = to?.toLowerCase()
      if (known !== contracts.payments && known !== contracts.registry)
        world.breach(PROPERTY, 'a transaction pays someone who is no contract of the market')
    }
    for (const event of events) {
      if (event.type === 'OrderCancelled') add(event.refundTo, event.refunded)
      if (event.type === 'OrderWithdrawn') add(event.payout, event.amount * payoutFactor)
      if (event.type !== 'OrderPaid') continue
      const plan = market.plans.get(planKey(event.vendorId, event.planId))
      const payout = market.vendors.get(event.vendorId)?.payout
      if (plan?.terms.settlement === 'Instant' && payout) add(payout, event.amount)
    }
  }
  for (const [address, wei] of should) {
    const has = await rpc.balanceWei(address)
    if (has !== wei) world.breach(PROPERTY, `account ${address} has ${has} wei, explained are ${wei}`)
  }
  const { market, block } = history.head()
  for (const order of market.orders.values()) {
    const plan = market.plans.get(planKey(order.vendorId, order.planId))
    if (!plan || order.controller === ZERO_ADDRESS) continue
    const due = owedWei(order, plan, block.timestampSeconds)
    const left = BigInt(Math.max(0, order.endsAt - block.timestampSeconds))
    owed += due + (order.cancelled ? 0n : (plan.terms.price * left) / BigInt(plan.terms.periodSeconds))
  }
  // Each order's earned and refundable parts are rounded apart by less than a wei each.
  const dust = market.heldWei - owed
  if (dust < 0n || dust > BigInt(market.orders.size))
    world.breach(PROPERTY, `the contract holds ${market.heldWei} wei and owes ${owed}`)
}
