/** The compiled contracts on a node in this process, asked in the words of the reference ledger. */
import { createHash } from 'node:crypto'
import { AbiCoder, computeAddress, Interface, keccak256, type LogDescription, SigningKey } from 'ethers'
import hre from 'hardhat'
import chrove from '../../ignition/modules/chrove.ts'
import { paymentsDomain } from '../../protocol/typed-data.ts'
import { type Call, type Hex, NATIVE, type Place, type PlanTerms, type Said, type Signature } from './model.ts'

/** Order of secp256k1. */
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
/** PUSH0 PUSH0 REVERT: an account that takes no native coin. */
const REFUSING_CODE = '0x5f5ffd'
const GAS = '0x2dc6c0'
const ROLES = ['owner1', 'owner2', 'operator', 'payout', 'alice', 'bob', 'signer', 'stranger', 'moody'] as const
const MONEY = 10n ** 12n

export type Role = (typeof ROLES)[number]

/** What is compared after each call. */
export interface View {
  readonly orders: readonly (readonly (string | bigint)[])[]
  readonly channels: readonly (readonly (string | bigint)[])[]
  readonly kept: readonly bigint[]
  readonly used: readonly boolean[]
  /** Of each account and of Payments, the native coin's before the token's. */
  readonly balances: readonly bigint[]
}

/** What a view is of. */
export interface Asked {
  readonly orderIds: readonly Hex[]
  readonly channelIds: readonly Hex[]
  readonly digests: readonly Hex[]
}

export interface Chain {
  readonly place: Place
  readonly roles: Readonly<Record<Role, Hex>>
  /** Accounts whose balances are looked at. */
  readonly accounts: readonly Hex[]
  readonly startedAt: number
  /** Puts everything back to the state before the first call. */
  reset(): Promise<void>
  /** Makes the moody account refuse native coin, or take it. */
  setMood(refuses: boolean): Promise<void>
  /**
   * Sends a call in a block of the given time.
   * @returns the events of Payments, or the error
   */
  send(
    call: Call,
    sender: Hex,
    timestampSeconds: number,
  ): Promise<{ events: readonly Said[]; refusal: Said | undefined }>
  /** @param timestampSeconds at which views are taken */
  view(asked: Asked, timestampSeconds: number): Promise<View>
  close(): Promise<void>
}

export const MONEY_OF_EACH = MONEY

/** @param plans of both vendors, each priced in the native coin or, where `token` is not zero, in the stablecoin */
export const openChain = async (plans: (token: Hex) => readonly PlanTerms[]): Promise<Chain> => {
  await hre.tasks.getTask('build').run({ quiet: true, noTests: true })
  const connection = await hre.network.create({
    override: { initialBaseFeePerGas: 0n, allowBlocksWithSameTimestamp: true, mining: { auto: true, interval: 0 } },
  })
  const { ethers, ignition } = connection
  const request = (method: string, ...params: unknown[]) => connection.provider.request({ method, params })
  const deployed = await ignition.deploy(chrove)
  const lower = (address: string) => address.toLowerCase() as Hex
  const registryAt = lower(await deployed.registry.getAddress())
  const payments = lower(await deployed.payments.getAddress())
  const stablecoin = await ethers.deployContract('Stablecoin')
  const token = lower(await stablecoin.getAddress())
  const { abi: registryAbi } = await hre.artifacts.readArtifact('VendorRegistry')
  const { abi: paymentsAbi } = await hre.artifacts.readArtifact('Payments')
  const { abi: tokenAbi } = await hre.artifacts.readArtifact('Stablecoin')
  const [registryFace, paymentsFace, tokenFace] = [registryAbi, paymentsAbi, tokenAbi].map((abi) => new Interface(abi))
  if (!registryFace || !paymentsFace || !tokenFace) throw new Error('made above')

  const keyOf = (role: Role) => new SigningKey(createHash('sha256').update(`ledger ${role}`).digest())
  const keys = new Map(ROLES.map((role) => [lower(computeAddress(keyOf(role))), keyOf(role)]))
  const roles = Object.fromEntries(ROLES.map((role) => [role, lower(computeAddress(keyOf(role)))])) as Record<Role, Hex>

  const transact = (from: Hex, to: Hex, data: string, value = 0n): Promise<unknown> =>
    request('eth_sendTransaction', { from, to, data, value: `0x${value.toString(16)}`, gas: GAS, gasPrice: '0x0' })
  const call = async (to: Hex, face: Interface, name: string, ...args: unknown[]) =>
    face.decodeFunctionResult(
      name,
      (await request('eth_call', { to, data: face.encodeFunctionData(name, args) }, 'pending')) as string,
    )

  for (const role of ROLES) {
    await request('hardhat_impersonateAccount', roles[role])
    await request('hardhat_setBalance', roles[role], `0x${MONEY.toString(16)}`)
    await transact(roles[role], token, tokenFace.encodeFunctionData('mint', [roles[role], MONEY]))
  }
  for (const [index, owner] of [roles.owner1, roles.owner2].entries()) {
    const input = {
      operator: roles.operator,
      payout: index === 0 ? roles.payout : roles.moody,
      signingKey: `0x${'01'.repeat(32)}`,
      encryptionKey: `0x${'02'.repeat(32)}`,
      endpoints: [],
      profile: '',
    }
    await transact(owner, registryAt, registryFace.encodeFunctionData('register', [input]))
    for (const { isStreamed, ...terms } of plans(token)) {
      const plan = { ...terms, settlement: isStreamed ? 1 : 0, title: '' }
      await transact(owner, registryAt, registryFace.encodeFunctionData('addPlan', [index + 1, plan]))
    }
  }
  const { timestamp } = (await request('eth_getBlockByNumber', 'latest', false)) as { timestamp: string }
  const chainId = BigInt((await request('eth_chainId')) as string)
  const [tokenDomain] = await call(token, tokenFace, 'DOMAIN_SEPARATOR')
  let snapshot = await request('evm_snapshot')

  const spell = ({ signer, digest, form }: Signature): string => {
    const key = keys.get(signer)
    if (form === 'none' || !key) return '0x'
    const { r, s, v, serialized } = key.sign(digest)
    if (form === 'good') return serialized
    return `${r}${(ORDER - BigInt(s)).toString(16).padStart(64, '0')}${v === 27 ? '1c' : '1b'}`
  }

  /** Contract, its functions, and the arguments of a call. */
  const encode = (asked: Call): readonly [to: Hex, data: string, value: bigint] => {
    const toPayments = (args: readonly unknown[], value = 0n) =>
      [payments, paymentsFace.encodeFunctionData(asked.do, args), value] as const
    const toRegistry = (...args: readonly unknown[]) =>
      [registryAt, registryFace.encodeFunctionData(asked.do, args), 0n] as const
    switch (asked.do) {
      case 'buy': {
        const { vendorId, planId, keyHash, periods, controller, value } = asked
        return toPayments([vendorId, planId, keyHash, periods, controller], value)
      }
      case 'buyWithPermit':
        return toPayments([asked.purchase, spell(asked.permit), spell(asked.signature)])
      case 'buyWithAuthorization':
        return toPayments([asked.purchase, spell(asked.authorization)])
      case 'cancel':
        return toPayments([asked.orderId, asked.refundTo])
      case 'cancelWithSignature': {
        const { orderId, startedAt, refundTo, deadline } = asked.cancellation
        return toPayments([orderId, startedAt, refundTo, deadline, spell(asked.signature)])
      }
      case 'vendorRefund':
        return toPayments([asked.orderId, asked.extra])
      case 'withdraw':
        return toPayments([asked.orderIds])
      case 'redeliver':
        return toPayments([asked.vendorId, asked.token])
      case 'deposit':
        return toPayments([asked.settings, asked.amount], asked.value)
      case 'depositWithPermit':
        return toPayments([asked.settings, asked.terms, spell(asked.permit), spell(asked.signature)])
      case 'depositWithAuthorization':
        return toPayments([asked.settings, asked.terms, spell(asked.authorization)])
      case 'claim':
        return toPayments([asked.claims.map(({ signature, ...claim }) => ({ ...claim, signature: spell(signature) }))])
      case 'refund':
        return toPayments([asked.settings, asked.to, asked.amount, spell(asked.signature)])
      case 'refundWithSignature':
        return toPayments([asked.settings, asked.terms, spell(asked.signature), spell(asked.approval)])
      case 'requestWithdrawal':
        return toPayments([asked.settings, asked.to])
      case 'requestWithdrawalWithSignature':
        return toPayments([asked.settings, asked.to, asked.deadline, spell(asked.signature)])
      case 'finalizeWithdrawal':
        return toPayments([asked.settings])
      case 'approve':
        return [token, tokenFace.encodeFunctionData('approve', [payments, asked.amount]), 0n]
      case 'setPayout':
        return toRegistry(asked.vendorId, asked.payout)
      case 'setActive':
        return toRegistry(asked.vendorId, asked.active)
      case 'setPlanOnSale':
        return toRegistry(asked.vendorId, asked.planId, asked.onSale)
    }
  }

  const say = (name: string, args: Iterable<unknown>): Said => [
    name,
    ...[...args].map((arg) => (typeof arg === 'bigint' ? arg : String(arg).toLowerCase())),
  ]
  const errorIn = (data: string): Said => {
    for (const face of [paymentsFace, registryFace, tokenFace]) {
      const error = face.parseError(data)
      if (error) return say(error.name, error.args)
    }
    return ['Unknown', data]
  }
  const dataOf = (error: unknown): string | undefined => {
    const { data } = error as { data?: unknown }
    const inner = typeof data === 'object' && data !== null ? (data as { data?: unknown }).data : data
    return typeof inner === 'string' ? inner : undefined
  }

  return {
    place: {
      ...{ payments, token, domain: paymentsDomain(chainId, payments), tokenDomain: String(tokenDomain) as Hex },
      orderIdOf: (vendorId, planId, keyHash) =>
        keccak256(
          AbiCoder.defaultAbiCoder().encode(['uint64', 'uint32', 'bytes32'], [vendorId, planId, keyHash]),
        ) as Hex,
    },
    roles,
    accounts: [...Object.values(roles), payments],
    startedAt: Number(timestamp),
    reset: async () => {
      await request('evm_revert', snapshot)
      snapshot = await request('evm_snapshot')
    },
    setMood: async (refuses) => void (await request('hardhat_setCode', roles.moody, refuses ? REFUSING_CODE : '0x')),
    send: async (asked, sender, timestampSeconds) => {
      await request('evm_setNextBlockTimestamp', timestampSeconds)
      try {
        const hash = await transact(sender, ...encode(asked))
        const { logs } = (await request('eth_getTransactionReceipt', hash)) as {
          logs: { address: string; topics: string[]; data: string }[]
        }
        const ours = logs.filter(({ address }) => lower(address) === payments)
        const events = ours.map((log) => paymentsFace.parseLog(log) as LogDescription)
        return { events: events.map(({ name, args }) => say(name, args)), refusal: undefined }
      } catch (error) {
        const data = dataOf(error)
        if (data === undefined) throw error
        return { events: [], refusal: errorIn(data) }
      }
    },
    view: async ({ orderIds, channelIds, digests }, timestampSeconds) => {
      await request('evm_setNextBlockTimestamp', timestampSeconds)
      const [orders] = await call(payments, paymentsFace, 'orders', orderIds)
      const [channels] = await call(payments, paymentsFace, 'channels', channelIds)
      const kept: bigint[] = []
      for (const vendorId of [1, 2]) {
        for (const currency of [NATIVE, token])
          kept.push(...(await call(payments, paymentsFace, 'kept', vendorId, currency)))
      }
      const used: boolean[] = []
      for (const digest of digests) used.push(...(await call(payments, paymentsFace, 'isUsed', digest)))
      const balances: bigint[] = []
      for (const account of [...Object.values(roles), payments]) {
        balances.push(BigInt((await request('eth_getBalance', account, 'latest')) as string))
        balances.push(...(await call(token, tokenFace, 'balanceOf', account)))
      }
      const plain = (rows: Iterable<Iterable<unknown>>) =>
        [...rows].map((row) =>
          [...row].map((value) => (typeof value === 'bigint' ? value : String(value).toLowerCase())),
        )
      return { orders: plain(orders), channels: plain(channels), kept, used, balances }
    },
    close: () => connection.close(),
  }
}
