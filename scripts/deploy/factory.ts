/**
 * CreateX, through which a contract gets the same address on every chain. Public chains have it. Others get it by the
 * one transaction that its author signed for all of them: anybody may send it, once its sender has the money for it.
 */
import { getCreateAddress, Transaction } from 'ethers'
import type { HardhatRuntimeEnvironment } from 'hardhat/types/hre'
import { parseAddress, type Address } from '../../chain/types.ts'
import chrove from '../../ignition/modules/chrove.ts'
import type { DeployChain } from './chain.ts'
import { FACTORY } from './contracts.ts'
import { DeployError, isNodeError, waiting } from './errors.ts'

export interface FactoryTransaction {
  readonly raw: string
  readonly hash: string
  readonly sender: Address
  /** What the sender must have: gas limit × gas price, both fixed by the signature. */
  readonly costWei: bigint
}

export const hasFactory = async ({ connection }: DeployChain): Promise<boolean> =>
  (await connection.ethers.provider.getCode(FACTORY)) !== '0x'

/**
 * The signed transaction. Ignition has it, and sends it by itself on a chain in this process: it is taken from there,
 * so that 12 KB of someone else's bytecode need not be kept here. Takes about a second.
 */
export const readFactoryTransaction = async ({ network }: HardhatRuntimeEnvironment): Promise<FactoryTransaction> => {
  const connection = await network.create('default')
  try {
    await connection.ignition.deploy(chrove, { strategy: 'create2' })
    const { provider } = connection.ethers
    const found = await provider.getTransaction((await provider.getBlock(1))?.transactions[0] ?? '')
    if (found === null) throw new Error('Ignition has not brought CreateX')
    const { nonce, gasPrice, gasLimit, data, signature } = found
    const signed = Transaction.from({ type: 0, to: null, nonce, gasPrice, gasLimit, data, signature })
    const sender = parseAddress(signed.from ?? '') as Address
    if (getCreateAddress({ from: sender, nonce }) !== FACTORY) throw new Error('Ignition has brought something else')
    return { raw: signed.serialized, hash: signed.hash ?? '', sender, costWei: gasLimit * gasPrice }
  } finally {
    await connection.close()
  }
}

/** What the sender still lacks: an earlier run may have been cut off after it sent the money. */
export const lackingWeiOf = async (
  { connection }: DeployChain,
  { sender, costWei }: FactoryTransaction,
): Promise<bigint> => {
  const hasWei = await connection.ethers.provider.getBalance(sender)
  return hasWei < costWei ? costWei - hasWei : 0n
}

/**
 * Brings CreateX to a chain that lacks it, at the deployer's cost. Cut off at any point, it goes on from there when it
 * is called again.
 * @throws ERR_DEPLOY_WAITING | ERR_DEPLOY_FACTORY
 */
export const installFactory = async (
  chain: DeployChain,
  deployer: Address,
  transaction: FactoryTransaction,
): Promise<void> => {
  const { connection, confirmations } = chain
  const { raw, hash, sender } = transaction
  const { provider } = connection.ethers
  const broadcast = async () => {
    try {
      await connection.provider.request({ method: 'eth_sendRawTransaction', params: [raw] })
    } catch (error) {
      // An earlier run may have sent it.
      if ((await provider.getTransaction(hash)) === null) throw error
    }
  }
  const lackingWei = await lackingWeiOf(chain, transaction)
  if (lackingWei > 0n) {
    if (await hasWaitingTransactions(chain, deployer)) throw waiting(deployer)
    // Money that the sender has is good for this transaction only. So is the node asked first: one that does not take it
    // says so before it looks at money, and one that does says that money is missing.
    await broadcast().catch((error: Error) => {
      if (/replay|EIP-?155|unprotected|chain.?id/i.test(error.message)) throw refused(error)
    })
    const signer = await connection.ethers.getSigner(deployer)
    // Ignition starts only once all that the account sent is confirmed.
    await (await signer.sendTransaction({ to: sender, value: lackingWei })).wait(confirmations)
  }
  await broadcast().catch((error: unknown) => {
    throw isNodeError(error) ? refused(error) : error
  })
  await provider.waitForTransaction(hash, confirmations)
  if (!(await hasFactory(chain))) {
    throw new DeployError('ERR_DEPLOY_FACTORY', 'CreateX cannot be brought to this chain: its transaction fails here')
  }
}

const refused = (cause: Error): DeployError => {
  const message = `the node refuses the transaction that brings CreateX, which is signed for all chains: ${cause.message}. Some \
nodes take such only when told so (geth: --rpc.allow-unprotected-txs); any node of the chain will do`
  return new DeployError('ERR_DEPLOY_FACTORY', message, { cause })
}

/** Whether an account has sent what is in no block yet. */
const hasWaitingTransactions = async ({ connection }: DeployChain, account: Address): Promise<boolean> => {
  const { provider } = connection.ethers
  const [done, sent] = await Promise.all(['latest', 'pending'].map((tag) => provider.getTransactionCount(account, tag)))
  return done !== sent
}
