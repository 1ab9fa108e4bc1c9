/** What paying for requests needs, for all its parts. */
import { nowSeconds } from '../../../effects/clock.ts'
import type { Streams } from '../../../effects/streams.ts'
import type { Receipt } from '../../../protocol/payment-receipt.ts'
import type { VoucherSigner } from '../../../protocol/voucher.ts'
import type { Shop } from '../buy.ts'
import type { Asset } from './asset.ts'
import { EMPTY_BOOK, type PayingBook, type PayingCaps, type Payer, type Spending } from './book.ts'

/** What somebody may have to agree to. Amounts in the asset's smallest unit. */
export type Bill =
  | {
      readonly kind: 'price'
      /** Vendor URI. */
      readonly vendor: string
      /** Whether nothing but its own word says that it serves this host. */
      readonly isDoubtful: boolean
      readonly host: string
      readonly route: string
      readonly asset: Asset
      /** Of a bit: what the first bytes cost. */
      readonly amount: bigint
      readonly per: 'access' | 'once' | 'bit' | 'donation'
    }
  | {
      readonly kind: 'deposit'
      readonly vendor: string
      readonly scheme: Payer['scheme']
      readonly asset: Asset
      readonly amount: bigint
      /** Of the chain's coin, on top; 0 where there is none. */
      readonly maxFeeWei: bigint
    }

/** Somebody's Nano account. It may pay several services. */
export interface NanoWallet {
  /** `nano_…` */
  readonly account: string
  /** Signs vouchers with the account's key. */
  readonly signer: VoucherSigner
  /**
   * Signs a send after the newest block of the account, and publishes nothing.
   * @param amount raw
   * @returns the block as text, which `publish` takes, and its hash
   * @throws ERR_BALANCE
   */
  prepare(to: string, amount: bigint, signal?: AbortSignal): Promise<{ readonly raw: string; readonly hash: string }>
  /**
   * Publishes a signed block, again too.
   * @returns `lost` where another block of the account stands in its place for good
   */
  publish(raw: string, signal?: AbortSignal): Promise<'sent' | 'lost'>
}

export interface PayingSettings {
  /** The most that may be spent in an asset. What has no cap somebody has to approve, or it is refused. */
  caps(asset: Asset): PayingCaps
  /** Most of the coin that may leave the account in one deposit, with the fee, wei. */
  readonly spendCapWei?: bigint
  /**
   * Asked before a deposit, and before a price that no cap bounds is first paid; rejects to refuse. Without it only what
   * caps bound is paid.
   */
  readonly approve?: (bill: Bill) => Promise<void>
  /** The vendor to pay, its URI or number; else it is known from before, vouched for by TLS, or approved. */
  readonly vendor?: string
  /** Without it nothing is paid in Nano. */
  readonly nano?: NanoWallet
  /** How many requests' prices a channel signs ahead, so that not each of them needs a signature. */
  readonly ahead?: number
  /** What to put into an account at once, smallest unit; some times the price where it is left out. */
  deposit?(asset: Asset): bigint | undefined
  /** Told what waiting is for. */
  readonly tell?: (sentence: string) => void
}

export interface PayingKit extends Shop {
  readonly streams: Streams
  readonly settings: PayingSettings
}

export const readBook = async ({ keyring }: Pick<PayingKit, 'keyring'>): Promise<PayingBook> =>
  (await keyring.read()).paying ?? EMPTY_BOOK

/** Changes the book, durably. @returns what it then is */
export const updateBook = async (
  { keyring }: Pick<PayingKit, 'keyring'>,
  change: (book: PayingBook) => PayingBook,
): Promise<PayingBook> => {
  const content = await keyring.update((before) => ({ ...before, paying: change(before.paying ?? EMPTY_BOOK) }))
  return content.paying ?? EMPTY_BOOK
}

export const spendingOf = ({ effects, settings }: PayingKit, vendor: string, asset: Asset): Spending => ({
  vendor,
  asset: asset.id,
  nowSeconds: nowSeconds(effects.clock),
  caps: settings.caps(asset),
})

/** What a request came to. */
export interface Payment {
  readonly vendor: string
  readonly account: string
  readonly asset: Asset
  /** Smallest unit; where no receipt came, the most that it can have cost. */
  readonly cost: bigint
  /** Of the vendor, its signature checked; undefined where none came, or one that somebody on the way has changed. */
  readonly receipt: Receipt | undefined
  /** The receipt as it came; where the answer had none, what the vendor says of the account afterwards, if it was asked. */
  readonly receiptText: string | undefined
  /** How the account then stands, by a receipt or else by what the vendor was asked; smallest unit. */
  readonly standing: { readonly usage: bigint; readonly balance: bigint } | undefined
  readonly idempotencyKey: string
}
