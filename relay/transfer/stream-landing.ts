/** What arrives for standard output, or to be read by a person: one file, given on as it comes and kept nowhere. */
import type { Offer } from '../../protocol/transfer/messages.ts'
import type { TransferEffects } from './effects.ts'
import { TransferError } from './errors.ts'
import { createArrival, type Landing } from './landing.ts'

/** @param give takes the content in order, all of it once */
export const createStreamLanding = (
  effects: TransferEffects,
  offer: Offer,
  give: (bytes: Uint8Array) => Promise<void>,
): Landing => {
  if (offer.files !== 1 || offer.folders !== 0)
    throw new TransferError('ERR_TRANSFER_DECLINED', 'only one file can go to standard output: receive into a folder')
  const arrival = createArrival(effects, { windows: false, distinct: true }, offer)
  return {
    get length() {
      return arrival.length
    },
    arrived: () => arrival.arrived().slice(-1),
    async rewind(length) {
      if (length === arrival.length) return
      const text = 'what is sent was changed, and part of it is already given out: receive it anew'
      throw new TransferError('ERR_TRANSFER_CHANGED', text)
    },
    async write(bytes) {
      for (const part of arrival.read(bytes)) {
        if (part.part === 'content') await give(part.bytes)
      }
    },
    finish: async (whole) => arrival.compare(whole),
    close: async () => {},
  }
}
