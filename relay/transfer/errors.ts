/** How a transfer ends when it does not end well. Codes are stable; sentences say what to do. */
import { FolderError } from '../../effects/folders.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { abortCodes, type AbortCode } from '../../protocol/transfer/messages.ts'

export type TransferErrorCode =
  | AbortCode
  /** The connection did not come back. */
  | 'ERR_TRANSFER_BROKEN'
  /** All was sent, and the recipient did not say that it has it. */
  | 'ERR_TRANSFER_UNCONFIRMED'
  /** What is to be sent cannot be sent as it is. */
  | 'ERR_TRANSFER_NOTHING'
  | 'ERR_TRANSFER_TOO_MUCH'

const passing: ReadonlySet<TransferErrorCode> = new Set([
  'ERR_TRANSFER_STOPPED',
  'ERR_TRANSFER_DISK_FULL',
  'ERR_TRANSFER_CHANGED',
  'ERR_TRANSFER_STALLED',
  'ERR_TRANSFER_BROKEN',
  'ERR_TRANSFER_UNCONFIRMED',
])

export class TransferError extends Error {
  readonly code: TransferErrorCode
  readonly retryable: boolean
  constructor(code: TransferErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TransferError'
    this.code = code
    this.retryable = passing.has(code)
  }
}

const WHAT_PEER_SAYS: Readonly<Record<AbortCode, string>> = {
  ERR_TRANSFER_DECLINED: 'the recipient does not want it',
  ERR_TRANSFER_STOPPED:
    'the other side was stopped; what arrived is kept, and sending the same again goes on from there',
  ERR_TRANSFER_EXISTS: 'the recipient has something of that name and keeps it',
  ERR_TRANSFER_NAME: 'the recipient cannot take a name in it: rename it, and send again',
  ERR_TRANSFER_DISK_FULL:
    "the other side's disk is full; what arrived is kept, and sending the same again goes on from there",
  ERR_TRANSFER_DISK: 'the other side cannot read or write its files',
  ERR_TRANSFER_CHANGED: 'the files were changed while they were sent: send them again, and what is the same is kept',
  ERR_TRANSFER_STALLED: 'the other side has waited too long',
  ERR_TRANSFER_SHAPE: 'the other side does not understand: it may run another version',
  ERR_TRANSFER_KEPT_ELSEWHERE: 'the recipient is receiving the same already',
  ERR_TRANSFER_BUG: 'the other side has failed by a bug of its own',
}

/** What the other side has told. */
export const peerError = (code: AbortCode): TransferError => new TransferError(code, WHAT_PEER_SAYS[code])

const isAbortCode = (code: unknown): code is AbortCode => abortCodes.some((each) => each === code)

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** What was thrown, as the error of a transfer where it is one of ours. */
export const transferFault = (fault: unknown): unknown => {
  if (fault instanceof FolderError) {
    if (fault.code === 'ERR_FOLDER_BUSY')
      return new TransferError('ERR_TRANSFER_KEPT_ELSEWHERE', 'another process is receiving the same into this folder')
    return new TransferError('ERR_TRANSFER_DISK', `among the files: ${fault.message}`, { cause: fault })
  }
  const { code } = Object(fault) as { readonly code?: unknown }
  if (typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) return fault
  return FULL.has(code)
    ? new TransferError('ERR_TRANSFER_DISK_FULL', 'the disk is full; what arrived is kept', { cause: fault })
    : new TransferError('ERR_TRANSFER_DISK', `the files cannot be used (${code})`, { cause: fault })
}

/** What the other side is told of what was thrown here. */
export const abortCodeOf = (fault: unknown): AbortCode => {
  const { code } = Object(fault) as { readonly code?: unknown }
  if (code === 'ERR_INTERRUPTED') return 'ERR_TRANSFER_STOPPED'
  if (code === 'ERR_NOT_CONFIRMED') return 'ERR_TRANSFER_DECLINED'
  if (fault instanceof TransferError || fault instanceof ProtocolError)
    return isAbortCode(code) ? code : 'ERR_TRANSFER_BUG'
  return 'ERR_TRANSFER_BUG'
}
