/** The registry of a rendezvous, as a client asks it; what it answers is believed as far as it is signed. @see SEED 002 §2 */
import { nowSeconds } from '../../effects/clock.ts'
import { NetworkError } from '../../effects/network.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { parseJson } from '../../protocol/json.ts'
import type { RsaKeyPair } from '../../protocol/keys.ts'
import { CLIENT_RECORD_BYTES_MAX, NONCE_BYTES } from '../../protocol/limits.ts'
import { parseProblem } from '../../protocol/problem.ts'
import {
  clientRecordSchema,
  type Registration,
  signRegistration,
  thumbprintText,
  verifyRecord,
} from '../../protocol/rendezvous/registration.ts'
import { createContacts } from './contacts.ts'
import type { ClientEffects } from './effects.ts'
import { RendezvousClientError } from './errors.ts'
import type { Identity } from './identity.ts'

const TIMEOUT_MS = 30_000

export interface FoundClient extends Registration {
  /** Whether it was met before, with this or an earlier key. */
  readonly isKnown: boolean
}

export interface RegistryDoor {
  /**
   * Makes sure that our key is the registered one.
   * @throws ERR_TAKEN and others of RendezvousClientError
   */
  register(identity: Identity): Promise<void>
  /**
   * Gives our UUID another key.
   * @throws RendezvousClientError
   */
  changeKey(identity: Identity, next: RsaKeyPair): Promise<void>
  /**
   * A client's key, proven.
   * @returns undefined when nobody has registered this UUID
   * @throws ERR_PEER_UNTRUSTED and others of RendezvousClientError
   */
  find(uuid: string): Promise<FoundClient | undefined>
  /** Whoever proved to have the key that was found is one who was met: from now on it is known. */
  remember(client: FoundClient): Promise<void>
}

type DoorEffects = Pick<ClientEffects, 'clock' | 'random' | 'network' | 'jose' | 'files'>

export const createRegistryDoor = (
  { clock, random, network, jose, files }: DoorEffects,
  server: string,
  signal?: AbortSignal,
): RegistryDoor => {
  const contacts = createContacts(files)

  const exchange = async (uuid: string, init: RequestInit): Promise<{ status: number; body: unknown }> => {
    const limits = { timeoutMs: TIMEOUT_MS, bodyBytesMax: CLIENT_RECORD_BYTES_MAX, ...(signal && { signal }) }
    try {
      const response = await network.fetch(new Request(`${server}/clients/${uuid}`, init), limits)
      return { status: response.status, body: parseJson(new Uint8Array(await response.arrayBuffer())) }
    } catch (cause) {
      if (cause instanceof ProtocolError) throw strange(cause)
      if (!(cause instanceof NetworkError)) throw cause
      throw new RendezvousClientError('ERR_RENDEZVOUS_UNREACHABLE', 'the rendezvous cannot be reached', { cause })
    }
  }

  const put = async ({ uuid, keys }: Identity, version: number, old?: RsaKeyPair): Promise<void> => {
    const fresh = { server, uuid, version, tsSeconds: nowSeconds(clock), nonce: random.bytes(NONCE_BYTES) }
    const registration = await signRegistration(jose, fresh, keys, old?.privateKey)
    const headers = { 'content-type': 'application/json' }
    const { status, body } = await exchange(uuid, { method: 'PUT', headers, body: JSON.stringify(registration) })
    if (status !== 200 && status !== 201) throw refused(status, body)
  }

  const find = async (uuid: string): Promise<FoundClient | undefined> => {
    const { status, body } = await exchange(uuid, {})
    if (status === 404) return undefined
    if (status !== 200) throw refused(status, body)
    const record = clientRecordSchema.safeParse(body)
    if (!record.success) throw strange(record.error)
    const known = await contacts.known(uuid)
    const found = await verifyRecord(jose, record.data, { server, uuid, known }).catch((cause: unknown) => {
      if (!(cause instanceof ProtocolError)) throw cause
      throw new RendezvousClientError('ERR_PEER_UNTRUSTED', cause.message, { cause })
    })
    return { ...found, isKnown: known !== undefined }
  }

  return {
    find,
    remember: ({ uuid, version, key }) => contacts.remember(uuid, { version, thumbprint: thumbprintText(key) }),

    async register(identity) {
      const found = await find(identity.uuid)
      if (found === undefined) return put(identity, 1)
      if (found.key.n === identity.keys.publicKey.n) return
      throw new RendezvousClientError('ERR_TAKEN', 'this UUID is registered with another key than ours')
    },

    async changeKey(identity, next) {
      const found = await find(identity.uuid)
      if (found?.key.n === next.publicKey.n) return
      await put({ ...identity, keys: next }, (found?.version ?? 0) + 1, identity.keys)
    },
  }
}

const strange = (cause: unknown) =>
  new RendezvousClientError('ERR_RENDEZVOUS_ANSWER', 'what answers there is no rendezvous of Chrove', { cause })

const refused = (status: number, body: unknown): RendezvousClientError => {
  const problem = parseProblem(body)
  if (problem === undefined) return strange(undefined)
  if (problem.code === 'ERR_TAKEN')
    return new RendezvousClientError('ERR_TAKEN', 'somebody else has registered this UUID')
  const isPassing = status === 429 || status >= 500
  const text = `the rendezvous refused: ${problem.detail}`
  return new RendezvousClientError(isPassing ? 'ERR_RENDEZVOUS_BUSY' : 'ERR_RENDEZVOUS_REFUSED', text)
}
