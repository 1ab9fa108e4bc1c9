/** The chain that contracts are deployed to: one of the networks in `hardhat.config.ts`, through Hardhat. */
import { fileURLToPath } from 'node:url'
import { createHardhatRuntimeEnvironment } from 'hardhat/hre'
import type { HardhatUserConfig } from 'hardhat/config'
import type { HardhatRuntimeEnvironment } from 'hardhat/types/hre'
import type { NetworkConnection } from 'hardhat/types/network'
import { parseAddress, type Address } from '../../chain/types.ts'
import { CommandError } from '../../effects/command-error.ts'
import type { Terminal } from '../../effects/terminal.ts'
import hardhatConfig from '../../hardhat.config.ts'
import { DeployError } from './errors.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface DeployChain {
  readonly hre: HardhatRuntimeEnvironment
  readonly connection: NetworkConnection<string>
  readonly network: string
  readonly chainId: number
  /** The node signs with accounts of its own: a development node, whose money is play money. */
  readonly isDevelopment: boolean
  /** Of the node; undefined where it may hold a secret. */
  readonly url: string | undefined
  /** Blocks that a transaction must have, its own included, to count as done. */
  readonly confirmations: number
}

/** Development nodes make no block without a transaction: nobody would ever confirm the last one. */
const CONFIRMATIONS = { development: 1, public: 5 }

export interface OpenOptions {
  /** Only looks: no account is needed, and none can be used. */
  readonly watchOnly: boolean
  readonly config?: HardhatUserConfig
}

/**
 * Connects to a network.
 * @param terminal to ask for the password of Hardhat's keystore
 * @throws ERR_USAGE when there is no such network; errors of Hardhat: see `explain`
 */
export const openDeployChain = async (
  network: string,
  terminal: Terminal,
  { watchOnly, config = hardhatConfig }: OpenOptions,
): Promise<DeployChain> => {
  const hre = await createHardhatRuntimeEnvironment(config, { network }, root)
  const networkConfig = hre.config.networks[network]
  if (networkConfig?.type !== 'http') {
    const networks = Object.entries(hre.config.networks).flatMap(([name, { type }]) => (type === 'http' ? name : []))
    throw new CommandError('ERR_USAGE', `there is no network ${network}; there are ${networks.toSorted().join(', ')}`)
  }
  hre.hooks.registerHandlers('userInterruptions', {
    requestSecretInput: async (_context, _plugin, what) => {
      if (terminal.interactive) return terminal.askSecret(`${what}: `)
      throw new CommandError(
        'ERR_PASSPHRASE_MISSING',
        'nobody is here to unlock the keystore: set environment variables',
      )
    },
  })
  const connection = await hre.network.create({ network, ...(watchOnly && { override: { accounts: 'remote' } }) })
  const chainId = Number(await connection.provider.request({ method: 'eth_chainId' }))
  const isDevelopment = networkConfig.accounts === 'remote'
  const url = isDevelopment ? await networkConfig.url.get() : undefined
  const confirmations = isDevelopment ? CONFIRMATIONS.development : CONFIRMATIONS.public
  return { hre, connection, network, chainId, isDevelopment, url, confirmations }
}

/**
 * The account that pays for everything. It has no rights over the contracts afterwards.
 * @throws ERR_DEPLOY_NO_ACCOUNT
 */
export const deployerOf = async ({ connection, network }: DeployChain): Promise<Address> => {
  const [account = ''] = (await connection.provider.request({ method: 'eth_accounts' })) as string[]
  const deployer = parseAddress(account)
  if (deployer) return deployer
  const message = `the node of ${network} has no account of its own to pay with: anvil has, or add a network with a key`
  throw new DeployError('ERR_DEPLOY_NO_ACCOUNT', message)
}
