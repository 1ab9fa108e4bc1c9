/**
 * What requests of this process come to on one account: each is counted before it is sent, and a voucher is there that
 * covers all of them. One thing at a time is signed or put in, so requests at once do not race.
 */
import { nowSeconds } from '../../../effects/clock.ts'
import type { RsaPublicKey } from '../../../protocol/keys.ts'
import type { Receipt } from '../../../protocol/payment-receipt.ts'
import type { VoucherSigner } from '../../../protocol/voucher.ts'
import type { CheckedOffer } from './asset.ts'
import { adopt, changePayer, depositedOf, most, payerOf, raise } from './book.ts'
import type { Missing, Payer, PayingBook } from './book.ts'
import { channelBalance, channelClaims, channelSigner, depositSize, fundChannel, signTotal } from './channel.ts'
import { buyCredit, creditSigner } from './credit.ts'
import { readBook, spendingOf, updateBook, type PayingKit } from './kit.ts'
import { fundNano, nanoSigner } from './nano.ts'
import { makeVoucher, type LiveVoucher } from './voucher-maker.ts'

/** A voucher of ours lives so long, seconds, unless the server takes shorter ones only. */
const VOUCHER_SECONDS = 3_600
const SHORT_VOUCHER_SECONDS = 50
/** A new one is made so long before the end of the last, seconds: requests take their time, and clocks differ. */
const RENEW_SECONDS = 20
/** Rounds of putting in and signing; each other process of this keyring can make one more of them necessary. */
const ROUNDS_MAX = 8

/** For what a voucher is needed. */
export interface Cover {
  readonly host: string
  readonly currency: string
  readonly encryptTo: RsaPublicKey
  /** How much further a channel may be signed. */
  readonly ahead: bigint
  /** How much to put in at once, where the caps let it. */
  readonly deposit: bigint
  /** What the vendor says it needs a channel's voucher to allow; 0 when it says nothing. */
  readonly demanded: bigint
  readonly signal?: AbortSignal | undefined
}

export interface Tab {
  readonly account: string
  readonly payer: Payer
  /**
   * Counts what a request may cost at most, before it is sent.
   * @param insteadOf what was counted for it before
   */
  agree(amount: bigint, insteadOf?: bigint): void
  /** A request that was counted cost less. */
  less(amount: bigint): void
  /**
   * A voucher that covers all that was agreed to, with the money for it in the account.
   * @throws ERR_SPEND_CAP | ERR_OVERCHARGED | ERR_BALANCE and what depositing throws
   */
  voucher(cover: Cover): Promise<LiveVoucher>
  /** Forgets the voucher of a host: the server takes it no more. @param isTooLong it takes shorter ones */
  drop(voucher: LiveVoucher, isTooLong?: boolean): void
  /** Goes on from a total that an earlier state of this keyring signed. @returns false unless its signature is ours */
  adopt(cumulative: bigint, signature: string): Promise<boolean>
  /** Looks again what is in the account. */
  refresh(): void
  /** What the vendor says was used, of an account whose money it has: what we lost count of. */
  learn(usage: bigint): void
  /** Keeps a receipt whose signature was checked. */
  keep(text: string, receipt: Receipt): void
  /** Writes down what was counted since. */
  flush(): Promise<void>
}

export const createTab = (kit: PayingKit, checked: CheckedOffer, first: Payer): Tab => {
  const { asset } = checked
  const spending = () => spendingOf(kit, first.vendor, asset)
  let payer = first
  /** Agreed to and not written down yet. */
  let more = 0n
  /** All that this process agreed to, and what was signed when it began: together the most that can be owed. */
  let intended = 0n
  let signedBefore = payer.signed
  let lifeSeconds = VOUCHER_SECONDS
  let inChannel: bigint | undefined
  let receipt: Payer['receipt']
  let signer: Promise<VoucherSigner> | undefined
  const live = new Map<string, LiveVoucher>()

  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work)
    turn = done.catch(() => {})
    return done
  }

  const written = (book: PayingBook): void => {
    payer = payerOf(book, first.id)
  }

  const isFresh = (voucher: LiveVoucher, { encryptTo }: Cover): boolean =>
    voucher.expSeconds - RENEW_SECONDS > nowSeconds(kit.effects.clock) && voucher.encryptTo.n === encryptTo.n

  const coverChannel = async (cover: Cover): Promise<void> => {
    for (let round = 1; ; round++) {
      if (most(payer.agreed + more, cover.demanded) <= payer.signed) return
      inChannel ??= await channelBalance(kit, payer, cover.signal)
      const now = more
      const { ahead, demanded } = cover
      const by = { more: now, ahead, demanded, ceiling: signedBefore + intended, deposited: inChannel }
      let short: Missing | undefined
      const book = await updateBook(kit, (before) => {
        const raised = raise(before, payer.id, spending(), by)
        short = 'missing' in raised ? raised : undefined
        return 'missing' in raised ? before : raised
      })
      written(book)
      if (short === undefined) {
        more -= now
        return
      }
      if (round === ROUNDS_MAX) throw new Error('money that was put in is not there')
      const { room } = short
      const needed = inChannel + short.missing
      const sizeFor = (missing: bigint) => depositSize(missing, cover.deposit, room)
      await fundChannel(kit, payer, asset, needed, sizeFor, cover.signal)
      inChannel = undefined
    }
  }

  const coverCredit = async ({ deposit, signal }: Cover): Promise<void> => {
    written(await readBook(kit))
    const needed = payer.agreed + more
    const missing = needed - depositedOf(payer)
    if (missing <= 0n && !isUnsent(payer)) return
    if (payer.scheme === 'nano') payer = await fundNano(kit, payer, asset, needed, deposit, signal)
    else payer = await buyCredit(kit, payer.vendor, checked, payer, missing, deposit, {}, signal)
  }

  const make = async ({ host, currency, encryptTo }: Cover): Promise<LiveVoucher> => {
    const isChannel = payer.scheme === 'channel'
    signer ??= signerOf(kit, payer)
    const cumulative = isChannel ? payer.signed : 0n
    const claims = isChannel ? channelClaims(kit, payer, cumulative) : {}
    const terms = { host, account: payer.account, currency, encryptTo, lifeSeconds, cumulative, more: claims }
    const voucher = await makeVoucher(kit, await signer, terms)
    live.set(host, voucher)
    return voucher
  }

  return {
    account: first.account,
    get payer() {
      return payer
    },
    agree(amount, insteadOf = 0n) {
      more += amount - insteadOf
      intended += most(0n, amount - insteadOf)
    },
    less(amount) {
      more -= amount
    },
    voucher: (cover) =>
      inTurn(async () => {
        if (payer.scheme === 'channel') await coverChannel(cover)
        else if (payer.agreed + more > depositedOf(payer) || isUnsent(payer)) await coverCredit(cover)
        const known = live.get(cover.host)
        const covers = payer.scheme !== 'channel' || known?.cumulative === payer.signed
        return known && covers && isFresh(known, cover) ? known : make(cover)
      }),
    drop(voucher, isTooLong = false) {
      if (live.get(voucher.host) === voucher) live.delete(voucher.host)
      if (isTooLong) lifeSeconds = SHORT_VOUCHER_SECONDS
    },
    adopt: (cumulative, signature) =>
      inTurn(async () => {
        if (payer.scheme !== 'channel' || signTotal(kit, payer, cumulative) !== signature) return false
        written(await updateBook(kit, (book) => adopt(book, payer.id, spending(), cumulative)))
        signedBefore = most(signedBefore, cumulative)
        live.clear()
        return true
      }),
    refresh() {
      inChannel = undefined
    },
    learn(usage) {
      more += most(0n, usage - payer.agreed - more)
    },
    keep(text, { usage, balance, ts }) {
      if (receipt && receipt.tsSeconds > ts) return
      receipt = { text, usage: String(usage), balance: String(balance), tsSeconds: ts }
    },
    flush: () =>
      inTurn(async () => {
        if (more === 0n && receipt === undefined) return
        const now = more
        const kept = receipt
        receipt = undefined
        const book = await updateBook(kit, (before) =>
          changePayer(before, payer.id, (old) => ({
            ...old,
            agreed: most(0n, old.agreed + now),
            ...(kept && { receipt: kept }),
          })),
        )
        written(book)
        more -= now
      }),
  }
}

/** Whether a process ended between signing a block and knowing that it is published: it counts, and may be nowhere yet. */
const isUnsent = ({ scheme, deposits }: Payer): boolean =>
  scheme === 'nano' && deposits.some(({ state }) => state === 'signed')

/** Who signs vouchers of an account. */
export const signerOf = async (kit: PayingKit, payer: Payer): Promise<VoucherSigner> => {
  if (payer.scheme === 'channel') return channelSigner(payer)
  return payer.scheme === 'nano' ? nanoSigner(kit, payer) : creditSigner(kit, payer)
}
