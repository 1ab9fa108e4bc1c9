/** Answers of a directory, for tests that decide what it says. */
import type { Address } from '../../chain/types.ts'
import { PERIOD_SECONDS, PRICE_WEI, type TestMarket } from './test-market.ts'

/** Where `putDirectory` puts it. */
export const DIRECTORY = 'http://vendor.example:8080/graphql'

export const REGISTRY = `0x${'ab'.repeat(20)}` as Address
export const OTHER_REGISTRY = `0x${'cd'.repeat(20)}` as Address

export type Changes = Readonly<Record<string, unknown>>

/** `_meta` of a directory of chain 1 that has seen everything. */
export const metaAnswer = (changes: Changes = {}) => ({
  _meta: {
    chainId: '1',
    registry: REGISTRY,
    payments: `0x${'ef'.repeat(20)}`,
    block: { number: 7, hash: `0x${'07'.repeat(32)}`, timestamp: '1700000000' },
    completeness: { complete: true, gapCount: 0, firstGap: null, undecodableLogs: 0 },
    ...changes,
  },
})

/** A vendor with one plan, of more money than there is, and with words that would harm a terminal. */
export const vendorAnswer = (changes: Changes = {}) => ({
  uri: `chrove:eip155:1:${REGISTRY}/1`,
  version: 3,
  active: true,
  signingKey: `0x${'01'.repeat(32)}`,
  encryptionKey: `0x${'02'.repeat(32)}`,
  profile: { title: 'Flying\u001b[31m Ghost\u202e', description: 'quick', serviceTypes: ['proxy'], regions: [] },
  plans: {
    totalCount: 1,
    nodes: [
      {
        planId: 1,
        title: { text: 'hour' },
        token: null,
        price: '340282366920938463463374607431768211455',
        periodSeconds: 3600,
        maxPeriods: 10,
        settlement: 'STREAMED',
        onSale: true,
      },
    ],
  },
  createdBlock: 2,
  orderCount: 12,
  volumes: [{ token: null, orders: 12, paid: '500', refunded: '20', volume: '480' }],
  uptime: 0.995,
  probes: [
    {
      endpoint: { text: 'http://vendor.example' },
      reachable: true,
      verified: true,
      code: null,
      latencyMs: 12,
      triedAt: '1700000200',
      seenAt: '1700000100',
    },
  ],
  ...changes,
})

/** A page of vendors. */
export const vendorsAnswer = (vendors: readonly unknown[], pageInfo: Changes = {}, meta: Changes = {}) => ({
  data: {
    ...metaAnswer(meta),
    vendors: {
      totalCount: vendors.length,
      pageInfo: { hasNextPage: false, endCursor: null, ...pageInfo },
      nodes: vendors,
    },
  },
})

/** `_meta` of a directory that has read a market up to its head. */
export const metaOfMarket = async (market: TestMarket, changes: Changes = {}): Promise<Changes> => {
  const head = (await market.chain.request('eth_getBlockByNumber', ['latest', false])) as Record<string, string>
  const block = { number: Number(head.number), hash: head.hash, timestamp: String(Number(head.timestamp)) }
  return { chainId: '31337', registry: market.registry, payments: market.payments, block, ...changes }
}

/** Vendor 1 of a market as its registry has it. */
export const vendorOfMarket = async (market: TestMarket, changes: Changes = {}) => {
  const { vendor } = (await market.start().buyer.show('1')).listing
  const plan = {
    title: { text: 'hour' },
    token: null,
    price: String(PRICE_WEI),
    periodSeconds: PERIOD_SECONDS,
    maxPeriods: 10,
    onSale: true,
  }
  return vendorAnswer({
    uri: market.vendor,
    version: vendor.version,
    signingKey: vendor.signingKey,
    encryptionKey: vendor.encryptionKey,
    plans: {
      totalCount: 2,
      nodes: [
        { ...plan, planId: 1, settlement: 'STREAMED' },
        { ...plan, planId: 2, settlement: 'INSTANT', title: { text: 'hour, at once' } },
      ],
    },
    ...changes,
  })
}

/** Puts a directory into a market. */
export const putDirectory = (market: TestMarket, answer: (request: Request) => Response | Promise<Response>): void => {
  market.answer = async (request, honest) => (request.url === DIRECTORY ? answer(request) : honest(request))
}

/** Answers that tell of one vendor, in a list and alone. */
export const telling =
  (vendor: unknown, meta: Changes) =>
  async (request: Request): Promise<Response> => {
    const isList = (await request.text()).includes('query Vendors')
    return Response.json(isList ? vendorsAnswer([vendor], {}, meta) : { data: { ...metaAnswer(meta), vendor } })
  }
