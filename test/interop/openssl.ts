/** The RSA operations of our messages, done by the `openssl` command. */
import { spawnSync } from 'node:child_process'
import { createDecipheriv, createPrivateKey, createPublicKey, type JsonWebKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { base64url } from '../../protocol/bytes.ts'
import type { FlattenedJws } from '../../protocol/jose.ts'
import type { RsaPrivateKey, RsaPublicKey } from '../../protocol/keys.ts'

/** Why it cannot run on this machine, for a test's `skip`; false when it can. */
export const opensslMissing: string | false =
  spawnSync('openssl', ['version']).status === 0 ? false : 'the openssl command is missing (apt-get install openssl)'

/** Runs `openssl` with files in place of the `@name` arguments; standard output, or undefined when it says no. */
const openssl = (
  words: readonly string[],
  files: Readonly<Record<string, string | Uint8Array>>,
  input: Uint8Array,
): Buffer | undefined => {
  const folder = mkdtempSync(join(tmpdir(), 'chrove-openssl-'))
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content, { mode: 0o600 })
    const args = words.map((word) => (word.startsWith('@') ? join(folder, word.slice(1)) : word))
    const run = spawnSync('openssl', args, { input, timeout: 60_000 })
    return run.status === 0 ? run.stdout : undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const pemOf = (key: RsaPublicKey | RsaPrivateKey): string => {
  const jwk = { key: key as JsonWebKey, format: 'jwk' } as const
  return 'd' in key
    ? createPrivateKey(jwk).export({ type: 'pkcs8', format: 'pem' }).toString()
    : createPublicKey(jwk).export({ type: 'spki', format: 'pem' }).toString()
}

/** Says whether a JWS is RS256 by this key, whatever its header says. @see RFC 7518 §3.3 */
export const opensslVerifies = (jws: FlattenedJws, key: RsaPublicKey): boolean => {
  const files = { key: pemOf(key), signature: base64url.decode(jws.signature) }
  const words = ['dgst', '-sha256', '-verify', '@key', '-signature', '@signature']
  return openssl(words, files, Buffer.from(`${jws.protected}.${jws.payload}`)) !== undefined
}

/** Signs with RS256. */
export const opensslSign = (input: Uint8Array, key: RsaPrivateKey): Uint8Array => {
  const signature = openssl(['dgst', '-sha256', '-sign', '@key'], { key: pemOf(key) }, input)
  if (signature === undefined) throw new Error('openssl could not sign')
  return signature
}

const OAEP_256 = ['rsa_padding_mode:oaep', 'rsa_oaep_md:sha256', 'rsa_mgf1_md:sha256'].flatMap((option) => [
  '-pkeyopt',
  option,
])

/** Encrypts a content key with RSA-OAEP-256. @see RFC 7518 §4.3 */
export const opensslWrap = (contentKey: Uint8Array, key: RsaPublicKey): Uint8Array => {
  const words = ['pkeyutl', '-encrypt', '-pubin', '-inkey', '@key', ...OAEP_256]
  const wrapped = openssl(words, { key: pemOf(key) }, contentKey)
  if (wrapped === undefined) throw new Error('openssl could not encrypt')
  return wrapped
}

/**
 * Opens a compact JWE: its key by `openssl`, which has no command for GCM, its content by node:crypto.
 * @throws Error when the key is another
 */
export const opensslDecrypt = (jwe: string, key: RsaPrivateKey): Buffer => {
  const [header = '', wrapped = '', iv = '', ciphertext = '', tag = ''] = jwe.split('.')
  const words = ['pkeyutl', '-decrypt', '-inkey', '@key', ...OAEP_256]
  const contentKey = openssl(words, { key: pemOf(key) }, base64url.decode(wrapped))
  if (contentKey === undefined) throw new Error('openssl could not decrypt')
  const decipher = createDecipheriv('aes-256-gcm', contentKey, base64url.decode(iv), { authTagLength: 16 })
  decipher.setAAD(Buffer.from(header)).setAuthTag(base64url.decode(tag))
  return Buffer.concat([decipher.update(base64url.decode(ciphertext)), decipher.final()])
}
