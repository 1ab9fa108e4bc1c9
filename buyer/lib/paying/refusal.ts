/** What a gateway answers in place of the service: read with bounds, and told apart from the service's own words. */
import { z } from 'zod'
import { parseJson } from '../../../protocol/json.ts'
import { PAYMENT_REQUIRED_BYTES_MAX } from '../../../protocol/limits.ts'
import { flattenedJwsSchema } from '../../../protocol/jose.ts'
import { paymentProblems, type PaymentProblemCode } from '../../../protocol/payment-problems.ts'
import { cleanText } from '../../../protocol/text.ts'
import { utf8 } from '../../../protocol/bytes.ts'
import { RETRY_AFTER_SECONDS_MAX } from '../limits.ts'

const whole = z
  .string()
  .regex(/^(0|[1-9]\d{0,38})$/)
  .transform(BigInt)

const refusalSchema = z.object({
  code: z.string().max(64),
  detail: z.string().max(4096).default(''),
  offers: flattenedJwsSchema.optional(),
  minimumCumulative: whole.optional(),
  cumulative: whole.optional(),
  signature: z.string().max(132).optional(),
})

export interface Refusal extends Omit<z.infer<typeof refusalSchema>, 'code'> {
  readonly code: PaymentProblemCode
  readonly retryAfterSeconds: number
}

/** @returns the refusal; or the same answer, when it is none */
export const readRefusal = async (
  answer: Response,
): Promise<{ readonly refusal: Refusal } | { readonly answer: Response }> => {
  const isProblem = /^application\/problem\+json\b/i.test(answer.headers.get('content-type') ?? '')
  if (answer.status < 400 || !isProblem || answer.body === null) return { answer }
  const { bytes, rest } = await readUpTo(answer.body, PAYMENT_REQUIRED_BYTES_MAX)
  const { status, headers } = answer
  if (rest === undefined) {
    const parsed = refusalSchema.safeParse(jsonOf(bytes))
    if (parsed.success && isCode(parsed.data.code) && paymentProblems[parsed.data.code].status === status) {
      const { code, detail, ...more } = parsed.data
      const retryAfterSeconds = Math.min(Number(headers.get('retry-after')) || 0, RETRY_AFTER_SECONDS_MAX)
      return { refusal: { ...more, code, detail: cleanText(utf8(detail)), retryAfterSeconds } }
    }
  }
  return { answer: new Response(rest ? joined(bytes, rest) : bytes, { status, headers }) }
}

const isCode = (code: string): code is PaymentProblemCode => Object.hasOwn(paymentProblems, code)

const jsonOf = (bytes: Uint8Array): unknown => {
  try {
    return parseJson(bytes)
  } catch {
    return undefined
  }
}

type Body = ReadableStream<Uint8Array<ArrayBuffer>>

/** @returns the bytes, and what comes after them where that is not all */
const readUpTo = async (
  body: Body,
  bytesMax: number,
): Promise<{
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly rest?: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>
}> => {
  const reader = body.getReader()
  const pieces: Uint8Array[] = []
  let length = 0
  while (length <= bytesMax) {
    const { done, value } = await reader.read()
    if (done) return { bytes: concat(pieces, length) }
    pieces.push(value)
    length += value.length
  }
  return { bytes: concat(pieces, length), rest: reader }
}

const concat = (pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> => {
  const all = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}

const joined = (bytes: Uint8Array<ArrayBuffer>, rest: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>): Body =>
  new ReadableStream({
    start: (controller) => controller.enqueue(bytes),
    async pull(controller) {
      const { done, value } = await rest.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => rest.cancel(reason),
  })
