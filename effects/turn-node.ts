/** The turns of the event loop. */

/**
 * Resolves when everything that is ready now has had its turn: what came from many connections together can be done
 * together.
 */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
