/** From the entries of `accounts` in the settings to rails: each kind of money has an opener for its schemes. */
import type { Session } from '../../effects/command.ts'
import { CommandError } from '../../effects/command-error.ts'
import type { VendorUri } from '../../protocol/vendor-uri.ts'
import type { DirectRail, Rail } from '../rail.ts'
import type { GatewaySettings } from '../settings.ts'
import type { ServiceKeys } from '../offers.ts'

export type AccountEntry = GatewaySettings['accounts'][string]

/** What a service has when its rails are opened. */
export interface RailContext {
  readonly session: Session
  readonly keys: ServiceKeys & { readonly accountKey: `0x${string}` }
  /** Of a vendor that is registered, with what its own settings say about its chain. */
  readonly vendor: RegisteredVendor | undefined
}

export interface RegisteredVendor {
  readonly uri: VendorUri
  readonly startBlock: number
  readonly confirmations: number
  readonly finalityBlocks: number
  readonly pollMs: number
}

export interface OpenedRails {
  /** By the names of their entries. */
  readonly rails: ReadonlyMap<string, Rail | DirectRail>
  /** What they do beside following deposits, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export interface RailOpener {
  readonly schemes: readonly AccountEntry['scheme'][]
  /** @throws ERR_SETTINGS_INVALID for entries that do not fit */
  open(context: RailContext, entries: Readonly<Record<string, AccountEntry>>): Promise<OpenedRails>
}

/**
 * Opens the rails of all entries.
 * @throws ERR_SETTINGS_INVALID for a scheme that no opener knows
 */
export const openRails = async (
  openers: readonly RailOpener[],
  context: RailContext,
  entries: GatewaySettings['accounts'],
): Promise<OpenedRails> => {
  const all = Object.entries(entries)
  const unknown = all.find(([, { scheme }]) => !openers.some(({ schemes }) => schemes.includes(scheme)))
  if (unknown) {
    throw new CommandError(
      'ERR_SETTINGS_INVALID',
      `account ${unknown[0]}: this build has no rail for ${unknown[1].scheme}`,
    )
  }
  const opened: OpenedRails[] = []
  const close = async () => void (await Promise.all(opened.map((one) => one.close())))
  try {
    for (const opener of openers) {
      const own = all.filter(([, { scheme }]) => opener.schemes.includes(scheme))
      if (own.length > 0) opened.push(await opener.open(context, Object.fromEntries(own)))
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    rails: new Map(opened.flatMap(({ rails }) => [...rails])),
    run: async (signal) => void (await Promise.all(opened.map((one) => one.run(signal)))),
    close,
  }
}
