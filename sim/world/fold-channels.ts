/** What events of payment channels change, and what they have to say. */
import type { ChannelDeposited, ChannelEvent } from '../../chain/events.ts'
import { ZERO_ADDRESS } from '../../chain/types.ts'
import { complain, expecting, holding, put, type ChannelModel, type MarketModel } from './model.ts'

/** @param seconds time of the event's block */
export const afterChannelEvent = (market: MarketModel, event: ChannelEvent, seconds: number): MarketModel => {
  const before = market.channels.get(event.channelId) ?? (event.type === 'ChannelDeposited' ? opened(event) : undefined)
  if (!before) return complain(market, `${event.type} of ${event.channelId}, which there is not`)
  const { balance, claimed } = before
  const left = balance - claimed
  const amount = 'amount' in event ? event.amount : 0n
  /** The market with the channel as it is now, and so much more in it. */
  const next = (change: Partial<ChannelModel>, more: bigint, isRight: boolean): MarketModel =>
    expecting(
      holding(
        { ...market, channels: put(market.channels, event.channelId, { ...before, ...change }) },
        before.settings.token,
        more,
      ),
      isRight && event.vendorId === before.settings.vendorId,
      () =>
        `${event.type} of ${amount} on channel ${event.channelId.slice(0, 10)}, which has ${balance} less ${claimed}`,
    )
  switch (event.type) {
    case 'ChannelDeposited': {
      const more = { balance: balance + amount, deposited: before.deposited + amount }
      return next(more, amount, amount > 0n && event.balance === more.balance)
    }
    case 'ChannelClaimed': {
      const isRight = amount > 0n && amount <= left && event.claimed === claimed + amount
      return next({ claimed: event.claimed }, -amount, isRight)
    }
    case 'ChannelRefunded':
      return next({ balance: balance - amount, refunds: before.refunds + 1 }, -amount, amount > 0n && amount <= left)
    case 'WithdrawalRequested': {
      const isRight = left > 0n && event.withdrawableAt === seconds + before.settings.withdrawDelay
      return next({ withdrawTo: event.to, withdrawableAt: event.withdrawableAt }, 0n, isRight)
    }
    case 'ChannelWithdrawn': {
      const isDue = before.withdrawTo !== ZERO_ADDRESS && seconds >= before.withdrawableAt
      const over = { balance: claimed, withdrawTo: ZERO_ADDRESS, withdrawableAt: 0, wasWithdrawn: true }
      return next(over, -amount, isDue && amount === left && event.to === before.withdrawTo)
    }
  }
}

/** A channel before anything came into it. */
const opened = ({
  channelId,
  vendorId,
  payer,
  signer,
  token,
  withdrawDelay,
  salt,
}: ChannelDeposited): ChannelModel => ({
  channelId,
  settings: { vendorId, payer, signer, token, withdrawDelay, salt },
  deposited: 0n,
  balance: 0n,
  claimed: 0n,
  refunds: 0,
  withdrawTo: ZERO_ADDRESS,
  withdrawableAt: 0,
  wasWithdrawn: false,
})
