/** The recipient's part of one connection: decides on the offer once, says what it has, and takes the rest. */
import { ProtocolError } from '../../protocol/errors.ts'
import type { Block, Message, Offer, Prefix } from '../../protocol/transfer/messages.ts'
import { checkOffer } from '../../protocol/transfer/offer.ts'
import { createOrdering, type Ordering } from '../../protocol/transfer/ordering.ts'
import type { TransferEffects } from './effects.ts'
import { transferFault } from './errors.ts'
import type { Landing } from './landing.ts'
import { LineBroken, type Line } from './line.ts'
import { ACTION_MS, STEP_MS } from './patience.ts'
import { createWake } from './wake.ts'

/** Acknowledged at least after so many bytes, unless the last acknowledgement is still under way. */
const ACK_BYTES = 1024 * 1024

/** What a recipient knows beyond a single connection. */
export interface Receiving {
  /** What was accepted, and where it goes. */
  accepted: { readonly offer: Offer; readonly landing: Landing } | undefined
  /** It is all in its place. */
  isDone: boolean
}

export interface RecipientOptions {
  /** Decides on the offer, and opens where it lands. @throws ERR_TRANSFER_DECLINED and others, which the sender is told */
  accept(offer: Offer): Promise<Landing>
  /** Told how much has arrived, bytes of the row. */
  readonly onArrived: (length: number) => void
}

export interface Intake {
  /** For the line, which reads before it is known where blocks begin. */
  onBlock(block: Block): Promise<void>
  begin(from: number): Ordering
  /** Resolves at the next block, or when it is notified. */
  changed(): Promise<void>
  notify(): void
}

export const createIntake = ({ packer }: TransferEffects): Intake => {
  const { promise: begun, resolve } = Promise.withResolvers<Ordering>()
  const { until, notify } = createWake()
  let hasChanged = false
  const change = () => {
    hasChanged = true
    notify()
  }
  return {
    notify: change,
    async onBlock({ position, length, packed, payload }) {
      const ordering = await begun
      const content = packed ? await packer.unpack(payload, length) : payload
      if (!content) throw new ProtocolError('ERR_TRANSFER_SHAPE', 'a block that does not unpack')
      ordering.put(position, content)
      change()
    },
    begin(from) {
      const ordering = createOrdering(from)
      resolve(ordering)
      return ordering
    },
    async changed() {
      await until(() => hasChanged)
      hasChanged = false
    },
  }
}

/**
 * Receives over one line, until all is in its place and the sender has been told.
 * @throws LineBroken, after which another line goes on; TransferError | ProtocolError
 */
export const receiveOver = async (
  effects: TransferEffects,
  line: Line,
  intake: Intake,
  receiving: Receiving,
  options: RecipientOptions,
): Promise<void> => {
  line.patience(ACTION_MS)
  const offer = await line.hear()
  if (offer.type !== 'offer') throw unexpected(offer)
  const landing = await land(effects, receiving, offer, options)
  await line.say({ type: 'answer', arrived: [...landing.arrived()] })
  const start = await line.hear()
  if (start.type !== 'start') throw unexpected(start)
  const { from } = start
  if (from !== 0 && !landing.arrived().some(({ length }) => length === from)) throw unexpected(start)
  await filed(landing.rewind(from))
  options.onArrived(from)
  line.patience(STEP_MS)

  const ordering = intake.begin(from)
  const whole = await take(line, intake, ordering, landing, options)
  await filed(landing.finish(whole))
  receiving.isDone = true
  await line.say({ type: 'done' })
  // The sender ends once it has heard that.
  if (!(await line.end())) throw new LineBroken('the sender may not know')
}

const unexpected = ({ type }: Message): ProtocolError =>
  new ProtocolError('ERR_TRANSFER_SHAPE', `the sender says ${type} where that means nothing`)

/** What the disk refuses is told as a fault of the transfer. */
const filed = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work
  } catch (fault) {
    throw transferFault(fault)
  }
}

/** Where this offer lands: where it did before the connection broke, or where a person now agrees to have it. */
const land = async (
  effects: TransferEffects,
  receiving: Receiving,
  offer: Offer,
  options: RecipientOptions,
): Promise<Landing> => {
  const { accepted } = receiving
  if (accepted) {
    if (JSON.stringify(accepted.offer) === JSON.stringify(offer)) return accepted.landing
    throw new ProtocolError('ERR_TRANSFER_SHAPE', 'the sender offers something else than before')
  }
  checkOffer(offer, effects.folders)
  const landing = await filed(options.accept(offer))
  receiving.accepted = { offer, landing }
  return landing
}

/** Writes blocks in their order until all have come. @returns what the sender says they all are */
const take = async (
  line: Line,
  intake: Intake,
  ordering: Ordering,
  landing: Landing,
  { onArrived }: RecipientOptions,
): Promise<Prefix> => {
  let whole: Prefix | undefined
  const hearWhole = async (): Promise<void> => {
    const message = await line.hear()
    if (message.type !== 'whole') throw unexpected(message)
    whole = { length: message.length, digest: message.digest }
    intake.notify()
  }
  // Not part of each wait below, all of which it would remember for the life of the line.
  hearWhole().catch((fault: unknown) => line.fail(fault))

  let acknowledged = landing.length
  let isAcknowledging = false
  const acknowledge = async (): Promise<void> => {
    if (isAcknowledging) return
    isAcknowledging = true
    while (landing.length - acknowledged >= ACK_BYTES) {
      acknowledged = landing.length
      await line.say({ type: 'ack', length: acknowledged })
    }
    isAcknowledging = false
  }

  for (;;) {
    const content = ordering.take()
    if (content) {
      line.moved()
      await filed(landing.write(content))
      onArrived(landing.length)
      acknowledge().catch((fault: unknown) => line.fail(fault))
    } else if (whole && landing.length >= whole.length) return whole
    else await line.race(intake.changed())
  }
}
