/** What `npm run deploy` does and says. */
import type { HardhatUserConfig } from 'hardhat/config'
import type { Address } from '../../chain/types.ts'
import { CommandError } from '../../effects/command-error.ts'
import type { Output } from '../../effects/command-output.ts'
import type { Terminal } from '../../effects/terminal.ts'
import { formatAmount, NATIVE_DECIMALS } from '../../protocol/amount.ts'
import { deployerOf, openDeployChain, type DeployChain } from './chain.ts'
import { deploy, survey, type Survey } from './deploy.ts'
import { DeployError, explain } from './errors.ts'
import { verifyContracts } from './verify.ts'

export interface DeployOptions {
  readonly network: string
  /** Says what would be done, and sends nothing: no account is needed. */
  readonly dryRun: boolean
  /** Publishes the sources of what is deployed. */
  readonly verify: boolean
  /** Spends without asking. */
  readonly yes: boolean
}

/** What a step adds to the answer. */
interface Told {
  readonly json: Readonly<Record<string, unknown>>
  readonly lines: readonly Line[]
  readonly ok?: boolean
}

/** Name and value. */
type Line = readonly [name: string, value: string]

/**
 * Does all that the options ask for.
 * @param terminal gets progress and questions; the answer is returned
 * @throws ERR_USAGE | ERR_SETTING_MISSING | ERR_NOT_CONFIRMED | ERR_PASSPHRASE_MISSING | ERR_DEPLOY_…
 */
export const runDeploy = async (
  options: DeployOptions,
  terminal: Terminal,
  config?: HardhatUserConfig,
): Promise<Output> => {
  try {
    const chain = await openDeployChain(options.network, terminal, {
      watchOnly: options.dryRun,
      ...(config && { config }),
    })
    try {
      return await deployOn(chain, options, terminal)
    } finally {
      await chain.connection.close()
    }
  } catch (error) {
    throw explain(error, options.network)
  }
}

const deployOn = async (chain: DeployChain, options: DeployOptions, terminal: Terminal): Promise<Output> => {
  if (options.verify && chain.isDevelopment) {
    throw new CommandError('ERR_USAGE', `no explorer knows ${chain.network}: leave out --verify`)
  }
  const found = await survey(chain)
  const told = [tellPlace(chain, found), await deployAsAsked(chain, found, options, terminal)]
  if (options.verify && !options.dryRun) told.push(await verify(chain, found, terminal))
  if (found.isDeployed || !options.dryRun) told.push(tellNext(chain, found))
  const lines = told.flatMap((step) => step.lines.map(([name, value]) => `${name.padEnd(12)} ${value}`))
  return {
    ok: told.every(({ ok = true }) => ok),
    json: Object.assign({}, ...told.map(({ json }) => json)) as Output['json'],
    text: lines.join('\n'),
  }
}

const coins = (wei: bigint): string => `${formatAmount(wei, NATIVE_DECIMALS)} coin`

const tellPlace = ({ network, chainId }: DeployChain, { contracts, isDeployed }: Survey): Told => {
  const [registry, payments] = [contracts.registry.address, contracts.payments.address]
  return {
    json: { network, chainId, registry, payments, alreadyDeployed: isDeployed },
    lines: [
      ['chain', `${network}, ${chainId}`],
      ['registry', registry],
      ['payments', payments],
    ],
  }
}

const deployAsAsked = async (
  chain: DeployChain,
  found: Survey,
  { dryRun, yes }: DeployOptions,
  terminal: Terminal,
): Promise<Told> => {
  if (found.isDeployed) return { json: {}, lines: [['state', 'deployed already; nothing to do']] }
  if (dryRun) return tellPlan(found)
  const deployer = await deployerOf(chain)
  await checkFunds(chain, deployer, found)
  if (!yes && !chain.isDevelopment) await confirm(chain, found, terminal)
  const creation = await deploy(chain, deployer, found, (sentence) => terminal.err(`${sentence}\n`))
  return {
    json: { deployer, ...creation },
    lines: [
      ['state', `deployed in block ${creation.block}`],
      ['transaction', creation.transaction],
      ['gas', `${creation.gasUsed}, for ${coins(creation.feeWei)}`],
    ],
  }
}

const tellPlan = ({ gas, maxCostWei, factoryCostWei }: Survey): Told => ({
  json: { gas, maxCostWei, factoryCostWei },
  lines: [
    ['state', 'not deployed'],
    ['gas', `about ${gas}`],
    [
      'cost',
      `at most ${coins(maxCostWei)}${factoryCostWei > 0n ? `; ${coins(factoryCostWei)} of it brings CreateX` : ''}`,
    ],
  ],
})

const checkFunds = async (chain: DeployChain, deployer: Address, { maxCostWei }: Survey): Promise<void> => {
  const balanceWei = await chain.connection.ethers.provider.getBalance(deployer)
  if (balanceWei >= maxCostWei) return
  const message = `${deployer} has ${coins(balanceWei)} on ${chain.network} and may need ${coins(maxCostWei)}: send it \
${coins(maxCostWei - balanceWei)} and run the same command again`
  throw new DeployError('ERR_DEPLOY_UNFUNDED', message)
}

const confirm = async ({ network }: DeployChain, { maxCostWei }: Survey, terminal: Terminal): Promise<void> => {
  if (!terminal.interactive) throw new CommandError('ERR_NOT_CONFIRMED', 'nobody is here to agree: add --yes')
  if (await terminal.confirm(`Deploy to ${network} for at most ${coins(maxCostWei)}?`)) return
  throw new CommandError('ERR_NOT_CONFIRMED', 'not agreed; nothing was sent')
}

const verify = async (chain: DeployChain, { contracts }: Survey, terminal: Terminal): Promise<Told> => {
  terminal.err('publishing the sources\n')
  const verifications = await verifyContracts(chain, contracts)
  return {
    ok: verifications.every(({ result }) => result !== 'failed'),
    json: { verifications },
    lines: verifications.map(({ service, result, reason }) => [service, reason ? `${result}: ${reason}` : result]),
  }
}

const tellNext = ({ url = 'URL' }: DeployChain, { contracts }: Survey): Told => ({
  json: {},
  lines: [['next', `npm run chrove -- vendor init --rpc ${url} --registry ${contracts.registry.address}`]],
})
