/** Readers of options that several commands have. */
import { InvalidArgumentError } from 'commander'

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const

/** `90`, `15m`, `1d`, `4w`: seconds. */
export const duration = (text: string): number => {
  const [, count, unit = 's'] = /^(\d{1,9})([smhdw]?)$/.exec(text) ?? []
  const seconds = Number(count) * SECONDS[(unit || 's') as keyof typeof SECONDS]
  if (!(seconds >= 1 && seconds <= 0xffffffff))
    throw new InvalidArgumentError('must be a time such as 3600, 12h or 30d')
  return seconds
}
