/** Seeded bugs of metered access. */
import type { SqlStore } from '../../effects/store.ts'
import type { Deposits, Rail } from '../../gateway/rail.ts'
import type { CompiledQuery } from 'kysely'
import { base64url } from '../../protocol/bytes.ts'
import type { Mutant } from './mutant.ts'
import { interceptSql, NO_ROWS } from './wrap.ts'

const EACH = 'what is charged is what was asked for'
const SUMS = 'charged ≤ signed ≤ deposited'
const CHAIN = 'the ledger equals the chain'
const REFUNDS = 'refunds are exact and single'
const ONCE = 'a request is served once'

/** A database in which some statements do nothing. */
const without = (sql: SqlStore, isLeftOut: (sql: string) => boolean): SqlStore =>
  interceptSql(sql, async (query, honest) => (isLeftOut(query.sql) ? NO_ROWS : honest(query)))

/** A database in which what is written of accounts reaches the disk with the next such statement. */
const behind = (sql: SqlStore): SqlStore => {
  let waiting: CompiledQuery | undefined
  return interceptSql(sql, async (query, honest) => {
    if (!query.sql.startsWith('insert into "accounts"')) return honest(query)
    const before = waiting
    waiting = query
    return before ? honest(before) : NO_ROWS
  })
}

const telling = (rail: Rail, change: (deposits: Deposits) => Partial<Deposits>): Rail => ({
  ...rail,
  run: (deposits, signal) => rail.run({ ...deposits, ...change(deposits) }, signal),
})

const onlyChannels = (change: (rail: Rail) => Rail) => (rail: Rail) => (rail.scheme === 'channel' ? change(rail) : rail)

/** Another id, the same for the same. */
const otherId = (id: string): string => base64url.encode(base64url.decode(id).map((byte) => byte ^ 1))

export const meteredMutants: Readonly<Record<string, Mutant>> = {
  'gateway-forgets-vouchers': {
    says: 'a gateway does not write down which vouchers it has served, so that a restart begins their counters anew',
    breaks: ONCE,
    sabotage: {
      gateway: (effects) => ({
        ...effects,
        sql: without(effects.sql, (sql) => sql.startsWith('insert into "vouchers"')),
      }),
    },
  },
  'gateway-forgets-idempotency-keys': {
    says: 'a gateway charges the same request again, for it writes down no idempotency key',
    breaks: 'what is served is charged',
    sabotage: {
      gateway: (effects) => ({
        ...effects,
        sql: without(effects.sql, (sql) => sql.startsWith('insert into "idempotency"')),
      }),
    },
  },
  'gateway-forgets-what-was-paid-once': {
    says: 'a gateway charges again for what an account has paid once and for all',
    breaks: EACH,
    sabotage: {
      gateway: (effects) => ({ ...effects, sql: without(effects.sql, (sql) => sql.startsWith('insert into "once"')) }),
    },
  },
  'ledger-loses-deposits': {
    says: 'a ledger adds deposits to the sum of an account and does not write them down',
    breaks: SUMS,
    sabotage: {
      gateway: (effects) => ({
        ...effects,
        sql: without(effects.sql, (sql) => sql.startsWith('insert into "deposits"')),
      }),
    },
  },
  'ledger-writes-behind': {
    says: 'a ledger says that a charge is durable when the charge before it is',
    breaks: EACH,
    sabotage: { gateway: (effects) => ({ ...effects, sql: behind(effects.sql) }) },
  },
  'rail-believes-more-than-is-signed': {
    says: 'a gateway lets a channel be charged a little more than its voucher allows',
    breaks: SUMS,
    sabotage: {
      rail: onlyChannels((rail) => ({
        ...rail,
        verify: async (voucher) => {
          const { limit = 0n, ...authority } = await rail.verify(voucher)
          return { ...authority, limit: limit + 10n ** 15n }
        },
      })),
    },
  },
  'rail-throws-vouchers-away': {
    says: 'a gateway charges a channel and keeps no voucher that cashes it',
    breaks: 'a vendor can claim what it charged',
    sabotage: {
      rail: onlyChannels((rail) => ({
        ...rail,
        verify: async (voucher) => {
          const { evidence: _thrown, ...authority } = await rail.verify(voucher)
          return authority
        },
      })),
    },
  },
  'rail-credits-twice': {
    says: 'a rail tells the ledger of each deposit under two names',
    breaks: CHAIN,
    sabotage: {
      rail: (rail) =>
        telling(rail, (deposits) => ({
          credit: async (deposit) => {
            await deposits.credit(deposit)
            await deposits.credit({ ...deposit, id: `${deposit.id} again` })
          },
        })),
    },
  },
  'rail-keeps-undone-deposits': {
    says: 'a rail does not tell the ledger of deposits that a reorg took back',
    breaks: CHAIN,
    sabotage: { rail: (rail) => telling(rail, () => ({ revoke: async () => {} })) },
  },
  'rail-promises-refunds': {
    says: 'a rail says that it has paid a refund, and has not',
    breaks: REFUNDS,
    sabotage: { rail: (rail) => ({ ...rail, refund: async () => ({ reference: `0x${'0'.repeat(64)}` }) }) },
  },
  'rail-refunds-twice': {
    says: 'a rail pays each refund of credit under two names',
    breaks: REFUNDS,
    sabotage: {
      rail: (rail) =>
        rail.scheme === 'channel'
          ? rail
          : {
              ...rail,
              refund: async (refund, signal) => {
                await rail.refund({ ...refund, id: otherId(refund.id) }, signal)
                return rail.refund(refund, signal)
              },
            },
    },
  },
  'client-writes-nothing-down': {
    says: 'a client keeps in memory which accounts it has, and opens others after a crash',
    breaks: 'a request is paid once',
    sabotage: {
      paying: (effects) => {
        const { files } = effects
        const waiting = new Map<string, Uint8Array>()
        return {
          ...effects,
          files: {
            ...files,
            read: async (name) => waiting.get(name) ?? files.read(name),
            write: async (name, content) => {
              if ((await files.read(name)) === undefined) await files.write(name, content)
              waiting.set(name, content)
            },
          },
        }
      },
    },
  },
}
