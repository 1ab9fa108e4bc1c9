/** Whether to receive what is offered: as the options say, else as the person says who is asked. */
import type { Session } from '../../../effects/command.ts'
import { TransferError } from '../errors.ts'
import type { Decision } from '../folder-landing.ts'
import type { Proposal } from '../receive.ts'
import { proposalText, someNames } from './proposal.ts'

export interface AcceptOptions {
  readonly yes?: boolean
  readonly overwrite?: boolean
  readonly resume?: boolean
}

/** @throws ERR_NOT_CONFIRMED; ERR_TRANSFER_EXISTS when what is there shall stay */
export const accept = async (
  { terminal, say, confirm }: Pick<Session, 'terminal' | 'say' | 'confirm'>,
  proposal: Proposal,
  options: AcceptOptions,
): Promise<Decision> => {
  const { existing, kept } = proposal
  say(proposalText(proposal))
  if (!options.yes) await confirm(proposal.kind === 'text' ? 'Show it?' : 'Receive it?')
  const mayAsk = terminal.interactive && !options.yes
  if (existing.length > 0 && !options.overwrite) {
    const there = someNames(existing)
    const question = `There is already: ${there}. Let what arrives take its place?`
    if (!mayAsk)
      throw new TransferError('ERR_TRANSFER_EXISTS', `there is already: ${there}; to replace it add --overwrite`)
    if (!(await terminal.confirm(question)))
      throw new TransferError('ERR_TRANSFER_EXISTS', 'what is there is kept; nothing was received')
  }
  const resume =
    !kept ||
    !mayAsk ||
    options.resume === true ||
    (await terminal.confirm('Part of it has arrived before. Go on with that?'))
  return { mayReplace: existing.length > 0, resume }
}
