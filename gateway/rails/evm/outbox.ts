/**
 * Transactions of the vendor's account that happen once each, whatever dies in between. A transaction has the id of what
 * it is for; it is signed once and stored before anybody sees it, and after a crash the same bytes are sent again. Only
 * when another transaction has taken its nonce in a final block, so that it can never happen, is a new one signed.
 */
import { Transaction } from 'ethers'
import { broadcast } from '../../../chain/deliver.ts'
import { ContractRevert, TransactionError } from '../../../chain/errors.ts'
import { type Call, createRpc, type Receipt } from '../../../chain/rpc.ts'
import type { Account } from '../../../chain/transactions.ts'
import type { Hash, Hex } from '../../../chain/types.ts'
import type { Chain } from '../../../effects/chain.ts'
import { nowSeconds, type Clock } from '../../../effects/clock.ts'
import { DEPTH_POLL_MS, DEPTH_TIMEOUT_MS } from './limits.ts'
import type { RailDatabase } from './store.ts'

export interface OutboxParts {
  readonly chain: Chain
  readonly clock: Clock
  readonly db: RailDatabase
  /** Nothing else in this process sends for it. */
  readonly account: Account
}

export interface Sending {
  /** Resolves once so many blocks follow the one it is in. */
  readonly depth?: number
  /** Refuses a call that may take more gas, before anything is signed. */
  readonly gasMax?: bigint
  /**
   * Unix seconds after which the id is forgotten: for what cannot happen twice by itself, such as a payer's
   * authorisation or a voucher's claim.
   */
  readonly untilSeconds?: number
  readonly signal?: AbortSignal
}

export interface Outbox {
  /**
   * Brings a call about, once for its id: again with the same id it waits for what was sent, whatever `call` says now.
   * @throws ContractRevert when it would do nothing, or was mined and did nothing: with the same id it is tried anew;
   *   TransactionError and ChainError when it may have been sent: to be asked again
   */
  send(id: string, call: Omit<Call, 'from'>, sending?: Sending): Promise<Receipt>
  /** Whether a transaction is signed for this id that has happened, or may; not once it is forgotten. */
  knows(id: string): Promise<boolean>
  /** The id that a transaction was signed for. */
  idOf(hash: Hash): Promise<string | undefined>
}

export const createOutbox = ({ chain, clock, db, account }: OutboxParts): Outbox => {
  const rpc = createRpc(chain)
  const underWay = new Map<string, Promise<Receipt>>()
  let offered: Promise<void> | undefined

  const find = (id: string) => db.selectFrom('transactions').selectAll().where('id', '=', id).executeTakeFirst()
  const mark = (id: string, state: 'done' | 'failed') =>
    db.updateTable('transactions').set({ state }).where('id', '=', id).execute()
  const forget = (id: string) => db.deleteFrom('transactions').where('id', '=', id).execute()

  /** What an earlier process signed is with the node before a nonce is given out: else it would be given out twice. */
  const offerSigned = async (): Promise<void> => {
    const rows = await db
      .selectFrom('transactions')
      .selectAll()
      .where('state', '=', 'signed')
      .orderBy('nonce')
      .execute()
    for (const { raw } of rows) {
      await broadcast(rpc, Transaction.from(raw)).catch((error: unknown) => {
        if (!(error instanceof TransactionError)) throw error
      })
    }
  }

  const keep = async (id: string, raw: Hex, hash: Hash, untilSeconds: number | undefined): Promise<void> => {
    const { nonce } = Transaction.from(raw)
    const row = { id, raw, hash, nonce, state: 'signed' as const, until_seconds: untilSeconds ?? null }
    await db.transaction().execute(async (tx) => {
      await tx.deleteFrom('transactions').where('until_seconds', '<', nowSeconds(clock)).execute()
      await tx.insertInto('transactions').values(row).execute()
    })
  }

  /** Whether another transaction has taken this nonce for good. */
  const isLost = async (nonce: number, hash: Hash, signal?: AbortSignal): Promise<boolean> =>
    (await rpc.nonce(account.address, 'finalized', signal)) > nonce && !(await rpc.knowsTransaction(hash, signal))

  const first = async (id: string, call: Omit<Call, 'from'>, sending: Sending): Promise<Receipt> => {
    const { signal, gasMax, untilSeconds } = sending
    const quote = await account.quote(call, signal)
    if (gasMax !== undefined && quote.gas > gasMax) throw new ContractRevert('GasTooHigh', { gas: quote.gas })
    const persist = (raw: Hex, hash: Hash) => keep(id, raw, hash, untilSeconds)
    return account.send(quote, { persist, ...(signal ? { signal } : {}) })
  }

  /** @returns undefined when nothing of this id can happen any more, and it may be begun anew */
  const again = async (row: Stored, signal?: AbortSignal): Promise<Receipt | undefined> => {
    try {
      return await account.resend(row.raw as Hex, signal)
    } catch (error) {
      if (!(error instanceof TransactionError && error.code === 'ERR_TRANSACTION_REPLACED')) throw error
      if (!(await isLost(row.nonce, row.hash as Hash, signal))) throw underWayStill(row.hash as Hash)
      await forget(row.id)
      return undefined
    }
  }

  /** A reorg could still bring about what was mined and undone: only once it cannot is there a second try. */
  const afterFailure = async (row: Stored, signal?: AbortSignal): Promise<void> => {
    const used = await rpc.nonce(account.address, 'finalized', signal)
    if (used <= row.nonce) throw underWayStill(row.hash as Hash)
    await forget(row.id)
  }

  const once = async (id: string, call: Omit<Call, 'from'>, sending: Sending): Promise<Receipt> => {
    for (;;) {
      const row = await find(id)
      if (row?.state === 'failed') {
        await afterFailure(row, sending.signal)
        continue
      }
      try {
        const receipt = row ? await again(row, sending.signal) : await first(id, call, sending)
        if (!receipt) continue
        if (row?.state !== 'done') await mark(id, 'done')
        return receipt
      } catch (error) {
        const isUndone =
          error instanceof ContractRevert ||
          (error instanceof TransactionError && error.code === 'ERR_TRANSACTION_FAILED')
        if (isUndone) await mark(id, 'failed')
        throw error
      }
    }
  }

  const untilDeep = async (id: string, call: Omit<Call, 'from'>, sending: Sending): Promise<Receipt> => {
    const { depth = 0, signal } = sending
    let receipt = await once(id, call, sending)
    if (depth === 0) return receipt
    for (let waitedMs = 0; ; waitedMs += DEPTH_POLL_MS) {
      const head = await rpc.block('latest', signal)
      if (head && head.number >= receipt.blockNumber + depth) {
        const now = await rpc.receipt(receipt.transactionHash, signal)
        if (now?.blockHash === receipt.blockHash) return receipt
        // A reorg took it out of its block: it is brought in again.
        receipt = await once(id, call, sending)
      } else if (waitedMs >= DEPTH_TIMEOUT_MS) throw underWayStill(receipt.transactionHash)
      await clock.sleep(DEPTH_POLL_MS, signal)
    }
  }

  return {
    async send(id, call, sending = {}) {
      offered ??= offerSigned()
      await offered.catch((error: unknown) => {
        offered = undefined
        throw error
      })
      const running = underWay.get(id) ?? untilDeep(id, call, sending).finally(() => underWay.delete(id))
      underWay.set(id, running)
      return running
    },

    async knows(id) {
      const row = await find(id)
      return row !== undefined && (row.until_seconds ?? Infinity) > nowSeconds(clock)
    },

    async idOf(hash) {
      const row = await db.selectFrom('transactions').select('id').where('hash', '=', hash).executeTakeFirst()
      return row?.id
    },
  }
}

type Stored = { readonly id: string; readonly raw: string; readonly hash: string; readonly nonce: number }

const underWayStill = (hash: Hash) =>
  new TransactionError('ERR_TRANSACTION_PENDING', 'it is not certain yet what becomes of it', hash)
