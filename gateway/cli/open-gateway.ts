/** A gateway with its rails, as the command line opens it: for what stands behind a proxy, and for a relay. */
import type { Session } from '../../effects/command.ts'
import { base64urlOfText, hmacSha256, sha256 } from '../../effects/digest-node.ts'
import { createAsideSqlStore } from '../../effects/store-node.ts'
import { postgresDialect } from '../../effects/store-postgres.ts'
import { turn } from '../../effects/turn-node.ts'
import type { Jose } from '../../protocol/jose.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { createGateway, type Gateway } from '../index.ts'
import { openRails, type RailContext, type RailOpener } from '../rails/open-rails.ts'
import type { GatewaySettings } from '../settings.ts'

/** What the command line lends: keys and settings are the vendor's, and a gateway knows no vendor's files. */
export interface GatewayParts {
  openKeys(session: Session): Promise<RailContext['keys']>
  vendorOf(session: Session): Promise<RailContext['vendor']>
  createJose(session: Session): Jose
  readonly openers: readonly RailOpener[]
}

export interface OpenGateway {
  readonly gateway: Gateway
  /** The gateway and its rails, until the signal aborts. @throws what makes one of them stop */
  run(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** @throws ERR_SETTINGS_INVALID, and what opening keys, rails and the database throws */
export const openGateway = async (
  session: Session,
  settings: GatewaySettings & { readonly database?: string | undefined },
  parts: GatewayParts,
): Promise<OpenGateway> => {
  const { effects } = session
  const keys = await parts.openKeys(session)
  const vendor = await parts.vendorOf(session)
  const rails = await openRails(parts.openers, { session, keys, vendor }, settings.accounts)
  try {
    const native = { turn, sha256, hmac: hmacSha256, encode: base64urlOfText }
    const service = { keys, rails: rails.rails, ...(vendor && { vendor: formatVendorUri(vendor.uri) }) }
    const jose = parts.createJose(session)
    const { database } = settings
    // The ledger is written with every request.
    const sql =
      database === undefined ? createAsideSqlStore(session.home) : { dialect: () => postgresDialect(database) }
    const gateway = await createGateway({ ...effects, ...native, sql, jose }, settings, service)
    return {
      gateway,
      async run(signal) {
        const failing = new AbortController()
        const until = AbortSignal.any([signal, failing.signal])
        const fail = (error: unknown) => failing.abort(error)
        await Promise.all([gateway.run(until).catch(fail), rails.run(until).catch(fail)])
        if (failing.signal.aborted && !signal.aborted) throw failing.signal.reason
      },
      async close() {
        await gateway.close()
        await rails.close()
      },
    }
  } catch (error) {
    await rails.close()
    throw error
  }
}
