/** Lets one who waits know that something has changed. */
export interface Wake {
  /** Resolves when it is so; one at a time. */
  until(isSo: () => boolean): Promise<void>
  /** Lets who waits look again. */
  notify(): void
}

export const createWake = (): Wake => {
  let wake = () => {}
  return {
    async until(isSo) {
      while (!isSo()) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    notify: () => wake(),
  }
}
