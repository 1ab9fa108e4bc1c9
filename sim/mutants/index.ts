/** The catalogue of seeded bugs. */
import { entryOf, signatureHashOf } from '../../chain/abi-encode.ts'
import type { Chain } from '../../effects/chain.ts'
import type { FileStore } from '../../effects/store.ts'
import { paymentsAbi } from '../../protocol/abi/payments.ts'
import { fromUtf8, utf8 } from '../../protocol/bytes.ts'
import type { Jose } from '../../protocol/jose.ts'
import type { SimRandom } from '../random.ts'
import type { TillEffects } from '../world/till.ts'
import type { Mutant } from './mutant.ts'
import { interceptSql, NO_ROWS, whenViewing, withoutLogs } from './wrap.ts'

const ACCESS = 'no credential without payment'
const DIRECTORY = 'directory equals contract'
const VENDOR = 'vendor equals chain'
const SIGNED = 'claimed ≤ signed ≤ deposited'
const CASHED = 'a voucher is cashed'

const topicOf = (name: 'OrderPaid' | 'OrderCancelled' | 'OrderRefunded' | 'OrderWithdrawn'): string =>
  signatureHashOf(entryOf(paymentsAbi, 'event', name))

/** The last written file is kept in memory and reaches the disk with the next one. */
const writeBehind = <E extends { readonly files: FileStore }>(effects: E): E => {
  const { files } = effects
  const waiting = new Map<string, Uint8Array>()
  return {
    ...effects,
    files: {
      ...files,
      read: async (name) => waiting.get(name) ?? files.read(name),
      write: async (name, content) => {
        const before = waiting.get(name)
        waiting.set(name, content)
        // The first file ever is what the world starts from.
        if (before ?? (await files.read(name)) === undefined) await files.write(name, before ?? content)
      },
    },
  }
}

/** What a till keeps on its disk, without the refunds that it agreed to. */
const forgetfulTill = (effects: TillEffects): TillEffects => {
  const { files } = effects
  const withoutPromises = (book: Uint8Array) =>
    utf8(fromUtf8(book).replaceAll(/"promised":\[[^\]]*\]/g, '"promised":[]'))
  return { ...effects, files: { ...files, write: (name, book) => files.write(name, withoutPromises(book)) } }
}

/** A node that tells of twice as much in each payment channel. */
const generousNode = (chain: Chain): Chain =>
  whenViewing(chain, 'channels', async (ask) => {
    const words = ((await ask()) as string).slice(2).match(/.{64}/g) ?? []
    // After where the list begins and how long it is, each channel has five words, and its balance is the first.
    const told = words.map((word, at) => {
      if (at < 2 || (at - 2) % 5 !== 0) return word
      return (2n * BigInt(`0x${word}`)).toString(16).padStart(64, '0')
    })
    return `0x${told.join('')}`
  })

/** Gives every nonce another name on the way in and takes it back on the way out. */
const forgetfulJose = (jose: Jose, random: SimRandom): Jose => {
  const renamed = new Map<string, string>()
  const back = (bytes: Uint8Array): Uint8Array => {
    let text = fromUtf8(bytes)
    for (const [fresh, nonce] of renamed) text = text.replaceAll(fresh, nonce)
    return utf8(text)
  }
  return {
    ...jose,
    verify: async (jws, key) => {
      const payload = fromUtf8(await jose.verify(jws, key))
      const nonce = /"nonce":"([\w-]{22})"/.exec(payload)?.[1]
      if (nonce === undefined) return utf8(payload)
      const fresh = Buffer.from(random.bytes(16)).toString('base64url')
      renamed.set(fresh, nonce)
      return utf8(payload.replace(nonce, fresh))
    },
    sign: (payload, key) => jose.sign(back(payload), key),
    encrypt: (plaintext, key) => jose.encrypt(back(plaintext), key),
  }
}

export const mutants: Readonly<Record<string, Mutant>> = {
  'vendor-ignores-cancel': {
    says: 'a vendor does not hear of cancellations',
    breaks: VENDOR,
    sabotage: {
      vendor: (effects) => ({
        ...effects,
        chain: withoutLogs(effects.chain, ({ topics }) => topics[0] === topicOf('OrderCancelled')),
      }),
    },
  },
  'vendor-ignores-refunds': {
    says: 'a vendor does not hear of the orders that it gave back',
    breaks: VENDOR,
    sabotage: {
      vendor: (effects) => ({
        ...effects,
        chain: withoutLogs(effects.chain, ({ topics }) => topics[0] === topicOf('OrderRefunded')),
      }),
    },
  },
  'vendor-keeps-undone-orders': {
    says: 'a vendor that undoes blocks keeps the orders that were paid in them',
    breaks: VENDOR,
    sabotage: {
      vendor: (effects) => ({
        ...effects,
        sql: interceptSql(effects.sql, async (query, honest) =>
          query.sql.startsWith('delete from "order_events"')
            ? NO_ROWS
            : honest({
                ...query,
                sql: query.sql.replace('insert into "order_events"', 'insert or replace into "order_events"'),
              }),
        ),
      }),
    },
  },
  'vendor-guard-forgets': {
    says: 'a vendor does not remember which codes it has answered',
    breaks: 'a code is answered once',
    sabotage: { vendor: (effects, random) => ({ ...effects, jose: forgetfulJose(effects.jose, random) }) },
  },
  'vendor-never-revokes': {
    says: 'a vendor looks once who has paid, and takes access from nobody later',
    breaks: ACCESS,
    sabotage: {
      vendor: (effects) => {
        const seen = new Map<unknown, unknown>()
        return {
          ...effects,
          sql: interceptSql(effects.sql, async (query, honest) => {
            const result = await honest(query)
            if (!/^select \* from "order_events".*"ends_at_seconds" >/.test(query.sql)) return result
            for (const row of result.rows) {
              const { order_id, type } = row as { order_id: string; type: string }
              if (type === 'OrderPaid') seen.set(order_id, row)
            }
            return { ...result, rows: [...seen.values()] }
          }),
        }
      },
    },
  },
  'vendor-serves-any-key': {
    says: 'a vendor that does not know a key takes it for another one that has paid',
    breaks: ACCESS,
    sabotage: {
      vendor: (effects) => ({
        ...effects,
        sql: interceptSql(effects.sql, async (query, honest) => {
          const result = await honest(query)
          if (result.rows.length > 0 || !query.sql.includes('"key_hash" = ?')) return result
          return honest({ ...query, sql: query.sql.replace('"key_hash" = ?', '("key_hash" = ? or 1)') })
        }),
      }),
    },
  },
  'vendor-misses-payments': {
    says: 'a vendor does not hear of some payments',
    breaks: VENDOR,
    sabotage: {
      vendor: (effects) => ({
        ...effects,
        chain: withoutLogs(
          effects.chain,
          ({ topics }) => topics[0] === topicOf('OrderPaid') && /[0-3]$/.test(topics[1] ?? ''),
        ),
      }),
    },
  },
  'vendor-signs-wrongly': {
    says: 'a vendor whose answers carry another signature than that of its registered key',
    breaks: 'paid is delivered once faults stop',
    sabotage: {
      vendor: (effects) => ({
        ...effects,
        jose: {
          ...effects.jose,
          sign: async (payload, key) => {
            const signed = await effects.jose.sign(payload, key)
            return { ...signed, signature: signed.signature.split('').reverse().join('') }
          },
        },
      }),
    },
  },
  'buyer-pays-before-saving': {
    says: 'a buyer takes a write for durable before it is',
    breaks: 'no purchase is paid twice',
    sabotage: { buyer: writeBehind },
  },
  'buyer-acknowledges-unsaid': {
    says: 'a command takes what it bought for known before it has said so',
    breaks: 'nobody pays twice for one wish',
    sabotage: { acknowledgesUnsaid: true },
  },
  'indexer-skips-rollback': {
    says: 'a directory that undoes blocks does not bring back what they had replaced',
    breaks: DIRECTORY,
    sabotage: {
      indexer: (effects) => ({
        ...effects,
        sql: interceptSql(effects.sql, async (query, honest) =>
          /^update "\w+" set "to_block" = \? where "to_block" > \?/.test(query.sql) ? NO_ROWS : honest(query),
        ),
      }),
    },
  },
  'indexer-misses-withdrawals': {
    says: 'a directory does not hear of withdrawals',
    breaks: DIRECTORY,
    sabotage: {
      indexer: (effects) => ({
        ...effects,
        chain: withoutLogs(effects.chain, ({ topics }) => topics[0] === topicOf('OrderWithdrawn')),
      }),
    },
  },
  'indexer-misses-refunds': {
    says: 'a directory does not hear of the orders that vendors gave back',
    breaks: DIRECTORY,
    sabotage: {
      indexer: (effects) => ({
        ...effects,
        chain: withoutLogs(effects.chain, ({ topics }) => topics[0] === topicOf('OrderRefunded')),
      }),
    },
  },
  'payer-signs-over-the-balance': {
    says: 'a payer believes its node, which tells of twice as much in a channel as there is',
    breaks: SIGNED,
    sabotage: { payer: generousNode },
  },
  'payer-trusts-the-newest-block': {
    says: 'a payer signs against deposits that a reorg can still undo',
    breaks: SIGNED,
    sabotage: {
      payer: (chain) => whenViewing(chain, 'channels', (ask) => ask('latest')),
    },
  },
  'till-acknowledges-before-saving': {
    says: 'a till takes a write for durable before it is',
    breaks: CASHED,
    sabotage: { till: writeBehind },
  },
  'till-forgets-its-promises': {
    says: 'a till takes vouchers for money that it agreed to give back',
    breaks: CASHED,
    sabotage: { till: forgetfulTill },
  },
  'bookkeeper-counts-twice': {
    says: 'the bookkeeper of the money property counts withdrawals twice: a canary',
    breaks: 'money conserved',
    sabotage: { countsPayoutsTwice: true },
  },
  'bookkeeper-counts-tokens-twice': {
    says: 'the bookkeeper of the money property counts what vendors get in the token twice: a canary',
    breaks: 'money conserved',
    sabotage: { countsTokenPayoutsTwice: true },
  },
}
