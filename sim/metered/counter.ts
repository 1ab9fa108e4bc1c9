/** Stands at the door of a gateway: what comes in, and what leaves it, byte by byte. */
import { isCharged } from '../../gateway/fetch.ts'
import type { World } from '../world/world.ts'
import type { Audit, Proved } from './audit.ts'
import { goodAt, type Good } from './goods.ts'

type Body = ReadableStream<Uint8Array<ArrayBuffer>>

/** Problems whose coming about is worth knowing. */
const reachedBy = {
  ERR_VOUCHER_RESTARTED: 'voucher refused after a restart',
  ERR_VOUCHER_USED_UP: 'voucher used up',
  ERR_VOUCHER_STALE: 'voucher refused for a newer one',
  ERR_PROOF_REPLAYED: 'request replayed and refused',
  ERR_PROOF_WRONG: 'request changed on its way and refused',
  ERR_REFUND_AMOUNT: 'refund refused',
  ERR_BALANCE_SHORT: 'deposit waited for',
} as const

const isRefundPath = (request: Request, path: string): boolean => request.method === 'POST' && path === '/refund'

export interface Counter {
  watch(request: Request, answer: (request: Request) => Promise<Response>): Promise<Response>
  died(): void
}

export const createCounter = (world: World, audit: Audit): Counter => {
  let answering = 0

  const tellProblem = async (response: Response): Promise<void> => {
    if (!response.headers.get('content-type')?.startsWith('application/problem+json')) return
    const { code } = (await response.clone().json()) as { code?: string }
    world.trace.add('refusal', String(code))
    const name = reachedBy[code as keyof typeof reachedBy] as (typeof reachedBy)[keyof typeof reachedBy] | undefined
    if (name) world.reach(name)
  }

  const flowing = (response: Response, { account }: Proved): Response => {
    const flow = audit.streams(account)
    const reader = (response.body as Body).getReader()
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          try {
            const { done, value } = await reader.read()
            if (done) {
              flow.end('whole')
              return controller.close()
            }
            flow.piece(value.length)
            controller.enqueue(value)
          } catch (error) {
            flow.end('broken')
            world.reach('stream broke off')
            controller.error(error)
          }
        },
        async cancel(reason) {
          await reader.cancel(reason)
          flow.end('broken')
          world.reach('stream broke off')
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { status: response.status, headers: response.headers })
  }

  const seen = (request: Request, response: Response, good: Good, proof: string): Response => {
    const proved = audit.proved(proof)
    const isStream = good.per === 'bit' && response.body !== null
    if (proved && !isSame(request, proved))
      world.breach('a request is served as it was made', `${request.method} ${request.url} was ${proved.target}`)
    // It counts as under way before it is charged for its first piece.
    const counted = isStream && proved ? flowing(response, proved) : response
    audit.leaves(proved, isStream)
    return counted
  }

  return {
    died() {
      if (answering > 0) world.reach('gateway crashed while serving')
    },
    async watch(request, answer) {
      const { pathname } = new URL(request.url)
      const refund = isRefundPath(request, pathname) ? await request.clone().text() : undefined
      const proof = request.headers.get('payment-proof') ?? ''
      answering++
      const response = await answer(request)
      answering--
      await tellProblem(response)
      if (!isCharged(response.status)) return response
      if (refund !== undefined) audit.refundTaken(refund)
      const good = goodAt(pathname)
      if (!good || good.per === 'free') return response
      return seen(request, response, good, proof)
    },
  }
}

const isSame = (request: Request, proved: Proved): boolean => {
  const { pathname, search } = new URL(request.url)
  const header = (name: string) => request.headers.get(name) ?? ''
  return (
    request.method === proved.method &&
    pathname + search === proved.target &&
    header('idempotency-key') === proved.idempotencyKey &&
    header('payment-amount') === proved.amount &&
    header('content-digest') === proved.digest
  )
}
