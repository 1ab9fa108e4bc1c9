/** Who we are: the sealed file `rendezvous.json` in the home folder. */
import type { Session } from '../../effects/command.ts'
import { createJose } from '../../protocol/jose.ts'
import { generateIdentity, type Identity, sealIdentity, unsealIdentity } from '../client/identity.ts'
import { createRegistryDoor, type RegistryDoor } from '../client/registry-door.ts'

const IDENTITY_FILE = 'rendezvous.json'

/** Made when there is none. @throws ERR_SEALED_FILE for a wrong passphrase */
export const openIdentity = async (session: Session): Promise<Identity> => {
  const content = await session.effects.files.read(IDENTITY_FILE)
  if (content !== undefined) return unsealIdentity(content, await session.passphrase(false))
  const passphrase = await session.passphrase(true)
  session.say('Making a key …')
  const identity = await generateIdentity(createJose())
  await session.effects.files.write(IDENTITY_FILE, sealIdentity(identity, passphrase, session.effects.random))
  return identity
}

export const keepIdentity = async (session: Session, identity: Identity): Promise<void> => {
  const { files, random } = session.effects
  await files.write(IDENTITY_FILE, sealIdentity(identity, await session.passphrase(false), random))
}

export const openRegistry = ({ effects, signal }: Session, server: string): RegistryDoor =>
  createRegistryDoor({ ...effects, jose: createJose() }, server, signal)

/** Ends a change of the key that was cut off: whichever key is registered is ours. */
export const settleIdentity = async (session: Session, server: string, identity: Identity): Promise<Identity> => {
  const { uuid, keys, next } = identity
  if (next === undefined) return identity
  const found = await openRegistry(session, server).find(uuid)
  const settled = { uuid, keys: found?.key.n === next.publicKey.n ? next : keys }
  await keepIdentity(session, settled)
  return settled
}
