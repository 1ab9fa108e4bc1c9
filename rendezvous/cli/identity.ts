/** `chrove rendezvous id` and `change-key`: who we are there. */
import type { Command } from 'commander'
import type { CommandContext, Session } from '../../effects/command.ts'
import type { Output } from '../../effects/command-output.ts'
import { createJose } from '../../protocol/jose.ts'
import { thumbprintText } from '../../protocol/rendezvous/registration.ts'
import { keepIdentity, openIdentity, openRegistry, settleIdentity } from './home.ts'
import { serverOf } from './options.ts'

export const addIdentityCommands = (rendezvous: Command, { action }: CommandContext): void => {
  rendezvous
    .command('id')
    .description('show the UUID that others reach you by; makes one the first time')
    .addHelpText('after', '\nExample:\n  $ chrove rendezvous id')
    .action(action(showIdentity))
  rendezvous
    .command('change-key')
    .description('give your UUID a new key, in place of one that somebody else may have')
    .option('--rendezvous <url>', 'where the UUID is registered (CHROVE_RENDEZVOUS)')
    .addHelpText(
      'after',
      `
The change is signed by the old key and the new one; run again, it ends what was
cut off. Those who met you before see that it is still you.

Example:
  $ chrove rendezvous change-key --rendezvous http://127.0.0.1:4390`,
    )
    .action(action(changeKey))
}

const showIdentity = async (session: Session): Promise<Output> => {
  const { uuid, keys } = await openIdentity(session)
  const thumbprint = thumbprintText(keys.publicKey)
  return { json: { uuid, thumbprint }, text: `${uuid}\nThumbprint of your key: ${thumbprint}` }
}

const changeKey = async (session: Session): Promise<Output> => {
  const server = serverOf(session)
  const registry = openRegistry(session, server)
  const identity = await settleIdentity(session, server, await openIdentity(session))
  await registry.register(identity)
  const next = await createJose().generateKeyPair()
  // Before it is registered, for a key that the registry has and nobody else would be the UUID's end.
  await keepIdentity(session, { ...identity, next })
  await registry.changeKey(identity, next)
  await keepIdentity(session, { uuid: identity.uuid, keys: next })
  const thumbprint = thumbprintText(next.publicKey)
  return {
    json: { uuid: identity.uuid, thumbprint },
    text: `${identity.uuid} has a new key\nThumbprint: ${thumbprint}`,
  }
}
