/** `chrove vendor status`: how the vendor stands. */
import type { Command } from 'commander'
import { nowSeconds } from '../../effects/clock.ts'
import type { CommandContext, Session } from '../../effects/command.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { isRegistered } from '../keys.ts'
import { isRunning } from '../orders.ts'
import { coinIn, earnedIn, readEarnings, sumsJson, sumsText } from './earnings.ts'
import { openKeys, requireSettings } from './home.ts'
import { coins } from './money.ts'
import { openAccount } from './send.ts'

export const addStatusCommand = (vendor: Command, { action }: CommandContext): void => {
  vendor
    .command('status')
    .description('show the vendor as the chain has it, its orders and its earnings')
    .addHelpText('after', '\nExample:\n  chrove vendor status --json')
    .action(action(status))
}

const status = async (session: Session) => {
  const settings = await requireSettings(session)
  const keys = await openKeys(session)
  const account = await openAccount(session, keys)
  const read = await readEarnings(session, settings)
  const { listing, earnings, kept } = read
  const { vendor, plans } = listing
  const { chainId, registry, vendorId } = settings
  const earned = earnedIn(read, earnings)
  const now = nowSeconds(session.effects.clock)
  const json = {
    uri: formatVendorUri({
      chainId: BigInt(chainId),
      registry: registry as `0x${string}`,
      vendorId: BigInt(vendorId),
    }),
    account: account.address,
    balanceWei: await account.balanceWei(session.signal),
    active: vendor.active,
    payout: vendor.payout,
    endpoints: vendor.endpoints.map(({ text }) => text),
    keysRegistered: isRegistered(keys, vendor),
    plansOnSale: plans.filter(({ onSale }) => onSale).length,
    orders: earnings.length,
    ordersRunning: earnings.filter(({ order }) => isRunning(order, now)).length,
    earnedWei: coinIn(earned),
    earned: sumsJson(earned),
    kept: sumsJson(kept),
  }
  const text = [
    json.uri,
    `${json.active ? 'open for orders' : 'closed for new orders'}, ${json.plansOnSale} of ${plans.length} plans on sale`,
    `keys      ${json.keysRegistered ? 'as registered' : 'NOT the registered ones: buyers refuse this vendor; see `chrove vendor rotate-keys`'}`,
    `endpoints ${json.endpoints.join(', ') || 'none'}`,
    `account   ${json.account}, ${coins(json.balanceWei)}`,
    `payout    ${json.payout}`,
    `orders    ${json.orders}, of them ${json.ordersRunning} running`,
    `earned    ${sumsText(earned)} to be withdrawn`,
    ...(kept.length > 0
      ? [`kept      ${sumsText(kept)} that the payout account refused: \`withdraw\` tries again`]
      : []),
  ]
  return { json, text: text.join('\n') }
}
