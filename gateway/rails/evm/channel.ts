/**
 * Payment channels as a way of paying: money waits in the contract, vouchers say how much of it is the vendor's, and
 * what is not used goes back. The ledger keeps the best voucher of each channel; `claims.ts` cashes them.
 */
import { z } from 'zod'
import { type ContractReader, paymentsCall } from '../../../chain/contracts.ts'
import { type Address, type Hex, parseAddress, parseHash, ZERO_ADDRESS } from '../../../chain/types.ts'
import type { Clock } from '../../../effects/clock.ts'
import { parseJson } from '../../../protocol/json.ts'
import { channelIdOf, paymentsDomain, signerOf } from '../../../protocol/typed-data.ts'
import { evmSignerOf } from '../../../protocol/voucher-keys.ts'
import type { VoucherClaims } from '../../../protocol/voucher.ts'
import { GatewayError } from '../../errors.ts'
import type { Currency, Rail, Refund, SignedVoucher } from '../../rail.ts'
import { type ChannelView, type KnownSettings as Settings, parseSettings } from './channel-view.ts'
import { signedBy } from './signed-by.ts'
import type { Following } from './following.ts'
import { REFUND_PAUSE_MS } from './limits.ts'
import type { Outbox } from './outbox.ts'
import { refundRow } from './refund-ids.ts'
import { sendRefund } from './send-refund.ts'
import { evidenceText, type VoucherSource } from './vouchers.ts'

export interface ChannelRailSettings {
  readonly id: string
  readonly chainId: bigint
  readonly payments: Address
  readonly vendorId: bigint
  readonly currency: Currency
  /** Zero for the native coin. */
  readonly token: Address
  /** Channels whose payer could take the rest sooner are not served: the vendor has to be awake as often. */
  readonly withdrawDelayMinSeconds: number
  /** Blocks that follow a refund before it is told to be done. */
  readonly confirmations: number
}

export interface ChannelRailParts {
  readonly clock: Clock
  readonly following: Following
  readonly reader: ContractReader
  readonly outbox: Outbox
  readonly vouchers: VoucherSource
}

/** What a refund needs later, as the ledger keeps it with it. */
const authorizationSchema = z.object({
  settings: z.unknown().transform(parseSettings),
  refundSignature: z
    .string()
    .regex(/^0x([0-9a-f]{130})?$/)
    .transform((text) => text as Hex),
})

type Authorization = z.infer<typeof authorizationSchema>

export const createChannelRail = (parts: ChannelRailParts, settings: ChannelRailSettings): Rail => {
  const { clock, following, reader, outbox, vouchers } = parts
  const { id, chainId, payments, vendorId, currency, token, withdrawDelayMinSeconds, confirmations } = settings
  const domain = paymentsDomain(chainId, payments)
  /** What refunds that are under way take from channels: the blocks do not show it yet. */
  const leaving = new Map<string, bigint>()

  /** Of a channel that is followed, or that the voucher itself tells of. @throws ERR_VOUCHER_ACCOUNT */
  const settingsOf = (account: Hex, view: ChannelView | undefined, { channel }: VoucherClaims): Settings => {
    const told = view?.settings ?? (channel && parseSettings(channel))
    if (!told) throw wrongAccount('no deposit into this channel is confirmed yet: wait, or say its settings')
    if (!view && channelIdOf(domain, told) !== account) throw wrongAccount('these settings make another channel')
    if (told.vendorId !== vendorId || told.token !== token) {
      throw wrongAccount('this channel is for another vendor or in another currency')
    }
    return told
  }

  const openVoucher = async ({ account, jws, claims }: SignedVoucher) => {
    const view = await following.channel(account as Hex)
    const found = settingsOf(account as Hex, view, claims)
    if ((await signedBy(jws, evmSignerOf)) !== found.signer) {
      throw wrongSignature("is not signed by the channel's signer")
    }
    const { cumulative, signature } = claims
    if ((cumulative === undefined) !== (signature === undefined))
      throw shape('has only one of cumulative and signature')
    if (cumulative === undefined || signature === undefined) return { view, settings: found, signed: undefined }
    const signed = { cumulative: BigInt(cumulative), signature: signature as Hex }
    if (
      signerOf(domain, 'Voucher', { channelId: account as Hex, cumulative: signed.cumulative }, signed.signature) !==
      found.signer
    ) {
      throw wrongSignature("has a cumulative that the channel's signer did not sign")
    }
    return { view, settings: found, signed }
  }

  /**
   * The ledger gives back nothing that is signed. Should a higher voucher have come in meanwhile, it could never be cashed
   * once the money has left; from now on none is taken.
   * @throws ERR_REFUND_AMOUNT
   */
  const keepEnough = async ({ account, amount }: Refund, signal: AbortSignal): Promise<void> => {
    await clock.sleep(REFUND_PAUSE_MS, signal)
    const [state] = await reader.channels(payments, [account as Hex], 'latest', signal)
    const best = await vouchers.of(account as Hex)
    const left = (state?.balance ?? 0n) - amount
    if (left >= (state?.claimed ?? 0n) && left >= (best?.cumulative ?? 0n)) return
    throw new GatewayError('ERR_REFUND_AMOUNT', 'more is signed, or was claimed, than the channel would have left')
  }

  const pay = async (refund: Refund, signal: AbortSignal): Promise<{ readonly reference: string }> => {
    const given = await authorizationOf(refund)
    const row = refundRow(refund.id)
    if (!(await outbox.knows(row))) await keepEnough(refund, signal)
    const call = paymentsCall(
      payments,
      'refund',
      given.settings,
      refund.to as Address,
      refund.amount,
      refund.to === given.settings.payer ? '0x' : given.refundSignature,
    )
    const { transactionHash } = await sendRefund(outbox, row, call, { depth: confirmations, signal })
    return { reference: transactionHash }
  }

  /** One that the gateway began itself has none; its channel is followed. */
  const authorizationOf = async ({ account, authorization }: Refund): Promise<Authorization> => {
    if (authorization !== '') return authorizationSchema.parse(parseJson(authorization))
    const view = await following.channel(account as Hex)
    if (!view) throw new GatewayError('ERR_REFUND_AMOUNT', 'nothing was ever paid into this channel')
    return { settings: view.settings, refundSignature: '0x' }
  }

  return {
    scheme: 'channel',
    id,
    currency,
    serviceAccount: payments,
    algorithm: 'ES256K',
    ready: () => following.isCaughtUp(),
    account: parseHash,
    offer: () => ({
      chainId: chainId.toString(),
      payments,
      vendorId: vendorId.toString(),
      token,
      withdrawDelayMinSeconds,
    }),

    async verify(voucher) {
      const { view, settings: channel, signed } = await openVoucher(voucher)
      if (!signed) throw shape('of a channel says its cumulative and the signature of it')
      if (channel.withdrawDelay < withdrawDelayMinSeconds) {
        throw wrongAccount(
          `this channel can be emptied sooner than the ${withdrawDelayMinSeconds} s that are asked for`,
        )
      }
      if (view && view.withdrawableAt > 0) {
        throw new GatewayError('ERR_ACCOUNT_SUSPENDED', 'the withdrawal of this channel is requested: open another one')
      }
      const most = (view?.balance ?? 0n) - (leaving.get(voucher.account) ?? 0n)
      if (signed.cumulative > most) {
        const text = 'more is signed than the channel holds: deposit, or wait until the deposit is confirmed'
        throw new GatewayError('ERR_BALANCE_SHORT', text, { more: { channelBalance: most.toString() } })
      }
      return { limit: signed.cumulative, evidence: evidenceText(channel, signed) }
    },

    async verifyRefund(voucher) {
      const { view, settings: channel, signed } = await openVoucher(voucher)
      const { claims, account } = voucher
      const to = parseAddress(claims.to ?? '')
      if (!to || to === ZERO_ADDRESS) throw new GatewayError('ERR_REFUND_ADDRESS', 'to is no account of this chain')
      const { refunds, refundSignature } = claims
      if (to !== channel.payer) {
        if (refunds === undefined || refundSignature === undefined) {
          throw shape('asks for a refund to another account than the payer: say refunds and refundSignature')
        }
        const request = { channelId: account as Hex, to, refunds }
        const isSigned = signerOf(domain, 'RefundRequest', request, refundSignature as Hex) === channel.signer
        if (!isSigned) throw wrongSignature('has a refundSignature that is not of the signer, or of something else')
        if (view && refunds !== view.refunds) {
          throw shape(`counts ${refunds} refunds of this channel; there were ${view.refunds}`)
        }
      }
      // Of who signed more than it used: the last word on what is the vendor's.
      const lower = signed && { limit: signed.cumulative, evidence: evidenceText(channel, signed) }
      return { ...lower, authorization: authorizationText(channel, refundSignature) }
    },

    home: (account) => following.payer(account),

    async refund(refund, signal) {
      const { account, amount } = refund
      leaving.set(account, (leaving.get(account) ?? 0n) + amount)
      try {
        return await pay(refund, signal)
      } finally {
        const rest = (leaving.get(account) ?? 0n) - amount
        if (rest > 0n) leaving.set(account, rest)
        else leaving.delete(account)
      }
    },

    usedUp: () => Promise.resolve(),
    run: (deposits, signal) => following.run(id, deposits, signal),
  }
}

const authorizationText = (settings: Settings, refundSignature: string | undefined): string =>
  JSON.stringify({
    settings: { ...settings, vendorId: settings.vendorId.toString() },
    refundSignature: refundSignature ?? '0x',
  })

const wrongAccount = (what: string) => new GatewayError('ERR_VOUCHER_ACCOUNT', what)
const wrongSignature = (what: string) => new GatewayError('ERR_VOUCHER_SIGNATURE', `this voucher ${what}`)
const shape = (what: string) => new GatewayError('ERR_VOUCHER_SHAPE', `this voucher ${what}`)
