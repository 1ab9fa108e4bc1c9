/** What the command `chrove` gives to clients of a rendezvous, for tests that stand in its place. */
import { joinRelay } from '../relay/client/index.ts'
import { createSecureStream } from '../relay/client/secure-stream.ts'

export const peerTools = { secure: createSecureStream, joinRelay } as const
