/** Transactions of the vendor's account, as commands send them: said, tried, agreed to, stored, sent. */
import { createContractReader } from '../../chain/contracts.ts'
import { decodeLog } from '../../chain/decode-log.ts'
import type { ChroveEvent } from '../../chain/events.ts'
import { createRpc, type Call, type Receipt } from '../../chain/rpc.ts'
import { createAccount, type Account, type Quote } from '../../chain/transactions.ts'
import type { Address, Hex } from '../../chain/types.ts'
import type { Session } from '../../effects/command.ts'
import { fromHex, fromUtf8, utf8 } from '../../protocol/bytes.ts'
import type { VendorKeys } from '../keys.ts'
import { coins } from './money.ts'

/** A signed transaction that may not have been mined yet; empty when there is none. */
const PENDING_FILE = 'vendor-pending.txt'

export interface SendChoices {
  /** Only say what it would cost. */
  readonly dryRun?: boolean
  /** Do not ask. */
  readonly yes?: boolean
}

export const openAccount = async (session: Session, keys: VendorKeys): Promise<Account> => {
  const chainId = await createRpc(session.effects.chain).chainId(session.signal)
  return createAccount(session.effects, chainId, fromHex(keys.accountKey))
}

/**
 * Sends one call. What an earlier command sent and did not see mined comes first, so that nothing is done twice.
 * @returns the receipt; undefined for a dry run
 * @throws ContractRevert | ChainError | TransactionError | ERR_NOT_CONFIRMED
 */
export const sendCall = async (
  session: Session,
  account: Account,
  call: Call,
  what: string,
  { dryRun = false, yes = false }: SendChoices,
): Promise<{ readonly quote: Quote; readonly receipt?: Receipt }> => {
  const { effects, signal } = session
  await settlePending(session, account)
  const quote = await account.quote(call, signal)
  if (dryRun) return { quote }
  if (!yes) await session.confirm(`${what}: costs at most ${coins(quote.maxCostWei)}. Go on?`)
  session.say(`${what} …`)
  const persist = (raw: Hex) => effects.files.write(PENDING_FILE, utf8(raw))
  const receipt = await account.send(quote, { persist, signal })
  await effects.files.write(PENDING_FILE, utf8(''))
  return { quote, receipt }
}

/**
 * Brings to its end what an interrupted command began.
 * @returns its receipt, if there was one to wait for
 */
export const settlePending = async (session: Session, account: Account): Promise<Receipt | undefined> => {
  const { files } = session.effects
  const raw = fromUtf8((await files.read(PENDING_FILE)) ?? new Uint8Array())
  if (raw === '') return undefined
  session.say('Waiting for the transaction of an interrupted command …')
  const receipt = await account.resend(raw as Hex, session.signal)
  await files.write(PENDING_FILE, utf8(''))
  return receipt
}

/** The events of ours that a transaction wrote. */
export const eventsOf = async (session: Session, registry: Address, receipt: Receipt): Promise<ChroveEvent[]> => {
  const payments = await createContractReader(session.effects.chain).paymentsOf(registry, 'latest', session.signal)
  return receipt.logs
    .map((log) => decodeLog(log, { registry, payments }))
    .filter((event) => event.type !== 'Undecodable')
}
