/**
 * Registering a UUID with a public key, and giving it another key later: what a client signs, and how anybody checks,
 * without trusting the server, which key a UUID has. @see SEED 002 §2, §4
 */
import { z } from 'zod'
import { base64url } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import type { Jose } from '../jose.ts'
import { parsePublicKey, type RsaKeyPair, type RsaPrivateKey, type RsaPublicKey, thumbprintOf } from '../keys.ts'
import { NONCE_BYTES, REGISTRATION_VERSIONS_MAX } from '../limits.ts'
import { readStatement, serverNameSchema, signedSchema, signStatement, timeSchema } from './statement.ts'
import { isPinned, pinnedUuid, uuidSchema } from './uuid.ts'

const PURPOSE = 'chrove rendezvous registration'

const VERSION_MAX = 0xffffffff

const registrationSchema = z.strictObject({
  purpose: z.literal(PURPOSE),
  server: serverNameSchema,
  uuid: uuidSchema,
  key: z.strictObject({ kty: z.literal('RSA'), n: z.string(), e: z.string() }),
  /** Rises with each change. */
  version: z.int().min(1).max(VERSION_MAX),
  ts: timeSchema,
  nonce: z.string().length(Math.ceil((NONCE_BYTES * 4) / 3)),
})

/** Body of `PUT /clients/:uuid`: the same statement signed by the new key and, when there was one before, by the old. */
export const registrationBodySchema = z.strictObject({ byNewKey: signedSchema, byOldKey: signedSchema.optional() })

export type RegistrationBody = z.infer<typeof registrationBodySchema>

export interface Registration {
  readonly server: string
  readonly uuid: string
  readonly key: RsaPublicKey
  readonly version: number
  readonly tsSeconds: number
}

export interface NewRegistration extends Omit<Registration, 'key'> {
  /** 16 fresh random bytes. */
  readonly nonce: Uint8Array
}

/** @param old the key that this one takes the place of */
export const signRegistration = async (
  jose: Jose,
  { server, uuid, version, tsSeconds, nonce }: NewRegistration,
  { publicKey, privateKey }: RsaKeyPair,
  old?: RsaPrivateKey,
): Promise<RegistrationBody> => {
  const { kty, n, e } = publicKey
  const told = { server, uuid, key: { kty, n, e }, version, ts: tsSeconds, nonce: base64url.encode(nonce) }
  const statement = { purpose: PURPOSE, ...told }
  const byNewKey = await signStatement(jose, statement, privateKey)
  return old === undefined ? { byNewKey } : { byNewKey, byOldKey: await signStatement(jose, statement, old) }
}

/**
 * Reads a registration that its new key has signed. Whether there is an old key to ask for is the caller's to know.
 * @throws ERR_STATEMENT | ERR_KEY_INVALID | ERR_JWS_INVALID; ERR_UUID when a UUID that follows from a key is given to another
 */
export const openRegistration = async (jose: Jose, body: RegistrationBody): Promise<Registration> => {
  const { server, uuid, key: jwk, version, ts } = readStatement(registrationSchema, body.byNewKey)
  const key = parsePublicKey(jwk)
  await jose.verify(body.byNewKey, key)
  if (body.byOldKey === undefined && isPinned(uuid) && pinnedUuid(key) !== uuid) {
    throw new ProtocolError('ERR_UUID', 'this UUID follows from another key')
  }
  return { server, uuid, key, version, tsSeconds: ts }
}

/**
 * Checks that the holder of the old key wants the same change.
 * @throws ERR_JWS_INVALID
 */
export const verifyOldKey = async (jose: Jose, { byNewKey, byOldKey }: RegistrationBody, old: RsaPublicKey) => {
  if (byOldKey?.payload !== byNewKey.payload) {
    throw new ProtocolError('ERR_JWS_INVALID', 'a change needs the signature of the key that is registered')
  }
  await jose.verify(byOldKey, old)
}

/** Answer of `GET /clients/:uuid`. Additional members are for later versions. */
export const clientRecordSchema = z.object({
  uuid: uuidSchema,
  publicKey: z.looseObject({}),
  version: z.int().min(1).max(VERSION_MAX),
  /** Whether the first key follows from the UUID, so that no server can have made it up. */
  pinned: z.boolean(),
  /** All registrations, the first one first. */
  history: z.array(registrationBodySchema).min(1).max(REGISTRATION_VERSIONS_MAX),
})

export type ClientRecord = z.infer<typeof clientRecordSchema>

/** What is known of a client from before. */
export interface KnownClient {
  readonly version: number
  /** RFC 7638, 32 bytes as base64url. */
  readonly thumbprint: string
}

/**
 * The key of a client, proven: each change is signed by the key before it, the first key is that of the UUID where it
 * follows from one, and what was known before is part of the story.
 * @throws ERR_RECORD_UNTRUSTED, also for a story that is older than what is known
 */
export const verifyRecord = async (
  jose: Jose,
  record: ClientRecord,
  expected: { readonly server: string; readonly uuid: string; readonly known?: KnownClient | undefined },
): Promise<Registration> => {
  const { known } = expected
  let isKnownMet = known === undefined
  let last: Registration | undefined
  try {
    for (const body of record.history) {
      const next: Registration = await openRegistration(jose, body)
      if (next.uuid !== expected.uuid || next.server !== expected.server) throw new Error('of another client')
      if (last === undefined && body.byOldKey !== undefined) throw new Error('not from its beginning')
      if (last !== undefined) {
        if (next.version <= last.version) throw new Error('versions do not rise')
        await verifyOldKey(jose, body, last.key)
      }
      if (next.version === known?.version) isKnownMet = thumbprintText(next.key) === known.thumbprint
      last = next
    }
    if (last === undefined || !isKnownMet) throw new Error('another story than before')
    if (record.version !== last.version || parsePublicKey(record.publicKey).n !== last.key.n) throw new Error('differs')
    return last
  } catch (cause) {
    const text = 'the server cannot show that this key is the one of this client: it may be lying'
    throw new ProtocolError('ERR_RECORD_UNTRUSTED', text, { cause })
  }
}

export const thumbprintText = (key: RsaPublicKey): string => base64url.encode(thumbprintOf(key))
