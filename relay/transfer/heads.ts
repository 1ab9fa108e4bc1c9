/** The heads of a row, as a landing keeps them in a file. */
import type { HeldFile } from '../../effects/folders.ts'
import { headLength } from '../../protocol/transfer/tree.ts'

const READ_BYTES = 256 * 1024

/** Each head by itself, whatever it says; one that is cut off at the end of the file is none. */
export async function* headsIn(file: HeldFile): AsyncGenerator<Uint8Array, undefined> {
  let rest: Uint8Array = new Uint8Array(0)
  let position = 0
  for (;;) {
    const buffer = new Uint8Array(rest.length + READ_BYTES)
    buffer.set(rest)
    const count = await file.read(position, buffer.subarray(rest.length))
    if (count === 0) return
    position += count
    rest = buffer.subarray(0, rest.length + count)
    while (rest.length >= headLength(rest)) {
      // A copy, so that a reader may keep it and not the buffer.
      const head = rest.slice(0, headLength(rest))
      rest = rest.subarray(head.length)
      yield head
    }
  }
}
