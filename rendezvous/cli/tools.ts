/** What the commands take from other folders, besides what the client does. */
import type { Output } from '../../effects/command-output.ts'
import type { Session } from '../../effects/command.ts'
import type { PeerStream, PeerTools } from '../client/effects.ts'

/** Streams to the peer: the first time those that stand, and others after a break. */
type Connect = (signal: AbortSignal) => Promise<readonly PeerStream[]>

export interface CommandTools extends PeerTools {
  sendFiles(session: Session, connect: Connect, paths: readonly string[]): Promise<Output>
  receiveFiles(
    session: Session,
    connect: Connect,
    options: { readonly out: string; readonly yes: boolean },
  ): Promise<Output | undefined>
}
