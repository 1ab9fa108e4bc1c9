/** The hidden folder of a transfer, in the hands of one process. */
import type { HeldFolder } from '../../effects/folders.ts'
import type { Offer } from '../../protocol/transfer/messages.ts'
import { TransferError } from './errors.ts'
import { hiddenName } from './hidden.ts'

export interface Gathering {
  readonly hidden: HeldFolder
  /** Lets go of it; once more is no harm. */
  release(): Promise<void>
}

/** @throws ERR_FOLDER_BUSY while another process holds it; ERR_TRANSFER_DISK when it is somebody else's */
export const holdHidden = async (target: HeldFolder, offer: Offer): Promise<Gathering> => {
  const hidden = await target.makeFolder(hiddenName(offer), true)
  let unlock = () => {}
  let isHeld = true
  const release = async (): Promise<void> => {
    if (!isHeld) return
    isHeld = false
    unlock()
    await hidden.close()
  }
  try {
    if (!(await hidden.isOwn()))
      throw new TransferError(
        'ERR_TRANSFER_DISK',
        `${hiddenName(offer)} is there and belongs to somebody else: remove it`,
      )
    unlock = await hidden.lock()
    return { hidden, release }
  } catch (fault) {
    await release()
    throw fault
  }
}
