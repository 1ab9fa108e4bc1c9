/** Publishes the sources of deployed contracts, so that explorers show them beside the code. */
import type { DeployChain } from './chain.ts'
import type { ExpectedContract, ExpectedContracts } from './contracts.ts'
import { explain, howToSet, missingSettingOf } from './errors.ts'

/** Those that want no key first. */
const services = ['sourcify', 'blockscout', 'etherscan'] as const

export interface Verification {
  readonly service: (typeof services)[number]
  readonly result: 'verified' | 'skipped' | 'failed'
  /** Why not. */
  readonly reason?: string
}

/** @returns one for each service that is not turned off; what is verified already counts as verified */
export const verifyContracts = async (
  chain: DeployChain,
  { registry, payments }: ExpectedContracts,
): Promise<readonly Verification[]> => {
  const verifications: Verification[] = []
  for (const service of services.filter((name) => chain.hre.config.verify[name].enabled)) {
    const task = chain.hre.tasks.getTask(['verify', service])
    const verify = ({ address, name }: ExpectedContract) => task.run({ address, contract: name })
    try {
      await verify(registry)
      await verify(payments)
      verifications.push({ service, result: 'verified' })
    } catch (error) {
      const missing = missingSettingOf(error)
      verifications.push(
        missing === undefined
          ? { service, result: 'failed', reason: (explain(error, chain.network) as Error).message }
          : { service, result: 'skipped', reason: `it wants a key: ${howToSet(missing)}` },
      )
    }
  }
  return verifications
}
