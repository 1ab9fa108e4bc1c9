/** Caps and amounts as a person writes them: `0.01`, `0.5:nano`, `2:0x…`. */
import { CommandError } from '../../effects/command-error.ts'
import { addTo } from '../../effects/command.ts'
import type { Settings } from '../../effects/command-settings.ts'
import type { Command } from 'commander'
import { parseAmount } from '../../protocol/amount.ts'
import type { Asset } from '../lib/paying/asset.ts'
import type { PayingCaps } from '../lib/paying/book.ts'

/** Adds the three caps to a command; they are settings as well. */
export const withCaps = (command: Command): Command =>
  command
    .option('--max-per-request <amount>', 'most that one request may cost; again for another currency', addTo)
    .option('--max-per-vendor <amount>', 'most that one vendor may ever get', addTo)
    .option('--max-per-day <amount>', 'most that all vendors may get in a day, UTC', addTo)

interface Written {
  readonly amount: string
  /** `coin`, a token's address in lower case, or `nano`. */
  readonly asset: string
}

/** @throws ERR_USAGE */
export const parseWritten = (option: string, text: string): Written => {
  const [, amount, asset = 'coin'] = /^(\d{1,40}(?:\.\d{1,30})?)(?::(coin|nano|0x[0-9a-fA-F]{40}))?$/.exec(text) ?? []
  if (amount !== undefined) return { amount, asset: asset.toLowerCase() }
  throw new CommandError('ERR_USAGE', `${option} is an amount such as 0.01, 0.5:nano or 2:0x… of a token`)
}

/** Smallest units. @throws ERR_USAGE when it has more decimals than the asset */
export const smallestUnits = (option: string, { amount }: Written, { decimals, label }: Asset): bigint => {
  const units = parseAmount(amount, decimals)
  if (units !== undefined) return units
  throw new CommandError('ERR_USAGE', `${option} has more than the ${decimals} decimals of ${label}`)
}

export const capsOf = ({ maxPerRequest, maxPerVendor, maxPerDay }: Settings, asset: Asset): PayingCaps => {
  const request = capIn('--max-per-request', maxPerRequest, asset)
  const vendor = capIn('--max-per-vendor', maxPerVendor, asset)
  const day = capIn('--max-per-day', maxPerDay, asset)
  return {
    ...(request === undefined ? {} : { request }),
    ...(vendor === undefined ? {} : { vendor }),
    ...(day === undefined ? {} : { day }),
  }
}

const capIn = (option: string, texts: readonly string[] = [], asset: Asset): bigint | undefined => {
  const written = texts.map((text) => parseWritten(option, text)).findLast((each) => each.asset === asset.name)
  return written && smallestUnits(option, written, asset)
}
