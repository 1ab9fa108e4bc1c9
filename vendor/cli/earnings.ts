/** `chrove vendor withdraw` and `status`: what the vendor has earned, and how it stands. */
import type { Command } from 'commander'
import { createContractReader, paymentsCall } from '../../chain/contracts.ts'
import { createFollower } from '../../chain/follower.ts'
import { isCaughtUp } from '../../chain/run-steps.ts'
import type { Address } from '../../chain/types.ts'
import { nowSeconds } from '../../effects/clock.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import { toHex } from '../../protocol/bytes.ts'
import { thumbprintOf } from '../../protocol/keys.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { isRunning, type PaidOrder } from '../orders.ts'
import type { VendorSettings } from '../settings.ts'
import { openVendorStore } from '../store.ts'
import { openKeys, requireSettings } from './home.ts'
import { coins, openAccount, sendCall, type SendChoices } from './send.ts'

/** Orders paid out in one transaction: about 2 million gas, far below any block's limit. */
const ORDERS_PER_WITHDRAWAL = 50
/** Reads of the chain under way at once. */
const READS_AT_ONCE = 16

export const addEarningsCommands = (vendor: Command, { action }: CommandContext): void => {
  vendor
    .command('withdraw')
    .description('send what is earned to the payout account')
    .option('--dry-run', 'only say what would be paid out and what it would cost')
    .option('--yes', 'do not ask')
    .addHelpText('after', '\nExample:\n  chrove vendor withdraw --dry-run')
    .action(action(withdraw))
  vendor
    .command('status')
    .description('show the vendor as the chain has it, its orders and its earnings')
    .addHelpText('after', '\nExample:\n  chrove vendor status --json')
    .action(action(status))
}

interface Earning {
  readonly order: PaidOrder
  /** Withdrawable now. */
  readonly earnedWei: bigint
}

const withdraw = async (session: Session, choices: SendChoices) => {
  const settings = await requireSettings(session)
  const account = await openAccount(session, await openKeys(session))
  const { payments, earnings } = await readEarnings(session, settings)
  const due = earnings.filter(({ earnedWei }) => earnedWei > 0n)
  const totalWei = sum(due)
  if (due.length === 0) return { json: { orders: 0, earnedWei: 0n }, text: 'Nothing is earned that was not withdrawn.' }

  const transactions: string[] = []
  let maxCostWei = 0n
  for (let start = 0; start < due.length; start += ORDERS_PER_WITHDRAWAL) {
    const orderIds = due.slice(start, start + ORDERS_PER_WITHDRAWAL).map(({ order }) => order.orderId)
    const what = `Withdraw ${coins(sum(due.slice(start, start + ORDERS_PER_WITHDRAWAL)))} from ${orderIds.length} orders`
    const { quote, receipt } = await sendCall(
      session,
      account,
      paymentsCall(payments, 'withdraw', orderIds),
      what,
      choices,
    )
    maxCostWei += quote.maxCostWei
    if (receipt) transactions.push(receipt.transactionHash)
  }
  const json = { orders: due.length, earnedWei: totalWei, maxCostWei, transactions, dryRun: choices.dryRun ?? false }
  if (choices.dryRun) {
    return { json, text: `${coins(totalWei)} could be withdrawn for at most ${coins(maxCostWei)}; nothing was sent.` }
  }
  return { json, text: `Withdrew ${coins(totalWei)}, and what was earned meanwhile.` }
}

const status = async (session: Session) => {
  const settings = await requireSettings(session)
  const keys = await openKeys(session)
  const account = await openAccount(session, keys)
  const registry = settings.registry as Address
  const vendorId = BigInt(settings.vendorId)
  const reader = createContractReader(session.effects.chain)
  const { vendor, plans } = await reader.listing(registry, vendorId, 'latest', session.signal)
  const { earnings } = await readEarnings(session, settings)
  const now = nowSeconds(session.effects.clock)
  const json = {
    uri: formatVendorUri({ chainId: BigInt(settings.chainId), registry, vendorId }),
    account: account.address,
    balanceWei: await account.balanceWei(session.signal),
    active: vendor.active,
    payout: vendor.payout,
    endpoints: vendor.endpoints.map(({ text }) => text),
    keysRegistered:
      vendor.signingKey === toHex(thumbprintOf(keys.signing.publicKey)) &&
      vendor.encryptionKey === toHex(thumbprintOf(keys.encryption.publicKey)),
    plansOnSale: plans.filter(({ onSale }) => onSale).length,
    orders: earnings.length,
    ordersRunning: earnings.filter(({ order }) => isRunning(order, now)).length,
    earnedWei: sum(earnings),
  }
  const text = [
    json.uri,
    `${json.active ? 'open for orders' : 'closed for new orders'}, ${json.plansOnSale} of ${plans.length} plans on sale`,
    `keys      ${json.keysRegistered ? 'as registered' : 'NOT the registered ones: buyers refuse this vendor'}`,
    `endpoints ${json.endpoints.join(', ') || 'none'}`,
    `account   ${json.account}, ${coins(json.balanceWei)}`,
    `payout    ${json.payout}`,
    `orders    ${json.orders}, of them ${json.ordersRunning} running`,
    `earned    ${coins(json.earnedWei)} to be withdrawn`,
  ]
  return { json, text: text.join('\n') }
}

const sum = (earnings: readonly Earning[]): bigint => earnings.reduce((total, { earnedWei }) => total + earnedWei, 0n)

/** Reads the vendor's orders from the chain, into a database of its own: a running service has the other one. */
const readEarnings = async (session: Session, settings: VendorSettings) => {
  const { effects, signal } = session
  const registry = settings.registry as Address
  const vendorId = BigInt(settings.vendorId)
  const reader = createContractReader(effects.chain)
  const payments = await reader.paymentsOf(registry, 'latest', signal)
  const store = await openVendorStore(effects.sql.dialect('vendor-earnings'), vendorId)
  try {
    const { startBlock: fromBlock, finalityBlocks, pollMs } = settings
    const contracts = { registry, payments }
    const following = {
      chainId: BigInt(settings.chainId),
      contracts,
      fromBlock,
      finalityBlocks,
      confirmations: 0,
      pollMs,
    }
    const follower = createFollower(effects, following, store)
    session.say('Reading orders from the chain …')
    for (;;) {
      const step = await follower.step(signal)
      if (isCaughtUp(step)) break
      if (step.did === 'distrust') await effects.clock.sleep(pollMs, signal)
    }
    const orders = await store.allOrders()
    const earnings: Earning[] = []
    for (let start = 0; start < orders.length; start += READS_AT_ONCE) {
      const reads = orders.slice(start, start + READS_AT_ONCE).map(async (order) => {
        const { planId, keyHash } = order
        const { earned } = await reader.order(payments, { vendorId, planId, keyHash }, 'latest', signal)
        return { order, earnedWei: earned }
      })
      earnings.push(...(await Promise.all(reads)))
    }
    return { payments, earnings }
  } finally {
    await store.close()
  }
}
