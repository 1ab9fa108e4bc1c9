/**
 * Plain deposits in the name of an RSA key (SEED 004): a purchase of an `Instant` plan that the settings list as credit.
 * The money is the vendor's at once, so what is given back is a transfer of its own.
 */
import { Interface } from 'ethers'
import { type Address, parseAddress, ZERO_ADDRESS } from '../../../chain/types.ts'
import type { Call, Receipt } from '../../../chain/rpc.ts'
import type { Account } from '../../../chain/transactions.ts'
import { createTokenReader, tokenCall } from '../../../chain/token.ts'
import type { Chain } from '../../../effects/chain.ts'
import type { Log } from '../../../effects/log.ts'
import { formatKeyId, keyIdOf, parseKeyId } from '../../../protocol/keys.ts'
import { rsaSignerOf } from '../../../protocol/voucher-keys.ts'
import { GatewayError } from '../../errors.ts'
import type { Currency, Rail, Refund, SignedVoucher } from '../../rail.ts'
import type { Following } from './following.ts'
import type { Outbox } from './outbox.ts'
import { refundRow } from './refund-ids.ts'
import { sendRefund } from './send-refund.ts'
import { signedBy } from './signed-by.ts'

export interface OrderRailSettings {
  readonly id: string
  readonly chainId: bigint
  readonly registry: Address
  readonly payments: Address
  readonly vendorId: bigint
  readonly currency: Currency
  /** Zero for the native coin. */
  readonly token: Address
  /** `Instant` plans in this currency, of which what is paid is credit. */
  readonly planIds: readonly number[]
  /** Blocks that follow a refund before it is told to be done. */
  readonly confirmations: number
}

export interface OrderRailParts {
  readonly chain: Chain
  readonly following: Following
  readonly outbox: Outbox
  /** Refunds leave from it. */
  readonly account: Account
  readonly log: Log
}

export const createOrderRail = (parts: OrderRailParts, settings: OrderRailSettings): Rail => {
  const { chain, following, outbox, account: hot, log } = parts
  const { id, chainId, registry, payments, vendorId, currency, token, planIds, confirmations } = settings
  const tokens = createTokenReader(chain)

  const verifySigned = async ({ account, jws }: SignedVoucher): Promise<void> => {
    if (formatKeyId(keyIdOf(await signedBy(jws, rsaSignerOf))) === account) return
    throw new GatewayError('ERR_VOUCHER_SIGNATURE', 'this voucher is not signed by the key of the account')
  }

  /** The vendor's account may be empty for a while: that is no reason to give the amount back. */
  const checkFunds = async ({ amount }: Refund, signal: AbortSignal): Promise<void> => {
    const balance =
      token === ZERO_ADDRESS ? await hot.balanceWei(signal) : await tokens.balance(token, hot.address, signal)
    if (balance !== undefined && balance >= amount) return
    log.warn('rails.refund-unfunded', { rail: id, amount })
    throw new GatewayError('ERR_UPSTREAM', 'refunds wait for money of the vendor', { retryable: true })
  }

  const callOf = ({ to, amount }: Refund): Omit<Call, 'from'> =>
    token === ZERO_ADDRESS
      ? { to: to as Address, data: '0x', valueWei: amount }
      : tokenCall(token, 'transfer', to as Address, amount)

  return {
    scheme: 'order',
    id,
    currency,
    serviceAccount: payments,
    algorithm: 'RS256',
    ready: () => following.isCaughtUp(),
    account: keyIdText,
    offer: () => ({ chainId: chainId.toString(), registry, payments, vendorId: vendorId.toString(), token, planIds }),

    async verify(voucher) {
      await verifySigned(voucher)
      return {}
    },

    async verifyRefund(voucher) {
      await verifySigned(voucher)
      const to = parseAddress(voucher.claims.to ?? '')
      if (!to || to === ZERO_ADDRESS) throw new GatewayError('ERR_REFUND_ADDRESS', 'to is no account of this chain')
      return { authorization: '' }
    },

    // Who pays for a key says nothing of itself.
    home: () => undefined,

    async refund(refund, signal) {
      const row = refundRow(refund.id)
      if (!(await outbox.knows(row))) await checkFunds(refund, signal)
      const receipt = await sendRefund(outbox, row, callOf(refund), { depth: confirmations, signal })
      if (token !== ZERO_ADDRESS && !tellsTransfer(receipt, token, hot.address, refund)) {
        // An old token may refuse by answering `false`: nothing moved.
        throw new GatewayError('ERR_REFUND_ADDRESS', 'the token did not move the refund')
      }
      return { reference: receipt.transactionHash }
    },

    usedUp: () => Promise.resolve(),
    run: (deposits, signal) => following.run(id, deposits, signal),
  }
}

/** @returns undefined unless it is a keyId in the one spelling that it has */
const keyIdText = (text: string): string | undefined => {
  try {
    return formatKeyId(parseKeyId(text))
  } catch {
    return undefined
  }
}

const erc20 = new Interface(['event Transfer(address indexed from, address indexed to, uint256 value)'])

const tellsTransfer = (receipt: Receipt, token: Address, from: Address, { to, amount }: Refund): boolean =>
  receipt.logs.some(({ address, topics, data }) => {
    if (address !== token) return false
    const event = erc20.parseLog({ topics: [...topics], data })
    const [sender, recipient, value] = (event?.args ?? []) as unknown as [string?, string?, bigint?]
    return sender?.toLowerCase() === from && recipient?.toLowerCase() === to && value === amount
  })
