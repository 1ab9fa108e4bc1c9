/** The vendor's secrets: made once, kept in one sealed file, `vendor-keys.json`. */
import { z } from 'zod'
import { base64url, toHex } from '../protocol/bytes.ts'
import type { Jose } from '../protocol/jose.ts'
import { parsePrivateKey, publicKeyOf, type RsaKeyPair, thumbprintOf } from '../protocol/keys.ts'
import { deriveSealingKey, seal, SEAL_NONCE_BYTES, SEAL_SALT_BYTES, unseal } from '../protocol/sealed-file.ts'
import type { Random } from '../effects/random.ts'

export interface VendorKeys {
  /** Signs price documents and answers. */
  readonly signing: RsaKeyPair
  /** Codes are encrypted to it. */
  readonly encryption: RsaKeyPair
  /** 32 bytes from which accounts on the vendor's proxies follow. */
  readonly provisioningSecret: Uint8Array
  /** 32 bytes, `0x` hex: the account that owns the vendor in the registry. */
  readonly accountKey: `0x${string}`
}

const fileSchema = z.strictObject({
  version: z.literal(1),
  signing: z.unknown(),
  encryption: z.unknown(),
  provisioningSecret: z.base64url(),
  accountKey: z.string().regex(/^0x[0-9a-f]{64}$/),
})

export const generateVendorKeys = async (
  { jose, random }: { readonly jose: Jose; readonly random: Random },
  accountKey: `0x${string}`,
): Promise<VendorKeys> => ({
  signing: await jose.generateKeyPair(),
  encryption: await jose.generateKeyPair(),
  provisioningSecret: random.bytes(32),
  accountKey,
})

/** New RSA keys for the same vendor: its account, and its customers' accounts on its proxies, stay. */
export const rotateVendorKeys = async (jose: Jose, keys: VendorKeys): Promise<VendorKeys> => ({
  ...keys,
  signing: await jose.generateKeyPair(),
  encryption: await jose.generateKeyPair(),
})

/** The keys as the registry names them. */
export const registeredForm = ({ signing, encryption }: Pick<VendorKeys, 'signing' | 'encryption'>) => ({
  signingKey: toHex(thumbprintOf(signing.publicKey)),
  encryptionKey: toHex(thumbprintOf(encryption.publicKey)),
})

/** Whether these are the keys that the registry has. */
export const isRegistered = (
  keys: Pick<VendorKeys, 'signing' | 'encryption'>,
  vendor: ReturnType<typeof registeredForm>,
): boolean => {
  const { signingKey, encryptionKey } = registeredForm(keys)
  return vendor.signingKey === signingKey && vendor.encryptionKey === encryptionKey
}

/** The keys as a sealed file. */
export const sealVendorKeys = (keys: VendorKeys, passphrase: string, random: Random): Uint8Array => {
  const value = {
    version: 1,
    signing: keys.signing.privateKey,
    encryption: keys.encryption.privateKey,
    provisioningSecret: base64url.encode(keys.provisioningSecret),
    accountKey: keys.accountKey,
  }
  return seal(value, deriveSealingKey(passphrase, random.bytes(SEAL_SALT_BYTES)), random.bytes(SEAL_NONCE_BYTES))
}

/** @throws ERR_SEALED_FILE | ERR_KEY_INVALID */
export const unsealVendorKeys = (file: Uint8Array, passphrase: string): VendorKeys => {
  const { signing, encryption, provisioningSecret, accountKey } = fileSchema.parse(unseal(file, passphrase).value)
  const pair = (jwk: unknown): RsaKeyPair => {
    const privateKey = parsePrivateKey(jwk)
    return { privateKey, publicKey: publicKeyOf(privateKey) }
  }
  return {
    signing: pair(signing),
    encryption: pair(encryption),
    provisioningSecret: base64url.decode(provisioningSecret),
    accountKey: accountKey as `0x${string}`,
  }
}
