/** The first record of a connection: what whoever asked for it wants. */
import { z } from 'zod'
import { utf8 } from '../../protocol/bytes.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { parseJson } from '../../protocol/json.ts'
import type { PeerStream } from '../client/effects.ts'

const purposeSchema = z.object({ purpose: z.enum(['chat', 'files']) })

export type Purpose = z.infer<typeof purposeSchema>['purpose']

const PURPOSE_BYTES_MAX = 256

export const sayPurpose = (stream: PeerStream, purpose: Purpose): Promise<void> =>
  stream.send(utf8(JSON.stringify({ purpose })))

/** @returns undefined for what this program knows nothing of */
export const hearPurpose = async (stream: PeerStream): Promise<Purpose | undefined> => {
  const record = await stream.receive()
  if (record === undefined || record.length > PURPOSE_BYTES_MAX) return undefined
  try {
    return purposeSchema.safeParse(parseJson(record)).data?.purpose
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}
