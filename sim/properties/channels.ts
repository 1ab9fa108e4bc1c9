/**
 * Payment channels: claimed ≤ signed ≤ deposited, money goes to nobody whom its payer did not name, and a voucher that
 * a vendor took is worth its money.
 */
import { ZERO_ADDRESS } from '../../chain/types.ts'
import type { Market } from '../world/market.ts'
import type { PayerChannel } from '../world/payer-channels.ts'
import type { Retold } from './retell.ts'

const NAMED = 'channels go where their payers say'

const bookOf = ({ payers }: Market): ReadonlyMap<string, PayerChannel> =>
  new Map(payers.flatMap(({ channels }) => channels.all.map((each) => [each.channelId, each] as const)))

/** Holds at any moment. */
export const checkChannels = (market: Market): void => {
  const { breach, history } = market.world
  const book = bookOf(market)
  const { channels } = history.head().market
  for (const channelId of channels.keys())
    if (!book.has(channelId)) breach(NAMED, `nobody opened channel ${channelId.slice(0, 10)}`)
  for (const { channelId, signed, named } of book.values()) {
    const { claimed = 0n, deposited = 0n, withdrawTo = ZERO_ADDRESS } = channels.get(channelId) ?? {}
    const short = channelId.slice(0, 10)
    if (claimed > signed || signed > deposited)
      breach('claimed ≤ signed ≤ deposited', `on channel ${short} they are ${claimed}, ${signed} and ${deposited}`)
    if (withdrawTo !== ZERO_ADDRESS && !named.has(withdrawTo))
      breach(NAMED, `channel ${short} is about to go to ${withdrawTo}`)
  }
}

/** Refunds and withdrawals of the chain as it stands went where a payer said. */
export const checkNamed = (market: Market, { happenings }: Retold): void => {
  const book = bookOf(market)
  for (const { event } of happenings) {
    if (event.type !== 'ChannelRefunded' && event.type !== 'ChannelWithdrawn') continue
    const channel = book.get(event.channelId)
    if (!channel?.named.has(event.to) && channel?.settings.payer !== event.to)
      market.world.breach(NAMED, `${event.type} to ${event.to}, whom nobody named`)
  }
}

/** Once faults stop and tills have claimed: whoever was told that its voucher is taken has paid. */
export const checkCashed = (market: Market): void => {
  const { breach, history, reach } = market.world
  const { channels } = history.head().market
  for (const { channelId, acknowledged } of bookOf(market).values()) {
    const channel = channels.get(channelId)
    if (acknowledged === 0n) continue
    // A payer that took back what was left may have been faster.
    if (channel?.wasWithdrawn) continue
    const claimed = channel?.claimed ?? 0n
    if (claimed >= acknowledged) reach('voucher cashed in full')
    else breach('a voucher is cashed', `of ${acknowledged} on channel ${channelId.slice(0, 10)} ${claimed} are claimed`)
  }
}
