/** What the hub allows its clients, beside what its settings say; times in milliseconds. */

/** For a client to show who it is. */
export const PRESENCE_MS_MAX = 10_000

/** A connection on which nothing comes for so long may be one whose other end is gone. */
export const SILENCE_MS_MAX = 90_000

/** How often a client says something, so that it is not taken for gone: well below the two above and what routers cut off. */
export const PING_MS = 30_000

/** Clients that one client has blocked. */
export const BLOCKS_MAX = 1024

/** A challenge, bytes. */
export const CHALLENGE_BYTES = 32
