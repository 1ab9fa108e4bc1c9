/**
 * For tests: what the gateway's ledger does with a rail, in memory. It outlives crashes, as a ledger on disk does, since
 * all it is told it has before its promise resolves.
 */
import type { Deposit, Deposits, Rail, Refund } from '../../rail.ts'

export interface BookRefund extends Refund {
  /** Once it is made. */
  reference?: string
}

export type Book = ReturnType<typeof createBook>

export const createBook = () => {
  const credits = new Map<string, Deposit>()
  const charged = new Map<string, bigint>()
  const refunds: BookRefund[] = []
  const told = new Set<string>()
  /** Calls that changed nothing: things told twice. */
  const counts = { credits: 0, revokes: 0 }

  const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((all, amount) => all + amount, 0n)
  const creditsOf = (account: string) => [...credits.values()].filter((credit) => credit.account === account)
  const usedOf = (account: string): bigint =>
    (charged.get(account) ?? 0n) +
    sum(refunds.filter((refund) => refund.account === account).map(({ amount }) => amount))
  const balance = (account: string): bigint => sum(creditsOf(account).map(({ amount }) => amount)) - usedOf(account)

  const deposits: Deposits = {
    async credit(deposit) {
      counts.credits++
      credits.set(deposit.id, deposit)
    },
    async revoke(id) {
      counts.revokes++
      credits.delete(id)
    },
    debit: () => Promise.reject(new Error('nobody takes money from the service but the service')),
    suspend: () => Promise.reject(new Error('no account of nano is suspended')),
  }

  /** The oldest credit is used first: what of an account is used up. */
  const usedUp = (account: string): readonly string[] => {
    let left = usedOf(account)
    return creditsOf(account)
      .filter(({ amount }) => (left -= amount) >= 0n)
      .map(({ id }) => id)
  }

  return {
    deposits,
    counts,
    balance,
    usedUp,
    credits: (): readonly Deposit[] => [...credits.values()],
    refunds: (): readonly BookRefund[] => refunds,

    /** A request that costs so much. @returns false where the answer is 402 */
    use(account: string, price: bigint): boolean {
      if (balance(account) < price) return false
      charged.set(account, (charged.get(account) ?? 0n) + price)
      return true
    },

    /** Takes what is left of an account to give it back. @returns false when that is less than the minimum */
    refund(account: string, to: string, minimum = 1n): boolean {
      const amount = balance(account)
      if (amount < minimum) return false
      const id = String(refunds.length).padStart(22, 'A')
      refunds.push({ id, account, amount, to, authorization: '{}' })
      return true
    },

    /** Tells the rail what there is to do, until the signal aborts; each thing again after a crash that came before its end. */
    async drive(rail: Rail, sleep: () => Promise<void>, signal: AbortSignal): Promise<void> {
      const underWay = new Set<string>()
      const bring = (refund: BookRefund) => {
        underWay.add(refund.id)
        rail.refund(refund, signal).then(
          ({ reference }) => (refund.reference = reference),
          (error: unknown) => {
            underWay.delete(refund.id)
            if (!signal.aborted && !(error as { retryable?: boolean }).retryable) throw error
          },
        )
      }
      while (!signal.aborted) {
        const accounts = new Set([...credits.values()].map(({ account }) => account))
        const fresh = [...accounts].flatMap(usedUp).filter((id) => !told.has(id))
        if (fresh.length > 0) {
          await rail.usedUp(fresh, signal)
          for (const id of fresh) told.add(id)
        }
        for (const refund of refunds) if (refund.reference === undefined && !underWay.has(refund.id)) bring(refund)
        await sleep()
      }
    },
  }
}
