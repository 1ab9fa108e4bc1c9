/** Which key a UUID has: registering, changing, looking up. @see SEED 002 §2 */
import { type Clock, nowSeconds } from '../effects/clock.ts'
import type { Jose } from '../protocol/jose.ts'
import { REGISTRATION_VERSIONS_MAX } from '../protocol/limits.ts'
import {
  type ClientRecord,
  openRegistration,
  type Registration,
  type RegistrationBody,
  verifyOldKey,
} from '../protocol/rendezvous/registration.ts'
import { requireRecent } from '../protocol/rendezvous/statement.ts'
import { isPinned } from '../protocol/rendezvous/uuid.ts'
import { RendezvousError } from './errors.ts'
import type { RendezvousStore, StoredClient } from './store.ts'

export interface Registry {
  /**
   * Registers a UUID, or gives it another key. The same registration again changes nothing.
   * @throws RendezvousError, ProtocolError
   */
  put(uuid: string, body: RegistrationBody): Promise<{ readonly outcome: 'added' | 'changed' | 'same' }>
  /** @throws ERR_CLIENT_UNKNOWN */
  get(uuid: string): Promise<ClientRecord>
}

export interface RegistryParts {
  readonly clock: Clock
  readonly jose: Jose
  readonly store: RendezvousStore
}

export const createRegistry = async (
  { clock, jose, store }: RegistryParts,
  { server, clientsMax }: { readonly server: string; readonly clientsMax: number },
): Promise<Registry> => {
  let count = await store.count()

  const add = async ({ uuid, version, key }: Registration, body: RegistrationBody) => {
    if (body.byOldKey !== undefined) {
      throw new RendezvousError('ERR_CLIENT_UNKNOWN', 'there is no key yet that another could take the place of')
    }
    if (count >= clientsMax) throw new RendezvousError('ERR_FULL', 'there is no room for more clients here')
    if (!(await store.add(uuid, version, key, body))) throw taken()
    count++
  }

  const change = async (current: StoredClient, { uuid, version, key }: Registration, body: RegistrationBody) => {
    if (body.byOldKey === undefined) throw taken()
    if (version <= current.version) throw outdated(current.version)
    await verifyOldKey(jose, body, current.key)
    const { length } = await store.history(uuid)
    if (length >= REGISTRATION_VERSIONS_MAX) {
      throw new RendezvousError(
        'ERR_VERSIONS_FULL',
        `a client has at most ${REGISTRATION_VERSIONS_MAX} keys in its life`,
      )
    }
    if (!(await store.change(uuid, current.version, version, key, body))) throw outdated(version)
  }

  return {
    async put(uuid, body) {
      const registration = await openRegistration(jose, body)
      if (registration.uuid !== uuid || registration.server !== server) {
        throw new RendezvousError('ERR_REGISTRATION_OTHER', `what was signed is not for this UUID at ${server}`, {
          server,
        })
      }
      const current = await store.find(uuid)
      const known = current && (await store.history(uuid))
      if (known?.at(-1)?.byNewKey.payload === body.byNewKey.payload) return { outcome: 'same' }
      requireRecent(registration.tsSeconds, nowSeconds(clock))
      if (current) await change(current, registration, body)
      else await add(registration, body)
      return { outcome: current ? 'changed' : 'added' }
    },

    async get(uuid) {
      const client = await store.find(uuid)
      if (client === undefined) throw new RendezvousError('ERR_CLIENT_UNKNOWN', 'nobody has registered this UUID here')
      const history = await store.history(uuid)
      const { kty, n, e } = client.key
      return { uuid, publicKey: { kty, n, e }, version: client.version, pinned: isPinned(uuid), history: [...history] }
    },
  }
}

const taken = () =>
  new RendezvousError('ERR_TAKEN', 'this UUID is registered: a change needs the signature of its present key too')

const outdated = (version: number) =>
  new RendezvousError('ERR_VERSION', `versions rise, and version ${version} is registered`, { version })
