/**
 * The one file with all that a buyer must not lose: accounts, the key of every order, and the journal of purchases,
 * encrypted under a passphrase. Several processes may use it at once: each change is made to what the file then holds,
 * while no other process changes it.
 */
import { z } from 'zod'
import type { Random } from '../../effects/random.ts'
import type { FileStore } from '../../effects/store.ts'
import { equalBytes } from '../../protocol/bytes.ts'
import { deriveSealingKey, seal, SEAL_NONCE_BYTES, SEAL_SALT_BYTES, unseal } from '../../protocol/sealed-file.ts'
import type { SealingKey } from '../../protocol/sealed-file.ts'
import { BuyerError } from '../errors.ts'
import { keyringSchema, mergeKeyrings, type KeyringAccount, type KeyringContent } from './keyring-content.ts'
import { KEYRING_BYTES_MAX } from './limits.ts'

/** Name of the file in its store. */
export const KEYRING_FILE = 'keyring.json'

export interface Keyring {
  /** @throws ERR_KEYRING_MISSING | ERR_SEALED_FILE | ERR_KEYRING_DAMAGED */
  read(): Promise<KeyringContent>
  /**
   * Changes the file; when this resolves the change is durable.
   * @returns what the file then holds
   */
  update(change: (content: KeyringContent) => KeyringContent): Promise<KeyringContent>
  /** Makes the file. @throws ERR_KEYRING_EXISTS */
  create(account: KeyringAccount): Promise<void>
  /** The encrypted file, good for `restore` with the same passphrase. */
  backup(): Promise<Uint8Array>
  /**
   * Takes in a backup: makes the file, or adds what it lacks. Nothing that the file holds is lost.
   * @throws ERR_SEALED_FILE unless the passphrase opens the backup
   */
  restore(backup: Uint8Array): Promise<KeyringContent>
}

export interface KeyringSettings {
  /** Asked for when it is first needed, and once. */
  passphrase(): Promise<string>
  /** Binary logarithm of scrypt's cost; what `deriveSealingKey` has when left out. */
  readonly scryptLogN?: number
}

interface Opened {
  readonly file: Uint8Array
  readonly content: KeyringContent
  readonly sealing: SealingKey
}

export const createKeyring = (files: FileStore, random: Random, settings: KeyringSettings): Keyring => {
  let passphrase: Promise<string> | undefined
  const askOnce = () => (passphrase ??= settings.passphrase())
  let latest: Opened | undefined

  const open = async (file: Uint8Array): Promise<Opened> => {
    // Opening is slow by design, and mostly the file is as we left it.
    if (latest && equalBytes(latest.file, file)) return latest
    const { value, sealing } = unseal(file, await askOnce())
    return { file, content: parseKeyring(value), sealing }
  }

  const load = async (): Promise<Opened> => {
    const file = await files.read(KEYRING_FILE)
    if (!file) throw new BuyerError('ERR_KEYRING_MISSING', 'there is no keyring yet: run `chrove init`')
    latest = await open(file)
    return latest
  }

  const save = async (content: KeyringContent, sealing: SealingKey): Promise<void> => {
    const file = seal(z.encode(keyringSchema, content), sealing, random.bytes(SEAL_NONCE_BYTES))
    await files.write(KEYRING_FILE, file)
    latest = { file, content, sealing }
  }

  const alone = <T>(work: () => Promise<T>): Promise<T> => files.exclusively(KEYRING_FILE, work)

  return {
    read: async () => (await load()).content,

    update: (change) =>
      alone(async () => {
        const { content, sealing } = await load()
        const changed = change(content)
        await save(changed, sealing)
        return changed
      }),

    create: (account) =>
      alone(async () => {
        if (await files.read(KEYRING_FILE)) {
          throw new BuyerError('ERR_KEYRING_EXISTS', 'there is a keyring here already: use another --home for a second')
        }
        const sealing = deriveSealingKey(await askOnce(), random.bytes(SEAL_SALT_BYTES), settings.scryptLogN)
        await save({ format: 'chrove-keyring-1', accounts: [account], orders: [] }, sealing)
      }),

    backup: async () => (await load()).file,

    restore: (backup) =>
      alone(async () => {
        if (backup.length > KEYRING_BYTES_MAX)
          throw new BuyerError('ERR_KEYRING_DAMAGED', 'this is too long for a backup')
        const given = await open(backup)
        const ours = (await files.read(KEYRING_FILE)) && (await load())
        const content = ours ? mergeKeyrings(ours.content, given.content) : given.content
        await save(content, ours ? ours.sealing : given.sealing)
        return content
      }),
  }
}

const parseKeyring = (value: unknown): KeyringContent => {
  const parsed = keyringSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const path = parsed.error.issues[0]?.path.join('.') ?? ''
  throw new BuyerError('ERR_KEYRING_DAMAGED', `the keyring is of another version or damaged at "${path}"`)
}
