/**
 * What a directory is asked by those who buy: documents by name, with their variables, and what came back. Only bytes in
 * and out: who asks brings the network. One text and one digest per document, so a directory that answers documents of
 * its own list needs no more than the files of `documents/`.
 */
import type { z } from 'zod'
import { answerSchemas, refusalSchema } from './answers.ts'
import { documents } from './generated/documents.ts'

type Hex = `0x${string}`

interface PlanFilter {
  readonly onSale?: boolean
  /** Zero for the chain's coin. */
  readonly token?: Hex
  readonly maxPricePerDay?: string
}

interface VendorFilter {
  readonly active?: boolean
  readonly serviceType?: string
  readonly region?: string
  readonly reachable?: boolean
  readonly verified?: boolean
  readonly plan?: PlanFilter
}

interface Order<Field extends string> {
  readonly field: Field
  readonly direction: 'ASC' | 'DESC'
}

/** Variables of the documents; whole numbers that may be large are decimal text. */
export interface Variables {
  readonly vendors: {
    readonly filter: VendorFilter
    readonly search?: string
    readonly orderBy?: Order<'CREATED' | 'PRICE' | 'UPTIME'> | (Order<'VOLUME'> & { readonly token: Hex })
    /** Which plans of each vendor are told. */
    readonly plan: PlanFilter
    readonly planOrder?: Order<'PRICE'>
    /** Tokens of which volumes are told. */
    readonly tokens: readonly Hex[]
    /** 1 to 100. */
    readonly first: number
    readonly after?: string
  }
  readonly vendor: { readonly id: string }
  readonly order: { readonly vendorId: string; readonly planId: number; readonly keyHash: Hex }
  readonly meta: Readonly<Record<string, never>>
}

export type DocumentName = keyof Variables
export type AnswerTo<Name extends DocumentName> = z.infer<(typeof answerSchemas)[Name]>

/**
 * The body of a request, JSON, for POST to a directory's `/graphql`. It has the document's text and its digest: what has
 * a list of documents knows it by either, and what has none answers the text.
 */
export const questionBody = <Name extends DocumentName>(name: Name, variables: Variables[Name]): string => {
  const { text, sha256 } = documents[name]
  const persistedQuery = { version: 1, sha256Hash: sha256 }
  return JSON.stringify({ query: text, variables, extensions: { persistedQuery } })
}

export type Read<Answer> =
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** It does not answer this; `retryable` when it may later. */
  | { readonly kind: 'refused'; readonly code: string; readonly retryable: boolean }
  | { readonly kind: 'nonsense' }

/** @param body JSON as it came, whatever it is */
export const readAnswer = <Name extends DocumentName>(name: Name, body: unknown): Read<AnswerTo<Name>> => {
  const refused = refusalSchema.safeParse(body).data?.errors[0]
  if (refused) return { kind: 'refused', ...refused.extensions }
  const { data, errors } = Object(body) as { readonly data?: unknown; readonly errors?: unknown }
  const read = answerSchemas[name].safeParse(data)
  // Half an answer is none.
  if (!read.success || errors !== undefined) return { kind: 'nonsense' }
  return { kind: 'answer', answer: read.data as AnswerTo<Name> }
}
