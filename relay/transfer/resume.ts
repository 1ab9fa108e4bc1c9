/** Where a sender goes on: at the end of the longest beginning of its row that the recipient has. */
import type { Prefix } from '../../protocol/transfer/messages.ts'
import type { TransferEffects } from './effects.ts'
import { firstMark, openRow, type Mark } from './row.ts'
import type { Source } from './source.ts'

export interface ResumeOptions {
  /** Marks that are still known, so that nothing is read again; in any order. */
  readonly known: readonly Mark[]
  /** Told how much has been read and compared, bytes of the row. */
  readonly onChecked: (length: number) => void
  readonly signal: AbortSignal
}

/**
 * Compares what a recipient says it has with the source as it is now.
 * @param arrived from the shortest to the longest
 * @returns the place up to which both have the same
 * @throws ERR_TRANSFER_CHANGED when the source changes meanwhile
 */
export const findMark = async (
  effects: TransferEffects,
  source: Source,
  arrived: readonly Prefix[],
  { known, onChecked, signal }: ResumeOptions,
): Promise<Mark> => {
  for (const { length, digest } of arrived.toReversed()) {
    const mark = known.find((each) => each.length === length && each.row.digest() === digest)
    if (mark) return mark
  }
  let mark = firstMark(effects)
  const row = openRow(effects, source, mark)
  try {
    let at = 0
    for (const { length, digest } of arrived) {
      while (at < length) {
        signal.throwIfAborted()
        const block = await row.next(length - at)
        if (block === undefined) return mark
        at += block.length
        onChecked(at)
      }
      const here = row.mark()
      if (here.row.digest() !== digest) return mark
      mark = here
    }
    return mark
  } finally {
    await row.close()
  }
}
