/**
 * Sends transactions of one account (EIP-1559). A transaction happens at most once: it is signed once, handed to the
 * caller to store before anyone else sees it, and from then on only the same bytes are ever sent again.
 */
import { Transaction, Wallet } from 'ethers'
import type { Chain } from '../effects/chain.ts'
import type { Clock } from '../effects/clock.ts'
import { toHex } from '../protocol/bytes.ts'
import { signMessage, type Message, type MessageName } from '../protocol/typed-data.ts'
import { broadcast, redeliver, untilMined } from './deliver.ts'
import { TransactionError } from './errors.ts'
import { GAS_MARGIN_PERCENT } from './limits.ts'
import { type Call, createRpc, type Receipt } from './rpc.ts'
import { type Address, type Hash, type Hex, parseAddress } from './types.ts'

/** A call and the most it can cost: sending it spends no more. */
export interface Quote {
  readonly call: Call
  readonly gas: bigint
  readonly maxFeePerGasWei: bigint
  readonly priorityFeePerGasWei: bigint
  /** The call's value and the highest fee, wei. */
  readonly maxCostWei: bigint
}

export interface SendOptions {
  /** Stores the signed transaction; it is sent once this has resolved, and never if it rejects. */
  readonly persist?: (raw: Hex, hash: Hash) => Promise<void>
  readonly signal?: AbortSignal
}

export interface Account {
  readonly address: Address
  balanceWei(signal?: AbortSignal): Promise<bigint>
  /**
   * Tries a call, which would succeed now, without sending anything.
   * @throws ContractRevert | ChainError
   */
  quote(call: Omit<Call, 'from'>, signal?: AbortSignal): Promise<Quote>
  /** What so much gas can cost, for a call that cannot be tried yet. @throws ChainError */
  quoteUntried(call: Omit<Call, 'from'>, gas: bigint, signal?: AbortSignal): Promise<Quote>
  /**
   * Signs a message (EIP-712).
   * @param domain separator of the contract that takes it
   * @returns r ‖ s ‖ v, 65 bytes
   */
  sign<Name extends MessageName>(domain: Hex, name: Name, message: Message<Name>): Hex
  /**
   * Sends what was quoted and waits until it is mined.
   * @throws ContractRevert when it is mined and refused; TransactionError; ChainError before anything was sent
   */
  send(quote: Quote, options?: SendOptions): Promise<Receipt>
  /**
   * Sends a signed transaction again, whether or not it was sent before, and waits until it is mined.
   * @throws ContractRevert | TransactionError
   */
  resend(raw: Hex, signal?: AbortSignal): Promise<Receipt>
}

export interface AccountEffects {
  readonly chain: Chain
  readonly clock: Clock
}

/**
 * An account by its private key.
 * @param privateKey 32 bytes; stays in memory and is in no message
 */
export const createAccount = (effects: AccountEffects, chainId: bigint, privateKey: Uint8Array): Account => {
  const wallet = walletOf(privateKey)
  const address = parseAddress(wallet.address) as Address
  const rpc = createRpc(effects.chain)
  /** First nonce that none of our own transactions has; the node may not have heard of all of them. */
  let unusedNonce = 0
  /** Ends when no transaction is between its nonce and its first broadcast: nodes refuse gaps. */
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work)
    turn = done.catch(() => {})
    return done
  }

  const sign = async ({ call, gas, maxFeePerGasWei, priorityFeePerGasWei }: Quote, nonce: number): Promise<Hex> => {
    const transaction = {
      type: 2,
      chainId,
      nonce,
      to: call.to,
      data: call.data,
      value: call.valueWei ?? 0n,
      gasLimit: gas,
      maxFeePerGas: maxFeePerGasWei,
      maxPriorityFeePerGas: priorityFeePerGasWei,
    }
    return (await wallet.signTransaction(transaction)) as Hex
  }

  const priceOf = async (call: Call, gas: bigint, signal?: AbortSignal): Promise<Quote> => {
    const { baseFeeWei, priorityFeeWei } = await rpc.fees(signal)
    // The base fee at most doubles in six full blocks.
    const maxFeePerGasWei = 2n * baseFeeWei + priorityFeeWei
    const maxCostWei = (call.valueWei ?? 0n) + gas * maxFeePerGasWei
    return { call, gas, maxFeePerGasWei, priorityFeePerGasWei: priorityFeeWei, maxCostWei }
  }

  return {
    address,

    balanceWei: (signal) => rpc.balanceWei(address, signal),

    async quote(call, signal) {
      const asked: Call = { ...call, from: address }
      const gas = ((await rpc.estimateGas(asked, signal)) * (100n + GAS_MARGIN_PERCENT)) / 100n
      return priceOf(asked, gas, signal)
    },

    quoteUntried: (call, gas, signal) => priceOf({ ...call, from: address }, gas, signal),

    sign: (domain, name, message) => signMessage(domain, name, message, privateKey),

    async send(quote, { persist, signal } = {}) {
      try {
        const sent = await inTurn(async () => {
          const nonce = Math.max(unusedNonce, await rpc.nonce(address, 'pending', signal))
          const signed = Transaction.from(await sign(quote, nonce))
          await persist?.(signed.serialized as Hex, signed.hash as Hash)
          unusedNonce = nonce + 1
          await broadcast(rpc, signed, signal)
          return signed
        })
        return await untilMined(effects, rpc, sent, signal)
      } catch (error) {
        // Its nonce may be free after all: the node is asked again.
        if (error instanceof TransactionError) unusedNonce = 0
        throw error
      }
    },

    async resend(raw, signal) {
      return redeliver(effects, rpc, Transaction.from(raw), signal)
    },
  }
}

/** ethers puts the value it refuses into its message; a key must not be there. */
const walletOf = (privateKey: Uint8Array): Wallet => {
  try {
    return new Wallet(toHex(privateKey))
  } catch {
    throw new TypeError('a private key is 32 bytes that make a number below the order of secp256k1')
  }
}
