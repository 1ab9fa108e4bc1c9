/** What `send` and `receive` read in the same way. */
import { InvalidArgumentError } from 'commander'
import { CommandError } from '../../../effects/command-error.ts'
import type { Session } from '../../../effects/command.ts'
import { CHANNEL_STREAMS_MAX } from '../../../protocol/limits.ts'
import { createTransfer, type Transfer } from '../index.ts'

export const streamCount = (text: string): number => {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= CHANNEL_STREAMS_MAX) return count
  throw new InvalidArgumentError(`must be a number from 1 to ${CHANNEL_STREAMS_MAX}`)
}

export const openTransfer = ({ effects, settings }: Session, streams: number): Transfer => {
  const { relay } = settings
  if (relay !== undefined) return createTransfer(effects, { relay, streams })
  throw new CommandError('ERR_SETTING_MISSING', 'no relay is set: give --relay URL or CHROVE_RELAY')
}

/** Ctrl-C, with what to do next. */
export const interrupted = (text: string): CommandError => new CommandError('ERR_INTERRUPTED', `interrupted; ${text}`)
