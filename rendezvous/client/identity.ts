/** Who a client is: its UUID and key, in one sealed file, `rendezvous.json`. */
import { z } from 'zod'
import type { Random } from '../../effects/random.ts'
import type { Jose } from '../../protocol/jose.ts'
import { parsePrivateKey, publicKeyOf, type RsaKeyPair } from '../../protocol/keys.ts'
import { pinnedUuid, uuidSchema } from '../../protocol/rendezvous/uuid.ts'
import { deriveSealingKey, seal, SEAL_NONCE_BYTES, SEAL_SALT_BYTES, unseal } from '../../protocol/sealed-file.ts'

export interface Identity {
  readonly uuid: string
  readonly keys: RsaKeyPair
  /** Keys that are on their way into the registry. */
  readonly next?: RsaKeyPair | undefined
}

const fileSchema = z.strictObject({
  version: z.literal(1),
  uuid: uuidSchema,
  key: z.unknown(),
  next: z.unknown().optional(),
})

/** A new client, whose UUID follows from its key. */
export const generateIdentity = async (jose: Jose): Promise<Identity> => {
  const keys = await jose.generateKeyPair()
  return { uuid: pinnedUuid(keys.publicKey), keys }
}

export const sealIdentity = ({ uuid, keys, next }: Identity, passphrase: string, random: Random): Uint8Array =>
  seal(
    { version: 1, uuid, key: keys.privateKey, ...(next && { next: next.privateKey }) },
    deriveSealingKey(passphrase, random.bytes(SEAL_SALT_BYTES)),
    random.bytes(SEAL_NONCE_BYTES),
  )

/** @throws ERR_SEALED_FILE | ERR_KEY_INVALID */
export const unsealIdentity = (file: Uint8Array, passphrase: string): Identity => {
  const { uuid, key, next } = fileSchema.parse(unseal(file, passphrase).value)
  return { uuid, keys: pairOf(key), ...(next !== undefined && { next: pairOf(next) }) }
}

const pairOf = (jwk: unknown): RsaKeyPair => {
  const privateKey = parsePrivateKey(jwk)
  return { privateKey, publicKey: publicKeyOf(privateKey) }
}
