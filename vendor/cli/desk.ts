/** What of the vendor's files, account and ways of speaking other parts of the command line are lent. */
import type { Account } from '../../chain/transactions.ts'
import type { Session } from '../../effects/command.ts'
import { openKeys, requireSettings } from './home.ts'
import { amountOption, coins, currencyJson, moneyText, readCurrencies } from './money.ts'
import { openAccount, sendCall } from './send.ts'

export const vendorDesk = {
  settingsOf: requireSettings,
  accountOf: async (session: Session): Promise<Account> => openAccount(session, await openKeys(session)),
  sendCall,
  amountOption,
  coins,
  currencyJson,
  moneyText,
  readCurrencies,
}
