/** Heads over WebSockets: `eth_subscribe newHeads` of each node that has one. */
import { z } from 'zod'
import type { Heads } from './heads.ts'
import { createSubscriptions, type SubscriptionDialect, type SubscriptionEffects } from './subscription-node.ts'
import type { Dial } from './tcp-node.ts'

const SUBSCRIBE_ID = 1
const SUBSCRIBE = JSON.stringify({
  ...{ jsonrpc: '2.0', id: SUBSCRIBE_ID, method: 'eth_subscribe', params: ['newHeads'] },
})

const subscribed = z.object({ jsonrpc: z.literal('2.0'), id: z.literal(SUBSCRIBE_ID), result: z.string() })
const refused = z.object({
  ...{ jsonrpc: z.literal('2.0'), id: z.literal(SUBSCRIBE_ID).nullable(), error: z.object({ code: z.int() }) },
})
const told = z.object({
  jsonrpc: z.literal('2.0'),
  method: z.literal('eth_subscription'),
  params: z.object({ result: z.object({ hash: z.string().regex(/^0x[0-9a-f]{64}$/i) }) }),
})

const newHeads: SubscriptionDialect = {
  opened: 'chain.heads-open',
  closed: 'chain.heads-closed',
  subscribe: SUBSCRIBE,
  meaningOf(message) {
    if (told.safeParse(message).success) return 'told'
    if (subscribed.safeParse(message).success) return 'subscribed'
    return refused.safeParse(message).success ? 'ERR_CHAIN_REFUSED' : 'ERR_CHAIN_MALFORMED'
  },
}

/**
 * Opens nothing before somebody listens; then one connection for each URL and listener.
 * @param dial opens every connection, so that none goes around the proxy
 * @throws TypeError when a URL is none for WebSockets, without repeating it
 */
export const createHeads = (effects: SubscriptionEffects, dial: Dial, urls: readonly string[]): Heads =>
  createSubscriptions(effects, dial, urls, newHeads)
