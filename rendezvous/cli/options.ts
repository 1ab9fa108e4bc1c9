/** Options of the rendezvous' commands, and how they are read. */
import type { Command } from 'commander'
import { z } from 'zod'
import { CommandError } from '../../effects/command-error.ts'
import { addTo, type Session } from '../../effects/command.ts'
import { parseIp } from '../../protocol/ip-address.ts'
import { CANDIDATES_MAX } from '../../protocol/limits.ts'
import { serverNameSchema } from '../../protocol/rendezvous/statement.ts'

export const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(min).max(max))

export const ipOption = z.string().refine((text) => parseIp(text) !== undefined, 'must be an IP address')

/** @throws ERR_USAGE naming the option */
export const readOptions = <Value>(schema: z.ZodType<Value>, given: unknown): Value => {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const option = String(issue?.path[0]).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  throw new CommandError('ERR_USAGE', `--${option}: ${issue?.message ?? 'invalid'}`)
}

/** The name of the rendezvous: its URL without a slash at the end. @throws ERR_SETTING_MISSING | ERR_USAGE */
export const serverOf = ({ settings }: Session): string => {
  if (settings.rendezvous === undefined) {
    throw new CommandError('ERR_SETTING_MISSING', 'no rendezvous is set: give --rendezvous URL or CHROVE_RENDEZVOUS')
  }
  const name = serverNameSchema.safeParse(settings.rendezvous.replace(/\/+$/, ''))
  if (name.success) return name.data
  throw new CommandError('ERR_USAGE', `--rendezvous ${name.error.issues[0]?.message ?? 'is no URL'}`)
}

/** Of both who asks and who is asked. */
export const clientOptions = (command: Command): Command =>
  command
    .option('--rendezvous <url>', 'where the two of you find each other (CHROVE_RENDEZVOUS)')
    .option('--hide', 'show your address to nobody: connect through the relay only')
    .option('--port <port>', 'port to take connections on (default: any free one)')
    .option('--address <ip>', 'address of yours to share besides the one the server sees; again for more', addTo)
    .option('--local', 'connect to private addresses too: of the local network, or this machine')

export const clientOptionsShape = {
  hide: z.boolean().default(false),
  port: whole(0, 65_535).default(0),
  address: z.array(ipOption).max(CANDIDATES_MAX).default([]),
  local: z.boolean().default(false),
} as const
