/** Errors over HTTP. @see RFC 9457 */
import { z } from 'zod'

export interface Problem {
  readonly status: number
  /** Stable code, for programs. */
  readonly code: string
  /** Short name of the kind of problem, the same each time. */
  readonly title: string
  /** What is wrong here and what to do about it. */
  readonly detail: string
  /** Members of this kind of problem. */
  readonly more?: Readonly<Record<string, unknown>>
  /** Seconds after which another try may succeed. */
  readonly retryAfterSeconds?: number
}

/** The response that tells a problem. Never cached. */
export const problemResponse = ({ status, code, title, detail, more, retryAfterSeconds }: Problem): Response => {
  const headers = new Headers({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
  if (retryAfterSeconds !== undefined) headers.set('retry-after', String(retryAfterSeconds))
  const body = { type: `urn:chrove:problem:${code}`, title, status, detail, code, ...more }
  return new Response(JSON.stringify(body), { status, headers })
}

const problemSchema = z.object({
  code: z
    .string()
    .max(64)
    .regex(/^ERR_[A-Z0-9_]+$/),
  title: z.string().max(256),
  detail: z.string().max(4096),
})

/** Reads a peer's problem document, undefined if it is none. */
export const parseProblem = (body: unknown): Pick<Problem, 'code' | 'title' | 'detail'> | undefined =>
  problemSchema.safeParse(body).data
