/** Where the row of bytes of a transfer lands at its recipient's. */
import type { Hasher } from '../../effects/digest-node.ts'
import type { NameRules } from '../../protocol/transfer/names.ts'
import type { Offer, Prefix } from '../../protocol/transfer/messages.ts'
import { createPrefixes } from '../../protocol/transfer/prefixes.ts'
import { createTreeReader, type TreePart, type TreeReader } from '../../protocol/transfer/tree.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import type { TransferEffects } from './effects.ts'

export interface Landing {
  /** Bytes of the row that are here. */
  readonly length: number
  /** What is here, from the shortest beginning to all of it. */
  arrived(): readonly Prefix[]
  /**
   * Goes back to one of the beginnings of `arrived`, or to none.
   * @throws ERR_TRANSFER_CHANGED where that cannot be
   */
  rewind(length: number): Promise<void>
  /** Takes what comes next. @throws ProtocolError | TransferError; the system's own error. After that it is only closed */
  write(bytes: Uint8Array): Promise<void>
  /**
   * All is here: puts it where it belongs. Once more is no harm.
   * @throws ERR_TRANSFER_SHAPE when it is not all or not what the sender says; ERR_TRANSFER_EXISTS
   */
  finish(whole: Prefix): Promise<void>
  /** Keeps what is here for another time, where it can be kept. */
  close(): Promise<void>
}

/** What has come of a row, as far as it can be told without its content. */
export interface Arrival {
  readonly length: number
  readonly ended: boolean
  /** Reads on; the parts are to be dealt with before the next is asked for. */
  read(bytes: Uint8Array): Generator<TreePart, void>
  /** All that has been read is where it is kept: a beginning that can be gone back to. */
  settle(): void
  arrived(): readonly Prefix[]
  /** @throws ERR_TRANSFER_SHAPE */
  compare(whole: Prefix): void
}

export const createArrival = (
  effects: Pick<TransferEffects, 'createHasher'>,
  rules: NameRules,
  offer: Offer,
): Arrival => {
  const hasher: Hasher = effects.createHasher()
  const reader: TreeReader = createTreeReader(rules, offer)
  const prefixes = createPrefixes()
  let length = 0
  let tops = 0
  const unlike = () => new ProtocolError('ERR_TRANSFER_SHAPE', 'what comes is not what was offered')
  const here = (): Prefix => ({ length, digest: hasher.digest() })
  return {
    get length() {
      return length
    },
    get ended() {
      return reader.ended
    },
    *read(bytes) {
      hasher.update(bytes)
      length += bytes.length
      for (const part of reader.read(bytes)) {
        if (part.part === 'entry' && part.entry.path.length === 1) {
          // A person has agreed to these names and no others.
          if (part.entry.path[0] !== offer.names[tops]) throw unlike()
          tops += 1
        }
        if (part.part === 'end' && tops < offer.names.length) throw unlike()
        yield part
      }
    },
    settle() {
      // A place inside a head is known to no file.
      if (reader.pending === 0 && prefixes.wants(length)) prefixes.add(here())
    },
    arrived: () =>
      length === 0 || prefixes.list().at(-1)?.length === length ? prefixes.list() : [...prefixes.list(), here()],
    compare(whole) {
      if (reader.ended && whole.length === length && whole.digest === hasher.digest()) return
      throw new ProtocolError('ERR_TRANSFER_SHAPE', 'what arrived is not what the sender says it has sent')
    },
  }
}
