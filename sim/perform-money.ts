/** Carries out commands with money. */
import { paymentsCall, registryCall } from '../chain/contracts.ts'
import { ZERO_ADDRESS, type Address } from '../chain/types.ts'
import { at } from './arbitraries.ts'
import type { Cheat, MoneyAction, Overreach } from './money-commands.ts'
import type { Market } from './world/market.ts'
import { isRunningAt, keptKey, type ChannelModel, owed, planKey, planOf, type OrderModel } from './world/model.ts'
import type { Payer } from './world/payer.ts'
import type { PayerChannel } from './world/payer-channels.ts'
import { steal } from './world/payments-calls.ts'
import type { Till } from './world/till.ts'
import type { VendorActor } from './world/vendor.ts'

/** So long after it asked for money back a payer pays with that money: when the vendor has agreed, and no block was made. */
const GREED_MS = 2_000

/** One of those that are meant, or of all where none is. */
const choose = <T>(list: readonly T[], isMeant: (each: T) => boolean, index: number): T | undefined => {
  const meant = list.filter(isMeant)
  return at(meant.length > 0 ? meant : list, index)
}

/** @returns carries out an action, and ends with it */
export const createMoneyPerformer = (market: Market): ((action: MoneyAction) => Promise<void>) => {
  const { world, vendors, tills, payers, relayer } = market
  const { contracts, token, history, reach } = world
  const { registry, payments } = contracts
  let accounts = 0

  const vendorOf = (index: number) => at(vendors, index) as VendorActor
  const payerOf = (index: number) => at(payers, index) as Payer
  /** One of a payer's channels, of those that are in some state if there are any. */
  const channelOf = (
    { payer, channel }: { readonly payer: number; readonly channel: number },
    isMeant: (state: ChannelModel, book: PayerChannel) => boolean = () => true,
  ): PayerChannel | undefined => {
    const { channels } = history.head().market
    return choose(
      payerOf(payer).channels.all,
      (book) => {
        const state = channels.get(book.channelId)
        return state !== undefined && isMeant(state, book)
      },
      channel,
    )
  }
  const isFunded = ({ balance, claimed }: ChannelModel) => balance > claimed
  const isPayable = ({ balance, withdrawTo }: ChannelModel, { signed }: PayerChannel) =>
    balance > signed && withdrawTo === ZERO_ADDRESS
  const isDue = ({ withdrawTo, withdrawableAt }: ChannelModel) =>
    withdrawTo !== ZERO_ADDRESS && withdrawableAt <= history.head().block.timestampSeconds
  /** An account that nobody has used. */
  const freshAccount = () => `0xbeef${(++accounts).toString(16).padStart(36, '0')}` as Address

  const ordersOf = (vendor: VendorActor): readonly OrderModel[] =>
    [...history.head().market.orders.values()].filter(({ vendorId }) => vendorId === vendor.vendorId)

  const isRunning = (order: OrderModel | undefined): order is OrderModel =>
    order !== undefined &&
    order.controller !== ZERO_ADDRESS &&
    isRunningAt(order, history.head().block.timestampSeconds)

  const buyInToken = async (action: Extract<MoneyAction, { do: 'buy-in-token' }>): Promise<void> => {
    const { orders } = payerOf(action.payer)
    const { vendorId } = vendorOf(action.vendor)
    const { vendors: listed, plans } = history.head().market
    const ids = Array.from({ length: listed.get(vendorId)?.planCount ?? 0 }, (_, index) => index + 1)
    const inToken = ids.filter((id) => plans.get(planKey(vendorId, id))?.terms.token === token.address)
    const planId = at(inToken, action.plan) ?? 1
    const extended = action.extend ? at(orders.all, action.order) : undefined
    await orders.buy(extended ?? { vendorId, planId }, action.periods, action.form)
  }

  const cancelInToken = async (action: Extract<MoneyAction, { do: 'cancel-in-token' }>): Promise<void> => {
    const { orders } = payerOf(action.payer)
    const { market: known } = history.head()
    const order = choose(orders.all, ({ orderId }) => isRunning(known.orders.get(orderId)), action.order)
    if (order) await orders.cancel(order, freshAccount(), action.by)
  }

  const giveOrderBack = async (action: Extract<MoneyAction, { do: 'give-back' }>): Promise<void> => {
    const vendor = vendorOf(action.vendor)
    const { market: known, block } = history.head()
    const orders = ordersOf(vendor).filter(({ controller }) => controller !== ZERO_ADDRESS)
    const order = choose(orders, isRunning, action.order)
    const plan = order && planOf(known, order)
    if (!order || !plan) return
    const extra = (owed(order, plan, block.timestampSeconds) * BigInt(action.extra)) / 100n
    await vendor.giveBack(order.orderId, extra)
  }

  const redeliver = async (action: Extract<MoneyAction, { do: 'redeliver' }>): Promise<void> => {
    const { kept } = history.head().market
    const all = vendors.flatMap(({ vendorId }) => [ZERO_ADDRESS, token.address].map((money) => ({ vendorId, money })))
    const due = choose(all, ({ vendorId, money }) => !!kept.get(keptKey(vendorId, money)), action.kept)
    if (!due) return
    const call = paymentsCall(payments, 'redeliver', due.vendorId, due.money)
    const { receipt, refusal } = await relayer.send('money kept', call)
    if (receipt) reach('kept payout redelivered')
    if (refusal === 'Payments_TransferFailed') reach('kept payout refused again')
  }

  const setPayout = async (action: Extract<MoneyAction, { do: 'set-payout' }>): Promise<void> => {
    const vendor = vendorOf(action.vendor)
    const to = {
      own: vendor.addresses.owner,
      other: freshAccount(),
      refuser: world.refuser,
      payments,
    }[action.to]
    const call = registryCall(registry, 'setPayout', vendor.vendorId, to)
    const { receipt } = await vendor.send(`payout to ${action.to}`, call, 'owner')
    if (receipt) reach('payout account changed')
  }

  const handOver = async (action: Extract<MoneyAction, { do: 'hand-over' }>): Promise<void> => {
    const { vendorId, addresses, send } = vendorOf(action.vendor)
    const isHeirs = history.head().market.vendors.get(vendorId)?.owner === addresses.heir
    const to = isHeirs ? addresses.owner : addresses.heir
    await send('a hand-over', registryCall(registry, 'transferOwnership', vendorId, to), 'owner')
    if (!action.accept) return
    const { receipt } = await send('new owner', registryCall(registry, 'acceptOwnership', vendorId), 'pendingOwner')
    if (receipt) reach('vendor handed over')
  }

  const setOperator = async (action: Extract<MoneyAction, { do: 'set-operator' }>): Promise<void> => {
    const { vendorId, addresses, send } = vendorOf(action.vendor)
    const to = action.to === 'nobody' ? ZERO_ADDRESS : addresses[action.to]
    const { receipt } = await send('new operator', registryCall(registry, 'setOperator', vendorId, to), 'owner')
    if (receipt) reach('operator changed')
  }

  const deposit = async (action: Extract<MoneyAction, { do: 'deposit' }>): Promise<void> => {
    const { channels } = payerOf(action.payer)
    const { vendorId } = vendorOf(action.vendor)
    const known = action.fresh ? undefined : channelOf(action)
    const channel = known ?? channels.open(vendorId, action.native, action.delaySeconds)
    await channels.deposit(channel, BigInt(action.amount), action.form)
  }

  const payOften = async (
    { channels }: Payer,
    channel: PayerChannel,
    { share, times }: Extract<MoneyAction, { do: 'pay' }>,
  ) => {
    for (let paid = 0; paid < times; paid++) await channels.pay(channel, share)
  }

  const cheat = async (action: Extract<MoneyAction, { do: 'cheat' }>): Promise<void> => {
    const channel = channelOf(action, (_, { vouchers }) => vouchers.length > 0)
    const voucher = channel && payerOf(action.payer).channels.fake(channel, action.how, relayer.adversary.privateKey)
    if (!voucher) return
    await (action.at === 'till' ? cheatTill(voucher, action.how) : cheatContract(voucher, action.how))
  }

  type Voucher = PayerChannel['vouchers'][number]

  const cheatTill = async (voucher: Voucher, how: Cheat): Promise<void> => {
    const status = await relayer.slip(voucher)
    if (status === undefined || status === 503) return
    if (status !== 200) return reach('worthless voucher refused by a till')
    // One that got lost on its way is as good as new.
    if (how !== 'stale') world.breach('a till takes only what is worth its money', `it took one that is ${how}`)
  }

  const cheatContract = async (voucher: Voucher, how: Cheat): Promise<void> => {
    const { refusal } = await relayer.adversary.send(
      `a voucher that is ${how}`,
      paymentsCall(payments, 'claim', [voucher]),
    )
    if (refusal !== undefined) reach(how === 'stale' ? 'stale voucher refused' : 'worthless voucher refused')
  }

  const resend = async (action: Extract<MoneyAction, { do: 'resend' }>): Promise<void> => {
    const carried = at(relayer.carried.toReversed(), action.carried)
    const { adversary } = relayer
    const call = carried && (action.steal ? steal(carried.call, adversary.address) : carried.call)
    if (!call) return
    const { refusal } = await adversary.send(action.steal ? `${carried.what}, altered` : `${carried.what} again`, call)
    if (refusal !== undefined) reach(action.steal ? 'altered signed message refused' : 'signed message refused again')
  }

  /** Whether it may is for the properties to say. */
  const overreach = async (vendor: VendorActor, how: Overreach): Promise<void> => {
    const { adversary } = relayer
    const { vendorId } = vendor
    const order = ordersOf(vendor)[0]?.orderId
    const calls = {
      payout: () => vendor.send('payout by an operator', registryCall(registry, 'setPayout', vendorId, payments)),
      owner: () => adversary.send('ownership', registryCall(registry, 'acceptOwnership', vendorId)),
      endpoints: () => adversary.send('endpoints', registryCall(registry, 'setEndpoints', vendorId, ['203.0.113.1'])),
      refund: () => order && adversary.send('refund', paymentsCall(payments, 'vendorRefund', order, 0n)),
      cancel: () => order && adversary.send('cancellation', paymentsCall(payments, 'cancel', order, adversary.address)),
    } as const
    const sent = await calls[how]()
    if (sent && sent.refusal !== undefined) reach('stranger or operator refused')
  }

  return async (action) => {
    switch (action.do) {
      case 'buy-in-token':
        return buyInToken(action)
      case 'cancel-in-token':
        return cancelInToken(action)
      case 'give-back':
        return giveOrderBack(action)
      case 'redeliver':
        return redeliver(action)
      case 'set-payout':
        return setPayout(action)
      case 'set-operator':
        return setOperator(action)
      case 'hand-over':
        return handOver(action)
      case 'deposit':
        return deposit(action)
      case 'pay': {
        const channel = channelOf(action, isPayable)
        return channel && payOften(payerOf(action.payer), channel, action)
      }
      case 'claim':
        return (at(tills, action.vendor) as Till).claim()
      case 'close': {
        const channel = channelOf(action, isFunded)
        return channel && tills[Number(channel.settings.vendorId) - 1]?.close(channel.settings)
      }
      case 'ask-refund': {
        const channel = channelOf(action, isFunded)
        const to = action.own ? channel?.settings.payer : freshAccount()
        if (!channel || !to) return
        const { askRefund, pay } = payerOf(action.payer).channels
        if (action.pays) world.loop.schedule(GREED_MS, () => void pay(channel, 100))
        return askRefund(channel, action.share, to, action.by)
      }
      case 'leave': {
        const channel = channelOf(action, isFunded)
        return channel && payerOf(action.payer).channels.requestWithdrawal(channel, freshAccount(), action.by)
      }
      case 'finalize': {
        const channel = channelOf(action, isDue)
        return channel && payerOf(action.payer).channels.finalize(channel)
      }
      case 'cheat':
        return cheat(action)
      case 'resend':
        return resend(action)
      case 'overreach':
        return overreach(vendorOf(action.vendor), action.how)
    }
  }
}
