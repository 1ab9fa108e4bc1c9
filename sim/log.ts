/** The log of one simulated host: its events go into the trace. */
import type { Log, LogFields } from '../effects/log.ts'
import type { Life } from './life.ts'
import type { Trace } from './trace.ts'

export const createSimLog = (trace: Trace, host: string, life: Life): Log => {
  const at = (level: string) => (event: string, fields?: LogFields) => {
    if (!life.isAlive()) return
    const facts = Object.entries(fields ?? {}).filter(([, value]) => value !== undefined)
    trace.add(
      'log',
      host,
      level,
      event,
      ...facts.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}`),
    )
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
