/** What x402's facilitator needs of a chain, over our own door to it. */
import type { FacilitatorEvmSigner } from '@x402/evm'
import { Interface, type InterfaceAbi, verifyTypedData } from 'ethers'
import { createRpc } from '../../../../chain/rpc.ts'
import { type Address, type Hex, parseAddress } from '../../../../chain/types.ts'
import type { Receipt } from '../../../../chain/rpc.ts'
import { type Chain, ChainError } from '../../../../effects/chain.ts'

export interface SignerParts {
  readonly chain: Chain
  /** Whose coins pay for the transfer. */
  readonly sender: Address
  /** Carries the transfer out, once. */
  readonly transfer: () => Promise<Receipt>
  readonly signal: AbortSignal
}

export interface DoorSigner {
  readonly signer: FacilitatorEvmSigner
  /** What went wrong that is not the payment's fault: the facilitator takes every error for one of the payment. */
  fault(): unknown
}

export const createDoorSigner = ({ chain, sender, transfer, signal }: SignerParts): DoorSigner => {
  const rpc = createRpc(chain)
  let fault: unknown
  let receipt: Receipt | undefined

  const noting = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      if (!(error instanceof ChainError) || error.retryable) fault ??= error
      throw error
    }
  }

  const signer: FacilitatorEvmSigner = {
    getAddresses: () => [sender],

    async readContract({ address, abi, functionName, args = [] }) {
      const contract = new Interface(abi as InterfaceAbi)
      const fragment = contract.getFunction(functionName, [...args])
      if (!fragment) throw new TypeError('no such function')
      const data = contract.encodeFunctionData(fragment, [...args]) as Hex
      // A token that refuses is the payment's fault; one that cannot be asked is not.
      const answer = await rpc.call({ to: addressOf(address), data, from: sender }, 'latest', signal).catch((error) => {
        if (error instanceof ChainError && error.retryable) fault ??= error
        throw error
      })
      const values = contract.decodeFunctionResult(fragment, answer)
      return values.length === 1 ? values[0] : values.toArray()
    },

    verifyTypedData: ({ address, domain, types, message, signature }) =>
      Promise.resolve(
        verifyTypedData(domain, types as Record<string, { name: string; type: string }[]>, message, signature) ===
          address,
      ),

    async writeContract() {
      receipt = await noting(transfer())
      return receipt.transactionHash
    },

    sendTransaction: () => Promise.reject(new TypeError('wallets are not deployed here')),

    async waitForTransactionReceipt() {
      if (!receipt) throw new TypeError('nothing was sent')
      const logs = receipt.logs.map(({ address, topics, data }) => ({ address, topics, data }))
      return Promise.resolve({ status: 'success', logs: logs as never })
    },

    getCode: ({ address }) => noting(rpc.code(addressOf(address), signal)),
  }

  return { signer, fault: () => fault }
}

const addressOf = (text: string): Address => parseAddress(text) as Address
