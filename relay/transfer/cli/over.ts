/** Files over connections that others have made: as `send` and `receive` do it through a relay. */
import type { Output } from '../../../effects/command-output.ts'
import type { Session } from '../../../effects/command.ts'
import type { Connect } from '../attempts.ts'
import { receiveThrough } from '../receive.ts'
import { sendThrough } from '../send.ts'
import { accept } from './accept.ts'
import { createProgressBar } from './progress-bar.ts'
import { outputOf } from './receive.ts'
import { totalsText } from './sizes.ts'

/** @throws what `sendThrough` throws */
export const sendOver = async (session: Session, connect: Connect, paths: readonly string[]): Promise<Output> => {
  const { effects, terminal, signal, say } = session
  const bar = createProgressBar(effects.clock, terminal, say)
  try {
    const sent = await sendThrough(
      effects,
      connect,
      { paths },
      {
        compress: true,
        onOffer: (offer) => say(`Sending ${totalsText(offer)}`),
        onProgress: (progress) => bar.show(progress),
        onBroken: () => bar.say('The connection broke; asking for another'),
        signal,
      },
    )
    return { json: { sent: true, ...sent }, text: 'Sent: it has all arrived' }
  } finally {
    bar.clear()
  }
}

/**
 * @param options as `chrove receive` has them
 * @throws what `receiveThrough` throws
 */
export const receiveOver = async (
  session: Session,
  connect: Connect,
  options: { readonly out: string; readonly yes: boolean },
): Promise<Output | undefined> => {
  const { effects, terminal, signal, say } = session
  const bar = createProgressBar(effects.clock, terminal, say)
  try {
    const received = await receiveThrough(effects, connect, {
      into: { folder: options.out },
      accept: (proposal) => accept(session, proposal, options),
      onProgress: (progress) => bar.show(progress),
      onBroken: () => bar.say('The connection broke; waiting for another'),
      signal,
    })
    bar.clear()
    return await outputOf(session, received, options)
  } finally {
    bar.clear()
  }
}
