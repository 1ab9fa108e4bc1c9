/** Clients met before, so that no server can tell another story of them later: the file `rendezvous-contacts.json`. */
import { z } from 'zod'
import type { FileStore } from '../../effects/store.ts'
import { utf8 } from '../../protocol/bytes.ts'
import { parseJson } from '../../protocol/json.ts'
import type { KnownClient } from '../../protocol/rendezvous/registration.ts'
import { uuidSchema } from '../../protocol/rendezvous/uuid.ts'

const FILE = 'rendezvous-contacts.json'
/** Those who come after so many are not remembered: whoever came first is not pushed out by strangers. */
const CONTACTS_MAX = 4096

const fileSchema = z.record(uuidSchema, z.strictObject({ version: z.int().min(1), thumbprint: z.string().length(43) }))

export interface Contacts {
  known(uuid: string): Promise<KnownClient | undefined>
  remember(uuid: string, client: KnownClient): Promise<void>
}

export const createContacts = (files: FileStore): Contacts => {
  const read = async (): Promise<Record<string, KnownClient>> => {
    const content = await files.read(FILE)
    return content === undefined ? {} : fileSchema.parse(parseJson(content))
  }
  return {
    known: async (uuid) => (await read())[uuid],
    remember: (uuid, { version, thumbprint }) =>
      files.exclusively(FILE, async () => {
        const all = await read()
        const before = all[uuid]
        const isFull = before === undefined && Object.keys(all).length >= CONTACTS_MAX
        if (isFull || (before && before.version >= version)) return
        await files.write(FILE, utf8(`${JSON.stringify({ ...all, [uuid]: { version, thumbprint } }, undefined, 2)}\n`))
      }),
  }
}
