/** Gas of whole transactions, as wallets pay it: a fresh buyer, a first purchase, a payout account that has money. */
import type { ContractTransactionResponse } from 'ethers'
import hre from 'hardhat'
import chrove from '../../ignition/modules/chrove.ts'
import type { Payments, VendorRegistry } from '../../types/ethers-contracts/index.ts'

/** Most gas that each transaction may take. */
const limits = { buyNativeStreamed: 85_000, buyNativeInstant: 72_000, cancel: 60_000, withdraw1: 55_000 }

const periodSeconds = 86_400
const settlements = { instant: 0n, streamed: 1n }

/**
 * Deploys on an in-process chain and measures one transaction of each kind.
 * @returns gas per transaction in `metrics`; the limits they are held to in `baselines`
 */
export async function benchContracts(): Promise<{
  metrics: Record<string, number>
  baselines: Record<string, number>
}> {
  await hre.tasks.getTask('build').run({ quiet: true, noTests: true })
  const connection = await hre.network.create()
  const { ethers, ignition, networkHelpers } = connection
  const [vendor, payout, ...buyers] = await ethers.getSigners()
  const deployed = await ignition.deploy(chrove)
  const registry = deployed.registry.connect(vendor!) as unknown as VendorRegistry
  const payments = deployed.payments as unknown as Payments

  const gasOf = async (sent: Promise<ContractTransactionResponse>): Promise<number> =>
    Number((await (await sent).wait())!.gasUsed)
  const price = ethers.parseEther('0.01')
  // The same keys in each run, so that the same code gives the same gas.
  let nextKey = 0
  const newKey = (): string => ethers.id(`key ${nextKey++}`)
  const addPlan = (settlement: bigint): Promise<ContractTransactionResponse> =>
    registry.addPlan(1n, {
      token: ethers.ZeroAddress,
      price,
      periodSeconds,
      maxPeriods: 365,
      settlement,
      title: 'One day of proxy',
    })
  let nextBuyer = 0
  const buy = async (planId: bigint, keyHash: string): Promise<number> => {
    const buyer = buyers[nextBuyer++]!
    return gasOf(payments.connect(buyer).buy(1n, planId, keyHash, 3, buyer.address, { value: price * 3n }))
  }

  const register = await gasOf(
    registry.register({
      operator: ethers.ZeroAddress,
      payout: payout!.address,
      signingKey: newKey(),
      encryptionKey: newKey(),
      endpoints: ['http://vendor.example:8080'],
      profile: JSON.stringify({ title: 'A vendor', description: 'Proxies by the day', services: ['proxy'] }),
    }),
  )
  const addFirstPlan = await gasOf(addPlan(settlements.streamed))
  await addPlan(settlements.instant)

  const cancelKey = newKey()
  const canceller = buyers[0]!
  const buyNativeStreamed = await buy(1n, cancelKey)
  const buyNativeInstant = await buy(2n, newKey())

  const keys = Array.from({ length: 11 }, newKey)
  for (const key of keys) await buy(1n, key)
  const orderIds = await Promise.all(keys.map((key) => payments.orderIdOf(1n, 1n, key)))
  await networkHelpers.time.increase(periodSeconds)

  const refundTo = canceller.address
  const cancelId = await payments.orderIdOf(1n, 1n, cancelKey)
  const cancel = await gasOf(payments.connect(canceller).cancel(cancelId, refundTo))
  const withdraw1 = await gasOf(payments.withdraw(orderIds.slice(0, 1)))
  const withdraw10 = await gasOf(payments.withdraw(orderIds.slice(1)))

  await connection.close()

  return {
    metrics: { buyNativeStreamed, buyNativeInstant, cancel, withdraw1, withdraw10, register, addPlan: addFirstPlan },
    baselines: limits,
  }
}
