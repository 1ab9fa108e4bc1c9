/** Whether an offer can be what it says, before a person is asked. */
import { ProtocolError } from '../errors.ts'
import { TRANSFER_TEXT_BYTES_MAX } from '../limits.ts'
import type { Offer } from './messages.ts'
import { compareNames, nameFault, type NameRules } from './names.ts'
import { TREE_END } from './tree.ts'

/** @throws ERR_TRANSFER_NAME | ERR_TRANSFER_SHAPE */
export const checkOffer = (offer: Offer, rules: Pick<NameRules, 'windows'>): void => {
  const { names, kind, files, folders, bytes, length } = offer
  for (const name of names) {
    const fault = nameFault(name, rules)
    if (fault !== undefined) throw new ProtocolError('ERR_TRANSFER_NAME', `a name in the offer ${fault}`)
  }
  const isSorted = names.every((name, at) => at === 0 || compareNames(names[at - 1] ?? '', name) < 0)
  const entries = files + folders
  const isPlausible =
    Number.isSafeInteger(bytes + entries) && entries >= names.length && length >= bytes + TREE_END.length
  const isText = kind === 'files' || (entries === 1 && files === 1 && bytes <= TRANSFER_TEXT_BYTES_MAX)
  if (!isSorted || !isPlausible || !isText)
    throw new ProtocolError('ERR_TRANSFER_SHAPE', 'an offer that contradicts itself')
}
