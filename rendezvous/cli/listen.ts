/** `chrove listen`: is there for others, who are let in by asking or by a rule. */
import type { Command } from 'commander'
import { z } from 'zod'
import { CommandError } from '../../effects/command-error.ts'
import { addTo, type CommandContext, type Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { uuidSchema } from '../../protocol/rendezvous/uuid.ts'
import type { Connected } from '../client/index.ts'
import { chat } from './chat.ts'
import { connectedOutput } from './connect.ts'
import { createGuests, type Guests } from './guests.ts'
import { type RunningClient, runClient } from './open-client.ts'
import { clientOptions, clientOptionsShape, readOptions } from './options.ts'
import { hearPurpose } from './purpose.ts'
import type { CommandTools } from './tools.ts'

const uuids = z
  .string()
  .toLowerCase()
  .transform((text) => text.split(','))
  .pipe(z.array(uuidSchema))

const optionsSchema = z.object({
  ...clientOptionsShape,
  accept: z.union([z.enum(['ask', 'all', 'known']), uuids]).default('ask'),
  block: z.array(uuidSchema).default([]),
  uniform: z.boolean().default(false),
  keep: z.boolean().default(false),
  out: z.string().default('.'),
})

type ListenOptions = z.infer<typeof optionsSchema>

export const addListenCommand = (program: Command, { action }: CommandContext, tools: CommandTools): void => {
  const command = program.command('listen').description('be there for other clients, who talk to you or send you files')
  clientOptions(command)
    .option('--accept <whom>', 'ask, all, known (met before), or UUIDs with commas between (default: ask)')
    .option('--block <uuid>', 'never to be asked by this client again; again for more', addTo)
    .option('--uniform', 'let refusing, ignoring and being away look alike, also later, while you are away')
    .option('--keep', 'go on after the first connection')
    .option('--out <folder>', 'where files go that are sent (default: here)')
    .addHelpText(
      'after',
      `
It shows your UUID: tell it to those who shall find you. Nobody learns your
address before you accept, and with --hide not even then. With --uniform those
who ask wait for as long whether you refuse, ignore them or are away.

One folder of keys is one client: a second \`chrove listen\` or \`connect\` with
the same --home takes its place.

Examples:
  $ chrove listen --rendezvous https://meet.example
  $ chrove listen --accept all --keep --out Downloads --hide`,
    )
    .action(action((session: Session, given: unknown) => listen(session, tools, given)))
}

const listen = async (session: Session, tools: CommandTools, given: unknown): Promise<Output | undefined> => {
  const options = readOptions(optionsSchema, given)
  const { accept, keep } = options
  if (accept === 'ask' && (keep || !session.terminal.interactive)) {
    const why = keep ? '--keep cannot ask while somebody talks' : 'nobody is here to be asked'
    throw new CommandError('ERR_USAGE', `${why}: give --accept all, known or UUIDs`)
  }
  const guests = createGuests(session, options)
  const running = await runClient(session, tools, options, {
    decide: guests.decide,
    connected: guests.came,
    failed(peer, error) {
      guests.failed()
      session.say(`${peer.uuid} could not be connected: ${error.message}`)
    },
  })
  try {
    for (const uuid of options.block) await Promise.race([running.client.block(uuid, session.signal), running.failing])
    const json = { uuid: running.uuid, ...(running.client.port !== undefined && { port: running.client.port }) }
    await session.print({ json, text: `${running.uuid}\nThere for those who know this UUID; stop with Ctrl-C.` })
    for (;;) {
      const guest = await Promise.race([guests.next(), running.failing])
      const output = await serveGuest(session, tools, running, guests, guest, options)
      if (!keep) return output
      if (output) await session.print(output)
    }
  } finally {
    await running.close()
  }
}

const serveGuest = async (
  session: Session,
  tools: CommandTools,
  running: RunningClient,
  guests: Guests,
  guest: Connected,
  { out, accept, keep }: ListenOptions,
): Promise<Output | undefined> => {
  guests.setServing(true)
  try {
    await session.print(connectedOutput(guest))
    const purpose = await hearPurpose(guest.stream)
    if (purpose === undefined) return guest.stream.close() as undefined
    if (purpose === 'chat') return (await chat(session, guest.stream)) as undefined
    let first: Connected | undefined = guest
    const streams = async (signal: AbortSignal) => {
      const { stream } = first ?? (await Promise.race([guests.again(guest.peer.uuid, signal), running.failing]))
      if (first === undefined) await hearPurpose(stream)
      first = undefined
      return [stream]
    }
    return await tools.receiveFiles(session, streams, { out, yes: accept !== 'ask' })
  } catch (error) {
    if (!keep || session.signal.aborted) throw error
    session.say((error as Error).message)
    return undefined
  } finally {
    guests.setServing(false)
  }
}
