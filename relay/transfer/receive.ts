/** Receives over whatever connects to the sender. */
import { concatBytes } from '@noble/hashes/utils.js'
import type { HeldFolder } from '../../effects/folders.ts'
import { fromUtf8 } from '../../protocol/bytes.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import type { Offer } from '../../protocol/transfer/messages.ts'
import { runAttempts, type Connect } from './attempts.ts'
import type { TransferEffects } from './effects.ts'
import { TransferError, transferFault } from './errors.ts'
import { openFolderLanding, type Decision } from './folder-landing.ts'
import { standingOf, type Standing } from './hidden.ts'
import type { Landing } from './landing.ts'
import { GIVE_UP_MS, TELL_MS } from './patience.ts'
import type { Progress } from './progress.ts'
import { createIntake, receiveOver, type Receiving } from './recipient.ts'
import { createStreamLanding } from './stream-landing.ts'

/** What a person is asked about. Names have passed `nameFault`, and are still a stranger's words. */
export type Proposal = Pick<Offer, 'kind' | 'names' | 'files' | 'folders' | 'bytes'> & Standing

export interface ReceiveOptions {
  /** A folder by its path, or what takes the content of one file, in order. A text goes to neither. */
  readonly into: { readonly folder: string } | { readonly give: (bytes: Uint8Array) => Promise<void> }
  /** @returns undefined to decline. @throws what the sender shall be told, such as ERR_TRANSFER_EXISTS */
  accept(proposal: Proposal): Promise<Decision | undefined>
  readonly onProgress?: (progress: Progress) => void
  readonly onBroken?: () => void
  readonly signal?: AbortSignal
}

export interface Received {
  readonly names: readonly string[]
  readonly files: number
  readonly folders: number
  readonly bytes: number
  /** When a text was sent: as it was sent, with whatever is in it. */
  readonly text?: string
  /** Whether the sender knows; if not, it may say that it cannot tell. */
  readonly confirmed: boolean
}

/**
 * Resolves when everything is in its place.
 * @throws TransferError | ProtocolError; what `connect` throws at first; the system's own error; the signal's reason
 */
export const receiveThrough = async (
  effects: TransferEffects,
  connect: Connect,
  options: ReceiveOptions,
): Promise<Received> => {
  const { into, onProgress, onBroken, signal = new AbortController().signal } = options
  const receiving: Receiving = { accepted: undefined, isDone: false }
  const folder = 'folder' in into ? await effects.folders.open(into.folder) : undefined
  const text: Uint8Array[] = []

  const accept = async (offer: Offer): Promise<Landing> => {
    const isText = offer.kind === 'text'
    const standing = folder && !isText ? await standingOf(folder, offer) : { existing: [], kept: false }
    const { kind, names, files, folders, bytes } = offer
    const decision = await options.accept({ kind, names, files, folders, bytes, ...standing })
    if (!decision) throw new TransferError('ERR_TRANSFER_DECLINED', 'not accepted; nothing was received')
    if (isText) return createStreamLanding(effects, offer, async (piece) => void text.push(piece.slice()))
    if ('give' in into) return createStreamLanding(effects, offer, into.give)
    return landIn(effects, offer, folder, standing, decision)
  }

  let arrived = 0
  const onArrived = (length: number) => {
    arrived = length
    onProgress?.({ phase: 'moving', length, total: receiving.accepted?.offer.length ?? length })
  }
  const begin = () => {
    const intake = createIntake(effects)
    return {
      onBlock: intake.onBlock,
      run: (line: Parameters<typeof receiveOver>[1]) =>
        receiveOver(effects, line, intake, receiving, { accept, onArrived }),
    }
  }
  let confirmed = true
  try {
    const giveUpMs = () => (receiving.isDone ? TELL_MS : GIVE_UP_MS)
    const attempts = { progress: () => arrived, giveUpMs, signal, ...(onBroken && { onBroken }) }
    await runAttempts(effects.clock, connect, begin, attempts).catch((fault: unknown) => {
      // It is here; all that failed is to say so.
      if (!receiving.isDone) throw transferFault(fault)
      confirmed = false
    })
    const { accepted } = receiving
    if (!accepted) throw new TypeError('nothing is done before it is accepted')
    const { names, files, folders, bytes, kind } = accepted.offer
    return { names, files, folders, bytes, confirmed, ...(kind === 'text' && { text: textOf(text) }) }
  } finally {
    await receiving.accepted?.landing.close()
    await folder?.close()
  }
}

const landIn = async (
  effects: TransferEffects,
  offer: Offer,
  folder: HeldFolder | undefined,
  { existing }: Standing,
  decision: Decision,
): Promise<Landing> => {
  if (!folder) throw new TypeError('files land in a folder')
  if (existing.length > 0 && !decision.mayReplace)
    throw new TransferError('ERR_TRANSFER_EXISTS', `${existing[0]} is there already, and is kept`)
  return openFolderLanding(effects, offer, folder, decision)
}

const textOf = (pieces: readonly Uint8Array[]): string => {
  try {
    return fromUtf8(concatBytes(...pieces))
  } catch (cause) {
    throw new ProtocolError('ERR_TRANSFER_SHAPE', 'what was sent as a text is none', { cause })
  }
}
