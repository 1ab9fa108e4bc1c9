/** A fetch that pays, for one run of a command: caps from the settings, and a person to agree to the rest. */
import { CommandError } from '../../effects/command-error.ts'
import type { Session } from '../../effects/command.ts'
import { parseAddress } from '../../chain/types.ts'
import { NATIVE_DECIMALS, parseAmount } from '../../protocol/amount.ts'
import { createJose } from '../../protocol/jose.ts'
import { BuyerError } from '../errors.ts'
import { KEYRING_FILE } from '../lib/keyring.ts'
import { amountText } from '../lib/paying/asset.ts'
import { createPayingFetch, type PayingFetch } from '../lib/paying/index.ts'
import type { Bill } from '../lib/paying/kit.ts'
import { capsOf, parseWritten, smallestUnits } from './caps.ts'
import { coin, oneLine } from './text.ts'

export interface PayingOptions {
  readonly vendor?: string
  /** What to put into an account at once. */
  readonly deposit?: string
  readonly yes?: true
}

/** @param isWanted whether the amount of a deposit was said, so that --yes agrees to it */
export const openPaying = async (session: Session, options: PayingOptions, isWanted = false): Promise<PayingFetch> => {
  const { effects, settings, passphrase, signal, say } = session
  const registry = settings.registry ? parseAddress(settings.registry) : undefined
  if (!registry) {
    throw new CommandError('ERR_SETTING_MISSING', 'no registry is set: give --registry ADDRESS or CHROVE_REGISTRY')
  }
  const spendCapWei = settings.maxSpend === undefined ? undefined : parseAmount(settings.maxSpend, NATIVE_DECIMALS)
  const deposit = options.deposit === undefined ? undefined : parseWritten('--deposit', options.deposit)
  return createPayingFetch(
    { ...effects, jose: createJose() },
    {
      registry,
      passphrase: async () => passphrase((await effects.files.read(KEYRING_FILE)) === undefined),
      caps: (asset) => capsOf(settings, asset),
      ...(spendCapWei === undefined ? {} : { spendCapWei }),
      ...(options.vendor === undefined ? {} : { vendor: options.vendor }),
      ...(deposit && {
        deposit: (asset) => (asset.name === deposit.asset ? smallestUnits('--deposit', deposit, asset) : undefined),
      }),
      // One request a process: each signature is for just what it costs.
      ahead: 0,
      approve: (bill) => approve(session, options, isWanted, bill),
      tell: say,
    },
    signal,
  )
}

const approve = async (session: Session, { yes }: PayingOptions, isWanted: boolean, bill: Bill): Promise<void> => {
  const { settings, say, confirm } = session
  const { request, vendor, day } = capsOf(settings, bill.asset)
  say(billText(bill))
  const isDoubtful = bill.kind === 'price' && bill.isDoubtful
  const isBounded = (vendor ?? day) !== undefined && (bill.kind === 'deposit' || request !== undefined)
  if (isBounded && !isDoubtful) return
  if (!yes) return confirm(bill.kind === 'deposit' ? 'Put this in?' : 'Pay this?')
  if (isDoubtful) {
    const text = `nobody is asked (--yes), so name the vendor if it is right: --vendor ${bill.vendor}`
    throw new BuyerError('ERR_VENDOR_UNNAMED', text)
  }
  if (isWanted) return
  const text = 'nobody is asked (--yes), so say with --max-per-request and --max-per-day how much may be paid'
  throw new BuyerError('ERR_SPEND_CAP', text)
}

const billText = (bill: Bill): string => {
  const amount = amountText(bill.amount, bill.asset)
  if (bill.kind === 'deposit') {
    const fee = bill.maxFeeWei === 0n ? '' : `, fee at most ${coin(bill.maxFeeWei)}`
    return `Deposit: ${amount} for ${bill.vendor} (${bill.scheme})${fee}`
  }
  const unit = { access: 'each answer', once: 'once', bit: 'its first bytes, by the bit', donation: 'a gift' }[bill.per]
  return [
    `Price:   ${amount}, ${unit} of ${oneLine(bill.route)} at ${oneLine(bill.host)}`,
    `Vendor:  ${bill.vendor}`,
    ...(bill.isDoubtful ? ['Only the host itself says, over plain HTTP, that it is of this vendor'] : []),
  ].join('\n')
}
