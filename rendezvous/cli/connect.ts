/** `chrove connect`: asks a client for a connection, to talk or to send files. */
import type { Command } from 'commander'
import { z } from 'zod'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { thumbprintText } from '../../protocol/rendezvous/registration.ts'
import { isPinned, parseUuid } from '../../protocol/rendezvous/uuid.ts'
import type { PeerStream } from '../client/effects.ts'
import type { Connected } from '../client/index.ts'
import { chat } from './chat.ts'
import { runClient, type RunningClient } from './open-client.ts'
import { clientOptions, clientOptionsShape, readOptions } from './options.ts'
import { type Purpose, sayPurpose } from './purpose.ts'
import type { CommandTools } from './tools.ts'

const optionsSchema = z.object({ ...clientOptionsShape, send: z.array(z.string()).min(1).optional() })

export const addConnectCommand = (program: Command, { action }: CommandContext, tools: CommandTools): void => {
  const command = program
    .command('connect')
    .argument('<uuid>', 'of the client that runs `chrove listen`')
    .description('connect to another client, directly or through a relay, and talk or send files')
  clientOptions(command)
    .option('--send <paths...>', 'send these files and folders instead of talking')
    .addHelpText(
      'after',
      `
The other client is asked, and no address is shown before it agrees. The
connection is encrypted between the two of you, and each is sure of the other's
key. What you type, or what comes from standard input, is sent line by line.

Examples:
  $ chrove connect 5c146b14-3c52-8afd-938a-375d0df1fbf6
  $ chrove connect 5c146b14-3c52-8afd-938a-375d0df1fbf6 --hide --send photos
  $ echo 'the door is open' | chrove connect 5c146b14-3c52-8afd-938a-375d0df1fbf6`,
    )
    .action(action((session: Session, uuid: string, given: unknown) => connect(session, tools, parseUuid(uuid), given)))
}

const connect = async (
  session: Session,
  tools: CommandTools,
  uuid: string,
  given: unknown,
): Promise<Output | undefined> => {
  const { send, ...choices } = readOptions(optionsSchema, given)
  const running = await runClient(
    session,
    tools,
    { ...choices, uniform: undefined },
    {
      // Whoever only asks is not there to be asked.
      decide: async () => 'ignore',
      connected: ({ stream }) => stream.close(),
      failed: () => {},
    },
  )
  try {
    session.say('Asking …')
    const purpose = send ? 'files' : 'chat'
    const connection = await ask(session, running, uuid, purpose)
    if (send) return await sendFiles(session, tools, running, connection, send)
    await session.print(connectedOutput(connection))
    await chat(session, connection.stream)
    return undefined
  } finally {
    await running.close()
  }
}

const ask = async (
  { signal }: Session,
  { client, failing }: RunningClient,
  uuid: string,
  purpose: Purpose,
): Promise<Connected> => {
  const connection = await Promise.race([client.connect(uuid, signal), failing])
  await sayPurpose(connection.stream, purpose)
  return connection
}

const sendFiles = async (
  session: Session,
  tools: CommandTools,
  running: RunningClient,
  connection: Connected,
  paths: readonly string[],
): Promise<Output> => {
  session.say(connectedOutput(connection).text)
  let first: PeerStream | undefined = connection.stream
  const streams = async (): Promise<readonly PeerStream[]> => {
    const stream = first ?? (await ask(session, running, connection.peer.uuid, 'files')).stream
    first = undefined
    return [stream]
  }
  const { json, text } = await tools.sendFiles(session, streams, paths)
  return { json: { way: connection.way, ...json }, text }
}

/** What is to be known of whom one is connected to. */
export const connectedOutput = ({ peer, way }: Connected): Output => {
  const thumbprint = thumbprintText(peer.key)
  const pinned = isPinned(peer.uuid)
  const proof = pinned
    ? 'its key is that of its UUID'
    : peer.isKnown
      ? 'the key is the one it had before'
      : `met for the first time: compare the thumbprint of its key, ${thumbprint}`
  return {
    json: { connected: peer.uuid, way, thumbprint, pinned, known: peer.isKnown },
    text: `Connected to ${peer.uuid} ${way === 'direct' ? 'directly' : 'through the relay'}; ${proof}`,
  }
}
