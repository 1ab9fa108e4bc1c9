/**
 * Gas of whole transactions, as wallets pay it: a fresh buyer, a first purchase or deposit, and payout accounts that
 * have money already. The token is one as the large stablecoins are, without the proxy they stand behind.
 */
import hre from 'hardhat'
import type { ContractTransactionResponse } from 'ethers'
import chrove from '../../ignition/modules/chrove.ts'
import { channelIdOf, digestOf, paymentsDomain, signMessage } from '../../protocol/typed-data.ts'
import type { Payments, Stablecoin, VendorRegistry } from '../../types/ethers-contracts/index.ts'

type Hex = `0x${string}`

/** Most gas that each transaction may take (DESIGN 15). */
const limits = {
  buyNativeStreamed: 85_000,
  buyNativeInstant: 72_000,
  cancel: 60_000,
  withdraw1: 55_000,
  depositErc20: 80_000,
  deposit3009: 112_000,
  claim1: 65_000,
  claim10: 215_000,
  refund: 60_000,
}

const DAY_SECONDS = 86_400
const SETTLEMENT = { instant: 0n, streamed: 1n }
const VENDOR_ID = 1n

const connect = () => hre.network.create()

/**
 * Deploys on an in-process chain and measures one transaction of each kind.
 * @returns gas per transaction in `metrics`; the limits they are held to in `baselines`
 */
export async function benchContracts(): Promise<{
  metrics: Record<string, number>
  baselines: Record<string, number>
}> {
  await hre.tasks.getTask('build').run({ quiet: true, noTests: true })
  const connection = await connect()
  try {
    return { metrics: await measure(connection), baselines: limits }
  } finally {
    await connection.close()
  }
}

const measure = async ({ ethers, ignition, networkHelpers }: Awaited<ReturnType<typeof connect>>) => {
  const [vendor, payout, stranger, ...buyers] = await ethers.getSigners()
  const deployed = await ignition.deploy(chrove)
  const registry = deployed.registry.connect(vendor!) as unknown as VendorRegistry
  const payments = deployed.payments as unknown as Payments
  const paymentsAt = (await payments.getAddress()) as Hex
  const token = (await ethers.deployContract('Stablecoin')) as unknown as Stablecoin
  const tokenAt = (await token.getAddress()) as Hex
  const { chainId } = await ethers.provider.getNetwork()
  const domain = paymentsDomain(chainId, paymentsAt)
  const deadline = 2n ** 40n

  const gasOf = async (sent: Promise<ContractTransactionResponse>): Promise<number> =>
    Number((await (await sent).wait())!.gasUsed)
  // The same keys and salts in each run, so that the same code gives the same gas.
  let drawn = 0
  const fresh = (): Hex => ethers.id(`fresh ${drawn++}`) as Hex
  const nextBuyer = () => buyers.shift()!

  const price = ethers.parseEther('0.01')
  const tokenPrice = 2_500_000n
  const plan = {
    token: ethers.ZeroAddress,
    price,
    periodSeconds: DAY_SECONDS,
    maxPeriods: 365,
    title: 'One day of proxy',
  }
  const addPlan = (terms: object) => registry.addPlan(VENDOR_ID, { ...plan, settlement: SETTLEMENT.streamed, ...terms })

  const register = await gasOf(
    registry.register({
      operator: ethers.ZeroAddress,
      payout: payout!.address,
      signingKey: fresh(),
      encryptionKey: fresh(),
      endpoints: ['http://vendor.example:8080'],
      profile: JSON.stringify({ title: 'A vendor', description: 'Proxies by the day', services: ['proxy'] }),
    }),
  )
  const addFirstPlan = await gasOf(addPlan({}))
  await addPlan({ settlement: SETTLEMENT.instant })
  await addPlan({ token: tokenAt, price: tokenPrice })
  // Neither Payments nor the payout account sees its first token here.
  await token.mint(payout!.address, 1n)
  await token.mint(paymentsAt, 1n)

  const buy = async (planId: bigint, keyHash: string, buyer = nextBuyer()): Promise<number> => {
    if (planId !== 3n)
      return gasOf(payments.connect(buyer).buy(VENDOR_ID, planId, keyHash, 3, buyer.address, { value: price * 3n }))
    await token.mint(buyer.address, 10n * tokenPrice)
    await token.connect(buyer).approve(paymentsAt, 10n * tokenPrice)
    return gasOf(payments.connect(buyer).buy(VENDOR_ID, planId, keyHash, 3, buyer.address))
  }
  const cancelKey = fresh()
  const canceller = buyers[0]!
  const buyNativeStreamed = await buy(1n, cancelKey)
  const buyNativeInstant = await buy(2n, fresh())
  const buyErc20Streamed = await buy(3n, fresh())

  const keys = Array.from({ length: 11 }, fresh)
  const regular = nextBuyer()
  for (const key of keys) await buy(1n, key, regular)
  const orderIds = await Promise.all(keys.map((key) => payments.orderIdOf(VENDOR_ID, 1n, key)))
  await networkHelpers.time.increase(DAY_SECONDS)

  const cancelId = await payments.orderIdOf(VENDOR_ID, 1n, cancelKey)
  const cancel = await gasOf(payments.connect(canceller).cancel(cancelId, canceller.address))
  const withdraw1 = await gasOf(payments.connect(stranger!).withdraw(orderIds.slice(0, 1)))
  const withdraw10 = await gasOf(payments.connect(stranger!).withdraw(orderIds.slice(1)))

  // Payers sign with plain keys of their own; a relayer sends the authorisation.
  const newChannel = async () => {
    const key = ethers.getBytes(fresh())
    const payer = ethers.computeAddress(ethers.hexlify(key)) as Hex
    const settings = {
      ...{ vendorId: VENDOR_ID, payer, signer: payer, token: tokenAt },
      ...{ withdrawDelay: DAY_SECONDS, salt: fresh() },
    }
    return { key, payer, settings, channelId: channelIdOf(domain, settings) }
  }
  const depositErc20 = async (channel: Awaited<ReturnType<typeof newChannel>>): Promise<number> => {
    await token.mint(regular.address, 10n * tokenPrice)
    await token.connect(regular).approve(paymentsAt, 10n * tokenPrice)
    return gasOf(payments.connect(regular).deposit(channel.settings, tokenPrice))
  }
  const deposit3009 = async ({ key, payer, settings, channelId }: Awaited<ReturnType<typeof newChannel>>) => {
    await token.mint(payer, 10n * tokenPrice)
    const terms = { amount: tokenPrice, salt: fresh(), deadline }
    const nonce = digestOf(domain, 'Deposit', { channelId, ...terms })
    const authorization = signMessage(
      (await token.DOMAIN_SEPARATOR()) as Hex,
      'ReceiveWithAuthorization',
      { from: payer, to: paymentsAt, value: tokenPrice, validAfter: 0n, validBefore: deadline, nonce },
      key,
    )
    return gasOf(payments.connect(stranger!).depositWithAuthorization(settings, terms, authorization))
  }
  const claim = async (list: readonly Awaited<ReturnType<typeof newChannel>>[], cumulative: bigint) =>
    gasOf(
      payments.connect(stranger!).claim(
        list.map(({ key, settings, channelId }) => ({
          settings,
          cumulative,
          signature: signMessage(domain, 'Voucher', { channelId, cumulative }, key),
        })),
      ),
    )
  const list = await Promise.all(Array.from({ length: 11 }, newChannel))
  const deposits: number[] = []
  for (const channel of list) deposits.push(await depositErc20(channel))
  const claim1 = await claim(list.slice(0, 1), 1_000_000n)
  const claim10 = await claim(list.slice(1), 1_000_000n)
  const { key, payer, settings, channelId } = list[0]!
  const request = signMessage(domain, 'RefundRequest', { channelId, to: payer, refunds: 0 }, key)
  await token.mint(payer, 1n)
  const refund = await gasOf(payments.connect(vendor!).refund(settings, payer, 1_000_000n, request))

  return {
    ...{ buyNativeStreamed, buyNativeInstant, buyErc20Streamed, cancel, withdraw1, withdraw10 },
    depositErc20: deposits[0]!,
    deposit3009: await deposit3009(await newChannel()),
    ...{ claim1, claim10, refund, register, addPlan: addFirstPlan },
  }
}
