/** The client of a command, running as long as the command does. */
import type { Session } from '../../effects/command.ts'
import { NetworkError } from '../../effects/network.ts'
import { createJose } from '../../protocol/jose.ts'
import { RendezvousClientError } from '../client/errors.ts'
import type { Asking, Decision } from '../client/introductions.ts'
import { type Connected, openRendezvousClient, type RendezvousClient } from '../client/index.ts'
import type { FoundClient } from '../client/registry-door.ts'
import { openIdentity, settleIdentity } from './home.ts'
import { serverOf } from './options.ts'
import type { CommandTools } from './tools.ts'

export interface ClientChoices {
  readonly hide: boolean
  readonly port: number
  readonly address: readonly string[]
  readonly local: boolean
  readonly uniform: boolean | undefined
}

export interface ClientEvents {
  decide(asking: Asking): Promise<Decision>
  connected(connection: Connected): void
  failed(peer: FoundClient, error: Error): void
}

export interface RunningClient {
  readonly client: RendezvousClient
  readonly uuid: string
  /** Rejects when the client cannot go on. */
  readonly failing: Promise<never>
  close(): Promise<void>
}

/** @throws RendezvousClientError, ERR_NETWORK_ADDRESS_IN_USE */
export const runClient = async (
  session: Session,
  tools: CommandTools,
  { hide, port, address, local, uniform }: ClientChoices,
  events: ClientEvents,
): Promise<RunningClient> => {
  const server = serverOf(session)
  const identity = await settleIdentity(session, server, await openIdentity(session))
  const isProxied = session.settings.proxy !== undefined
  const client = await openRendezvousClient(
    { ...session.effects, ...tools, jose: createJose() },
    {
      ...{ server, identity, uniform, hide, hosts: address, allowPrivate: local, isProxied },
      // What comes in would not come through the proxy, and tell where we are.
      listen: isProxied ? undefined : { host: await anyHost(session, hide), port },
      ...events,
    },
  )
  const stopping = new AbortController()
  const failing = client.run(AbortSignal.any([session.signal, stopping.signal])).then(() => {
    throw session.signal.reason ?? new RendezvousClientError('ERR_RENDEZVOUS_UNREACHABLE', 'the client was stopped')
  })
  failing.catch(() => {})
  return {
    ...{ client, uuid: identity.uuid, failing },
    async close() {
      stopping.abort(new RendezvousClientError('ERR_RENDEZVOUS_UNREACHABLE', 'the client was stopped'))
      await client.close()
    },
  }
}

/** All addresses of this machine, of both families where it has both. */
const anyHost = async ({ effects }: Session, hide: boolean): Promise<string> => {
  if (hide) return '::'
  try {
    await (await effects.network.listen({ host: '::', port: 0 }, (connection) => connection.destroy())).close()
    return '::'
  } catch (error) {
    if (error instanceof NetworkError) return '0.0.0.0'
    throw error
  }
}
