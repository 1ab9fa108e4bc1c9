/** The keyring's accounts, ready to sign for a chain. */
import { createAccount, type Account } from '../../chain/transactions.ts'
import type { Address } from '../../chain/types.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { BuyerError } from '../errors.ts'
import type { BuyerEffects } from './effects.ts'
import type { Keyring } from './keyring.ts'
import type { Market } from './market.ts'

export interface Accounts {
  /** The one that pays. @throws ERR_KEYRING_MISSING */
  payer(market: Market): Promise<Account>
  /** @throws ERR_ACCOUNT_INVALID unless it is in the keyring */
  of(market: Market, address: Address): Promise<Account>
}

export const createAccounts = ({ chain, clock }: Pick<BuyerEffects, 'chain' | 'clock'>, keyring: Keyring): Accounts => {
  /** Each counts its own nonces, so there is one of an address. */
  const opened = new Map<Address, Account>()

  const of = async ({ chainId }: Market, address: Address): Promise<Account> => {
    const { accounts } = await keyring.read()
    const known = opened.get(address)
    if (known) return known
    const secret = accounts.find((account) => account.address === address)
    if (!secret)
      throw new BuyerError('ERR_ACCOUNT_INVALID', 'the account of this order is not in the keyring: import it')
    const account = createAccount({ chain, clock }, chainId, fromHex(secret.privateKey))
    opened.set(address, account)
    return account
  }

  return {
    of,
    async payer(market) {
      const { accounts } = await keyring.read()
      return of(market, accounts[0]?.address as Address)
    },
  }
}
