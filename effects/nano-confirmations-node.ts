/**
 * Confirmations over the WebSocket of a Nano node: the topic `confirmation`, for blocks that send to an account or are in
 * its chain.
 * @see https://docs.nano.org/integration-guides/websockets/
 */
import { z } from 'zod'
import type { Heads } from './heads.ts'
import { createSubscriptions, type SubscriptionEffects } from './subscription-node.ts'
import type { Dial } from './tcp-node.ts'

const ID = 'chrove'

const subscribed = z.object({ ack: z.literal('subscribe'), id: z.literal(ID) })
const alive = z.object({ ack: z.literal('pong') })
const refused = z.object({ error: z.string() })
const told = z.object({
  topic: z.literal('confirmation'),
  message: z.object({ hash: z.string().regex(/^[0-9a-f]{64}$/i) }),
})

/**
 * Opens nothing before somebody listens.
 * @param account the service's; what concerns others is not told
 * @throws TypeError when a URL is none for WebSockets, without repeating it
 */
export const createNanoConfirmations = (
  effects: SubscriptionEffects,
  dial: Dial,
  urls: readonly string[],
  account: string,
): Heads =>
  createSubscriptions(effects, dial, urls, {
    opened: 'nano.confirmations-open',
    closed: 'nano.confirmations-closed',
    subscribe: JSON.stringify({
      ...{ action: 'subscribe', topic: 'confirmation', ack: true, id: ID, options: { accounts: [account] } },
    }),
    ping: JSON.stringify({ action: 'ping' }),
    meaningOf(message) {
      if (told.safeParse(message).success) return 'told'
      if (subscribed.safeParse(message).success) return 'subscribed'
      if (alive.safeParse(message).success) return 'alive'
      return refused.safeParse(message).success ? 'ERR_CHAIN_REFUSED' : 'ERR_CHAIN_MALFORMED'
    },
  })
