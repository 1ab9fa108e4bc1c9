/** What a stranger would send, as a person is asked about it. Names are theirs: they are made safe to be shown. */
import { cleanText } from '../../../protocol/text.ts'
import { utf8 } from '../../../protocol/bytes.ts'
import type { Proposal } from '../receive.ts'
import { sizeText, totalsText } from './sizes.ts'

/** Names that are spelled out. */
const NAMES_SHOWN = 20

const shown = (name: string): string => cleanText(utf8(name))

/** The first of some names; all that begin with a dot, for those are not seen where they go. */
export const someNames = (names: readonly string[]): string => {
  const hidden = names.filter((name) => name.startsWith('.'))
  const others = names.filter((name) => !name.startsWith('.'))
  const told = [...hidden, ...others.slice(0, NAMES_SHOWN)]
  const more = names.length - told.length
  return `${told.map(shown).join(', ')}${more > 0 ? `, and ${more} more` : ''}`
}

export const proposalText = (proposal: Proposal): string =>
  proposal.kind === 'text'
    ? `A text of ${sizeText(proposal.bytes)}`
    : `${someNames(proposal.names)}: ${totalsText(proposal)}`
