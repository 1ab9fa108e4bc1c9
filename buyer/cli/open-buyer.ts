/** A buyer for one run of a command. */
import { parseAddress } from '../../chain/types.ts'
import { CommandError } from '../../effects/command-error.ts'
import type { Session } from '../../effects/command.ts'
import { NATIVE_DECIMALS, parseAmount } from '../../protocol/amount.ts'
import { createJose } from '../../protocol/jose.ts'
import { createBuyer, type Buyer } from '../lib/index.ts'
import { KEYRING_FILE } from '../lib/keyring.ts'
import { openMarket, type Market } from '../lib/market.ts'

const registryOf = ({ settings }: Session) => (settings.registry ? parseAddress(settings.registry) : undefined)

/** The registry of the settings, for commands that need no keyring. */
export const openMarketOf = (session: Session): Promise<Market> =>
  openMarket(session.effects, registryOf(session), session.signal)

export const openBuyer = (session: Session): Buyer => {
  const { effects, settings, passphrase } = session
  const registry = registryOf(session)
  const spendCapWei = settings.maxSpend === undefined ? undefined : parseAmount(settings.maxSpend, NATIVE_DECIMALS)
  return createBuyer(
    { ...effects, jose: createJose() },
    {
      ...(registry === undefined ? {} : { registry }),
      ...(settings.directory === undefined ? {} : { directory: settings.directory }),
      ...(spendCapWei === undefined ? {} : { spendCapWei }),
      // A keyring that is not there yet gets a new passphrase.
      passphrase: async () => passphrase((await effects.files.read(KEYRING_FILE)) === undefined),
    },
  )
}

/** @throws ERR_USAGE unless the text is a whole number from 1 to `max` */
export const wholeNumber = (name: string, text: string, max: number): number => {
  const value = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : NaN
  if (value <= max) return value
  throw new CommandError('ERR_USAGE', `${name} must be a whole number from 1 to ${max}`)
}
