/**
 * What sender and recipient say to each other, one record each: a byte for the kind of record, then JSON of a message, or
 * a block of the row of bytes that the tree is. Messages go over the first stream, blocks over all of them.
 *
 * offer → answer → start → blocks, with acks against them → whole → done. After a broken connection it begins with the
 * offer again, and the answer says what has arrived.
 */
import { z } from 'zod'
import { utf8 } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { parseJson } from '../json.ts'
import { TRANSFER_BLOCK_BYTES_MAX, TRANSFER_MESSAGE_BYTES_MAX, TRANSFER_PREFIXES_MAX } from '../limits.ts'

/** Why a side ends a transfer, as it tells the other. */
export const abortCodes = [
  'ERR_TRANSFER_DECLINED',
  'ERR_TRANSFER_STOPPED',
  'ERR_TRANSFER_EXISTS',
  'ERR_TRANSFER_NAME',
  'ERR_TRANSFER_DISK_FULL',
  'ERR_TRANSFER_DISK',
  'ERR_TRANSFER_CHANGED',
  'ERR_TRANSFER_STALLED',
  'ERR_TRANSFER_SHAPE',
  'ERR_TRANSFER_KEPT_ELSEWHERE',
  'ERR_TRANSFER_BUG',
] as const
export type AbortCode = (typeof abortCodes)[number]

const length = z.int().nonnegative()
const digest = z.string().regex(/^[0-9a-f]{64}$/)

/** A beginning of the row of bytes. */
const prefix = z.strictObject({ length, digest })
export type Prefix = z.infer<typeof prefix>

const offer = z.strictObject({
  type: z.literal('offer'),
  version: z.literal(1),
  /** `text` is one file whose content is for a person to read, and not for a folder. */
  kind: z.enum(['files', 'text']),
  /** Of the names at the top: a recipient finds by it what an earlier attempt left. */
  id: digest,
  /** At the top, in the order of the row: all of them, so that a person sees what would come. */
  names: z.array(z.string()).min(1),
  files: length,
  folders: length,
  /** Of content. */
  bytes: length,
  /** Of the row of bytes, its end included. */
  length,
})
/** What a sender would send. */
export type Offer = z.infer<typeof offer>

const message = z.discriminatedUnion('type', [
  offer,
  /** The offer is accepted; so much of the row of bytes is there, the longest last. */
  z.strictObject({ type: z.literal('answer'), arrived: z.array(prefix).max(TRANSFER_PREFIXES_MAX + 1) }),
  /** Blocks begin here: at 0, or where one of the prefixes ends. */
  z.strictObject({ type: z.literal('start'), from: length }),
  /** So much has been written. */
  z.strictObject({ type: z.literal('ack'), length }),
  /** All has been sent. */
  z.strictObject({ type: z.literal('whole'), length, digest }),
  /** All is in its place. */
  z.strictObject({ type: z.literal('done') }),
  /** Still here; nothing new. */
  z.strictObject({ type: z.literal('ping') }),
  z.strictObject({ type: z.literal('abort'), code: z.enum(abortCodes) }),
])
export type Message = z.infer<typeof message>

/** A piece of the row of bytes. */
export interface Block {
  /** Where it belongs. */
  readonly position: number
  /** Of the content. */
  readonly length: number
  readonly packed: boolean
  /** The content, or what it was packed into. */
  readonly payload: Uint8Array
}

export type TransferRecord =
  { readonly record: 'message'; readonly message: Message } | { readonly record: 'block'; readonly block: Block }

const MESSAGE = 1
const PLAIN_BLOCK = 2
const PACKED_BLOCK = 3
/** Kind, position (8), length of the content (4). */
const BLOCK_HEAD_BYTES = 13

export const encodeMessage = (content: Message): Uint8Array => {
  const json = utf8(JSON.stringify(content))
  const record = new Uint8Array(1 + json.length)
  record[0] = MESSAGE
  record.set(json, 1)
  return record
}

export const encodeBlock = ({ position, length: contentLength, packed, payload }: Block): Uint8Array => {
  const record = new Uint8Array(BLOCK_HEAD_BYTES + payload.length)
  const view = new DataView(record.buffer)
  view.setUint8(0, packed ? PACKED_BLOCK : PLAIN_BLOCK)
  view.setBigUint64(1, BigInt(position))
  view.setUint32(9, contentLength)
  record.set(payload, BLOCK_HEAD_BYTES)
  return record
}

const strange = (text: string, options?: ErrorOptions): ProtocolError =>
  new ProtocolError('ERR_TRANSFER_SHAPE', text, options)

/** @throws ERR_TRANSFER_SHAPE */
export const decodeRecord = (record: Uint8Array): TransferRecord => {
  const [kind] = record
  if (kind === MESSAGE) return { record: 'message', message: decodeMessage(record.subarray(1)) }
  if (kind !== PLAIN_BLOCK && kind !== PACKED_BLOCK) throw strange('a record of a kind unknown here')
  if (record.length <= BLOCK_HEAD_BYTES) throw strange('a block without content')
  const view = new DataView(record.buffer, record.byteOffset, record.length)
  const position = Number(view.getBigUint64(1))
  const contentLength = view.getUint32(9)
  const payload = record.subarray(BLOCK_HEAD_BYTES)
  const packed = kind === PACKED_BLOCK
  if (contentLength === 0 || contentLength > TRANSFER_BLOCK_BYTES_MAX) throw strange('a block of no allowed length')
  if (packed ? payload.length >= contentLength : payload.length !== contentLength)
    throw strange('a block that is not as long as it says')
  if (!Number.isSafeInteger(position + contentLength)) throw strange('a block out of all bounds')
  return { record: 'block', block: { position, length: contentLength, packed, payload } }
}

const decodeMessage = (json: Uint8Array): Message => {
  if (json.length > TRANSFER_MESSAGE_BYTES_MAX) throw strange('a message that is too long')
  let value: unknown
  try {
    value = parseJson(json)
  } catch (cause) {
    throw strange('a message that is no JSON', { cause })
  }
  const parsed = message.safeParse(value)
  if (!parsed.success) throw strange('a message of a form unknown here: the other side may run another version')
  return parsed.data
}
