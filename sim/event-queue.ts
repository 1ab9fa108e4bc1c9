/** Events in the order of their time, and of their arrival when times are equal. A binary heap. */

export interface Event {
  readonly timeMs: number
  /** A task for the loop to call. */
  readonly run: (() => void) | undefined
  /** Real work: the loop waits for what it returns. */
  readonly external: (() => Promise<void>) | undefined
}

interface Entry {
  readonly timeMs: number
  readonly sequence: number
  /** Gone once the task has been cancelled or taken. */
  run: (() => void) | undefined
  readonly external: (() => Promise<void>) | undefined
}

const before = (a: Entry, b: Entry): boolean =>
  a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.sequence < b.sequence)

/** Cancelled entries stay until they come up; past this many, and half of all, they are swept out. */
const SWEEP_MIN = 256

export const createEventQueue = () => {
  let heap: Entry[] = []
  let sequence = 0
  let cancelled = 0

  const rise = (from: number) => {
    const entry = heap[from] as Entry
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Entry
      if (!before(entry, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = entry
  }

  const sink = (from: number) => {
    const entry = heap[from] as Entry
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++
      const below = heap[child] as Entry
      if (!before(below, entry)) break
      heap[at] = below
      at = child
    }
    heap[at] = entry
  }

  const pop = (): Entry | undefined => {
    const first = heap[0]
    const last = heap.pop()
    if (first !== last && last !== undefined) {
      heap[0] = last
      sink(0)
    }
    return first
  }

  const sweep = () => {
    heap = heap.filter((entry) => entry.run !== undefined || entry.external !== undefined)
    cancelled = 0
    for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(at)
  }

  return {
    /** @returns cancels the event; does nothing once it has run */
    add(timeMs: number, run: (() => void) | undefined, external?: () => Promise<void>): () => void {
      const entry: Entry = { timeMs, run, external, sequence: sequence++ }
      rise(heap.push(entry) - 1)
      return () => {
        if (entry.run === undefined) return
        entry.run = undefined
        cancelled++
        if (cancelled > SWEEP_MIN && cancelled * 2 > heap.length) sweep()
      }
    },
    /** The next event that is due at `timeMs` at the latest, taken out; undefined when there is none. */
    takeUntil(timeMs: number): Event | undefined {
      for (;;) {
        const first = heap[0]
        if (first === undefined || first.timeMs > timeMs) return undefined
        pop()
        const { run, external } = first
        first.run = undefined
        if (run !== undefined || external !== undefined) return { timeMs: first.timeMs, run, external }
        cancelled--
      }
    },
    /** How many events wait. */
    size: () => heap.length - cancelled,
  }
}
