/** Opens the accounts of a gateway that are on the chain of its vendor's registry. */
import { createAccount } from '../../../chain/transactions.ts'
import type { Address } from '../../../chain/types.ts'
import { CommandError } from '../../../effects/command-error.ts'
import { fromHex } from '../../../protocol/bytes.ts'
import type { AccountEntry, RailOpener } from '../open-rails.ts'
import { type EvmAccount, evmAccountSchema, openEvmAccounts } from './accounts.ts'
import { openLedgerBook } from './ledger-book.ts'

export const evmRails: RailOpener = {
  schemes: ['channel', 'order', 'x402'],

  async open({ session, keys, vendor }, entries) {
    if (!vendor) throw invalid('accounts on an EVM chain are a vendor’s: run `chrove vendor register` first')
    const { effects } = session
    const { uri, ...following } = vendor
    const { chainId, registry, vendorId } = uri
    const parsed = Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, parse(name, entry)]))
    const account = createAccount(effects, chainId, fromHex(keys.accountKey))
    const settings = { ...following, chainId, registry: registry as Address, vendorId }
    const book = await openLedgerBook(effects.sql.dialect('gateway'))
    try {
      const { rails, claims, close } = await openEvmAccounts(effects, settings, parsed, account, book)
      return {
        rails,
        run: (signal) => claims.run(signal),
        async close() {
          await close()
          await book.close()
        },
      }
    } catch (error) {
      await book.close()
      throw error
    }
  },
}

const parse = (name: string, entry: AccountEntry): EvmAccount => {
  const parsed = evmAccountSchema.safeParse(entry)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue?.path.length ? `, ${issue.path.join('.')}` : ''
  throw invalid(`account ${name}${place}: ${issue?.message ?? 'invalid'}`)
}

const invalid = (message: string) => new CommandError('ERR_SETTINGS_INVALID', message)
