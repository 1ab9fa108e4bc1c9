/** Whether an offer can be what it says, before a person is asked. */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { utf8 } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { TRANSFER_TEXT_BYTES_MAX } from '../limits.ts'
import type { Offer } from './messages.ts'
import { compareNames, foldName, nameFault, type NameRules } from './names.ts'
import { TREE_END } from './tree.ts'

/** The hidden folders in which transfers gather, as file systems fold names: nothing may be put in their place. */
const HIDDEN = /^\.chrove-[0-9a-f]{16}\.part$/

/** The id of an offer: the same for the same names at the top, and for no others. */
export const offerId = (names: readonly string[]): string =>
  bytesToHex(sha256(utf8(names.map((name) => `${name}/`).join(''))))

/** @throws ERR_TRANSFER_NAME | ERR_TRANSFER_SHAPE */
export const checkOffer = (offer: Offer, rules: Pick<NameRules, 'windows'>): void => {
  const { id, names, kind, files, folders, bytes, length } = offer
  for (const name of names) {
    const fault = nameFault(name, rules)
    if (fault !== undefined) throw new ProtocolError('ERR_TRANSFER_NAME', `a name in the offer ${fault}`)
    if (HIDDEN.test(foldName(name)))
      throw new ProtocolError('ERR_TRANSFER_NAME', 'a name in the offer is that of a transfer under way')
  }
  const isSorted = names.every((name, at) => at === 0 || compareNames(names[at - 1] ?? '', name) < 0)
  const entries = files + folders
  const isPlausible =
    Number.isSafeInteger(bytes + entries) && entries >= names.length && length >= bytes + TREE_END.length
  const isText = kind === 'files' || (entries === 1 && files === 1 && bytes <= TRANSFER_TEXT_BYTES_MAX)
  if (!isSorted || !isPlausible || !isText || id !== offerId(names))
    throw new ProtocolError('ERR_TRANSFER_SHAPE', 'an offer that contradicts itself')
}
