/** A gateway for bytes that flow elsewhere, opened from a file of settings: what `chrove relay serve --paid` charges with. */
import type { Session } from '../../effects/command.ts'
import { createTabs, type Tabs } from '../tabs.ts'
import { type GatewayParts, openGateway } from './open-gateway.ts'
import { parseTabSettings, SETTINGS_BYTES_MAX } from './settings-file.ts'

export interface OpenTabs extends Tabs {
  /** Follows deposits, until the signal aborts. @throws what makes it stop */
  run(signal: AbortSignal): Promise<void>
}

/** @throws ERR_SETTINGS_INVALID, and what `openGateway` throws */
export const openTabs = async (session: Session, config: string, parts: GatewayParts): Promise<OpenTabs> => {
  const settings = parseTabSettings(await session.userFiles.read(config, SETTINGS_BYTES_MAX), config)
  const opened = await openGateway(session, settings, parts)
  const tabs = createTabs(opened.gateway, session.effects.log)
  return {
    ...tabs,
    run: opened.run,
    async close() {
      await tabs.close()
      await opened.close()
    },
  }
}
