/** What may happen to a relay's channel, in every state: a table, which the relay looks up and never goes around. */

export type ChannelState =
  /** The sender is there. */
  | 'waiting'
  /** The sender and its share. */
  | 'offered'
  /** Both, and no share yet. */
  | 'joined'
  /** Both, and the sender's share. */
  | 'ready'
  /** Both shares, and the recipient's commitment to the proof. */
  | 'answered'
  /** The proof was opened: connections may be stapled. */
  | 'proven'
  /** Connections were. */
  | 'stapled'
  /** The two did not have the same words, or one of them pretended. */
  | 'burned'
  /** A party has ended it. */
  | 'closed'

export type ChannelInput =
  | 'sender-joins'
  | 'recipient-joins'
  | 'share'
  | 'answer'
  /** The sender opens the proof, rightly. */
  | 'proof'
  | 'wrong-proof'
  /** A party says that the other had other words. */
  | 'wrong-words'
  | 'staple'
  | 'close'

export type ChannelRefusal =
  /** There is a sender already. */
  | 'ERR_CHANNEL_OCCUPIED'
  /** There are two parties already. */
  | 'ERR_CHANNEL_FULL'
  /** What this builds on is not there yet. */
  | 'ERR_TOO_EARLY'
  /** Fields are written once. */
  | 'ERR_WRITTEN'
  | 'ERR_NOT_PROVEN'
  /** Burned or closed. */
  | 'ERR_CHANNEL_OVER'

type Row = Readonly<Record<ChannelInput, ChannelState | ChannelRefusal>>

const before = {
  'sender-joins': 'ERR_CHANNEL_OCCUPIED',
  'recipient-joins': 'ERR_CHANNEL_FULL',
  share: 'ERR_WRITTEN',
  answer: 'ERR_TOO_EARLY',
  proof: 'ERR_TOO_EARLY',
  'wrong-proof': 'ERR_TOO_EARLY',
  'wrong-words': 'ERR_TOO_EARLY',
  staple: 'ERR_NOT_PROVEN',
  close: 'closed',
} as const satisfies Row

const after = {
  ...before,
  answer: 'ERR_WRITTEN',
  proof: 'ERR_WRITTEN',
  'wrong-proof': 'ERR_WRITTEN',
  'wrong-words': 'burned',
  staple: 'stapled',
} as const satisfies Row

const over = {
  'sender-joins': 'ERR_CHANNEL_OCCUPIED',
  'recipient-joins': 'ERR_CHANNEL_OVER',
  share: 'ERR_CHANNEL_OVER',
  answer: 'ERR_CHANNEL_OVER',
  proof: 'ERR_CHANNEL_OVER',
  'wrong-proof': 'ERR_CHANNEL_OVER',
  'wrong-words': 'ERR_CHANNEL_OVER',
  staple: 'ERR_CHANNEL_OVER',
} as const satisfies Omit<Row, 'close'>

export const channelTable = {
  waiting: { ...before, 'recipient-joins': 'joined', share: 'offered' },
  offered: { ...before, 'recipient-joins': 'ready' },
  joined: { ...before, share: 'ready' },
  // The recipient may find that the share is none.
  ready: { ...before, answer: 'answered', 'wrong-words': 'burned' },
  answered: {
    ...before,
    answer: 'ERR_WRITTEN',
    proof: 'proven',
    'wrong-proof': 'burned',
    'wrong-words': 'burned',
  },
  proven: after,
  stapled: after,
  // To close what is over is no fault: both may do it at once.
  burned: { ...over, close: 'burned' },
  closed: { ...over, close: 'closed' },
} as const satisfies Record<ChannelState, Row>

export const isRefusal = (outcome: ChannelState | ChannelRefusal): outcome is ChannelRefusal =>
  outcome.startsWith('ERR_')

export const isOver = (state: ChannelState): boolean => state === 'burned' || state === 'closed'
