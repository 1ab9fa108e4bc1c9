/** For tests of the rails: a real EVM with Chrove, a vendor and a stablecoin on it; disks that survive crashes. */
import { createHash } from 'node:crypto'
import Sqlite from 'better-sqlite3'
import { SqliteDialect } from 'kysely'
import { createContractReader, paymentsCall, registryCall } from '../../../chain/contracts.ts'
import type { Call } from '../../../chain/rpc.ts'
import { createTokenReader } from '../../../chain/token.ts'
import { createAccount, type Account } from '../../../chain/transactions.ts'
import { type Address, type Hex, ZERO_ADDRESS } from '../../../chain/types.ts'
import type { Chain } from '../../../effects/chain.ts'
import type { Clock } from '../../../effects/clock.ts'
import { noHeads } from '../../../effects/heads.ts'
import { silentLog } from '../../../effects/log.ts'
import type { SqlStore } from '../../../effects/store.ts'
import { channelIdOf, paymentsDomain, signMessage } from '../../../protocol/typed-data.ts'
import { deployToken, type TestToken } from '../../../scripts/tokens.ts'
import { createLife, never, type Life } from '../../../sim/life.ts'
import { mortalDialect } from '../../../sim/mortal-dialect.ts'
import { startDevelopmentChain, type DevelopmentChain } from '../../../test/development-chain.ts'
import type { Deposit, Deposits } from '../../rail.ts'
import type { KnownSettings } from './channel-view.ts'
import { openEvmRails, type EvmEffects, type EvmSettings } from './index.ts'
import type { EvidenceBook } from './vouchers.ts'

export const CHAIN_ID = 31_337n
const COIN = { code: 'ETH', decimals: 18 }
const DOLLAR = { code: 'CTD', decimals: 6 }
/** Of each period of both plans, smallest units. */
export const CREDIT_PRICE = 1_000_000n

export interface TestWorld {
  readonly evm: DevelopmentChain
  readonly dollar: TestToken
  readonly vendorId: bigint
  /** Waiting makes blocks. */
  readonly clock: Clock
  /** Of the vendor, which is its own payout. */
  readonly vendor: Account
  readonly payer: Account
  /** Of the payer's vouchers. */
  readonly signerKey: Uint8Array
  readonly signer: Address
  readonly stranger: Account
  readonly domain: Hex
  readonly effects: Omit<EvmEffects, 'sql'>
  readonly settings: EvmSettings
  /** Settings of a channel of this vendor, which the number tells apart from others. */
  channel(salt: number, token?: Address): KnownSettings
  channelId(settings: KnownSettings): Hex
  voucher(settings: KnownSettings, cumulative: bigint): Hex
  send(account: Account, call: Omit<Call, 'from'>): Promise<Hex>
  deposit(settings: KnownSettings, amount: bigint): Promise<void>
  /** Buys credit in the name of a key, in the coin (plan 1) or the dollar (plan 2). */
  buyCredit(keyHash: Hex, planId: 1 | 2, periods: number): Promise<void>
  balance(token: Address, of: Address): Promise<bigint>
  /** Seconds of the newest block. */
  chainSeconds(): Promise<number>
  close(): Promise<void>
}

/** Takes about two seconds. */
export const openTestWorld = async (): Promise<TestWorld> => {
  const evm = await startDevelopmentChain()
  const dollar = await deployToken(evm.request, 'Stablecoin')
  const chainSeconds = async () =>
    Number(((await evm.request('eth_getBlockByNumber', ['latest', false])) as { timestamp: string }).timestamp)
  let seconds = await chainSeconds()
  const clock: Clock = {
    nowMs: () => seconds * 1000,
    async sleep(_ms, signal) {
      signal?.throwIfAborted()
      await evm.mine()
      seconds = await chainSeconds()
    },
  }
  /** Asks the node for each nonce: a reorg takes some back. */
  const accountOf = (index: number): Account => {
    const create = () => createAccount({ chain: evm, clock }, CHAIN_ID, evm.key(index))
    return { ...create(), send: (...sending) => create().send(...sending) }
  }
  const [vendor, payer, stranger] = [accountOf(1), accountOf(2), accountOf(4)]
  const signerKey = evm.key(3)
  const signer = accountOf(3).address
  const send = async (account: Account, call: Omit<Call, 'from'>) => {
    const { transactionHash } = await account.send(await account.quote(call))
    seconds = await chainSeconds()
    return transactionHash
  }
  const registration = {
    operator: ZERO_ADDRESS,
    payout: vendor.address,
    signingKey: `0x${'01'.repeat(32)}`,
    encryptionKey: `0x${'02'.repeat(32)}`,
    endpoints: [],
    profile: '{}',
  } as const
  await send(vendor, registryCall(evm.registry, 'register', registration))
  const vendorId = await createContractReader(evm).vendorCount(evm.registry)
  for (const token of [ZERO_ADDRESS, dollar.address]) {
    const plan = {
      token,
      price: CREDIT_PRICE,
      periodSeconds: 1,
      maxPeriods: 65_535,
      settlement: 'Instant',
      title: 'credit',
    } as const
    await send(vendor, registryCall(evm.registry, 'addPlan', vendorId, plan))
  }
  await dollar.mint(vendor.address, 10n ** 12n)
  await dollar.mint(payer.address, 10n ** 18n)
  await send(payer, {
    to: dollar.address,
    // approve(address,uint256)
    data: `0x095ea7b3${evm.payments.slice(2).padStart(64, '0')}${'f'.repeat(64)}`,
  })
  const domain = paymentsDomain(CHAIN_ID, evm.payments)
  const channel = (salt: number, token = ZERO_ADDRESS): KnownSettings => ({
    vendorId,
    payer: payer.address,
    signer,
    token,
    withdrawDelay: 3600,
    salt: `0x${salt.toString(16).padStart(64, '0')}`,
  })
  const tokens = createTokenReader(evm)
  const valueOf = (token: Address, amount: bigint) => (token === ZERO_ADDRESS ? { valueWei: amount } : {})

  return {
    evm,
    dollar,
    vendorId,
    clock,
    vendor,
    payer,
    signerKey,
    signer,
    stranger,
    domain,
    effects: {
      chain: evm,
      clock,
      heads: noHeads,
      log: silentLog,
      random: { bytes: (length) => new Uint8Array(length) },
    },
    settings: {
      chainId: CHAIN_ID,
      registry: evm.registry,
      vendorId,
      startBlock: 0,
      finalityBlocks: 1_000,
      confirmations: 0,
      pollMs: 1_000,
      channels: [
        { currency: COIN, token: ZERO_ADDRESS, withdrawDelayMinSeconds: 3600 },
        { currency: DOLLAR, token: dollar.address, withdrawDelayMinSeconds: 3600 },
      ],
      orders: [
        { currency: COIN, token: ZERO_ADDRESS, planIds: [1] },
        { currency: DOLLAR, token: dollar.address, planIds: [2] },
      ],
      x402: [{ currency: DOLLAR, token: dollar.address, payTo: vendor.address }],
      claims: { everySeconds: 3600, least: new Map() },
    },
    channel,
    channelId: (settings) => channelIdOf(domain, settings),
    voucher: (settings, cumulative) =>
      signMessage(domain, 'Voucher', { channelId: channelIdOf(domain, settings), cumulative }, signerKey),
    send,
    async deposit(settings, amount) {
      const call = paymentsCall(evm.payments, 'deposit', settings, amount)
      await send(payer, { ...call, ...valueOf(settings.token, amount) })
    },
    async buyCredit(keyHash, planId, periods) {
      const call = paymentsCall(evm.payments, 'buy', vendorId, planId, keyHash, periods, payer.address)
      const token = planId === 1 ? ZERO_ADDRESS : dollar.address
      await send(payer, { ...call, ...valueOf(token, CREDIT_PRICE * BigInt(periods)) })
    },
    balance: async (token, of) =>
      token === ZERO_ADDRESS
        ? BigInt((await evm.request('eth_getBalance', [of, 'latest'])) as string)
        : ((await tokens.balance(token, of)) ?? 0n),
    chainSeconds,
    close: () => evm.close(),
  }
}

/** A database that outlives the processes that open it, one after the other. */
export const createTestDisk = () => {
  let image: Buffer | undefined
  let opened: Sqlite.Database | undefined
  /** Ends a life after so many more calls of its database. */
  let callsLeft = Infinity

  const mount = (life: Life = createLife()): SqlStore => ({
    dialect() {
      const database = new Sqlite(image ?? ':memory:')
      opened = database
      const save = () => {
        if (opened !== database) return
        if (database.inTransaction) database.exec('rollback')
        image = database.serialize()
        database.close()
        opened = undefined
      }
      life.onEnd(save)
      const counted = <T>(work: () => T): T => {
        const result = work()
        if (--callsLeft === 0) life.end()
        return result
      }
      const watched = {
        close: save,
        prepare: (text: string) => {
          const statement = database.prepare(text)
          return {
            reader: statement.reader,
            all: (parameters: readonly unknown[]) => counted(() => statement.all(...parameters)),
            run: (parameters: readonly unknown[]) => counted(() => statement.run(...parameters)),
            iterate: (parameters: readonly unknown[]) => counted(() => statement.all(...parameters)[Symbol.iterator]()),
          }
        },
      }
      return mortalDialect(new SqliteDialect({ database: async () => watched }), life)
    },
  })
  return {
    mount,
    /** The process dies right after so many more calls of its database. */
    crashAfterCalls: (calls: number) => {
      callsLeft = calls
    },
  }
}

/** A node that a process asks only while it lives. */
export const mortalChain = (chain: Chain, life: Life): Chain => ({
  async request(method, params) {
    if (!life.isAlive()) return never()
    const answer = await chain.request(method, params)
    return life.isAlive() ? answer : never()
  },
})

/** A ledger that checks what it is told, and adds it up. */
export const createTestLedger = () => {
  const known = new Map<string, { readonly deposit: Deposit; readonly sign: 1n | -1n }>()
  const suspended = new Set<string>()
  const note = (deposit: Deposit, sign: 1n | -1n) => {
    if (deposit.amount <= 0n) throw new TypeError('a deposit is more than nothing')
    const before = known.get(deposit.id)
    const isSame =
      before?.sign === sign && before.deposit.amount === deposit.amount && before.deposit.account === deposit.account
    if (before && !isSame) throw new TypeError('one id for two deposits')
    known.set(deposit.id, { deposit, sign })
    return Promise.resolve()
  }
  const deposits: Deposits = {
    credit: (deposit) => note(deposit, 1n),
    debit: (deposit) => note(deposit, -1n),
    revoke: (id) => Promise.resolve(void known.delete(id)),
    suspend: (account, isSuspended) =>
      Promise.resolve(void (isSuspended ? suspended.add(account) : suspended.delete(account))),
  }
  return {
    deposits,
    balance: (account: string) =>
      [...known.values()]
        .filter(({ deposit }) => deposit.account === account)
        .reduce((sum, { deposit, sign }) => sum + sign * deposit.amount, 0n),
    accounts: () => [...new Set([...known.values()].map(({ deposit }) => deposit.account))].toSorted(),
    isSuspended: (account: string) => suspended.has(account),
  }
}

/** Follows the chain to its head, telling a ledger, and stops. */
export const catchUp = async (
  { effects, settings, vendor }: Pick<TestWorld, 'effects' | 'settings' | 'vendor'>,
  sql: SqlStore,
  deposits: Deposits,
): Promise<void> => {
  const stop = new AbortController()
  const clock: Clock = {
    nowMs: () => effects.clock.nowMs(),
    sleep: (ms) => Promise.resolve(ms === settings.pollMs ? stop.abort() : undefined),
  }
  const rails = await openEvmRails({ ...effects, clock, sql }, settings, vendor, createTestBook().book)
  await Promise.all(rails.rails.map((rail) => rail.run(deposits, stop.signal)))
  await rails.close()
}

/** What the ledger would keep for channels. */
export const createTestBook = () => {
  const kept = new Map<string, { readonly railId: string; readonly account: string; readonly evidence: string }>()
  const book: EvidenceBook = {
    of: (railId, account) => Promise.resolve(kept.get(`${railId} ${account}`)?.evidence),
    list: (railId, after, count) =>
      Promise.resolve(
        [...kept.values()]
          .filter((one) => one.railId === railId && one.account > after)
          .toSorted((a, b) => (a.account < b.account ? -1 : 1))
          .slice(0, count),
      ),
  }
  return {
    book,
    keep: (railId: string, account: string, evidence: string) =>
      void kept.set(`${railId} ${account}`, { railId, account, evidence }),
  }
}

/** 22 base64url characters that a number makes. */
export const refundId = (seed: number): string =>
  createHash('sha256').update(`refund ${seed}`).digest('base64url').slice(0, 22)
