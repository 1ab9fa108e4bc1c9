/** The progress bar: one line of the terminal, written again and again. Nothing where nobody looks. */
import type { Clock } from '../../../effects/clock.ts'
import type { Terminal } from '../../../effects/terminal.ts'
import type { Progress } from '../progress.ts'
import { createMeter } from './meter.ts'

/** Between two pictures, milliseconds. */
const PICTURE_MS = 200
const CLEAR = '\r\u001b[K'

export interface ProgressBar {
  show(progress: Progress): void
  /** Takes the line away for a sentence in its place. */
  say(text: string): void
  /** Takes the line away. */
  clear(): void
}

export const createProgressBar = (clock: Clock, terminal: Terminal, say: (text: string) => void): ProgressBar => {
  const meter = createMeter()
  let shownMs = -Infinity
  let isShown = false
  const clear = () => {
    if (isShown) terminal.err(CLEAR)
    isShown = false
  }
  return {
    show(progress) {
      if (!terminal.interactive) return
      const nowMs = clock.nowMs()
      if (nowMs - shownMs < PICTURE_MS && progress.length < progress.total) return
      shownMs = nowMs
      isShown = true
      terminal.err(`${CLEAR}${meter.show(progress, nowMs)}`)
    },
    say(text) {
      clear()
      meter.restart()
      say(text)
    },
    clear,
  }
}
