/** Rails for tests that look at the chain whenever they are asked, and wait for no confirmation. */
import { createContractReader, paymentsCall } from '../../chain/contracts.ts'
import type { Address, Hex } from '../../chain/types.ts'
import { parseHash, ZERO_ADDRESS } from '../../chain/types.ts'
import type { TestMarket } from '../../buyer/lib/test-market.ts'
import { GatewayError } from '../../gateway/errors.ts'
import type { Deposits, Rail, SignedVoucher } from '../../gateway/rail.ts'
import { keyHashOf } from '../../protocol/cert-info.ts'
import { formatKeyId, keyIdOf, parseKeyId, type RsaPublicKey } from '../../protocol/keys.ts'
import { formatNanoAccount, parseNanoAccount } from '../../protocol/nano/account.ts'
import { nanoVoucherHolds } from '../../protocol/nano/voucher.ts'
import { parseVendorUri } from '../../protocol/vendor-uri.ts'
import { channelIdOf, paymentsDomain, signerOf } from '../../protocol/typed-data.ts'
import { evmSignerOf, rsaSignerOf } from '../../protocol/voucher-keys.ts'

/** The books of a Nano network, as far as the service looks at them. */
export interface NanoBooks {
  readonly serviceAccount: string
  /** Sends to it, the oldest first. */
  sends(): readonly { readonly hash: string; readonly source: string; readonly amount: bigint }[]
}

export interface TestRails {
  readonly channel: Rail
  readonly credit: Rail
  readonly nano: Rail
  /** Where the service looks for sends; none until a test says so. */
  nanoBooks: NanoBooks
  /** Tells the gateway of all deposits into accounts that it has seen. */
  sync(): Promise<void>
  /** Resolves when no refund is being paid: time passes too fast here to wait for it. */
  idle(): Promise<void>
  /** Deposits are not seen while this is true. */
  isBlind: boolean
  /** The highest total that each channel's payer ever signed for the vendor. */
  readonly signed: Map<string, bigint>
}

const CREDIT_PLAN = 2

export const createTestRails = async ({
  chain,
  payments,
  registry,
  vendor,
  asVendor,
}: TestMarket): Promise<TestRails> => {
  const reader = createContractReader(chain)
  const { chainId } = parseVendorUri(vendor)
  const domain = paymentsDomain(chainId, payments)
  const channels = new Map<string, bigint>()
  const keys = new Map<string, { readonly key: RsaPublicKey; credited: bigint }>()
  const signed = new Map<string, bigint>()
  let refunding = Promise.resolve()
  let [toChannels, toCredits, toNano]: (Deposits | undefined)[] = []

  const syncChannel = async (account: string): Promise<void> => {
    const [state] = await reader.channels(payments, [account as Hex])
    const before = channels.get(account) ?? 0n
    const balance = state?.balance ?? 0n
    if (balance <= before) return
    channels.set(account, balance)
    await toChannels?.credit({ id: `${account}:${balance}`, account, amount: balance - before })
  }

  const syncKey = async (account: string): Promise<void> => {
    const known = keys.get(account)
    if (!known) return
    const order = await reader.order(payments, { vendorId: 1n, planId: CREDIT_PLAN, keyHash: keyHashOf(known.key) })
    const { price } = await reader.plan(registry, 1n, CREDIT_PLAN)
    const paid = price * BigInt(order.periods)
    if (paid <= known.credited) return
    const amount = paid - known.credited
    known.credited = paid
    await toCredits?.credit({ id: `${account}:${paid}`, account, amount })
  }

  const verifyChannel = async ({ account, jws, claims }: SignedVoucher) => {
    const { channel, cumulative, signature } = claims
    if (!channel || cumulative === undefined || signature === undefined) {
      throw new GatewayError('ERR_VOUCHER_SHAPE', 'say channel, cumulative and signature')
    }
    const settings = { ...channel, vendorId: BigInt(channel.vendorId) } as Parameters<typeof channelIdOf>[1]
    const total = BigInt(cumulative)
    const message = { channelId: account as Hex, cumulative: total }
    const isGood =
      channelIdOf(domain, settings) === account &&
      evmSignerOf(jws) === settings.signer &&
      signerOf(domain, 'Voucher', message, signature as Hex) === settings.signer
    if (!isGood) throw new GatewayError('ERR_VOUCHER_SIGNATURE', 'another channel or signer')
    const before = signed.get(account) ?? 0n
    if (claims.purpose !== 'refund' && total > before) signed.set(account, total)
    if (!rails.isBlind) await syncChannel(account)
    if (claims.purpose !== 'refund' && total > (channels.get(account) ?? 0n)) {
      throw new GatewayError('ERR_BALANCE_SHORT', 'more is signed than the channel holds')
    }
    return { settings, limit: total, evidence: JSON.stringify({ signature }) }
  }

  const verifyKey = async ({ account, jws }: SignedVoucher) => {
    const key = await rsaSignerOf(jws)
    if (formatKeyId(keyIdOf(key)) !== account) throw new GatewayError('ERR_VOUCHER_SIGNATURE', 'another key')
    if (!keys.has(account)) keys.set(account, { key, credited: 0n })
    if (!rails.isBlind) await syncKey(account)
    return {}
  }

  const currency = { code: 'COIN', decimals: 18 }
  const untilAborted = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  const shared = { currency, serviceAccount: payments, ready: () => true, usedUp: async () => {} }

  const channel: Rail = {
    ...shared,
    scheme: 'channel',
    id: 'channel:test',
    algorithm: 'ES256K',
    account: (text) => parseHash(text),
    offer: () => ({
      ...{ chainId: String(chainId), payments, vendorId: '1', token: ZERO_ADDRESS, withdrawDelayMinSeconds: 900 },
    }),
    async verify(voucher) {
      const { limit, evidence } = await verifyChannel(voucher)
      return { limit, evidence }
    },
    async verifyRefund(voucher) {
      const { settings, limit, evidence } = await verifyChannel(voucher)
      const { refundSignature = '0x' } = voucher.claims
      const authorization = JSON.stringify({
        settings: { ...settings, vendorId: String(settings.vendorId) },
        refundSignature,
      })
      return { limit, evidence, authorization }
    },
    home: () => undefined,
    async refund({ account, to, amount, authorization }) {
      const { settings, refundSignature } = JSON.parse(authorization) as {
        settings: { vendorId: string }
        refundSignature: Hex
      }
      const given = { ...settings, vendorId: BigInt(settings.vendorId) } as never
      refunding = asVendor(paymentsCall(payments, 'refund', given, to as Address, amount, refundSignature))
      await refunding
      channels.set(account, (channels.get(account) ?? 0n) - amount)
      return { reference: 'paid' }
    },
    run: (deposits, signal) => ((toChannels = deposits), untilAborted(signal)),
  }
  const credit: Rail = {
    ...shared,
    scheme: 'order',
    id: 'order:test',
    algorithm: 'RS256',
    account(text) {
      try {
        return formatKeyId(parseKeyId(text))
      } catch {
        return undefined
      }
    },
    offer: () => ({ chainId: String(chainId), registry, vendorId: '1', planIds: [CREDIT_PLAN] }),
    verify: verifyKey,
    verifyRefund: async (voucher) => ({ ...(await verifyKey(voucher)), authorization: '' }),
    home: () => undefined,
    refund: async () => ({ reference: 'paid' }),
    run: (deposits, signal) => ((toCredits = deposits), untilAborted(signal)),
  }
  const nano: Rail = {
    ...shared,
    currency: { code: 'NANO', decimals: 30 },
    scheme: 'nano',
    id: 'nano:test',
    get serviceAccount() {
      return rails.nanoBooks.serviceAccount
    },
    algorithm: 'Ed25519Blake2b',
    account(text) {
      const key = parseNanoAccount(text)
      return key && formatNanoAccount(key)
    },
    offer: () => ({}),
    async verify({ account, jws }) {
      if (!nanoVoucherHolds(jws, account)) throw new GatewayError('ERR_VOUCHER_SIGNATURE', 'another key')
      if (!rails.isBlind) await syncNano()
      return {}
    },
    verifyRefund: async (voucher) => ({ ...(await nano.verify(voucher)), authorization: '' }),
    home: (account) => account,
    refund: async () => ({ reference: 'paid' }),
    run: (deposits, signal) => ((toNano = deposits), untilAborted(signal)),
  }
  const syncNano = async (): Promise<void> => {
    for (const { hash, source, amount } of rails.nanoBooks.sends()) {
      await toNano?.credit({ id: hash, account: source, amount })
    }
  }
  const rails: TestRails = {
    nano,
    nanoBooks: { serviceAccount: formatNanoAccount(new Uint8Array(32)), sends: () => [] },
    channel,
    credit,
    signed,
    isBlind: false,
    idle: () => refunding,
    async sync() {
      if (rails.isBlind) return
      for (const account of channels.keys()) await syncChannel(account)
      for (const account of keys.keys()) await syncKey(account)
      await syncNano()
    },
  }
  return rails
}
