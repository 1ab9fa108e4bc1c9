/**
 * Payments in nano. A payer sends to the service's account, and what was sent is its credit at once; the send stays
 * receivable until its credit is used up, and only then is received. What is left goes back by a send. The account that
 * sent signs the vouchers.
 * @see SEED 004 "Implementation details with NANO"; docs/nano.md
 */
import type { Clock } from '../../../effects/clock.ts'
import type { Heads } from '../../../effects/heads.ts'
import type { Log } from '../../../effects/log.ts'
import type { Network } from '../../../effects/network.ts'
import type { Random } from '../../../effects/random.ts'
import type { SqlStore } from '../../../effects/store.ts'
import { formatNanoAccount, parseNanoAccount } from '../../../protocol/nano/account.ts'
import { upperHex } from '../../../protocol/nano/block.ts'
import { nanoPublicKeyOf } from '../../../protocol/nano/signature.ts'
import { NANO_ALGORITHM, nanoVoucherHolds } from '../../../protocol/nano/voucher.ts'
import { GatewayError } from '../../errors.ts'
import type { Deposits, Rail, SignedVoucher } from '../../rail.ts'
import { createFollower } from './deposits.ts'
import { NanoError } from './errors.ts'
import { keepGoing } from './keep-going.ts'
import { CONFIRMATION_POLL_MS, REFUND_WAIT_MS } from './limits.ts'
import { createNanoNode } from './node.ts'
import { receiveOf, refundOf } from './payments.ts'
import type { NanoSettings } from './settings.ts'
import { openNanoStore } from './store.ts'
import { createWorkFinder } from './work.ts'
import { createWriter, type WriterStep } from './writer.ts'

export interface NanoEffects {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  /** Tells that something about the service's account was confirmed. */
  readonly confirmations: Heads
  readonly sql: SqlStore
  readonly log: Log
}

export interface NanoRail extends Rail {
  /** After `run` has ended. */
  close(): Promise<void>
}

const NANO_DECIMALS = 30
/** The account that nobody has the key of. */
const BURN_KEY = '0'.repeat(64)

/**
 * @param secretKey of the service's account, 32 bytes; nothing else may use it while the rail runs
 * @throws TypeError when the node's URL is none, and what opening the database throws
 */
export const createNanoRail = async (
  effects: NanoEffects,
  settings: NanoSettings,
  secretKey: Uint8Array,
): Promise<NanoRail> => {
  const { clock, log, confirmations } = effects
  const node = createNanoNode(effects.network, settings.rpc)
  const publicKey = nanoPublicKeyOf(secretKey)
  const account = formatNanoAccount(publicKey)
  const store = await openNanoStore(effects.sql.dialect(account.replace('_', '-')))
  const findWork = createWorkFinder(clock, node, settings)
  let isReady = false
  /** Resolved when there is something new for the writer to do, and when payments were made. */
  let wanted = Promise.withResolvers<void>()
  let made = Promise.withResolvers<void>()
  const onMade = () => {
    made.resolve()
    made = Promise.withResolvers()
  }
  const link = upperHex(publicKey)
  const write = createWriter({ log, node, store, settings, findWork, account, secretKey, onMade })
  const follow = createFollower({ log, node, store, account, link, minimum: settings.minimumDeposit })

  /** An account that can be paid to, in its one spelling; not the service's own. */
  const payable = (text: string): string | undefined => {
    const key = parseNanoAccount(text)
    const digits = key && upperHex(key)
    return key && digits !== BURN_KEY && digits !== link ? formatNanoAccount(key) : undefined
  }

  const verify = ({ account: payer, jws }: SignedVoucher): void => {
    if (nanoVoucherHolds(jws, payer)) return
    throw new GatewayError('ERR_VOUCHER_SIGNATURE', `the voucher is not signed by this account with ${NANO_ALGORITHM}`)
  }

  const pauseAfter: Record<WriterStep, number> = {
    progress: 0,
    waiting: CONFIRMATION_POLL_MS,
    idle: settings.pollMs,
  }

  return {
    scheme: 'nano',
    id: `nano:${account}`,
    currency: { code: 'NANO', decimals: NANO_DECIMALS },
    serviceAccount: account,
    algorithm: NANO_ALGORITHM,
    ready: () => isReady,

    account(text) {
      const key = parseNanoAccount(text)
      return key && formatNanoAccount(key)
    },

    offer: () => ({}),

    async verify(voucher) {
      verify(voucher)
      return {}
    },

    async verifyRefund(voucher) {
      verify(voucher)
      if (payable(voucher.claims.to ?? '') === undefined)
        throw new GatewayError('ERR_REFUND_ADDRESS', 'a refund goes to a Nano account other than ours')
      return { authorization: '{}' }
    },

    home: payable,

    async refund({ id, account: payer, amount, to }, signal) {
      const destination = payable(to)
      if (destination === undefined)
        throw new GatewayError('ERR_REFUND_ADDRESS', 'a refund goes to a Nano account other than ours')
      const payment = refundOf(id, payer, amount, destination)
      await store.want([payment])
      wanted.resolve()
      const waiting = new AbortController()
      const until = AbortSignal.any([signal, waiting.signal])
      const tooLong = clock.sleep(REFUND_WAIT_MS, until).then(() => 'too long' as const)
      tooLong.catch(() => {})
      try {
        for (;;) {
          const change = made.promise.then(() => 'made' as const)
          const known = await store.payment(payment.id)
          if (known?.madeBy !== undefined) return { reference: known.madeBy }
          if ((await Promise.race([change, tooLong])) === 'too long')
            throw new NanoError('ERR_NANO_PENDING', 'the refund is not confirmed yet')
        }
      } finally {
        waiting.abort()
      }
    },

    async usedUp(depositIds) {
      const deposits = await store.depositsOf(depositIds)
      const byHash = new Map(deposits.map((deposit) => [deposit.hash, deposit]))
      const known = depositIds.map((id) => byHash.get(id)).filter((deposit) => deposit !== undefined)
      await store.want(known.filter(({ state }) => state === 'credited').map(receiveOf))
      wanted.resolve()
      if (known.length < depositIds.length) throw new NanoError('ERR_NANO_BEHIND', 'a deposit was not seen here yet')
    },

    async run(deposits: Deposits, signal) {
      // One part that fails stops the other, so that nothing goes on half alive.
      const failing = new AbortController()
      const until = AbortSignal.any([signal, failing.signal])
      let told = Promise.withResolvers<void>()
      let confirmed = Promise.withResolvers<void>()
      confirmations.listen(() => {
        told.resolve()
        confirmed.resolve()
      }, until)
      const following = async () => {
        await follow(deposits, until)
        isReady = true
        return settings.pollMs
      }
      const writing = async () => pauseAfter[await write(until)]
      const sendTold = () => (told = Promise.withResolvers()).promise
      const workTold = () => {
        wanted = Promise.withResolvers()
        confirmed = Promise.withResolvers()
        return Promise.race([wanted.promise, confirmed.promise])
      }
      const parts = [keepGoing(effects, following, sendTold, until), keepGoing(effects, writing, workTold, until)]
      await Promise.all(parts.map((part) => part.catch((error: unknown) => failing.abort(error))))
      if (failing.signal.aborted && !signal.aborted) throw failing.signal.reason
    },

    close: () => store.close(),
  }
}
