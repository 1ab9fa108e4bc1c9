/** What subscribers can follow, and how each event becomes an answer of its own. */
import {
  type DocumentNode,
  type ExecutionResult,
  createSourceEventStream,
  executeSubscriptionEvent,
  getOperationAST,
  mapSourceToResponseEvent,
  validateSubscriptionArgs,
} from 'graphql'
import { type Plugin, isAsyncIterable } from 'graphql-yoga'
import { decodeWords } from '../columns.ts'
import { decodePayment } from '../tidings.ts'
import { EVENT_SHARED_MS, EVENTS_SHARED_MAX, FILTER_LIST_MAX } from '../limits.ts'
import type { FeedRow } from '../schema.ts'
import type { Moment } from './block-at.ts'
import { createContext, type Directory, type RequestContext } from './context.ts'
import { queryError } from './errors.ts'
import { eventStream } from './event-stream.ts'
import { resumeId } from './feed.ts'
import { createLru } from './lru.ts'
import { exceedsLimits, weigh } from './query-limits.ts'
import { evidenceOf, orderAt, somebody } from './reads.ts'

interface VendorChangeFilter {
  readonly ids?: readonly bigint[] | null
  readonly serviceType?: string | null
  readonly region?: string | null
}

interface OrderPaymentFilter {
  readonly vendorId?: bigint | null
  readonly planId?: number | null
  readonly keyHashes?: readonly string[] | null
  readonly token?: string | null
}

interface Following<Filter> {
  readonly filter?: Filter | null
  readonly after?: string | null
}

/** What a request to subscribe adds to the context. */
type SubscriberContext = RequestContext & { readonly request?: Request }

const follow = (
  { feed, request }: SubscriberContext,
  { after }: Following<unknown>,
  matches: (event: FeedRow) => boolean,
) => feed.follow(after ?? request?.headers.get('last-event-id') ?? undefined, matches)

/** @throws ERR_FILTER_INVALID */
const bounded = <Value>(values: readonly Value[] | null | undefined): ReadonlySet<Value> | undefined => {
  if (values && values.length > FILTER_LIST_MAX) {
    throw queryError('ERR_FILTER_INVALID', `a filter lists at most ${FILTER_LIST_MAX} values`)
  }
  return values ? new Set(values) : undefined
}

const isVendorChange = (filter: VendorChangeFilter): ((event: FeedRow) => boolean) => {
  const ids = bounded(filter.ids)
  const names = (words: string, word: string | null | undefined) =>
    word == null || decodeWords(words).includes(word.toLowerCase())
  return (event) =>
    event.kind === 'vendor' &&
    (!ids || ids.has(BigInt(event.vendor_id))) &&
    names(event.service_types, filter.serviceType) &&
    names(event.regions, filter.region)
}

const isPayment = (filter: OrderPaymentFilter): ((event: FeedRow) => boolean) => {
  const { vendorId, planId, token } = filter
  const keyHashes = bounded(filter.keyHashes)
  if (planId != null && vendorId == null) {
    throw queryError('ERR_FILTER_INVALID', 'plan ids count per vendor: give `vendorId` with `planId`')
  }
  return (event) => {
    if (event.kind !== 'payment') return false
    const payment = decodePayment(event.payment)
    return (
      (vendorId == null || BigInt(event.vendor_id) === vendorId) &&
      (planId == null || payment.planId === planId) &&
      (token == null || payment.token === token) &&
      (!keyHashes || keyHashes.has(payment.keyHash))
    )
  }
}

const isRetraction = ({ retracts }: FeedRow): boolean => retracts > 0

const common = {
  id: resumeId,
  retracted: isRetraction,
  vendorId: ({ vendor_id }: FeedRow) => BigInt(vendor_id),
  evidence: (event: FeedRow) => evidenceOf(event, event.block_number),
}

/**
 * A row as the event left it, or for a retraction as it is now.
 * @returns null when the event has been undone meanwhile, which is told next
 */
const subject = async <Row extends { readonly block_hash: string; readonly from_block: number }>(
  event: FeedRow,
  context: RequestContext,
  read: (at: Moment) => Promise<{ readonly row: Row } | undefined>,
) => {
  if (isRetraction(event)) return read(await context.newest())
  const seen = await read(context.moment(event.block_number))
  const isOfEvent = seen?.row.from_block === event.block_number && seen.row.block_hash === event.block_hash
  return isOfEvent ? seen : null
}

const payment = <Value>(tell: (paid: ReturnType<typeof decodePayment>) => Value) => {
  return (event: FeedRow): Value => tell(decodePayment(event.payment))
}

export const subscriptionResolvers = {
  Subscription: {
    vendorChanged: {
      subscribe: (_: unknown, args: Following<VendorChangeFilter>, context: SubscriberContext) =>
        follow(context, args, isVendorChange(args.filter ?? {})),
      resolve: (event: FeedRow) => event,
    },
    orderPaid: {
      subscribe: (_: unknown, args: Following<OrderPaymentFilter>, context: SubscriberContext) =>
        follow(context, args, isPayment(args.filter ?? {})),
      resolve: (event: FeedRow) => event,
    },
  },
  VendorChange: {
    ...common,
    vendor: (event: FeedRow, _: unknown, context: RequestContext) =>
      subject(event, context, (at) => context.vendor(event.vendor_id, at)),
  },
  OrderPayment: {
    ...common,
    orderId: payment(({ orderId }) => orderId),
    order: (event: FeedRow, _: unknown, context: RequestContext) =>
      subject(event, context, (at) => orderAt(context, { orderId: decodePayment(event.payment).orderId }, at)),
    planId: payment(({ planId }) => planId),
    keyHash: payment(({ keyHash }) => keyHash),
    token: payment(({ token }) => (token === undefined ? null : somebody(token))),
    controller: payment(({ controller }) => somebody(controller)),
    periods: payment(({ periods }) => periods),
    startedAt: payment(({ startedAt }) => startedAt),
    endsAt: payment(({ endsAt }) => endsAt),
    amount: payment(({ amount }) => amount),
  },
}

/** What those who are told the same event at about the same time share. */
interface SharedEvent {
  readonly context: RequestContext
  /** By document, then by operation and variables: whoever asks the same is told the same. */
  readonly answers: Map<DocumentNode, Map<string, Promise<ExecutionResult>>>
  readonly writes: unknown
  readonly untilMs: number
}

const sharingEvents = (directory: Directory) => {
  const events = createLru<SharedEvent>(EVENTS_SHARED_MAX, EVENTS_SHARED_MAX)
  const { clock, head } = directory
  return (event: FeedRow): SharedEvent => {
    const id = resumeId(event)
    const known = events.get(id)
    const writes = head.writes.revision()
    // What was read before the last block may be old, and no request may last as long as an event is kept.
    if (known && known.writes === writes && clock.nowMs() < known.untilMs) return known
    const untilMs = clock.nowMs() + EVENT_SHARED_MS
    const shared: SharedEvent = { context: createContext(directory), answers: new Map(), writes, untilMs }
    events.set(id, shared, 1)
    return shared
  }
}

/** Runs subscriptions. Every event has a context of its own, since each is another moment. */
export const subscriptions = (directory: Directory): Plugin<RequestContext> => {
  const sharedOf = sharingEvents(directory)

  const tell = async (
    args: Parameters<typeof executeSubscriptionEvent>[0],
    asked: string,
  ): Promise<ExecutionResult> => {
    // The root value of an event is what its stream gave.
    const event = args.rootValue as FeedRow
    const { context, answers } = sharedOf(event)
    const run = async () => {
      const result = await executeSubscriptionEvent({ ...args, contextValue: context })
      return { ...result, extensions: { ...result.extensions, resumeId: resumeId(event) } }
    }
    const ofDocument = answers.get(args.document) ?? new Map<string, Promise<ExecutionResult>>()
    answers.set(args.document, ofDocument)
    const answer = ofDocument.get(asked) ?? run()
    ofDocument.set(asked, answer)
    const result = await answer
    // The chain changed meanwhile: what was read may not fit together.
    return (await context.wasReplaced()) ? tell(args, asked) : result
  }

  return {
    onSubscribe: ({ args, setSubscribeFn, setResultAndStopExecution }) => {
      const operation = getOperationAST(args.document, args.operationName)
      const refusal = operation && exceedsLimits(weigh(args.document, operation, args.variableValues ?? {}))
      if (refusal) return setResultAndStopExecution({ errors: [refusal] })
      setSubscribeFn(async () => {
        const valid = validateSubscriptionArgs(args)
        if (!('operation' in valid)) return { errors: valid }
        const source = await createSourceEventStream(valid)
        if (!(Symbol.asyncIterator in source)) return source
        const asked = JSON.stringify([args.operationName ?? null, args.variableValues ?? null])
        return mapSourceToResponseEvent(valid, source, (event) => tell(event, asked))
      })
    },
    onResultProcess: ({ result, resultProcessor, setResultProcessor }) => {
      if (!isAsyncIterable(result) || !resultProcessor) return
      setResultProcessor(
        () => eventStream(result as AsyncIterable<ExecutionResult>, directory.clock),
        'text/event-stream',
      )
    },
  }
}
