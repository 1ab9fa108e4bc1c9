/** A channel's vouchers as the ledger keeps them for the vendor: what is needed to cash them. */
import { z } from 'zod'
import type { Hex } from '../../../chain/types.ts'
import { parseJson } from '../../../protocol/json.ts'
import { channelIdOf, signerOf } from '../../../protocol/typed-data.ts'
import { type KnownSettings, parseSettings } from './channel-view.ts'

export interface SignedCumulative {
  /** All that the vendor may have from the channel, counted from its beginning; smallest units. */
  readonly cumulative: bigint
  /** EIP-712, by the channel's signer. */
  readonly signature: Hex
}

/** A voucher with all that `claim` of Payments takes. */
export interface Claimable extends SignedCumulative {
  readonly channelId: Hex
  readonly settings: KnownSettings
}

const evidenceSchema = z.object({
  settings: z.unknown().transform(parseSettings),
  cumulative: z
    .string()
    .regex(/^\d{1,39}$/)
    .transform(BigInt),
  signature: z
    .string()
    .regex(/^0x[0-9a-f]{130}$/)
    .transform((text) => text as Hex),
})

/** As the ledger keeps it: below 1 KiB of JSON. */
export const evidenceText = (settings: KnownSettings, { cumulative, signature }: SignedCumulative): string =>
  JSON.stringify({
    settings: { ...settings, vendorId: settings.vendorId.toString() },
    cumulative: cumulative.toString(),
    signature,
  })

/**
 * Reads it back, and checks it as the contract will: one bad voucher would refuse a whole batch.
 * @param domain of Payments
 * @returns undefined for one that can never be cashed there
 */
export const readEvidence = (domain: Hex, text: string): Claimable | undefined => {
  const parsed = evidenceSchema.safeParse(parseJson(text))
  if (!parsed.success) return undefined
  const { settings, cumulative, signature } = parsed.data
  const channelId = channelIdOf(domain, settings)
  const isSigned = signerOf(domain, 'Voucher', { channelId, cumulative }, signature) === settings.signer
  return isSigned ? { channelId, settings, cumulative, signature } : undefined
}

/** Where the best voucher of each channel is found. */
export interface VoucherSource {
  /** Of one channel. */
  of(channelId: Hex): Promise<Claimable | undefined>
  /** Of all channels that have one. */
  all(): Promise<readonly Claimable[]>
}

/** What the ledger kept with its accounts: `evidence` of the rail's `Authority`. */
export interface EvidenceBook {
  of(railId: string, account: string): Promise<string | undefined>
  /** Accounts that sort after one, so many at most; undefined for those without. */
  list(
    railId: string,
    after: string,
    count: number,
  ): Promise<readonly { readonly account: string; readonly evidence: string | undefined }[]>
}

const ACCOUNTS_AT_ONCE = 1_000

/** @param railIds of channels of one Payments contract, whose domain it is */
export const createVoucherSource = (book: EvidenceBook, domain: Hex, railIds: readonly string[]): VoucherSource => {
  const read = (text: string | undefined) => (text === undefined ? undefined : readEvidence(domain, text))

  const ofRail = async (railId: string): Promise<readonly Claimable[]> => {
    const found: Claimable[] = []
    let after = ''
    for (;;) {
      const some = await book.list(railId, after, ACCOUNTS_AT_ONCE)
      found.push(...some.map(({ evidence }) => read(evidence)).filter((voucher) => voucher !== undefined))
      after = some.at(-1)?.account ?? ''
      if (some.length < ACCOUNTS_AT_ONCE) return found
    }
  }

  return {
    async of(channelId) {
      const texts = await Promise.all(railIds.map((railId) => book.of(railId, channelId)))
      return read(texts.find((text) => text !== undefined))
    },
    all: async () => (await Promise.all(railIds.map(ofRail))).flat(),
  }
}
