/** A payer's payment channels: deposits in every form, vouchers to the vendors' tills, refunds and withdrawals. */
import { paymentsCall } from '../../chain/contracts.ts'
import { ZERO_ADDRESS, type Address, type Hex } from '../../chain/types.ts'
import type { Chain } from '../../effects/chain.ts'
import type { Clock } from '../../effects/clock.ts'
import type { Network } from '../../effects/network.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { channelIdOf, paymentsDomain, signMessage } from '../../protocol/typed-data.ts'
import type { SimAccount } from '../edr.ts'
import type { Cheat } from '../money-commands.ts'
import type { SimRandom } from '../random.ts'
import { addressOf } from './accounts.ts'
import { viewPayments } from './payments-view.ts'
import { patiently, type Person } from './person.ts'
import type { Relayer } from './relayer.ts'
import type { Form, Spending } from './spending.ts'
import { approvalSchema, postToTill, type Settings, type Voucher } from './till-messages.ts'
import type { World } from './world.ts'

/** A channel in its payer's book. Amounts in the smallest unit of its token. */
export interface PayerChannel {
  readonly channelId: Hex
  readonly settings: Settings
  /** Highest amount that the signer put its name to. */
  signed: bigint
  /** Highest voucher that the vendor said it has. */
  acknowledged: bigint
  /** Accounts that its money may go to, besides the vendor's. */
  readonly named: Set<Address>
  /** All vouchers, oldest first: whoever reads the wire has them too. */
  readonly vouchers: Voucher[]
}

export interface PayerChannels {
  readonly all: readonly PayerChannel[]
  open(vendorId: bigint, isNative: boolean, withdrawDelay: number): PayerChannel
  /** @param form of deposits in the token; the native coin has one only */
  deposit(channel: PayerChannel, amount: bigint, form: Form): Promise<void>
  /** Signs for so much of what is left, percent, and gives it to the vendor. */
  pay(channel: PayerChannel, share: number): Promise<void>
  /** Asks for so much of what no voucher needs, percent. @param by who sends the transaction */
  askRefund(channel: PayerChannel, share: number, to: Address, by: 'call' | 'signature'): Promise<void>
  requestWithdrawal(channel: PayerChannel, to: Address, by: 'call' | 'signature'): Promise<void>
  finalize(channel: PayerChannel): Promise<void>
  /** A voucher that is worth nothing, or nothing more. @returns undefined when there is nothing to make it of */
  fake(channel: PayerChannel, how: Cheat, thief: Uint8Array): Voucher | undefined
}

/** More than any channel of a simulation ever has. */
const OVER_BALANCE = 2n ** 100n

const reached = {
  allowance: 'deposit from an allowance',
  permit: 'deposit with a permit',
  'permit-taken': 'deposit with a permit that was taken',
  authorization: 'deposit with an authorization',
} as const

interface Doors {
  readonly chain: Chain
  readonly clock: Clock
  readonly network: Network
  readonly random: SimRandom
}

export const createPayerChannels = (
  world: World,
  relayer: Relayer,
  { address, privateKey, send }: Person,
  signerAccount: SimAccount,
  spending: Spending,
  { chain, clock, network, random }: Doors,
): PayerChannels => {
  const { chainId, contracts, token, trace, reach, tell } = world
  const { payments } = contracts
  const domain = paymentsDomain(chainId, payments)
  const signer = addressOf(signerAccount)
  const signerKey = fromHex(signerAccount.privateKey)
  const all: PayerChannel[] = []
  const note = (code: string) => trace.add('payer', address, code)

  const look = async ({ channelId }: PayerChannel, at: 'latest' | 'finalized') => {
    const ask = () => viewPayments({ chain, payments }, at, 'channels', [channelId])
    return (await patiently(clock, ask, note))?.[0]
  }

  return {
    all,
    open: (vendorId, isNative, withdrawDelay) => {
      const money = isNative ? ZERO_ADDRESS : token.address
      const salt = toHex(random.bytes(32))
      const settings = { vendorId, payer: address, signer, token: money, withdrawDelay, salt }
      const channelId = channelIdOf(domain, settings)
      const channel = { channelId, settings, signed: 0n, acknowledged: 0n, named: new Set<Address>(), vouchers: [] }
      all.push(channel)
      return channel
    },

    deposit: async (channel, amount, form) => {
      const { channelId, settings } = channel
      const before = await look(channel, 'latest')
      const direct = () => paymentsCall(payments, 'deposit', settings, amount)
      if (settings.token === ZERO_ADDRESS) {
        const { receipt } = await send('deposit', { ...direct(), valueWei: amount })
        if (receipt) reach('deposit in the native coin')
        return
      }
      const terms = { amount, salt: toHex(random.bytes(32)), deadline: spending.deadline() }
      const { receipt } = await spending.pay(
        'Deposit',
        {
          what: `deposit with ${form}`,
          message: { channelId, ...terms },
          direct,
          withPermit: (permit, signature) =>
            paymentsCall(payments, 'depositWithPermit', settings, terms, permit, signature),
          withAuthorization: (authorization) =>
            paymentsCall(payments, 'depositWithAuthorization', settings, terms, authorization),
        },
        form,
      )
      if (receipt) reach(reached[form])
      if (receipt && before && before.withdrawTo !== ZERO_ADDRESS) reach('deposit while a withdrawal is pending')
    },

    pay: async (channel, share) => {
      const { channelId, settings } = channel
      // What a reorg can still undo is nothing to sign against.
      const final = await look(channel, 'finalized')
      if (!final || final.balance <= channel.signed) return
      const room = final.balance - channel.signed
      const more = (room * BigInt(share)) / 100n
      const cumulative = channel.signed + (more === 0n ? 1n : more)
      channel.signed = cumulative
      const signature = signMessage(domain, 'Voucher', { channelId, cumulative }, signerKey)
      const voucher = { settings, cumulative, signature }
      channel.vouchers.push(voucher)
      const answer = await postToTill(network, settings.vendorId, '/voucher', voucher)
      note(`voucher ${answer?.status ?? 'lost'}`)
      if (answer?.status !== 200) return
      if (cumulative > channel.acknowledged) channel.acknowledged = cumulative
      reach('voucher accepted')
      tell(`${address.slice(0, 8)}: voucher of ${cumulative} on channel ${channelId.slice(0, 10)} is accepted`)
    },

    askRefund: async (channel, share, to, by) => {
      const { channelId, settings, named } = channel
      const state = await look(channel, 'latest')
      if (!state) return
      named.add(to)
      const asked = { channelId, to, refunds: state.refunds }
      const signature = signMessage(domain, 'RefundRequest', asked, signerKey)
      const request = { settings, to, share, signature, by }
      const answer = await postToTill(network, settings.vendorId, '/refund', request)
      note(`refund ${answer?.status ?? 'lost'}`)
      if (answer?.status !== 200 || by === 'call') return
      const approved = approvalSchema.safeParse(await answer.json().catch(() => undefined))
      // An answer that was cut short on its way.
      if (!approved.success) return
      const { approval, ...terms } = approved.data
      const call = paymentsCall(payments, 'refundWithSignature', settings, { to, ...terms }, signature, approval)
      const { receipt } = await relayer.carry('refund by both signatures', call)
      if (receipt) reach('channel refunded by signatures')
    },

    requestWithdrawal: async ({ channelId, settings, named }, to, by) => {
      named.add(to)
      if (by === 'call') {
        const { receipt } = await send('withdrawal request', paymentsCall(payments, 'requestWithdrawal', settings, to))
        if (receipt) reach('withdrawal requested')
        return
      }
      const deadline = spending.deadline()
      const signature = signMessage(domain, 'WithdrawalRequest', { channelId, to, deadline }, privateKey)
      const call = paymentsCall(payments, 'requestWithdrawalWithSignature', settings, to, deadline, signature)
      const { receipt } = await relayer.carry('withdrawal request by signature', call)
      if (receipt) reach('withdrawal requested by a signature')
    },

    finalize: async ({ settings }) => {
      const call = paymentsCall(payments, 'finalizeWithdrawal', settings)
      const { receipt, refusal } = await relayer.send('end of a withdrawal', call)
      if (receipt) reach('withdrawal finalized')
      if (refusal === 'Payments_TooEarly') reach('withdrawal refused before its time')
    },

    fake: ({ channelId, settings, signed, vouchers }, how, thief) => {
      const sign = (cumulative: bigint, id = channelId, key = signerKey, where = domain): Voucher => {
        const signature = signMessage(where, 'Voucher', { channelId: id, cumulative }, key)
        return { settings, cumulative, signature }
      }
      switch (how) {
        case 'stale':
          return vouchers[0]
        case 'over-balance':
          return sign(OVER_BALANCE)
        case 'foreign': {
          const other = all.find((each) => each.channelId !== channelId)
          return other && sign(signed + 1n, other.channelId)
        }
        case 'elsewhere':
          return sign(signed + 1n, channelId, signerKey, paymentsDomain(chainId + 1n, payments))
        case 'forged':
          return sign(signed + 1n, channelId, thief)
      }
    },
  }
}
