/** How long one side waits for the other. */

/** For a person to decide, or a disk to be read through; milliseconds. */
export const ACTION_MS = 60 * 60_000

/** For the next bytes of a transfer under way, milliseconds. */
export const STEP_MS = 3 * 60_000

/** For a connection to come back that brings something new, milliseconds. */
export const GIVE_UP_MS = 10 * 60_000

/** For a sender to come back when all that is missing is to tell it that all is done, milliseconds. */
export const TELL_MS = 30_000
