/** The service behind a gateway: answers, late or never, whole or broken. */
import type { World } from '../world/world.ts'
import type { Audit } from './audit.ts'
import { goodAt, PIECE_BYTES } from './goods.ts'

/** `refuse`: 503. `fail`: throws. `break`: the body ends with an error. `slow`: the answer takes its time. */
export type Trouble = 'refuse' | 'fail' | 'break' | 'slow'

export interface Upstream {
  readonly serve: (request: Request) => Promise<Response>
  /** The next requests have trouble, so many. */
  trouble(kind: Trouble, requests: number): void
  calm(): void
}

const SLOW_MS = 9_000
const ETAG = '"same"'
/** Between pieces of a body, milliseconds. */
const PIECE_MS = 200

/** What is posted: the answer says it again. */
export const bodyOf = (name: string): string => `body of ${name}`

export const createUpstream = ({ loop, reach, breach }: World, audit: Audit): Upstream => {
  let troubles: Trouble[] = []
  const sleep = (ms: number) => new Promise<void>((resolve) => void loop.schedule(ms, resolve))

  /** So many bytes, in pieces. @param breaksAt bytes after which it breaks */
  const flowing = (bytes: number, breaksAt: number): ReadableStream<Uint8Array<ArrayBuffer>> => {
    let sent = 0
    return new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          await sleep(PIECE_MS)
          if (sent >= breaksAt) return controller.error(new Error('the service broke off'))
          const size = Math.min(PIECE_BYTES, bytes - sent)
          if (size <= 0) return controller.close()
          sent += size
          controller.enqueue(new Uint8Array(size))
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** The whole body, or the rest of it that is asked for. */
  const streamed = (request: Request, total: number, isBroken: boolean): Response => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.get('range') ?? '')?.[1] ?? 0)
    const body = flowing(total - from, isBroken ? (total - from) / 2 : Infinity)
    if (from === 0) return new Response(body, { headers: { etag: ETAG } })
    reach('stream resumed')
    const headers = { etag: ETAG, 'content-range': `bytes ${from}-${total - 1}/${total}` }
    return new Response(body, { status: 206, headers })
  }

  const checkBody = async (request: Request): Promise<void> => {
    const body = await request.text()
    const proved = audit.proved(request.headers.get('payment-proof') ?? '')
    if (proved && body !== bodyOf(proved.idempotencyKey))
      breach('a request is served as it was made', 'the body of a request is not the one that was proved')
    reach('request with a body served')
  }

  return {
    trouble: (kind, requests) => {
      troubles = [...troubles, ...Array.from({ length: requests }, () => kind)]
    },
    calm: () => {
      troubles = []
    },
    async serve(request) {
      const good = goodAt(new URL(request.url).pathname)
      const trouble = troubles.shift()
      if (trouble === 'fail' || trouble === 'refuse') reach('service failed and nothing was charged')
      if (trouble === 'slow') await sleep(SLOW_MS)
      if (trouble === 'fail') throw new Error('the service failed')
      if (request.method === 'POST') await checkBody(request)
      if (trouble === 'refuse') return new Response('not now', { status: 503 })
      if (good?.per === 'bit') return streamed(request, good.pieces * PIECE_BYTES, trouble === 'break')
      if (trouble === 'break') {
        reach('answer broke off after its charge')
        return new Response(flowing(2 * PIECE_BYTES, PIECE_BYTES))
      }
      return new Response('served')
    },
  }
}
