/**
 * The UUIDs that clients are known by: random ones, and ones that follow from a key, so that no server can give them to
 * another. @see RFC 9562; SEED 002 §2.1.1
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { z } from 'zod'
import { ProtocolError } from '../errors.ts'
import { thumbprintOf } from '../keys.ts'

const UUID_BYTES = 16

/** Versions 4 and 8 of the RFC's variant: the others tell when or on which machine they were made. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** In the one form that is signed: lower case. */
export const uuidSchema = z.string().regex(UUID, 'must be a UUID of version 4 or 8, in lower case')

/**
 * A UUID as people write it.
 * @throws ERR_UUID
 */
export const parseUuid = (text: string): string => {
  const uuid = text.toLowerCase()
  if (!UUID.test(uuid)) throw new ProtocolError('ERR_UUID', 'a client has a UUID of version 4 or 8')
  return uuid
}

/**
 * Writes bytes as a UUID, its version and variant in the places of theirs.
 * @param bytes at least 16
 * @see RFC 9562 §5.4, §5.8
 */
export const uuidOf = (bytes: Uint8Array, version: 4 | 8): string => {
  const marked = bytes.slice(0, UUID_BYTES)
  marked[6] = ((marked[6] ?? 0) & 0x0f) | (version << 4)
  marked[8] = ((marked[8] ?? 0) & 0x3f) | 0x80
  const hex = bytesToHex(marked)
  const groups = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
  return groups.join('-')
}

/** The UUID that follows from a key: version 8, with 122 bits of the key's thumbprint. */
export const pinnedUuid = (key: { readonly n: string; readonly e: string }): string => uuidOf(thumbprintOf(key), 8)

/** Whether a UUID is held to the key that it was first registered with. */
export const isPinned = (uuid: string): boolean => uuid[14] === '8'
