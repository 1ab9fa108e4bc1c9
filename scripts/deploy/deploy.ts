/** Deploys Chrove where it is not yet, through Ignition, whose journal lets a run that was cut off be taken up again. */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { dataLength, id, Interface, zeroPadValue } from 'ethers'
import type { Address } from '../../chain/types.ts'
import chrove from '../../ignition/modules/chrove.ts'
import type { DeployChain } from './chain.ts'
import { expectContracts, FACTORY, type ExpectedContract, type ExpectedContracts } from './contracts.ts'
import { DeployError, explain, isTransactionLost } from './errors.ts'
import { hasFactory, installFactory, lackingWeiOf, readFactoryTransaction, type FactoryTransaction } from './factory.ts'

/** What is on the chain, and what it takes to have everything there. */
export interface Survey {
  readonly contracts: ExpectedContracts
  readonly isDeployed: boolean
  /** Of the transaction that creates both contracts; 0 when they are there. */
  readonly gas: bigint
  readonly fees: Fees
  /** Of bringing CreateX, which a chain may lack. */
  readonly factoryCostWei: bigint
  /** Of everything, if each gas costs `fees.maxPerGas`; on a rollup, with what publishing costs. */
  readonly maxCostWei: bigint
  /** Brings CreateX; undefined when the chain has it, or nothing is to be deployed. */
  readonly factory: FactoryTransaction | undefined
}

/** Wei for each gas. */
interface Fees {
  readonly maxPerGas: bigint
  /** Undefined on a chain that knows gas prices only. */
  readonly tip: bigint | undefined
}

/** The transaction that created the contracts. */
export interface Creation {
  readonly transaction: string
  readonly block: number
  readonly gasUsed: bigint
  readonly feeWei: bigint
}

/** Estimates are made without CreateX, which adds less than this; in percent. */
const FACTORY_GAS_PERCENT = 5n
/** A part of every chain of the OP stack. */
const OP_GAS_PRICE_ORACLE = '0x420000000000000000000000000000000000000F'
/** Fees may rise so much, in percent, while the transaction is being prepared. */
const FEE_RISE_PERCENT = 25n
/** Of sending money, which CreateX's sender may need. */
const TRANSFER_GAS = 21_000n

/**
 * Looks, and sends nothing.
 * @throws ERR_DEPLOY_WRONG_CODE when something else is where the contracts belong
 */
export const survey = async (chain: DeployChain): Promise<Survey> => {
  const { hre, connection } = chain
  const { provider } = connection.ethers
  const contracts = await expectContracts(hre)
  const fees = await readFees(chain)
  const found = { contracts, fees }
  if (await isDeployed(chain, contracts)) {
    return { ...found, isDeployed: true, gas: 0n, factoryCostWei: 0n, maxCostWei: 0n, factory: undefined }
  }
  const factory = (await hasFactory(chain)) ? undefined : await readFactoryTransaction(hre)
  const estimate = await provider.estimateGas({ from: FACTORY, data: contracts.initCode })
  const gas = (estimate * (100n + FACTORY_GAS_PERCENT)) / 100n
  const lackingWei = factory === undefined ? 0n : await lackingWeiOf(chain, factory)
  const factoryCostWei = lackingWei === 0n ? 0n : lackingWei + TRANSFER_GAS * fees.maxPerGas
  return {
    ...found,
    isDeployed: false,
    gas,
    factoryCostWei,
    maxCostWei: gas * fees.maxPerGas + factoryCostWei + (await publishingWeiOf(chain, contracts.initCode)),
    factory,
  }
}

/** What a rollup of the OP stack, such as Base, asks at most for publishing a transaction on Ethereum. */
const publishingWeiOf = async ({ connection }: DeployChain, initCode: string): Promise<bigint> => {
  if (connection.chainType !== 'op') return 0n
  const oracle = new Interface(['function getL1FeeUpperBound(uint256 size) view returns (uint256)'])
  const data = oracle.encodeFunctionData('getL1FeeUpperBound', [dataLength(initCode)])
  return BigInt(await connection.ethers.provider.call({ to: OP_GAS_PRICE_ORACLE, data }))
}

const readFees = async ({ connection }: DeployChain): Promise<Fees> => {
  const { maxFeePerGas, maxPriorityFeePerGas, gasPrice } = await connection.ethers.provider.getFeeData()
  const maxPerGas = ((maxFeePerGas ?? gasPrice ?? 0n) * (100n + FEE_RISE_PERCENT)) / 100n
  return { maxPerGas, tip: maxPriorityFeePerGas ?? undefined }
}

/**
 * Deploys what a survey found missing. May be cut off at any point and called again.
 * @param say told what is being done
 * @throws ERR_DEPLOY_WAITING | ERR_DEPLOY_FACTORY | ERR_DEPLOY_FAILED | ERR_DEPLOY_WRONG_CODE
 */
export const deploy = async (
  chain: DeployChain,
  deployer: Address,
  { contracts, fees, factory }: Survey,
  say: (sentence: string) => void,
): Promise<Creation> => {
  const { connection, confirmations } = chain
  const { provider } = connection.ethers
  const headBefore = await provider.getBlockNumber()
  if (factory) {
    say('bringing CreateX to this chain')
    await installFactory(chain, deployer, factory)
  }
  say(`deploying; done after ${confirmations} block${confirmations === 1 ? '' : 's'}`)
  await runIgnition(chain, contracts, fees)
  if (!(await isDeployed(chain, contracts))) {
    throw new DeployError('ERR_DEPLOY_FAILED', 'the transaction is done, and there is no contract', { retryable: true })
  }
  return creationOf(chain, contracts.registry.address, headBefore)
}

const isDeployed = async ({ connection }: DeployChain, contracts: ExpectedContracts): Promise<boolean> => {
  const isThere = async ({ address, name, isCode }: ExpectedContract): Promise<boolean> => {
    const code = await connection.ethers.provider.getCode(address)
    if (code === '0x' || isCode(code)) return code !== '0x'
    throw new DeployError(
      'ERR_DEPLOY_WRONG_CODE',
      `at ${address} there is something else than ${name}: this node lies, or its chain is no ordinary one`,
    )
  }
  const found = await Promise.all([contracts.registry, contracts.payments].map(isThere))
  return found.every(Boolean)
}

const runIgnition = async (chain: DeployChain, { registry }: ExpectedContracts, fees: Fees): Promise<void> => {
  const { hre, chainId, network } = chain
  // One journal for one chain and one bytecode. A development chain that starts over keeps its number, not its genesis.
  const genesis = await chain.connection.ethers.provider.getBlock(0)
  const deploymentId = `chain-${chainId}-${genesis?.hash?.slice(2, 10)}-${registry.address.slice(2, 10)}`
  const journal = join(hre.config.paths.ignition, 'deployments', deploymentId)
  const forget = () => rm(journal, { recursive: true })
  // A journal that ends well, and no contract: a reorg took it away. Ignition would believe its journal.
  if (existsSync(join(journal, 'deployed_addresses.json'))) await forget()
  try {
    await followJournal(chain, deploymentId, fees).catch(async (error: unknown) => {
      if (!isTransactionLost(error)) throw error
      // It is in no block, or there would be a contract. Without a journal Ignition waits for all that the account has
      // sent, and only then sends another.
      await forget()
      await followJournal(chain, deploymentId, fees)
    })
  } catch (error) {
    const cause = explain(error, network)
    if (!(cause instanceof DeployError) || cause.code !== 'ERR_DEPLOY_FAILED') throw cause
    const message = `${cause.message} Run the same command to go on; to start over, delete ${relative('.', journal)}`
    throw new DeployError('ERR_DEPLOY_FAILED', message, { cause })
  }
}

const followJournal = async ({ hre, network, confirmations }: DeployChain, deploymentId: string, fees: Fees) => {
  // Ignition takes its limits from the network's settings.
  const { maxPerGas, tip } = fees
  const limits = { maxFeePerGasLimit: maxPerGas, ...(tip !== undefined && { maxPriorityFeePerGas: tip }) }
  const connection = await hre.network.create({ network, override: { ignition: limits } })
  try {
    const config = { requiredConfirmations: confirmations }
    await connection.ignition.deploy(chrove, { strategy: 'create2', deploymentId, config })
  } finally {
    await connection.close()
  }
}

/** By CreateX's event. It came after this run began: the run began because there was no contract. */
const creationOf = async ({ connection }: DeployChain, registry: Address, headBefore: number): Promise<Creation> => {
  const { provider } = connection.ethers
  const topics = [id('ContractCreation(address,bytes32)'), zeroPadValue(registry, 32)]
  const [event] = await provider.getLogs({ address: FACTORY, topics, fromBlock: headBefore })
  const receipt = await provider.getTransactionReceipt(event?.transactionHash ?? '')
  if (receipt === null)
    throw new DeployError('ERR_DEPLOY_FAILED', 'the node has lost the transaction', { retryable: true })
  return { transaction: receipt.hash, block: receipt.blockNumber, gasUsed: receipt.gasUsed, feeWei: receipt.fee }
}
