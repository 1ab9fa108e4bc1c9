/** Who is let in by `chrove listen`, and the connections that come of it: one guest at a time. */
import type { Session } from '../../effects/command.ts'
import { thumbprintText } from '../../protocol/rendezvous/registration.ts'
import type { Asking, Decision } from '../client/introductions.ts'
import type { Connected } from '../client/index.ts'

export interface GuestRules {
  /** Whom to let in: these UUIDs, or by the rule. */
  readonly accept: 'ask' | 'all' | 'known' | readonly string[]
  /** Our address is shown to nobody. */
  readonly hide: boolean
}

export interface Guests {
  decide(asking: Asking): Promise<Decision>
  came(guest: Connected): void
  /** Who was let in could not be connected. */
  failed(): void
  next(): Promise<Connected>
  /** The same client once more, whose connection broke. */
  again(uuid: string, signal: AbortSignal): Promise<Connected>
  setServing(isServing: boolean): void
}

export const createGuests = (
  { signal: end, terminal, say }: Pick<Session, 'signal' | 'terminal' | 'say'>,
  { accept, hide }: GuestRules,
): Guests => {
  let next = Promise.withResolvers<Connected>()
  let awaited: { readonly uuid: string; readonly met: (guest: Connected) => void } | undefined
  let isServing = false
  /** To whom the person has agreed to show our address. */
  const shownTo = new Set<string>()

  /** Who is let in by the person and is on the way; aborts when it is not coming. */
  let expected: AbortSignal | undefined
  /** The question that is open, or was the last. */
  let question: Promise<unknown> = Promise.resolve()

  const isBusy = (): boolean => isServing || expected?.aborted === false

  const isShown = ({ hides }: Asking): boolean => !hide && !hides

  const askPerson = async (asking: Asking): Promise<Decision> => {
    const { peer, signal } = asking
    if (signal.aborted || isBusy()) return 'ignore'
    say(`${peer.uuid} asks for a connection; thumbprint of its key: ${thumbprintText(peer.key)}`)
    const isAgreed = await terminal.confirm(
      isShown(asking) ? 'Accept, and let it see your address?' : 'Accept, through the relay?',
    )
    if (!isAgreed) return 'deny'
    if (isShown(asking)) shownTo.add(peer.uuid)
    expected = signal
    return 'accept'
  }

  /** One question after the other, so that what is typed answers the one that is read; none after an interruption. */
  const askInTurn = (asking: Asking): Promise<Decision> => {
    const decision = question.then(() => askPerson(asking))
    question = decision
    return decision
  }

  /** Whoever is let in again after a break is shown no more than was agreed to. */
  const mayReturn = (asking: Asking): boolean => accept !== 'ask' || !isShown(asking) || shownTo.has(asking.peer.uuid)

  return {
    async decide(asking) {
      const { uuid, isKnown } = asking.peer
      if (awaited?.uuid === uuid) return mayReturn(asking) ? 'accept' : 'ignore'
      if (isBusy()) return 'ignore'
      if (accept === 'ask') return askInTurn(asking)
      const isWelcome = accept === 'all' || (accept === 'known' ? isKnown : accept.includes(uuid))
      return isWelcome ? 'accept' : 'ignore'
    },
    came(guest) {
      if (awaited?.uuid === guest.peer.uuid) return awaited.met(guest)
      // Two may have been accepted before the first was connected.
      if (isServing) return guest.stream.close()
      next.resolve(guest)
    },
    failed() {
      expected = undefined
    },
    async next() {
      const guest = await next.promise
      next = Promise.withResolvers()
      return guest
    },
    again: (uuid, signal) =>
      new Promise((resolve, reject) => {
        const stop = () => {
          awaited = undefined
          signal.removeEventListener('abort', onAbort)
        }
        const onAbort = () => {
          stop()
          reject((end.reason ?? signal.reason) as Error)
        }
        signal.addEventListener('abort', onAbort)
        awaited = { uuid, met: (guest) => (stop(), resolve(guest)) }
      }),
    setServing(serves) {
      isServing = serves
      expected = undefined
    },
  }
}
