/**
 * What a request asks, read from its HTTP form when that is one of the two that clients use: a GET with parameters, or
 * a POST of JSON whose length is told. Every other form is left, unread, to the library that knows them all.
 */
import { REQUEST_BYTES_MAX } from '../limits.ts'
import type { AllowedDocuments } from './allowed-documents.ts'

export interface Asked {
  readonly query: string
  readonly operationName: string | undefined
  readonly variables: Readonly<Record<string, unknown>>
  readonly mediaType: MediaType
}

export type MediaType = (typeof mediaTypes)[number]

/** What an answer can be. @see GraphQL over HTTP §6.1 */
const mediaTypes = ['application/graphql-response+json', 'application/json'] as const

/** Members of a body, or parameters of a URL, as they come. */
type Parameters = Readonly<Record<string, unknown>>

/**
 * @param allowed when there is such a list, only what is on it is answered
 * @returns what is asked, undefined if it is for the library to say; and the body's text, if that was read
 */
export const readAsked = async (
  request: Request,
  allowed: AllowedDocuments | undefined,
): Promise<{ readonly asked: Asked | undefined; readonly body?: string }> => {
  const mediaType = negotiate(request.headers.get('accept'))
  if (request.method === 'GET') return { asked: mediaType && fromParameters(ofUrl(request.url), mediaType, allowed) }
  if (request.method !== 'POST' || !mediaType || !isJson(request)) return { asked: undefined }
  const length = request.headers.get('content-length') ?? ''
  if (!/^\d{1,10}$/.test(length) || Number(length) > REQUEST_BYTES_MAX) return { asked: undefined }
  const body = await request.text()
  return { asked: fromParameters(ofJson(body), mediaType, allowed), body }
}

const isJson = ({ headers }: Request): boolean => /^application\/json(;|$)/.test(headers.get('content-type') ?? '')

const ofJson = (body: string): Parameters | undefined => {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const ofUrl = (url: string): Parameters | undefined => {
  const parameters = new URLSearchParams(url.slice(url.indexOf('?') + 1 || url.length))
  const variables = parameters.get('variables')
  const given = variables ? ofJson(variables) : {}
  const extensions = parameters.get('extensions')
  const extended = extensions ? ofJson(extensions) : {}
  if (!given || !extended) return undefined
  return {
    query: parameters.get('query') || undefined,
    documentId: parameters.get('documentId') || undefined,
    operationName: parameters.get('operationName') || undefined,
    variables: given,
    extensions: extensions ? extended : undefined,
  }
}

const EXPECTED: ReadonlySet<string> = new Set(['query', 'documentId', 'operationName', 'variables', 'extensions'])

const fromParameters = (
  parameters: Parameters | undefined,
  mediaType: MediaType,
  allowed: AllowedDocuments | undefined,
): Asked | undefined => {
  if (!parameters || Object.keys(parameters).some((name) => !EXPECTED.has(name))) return undefined
  const { operationName, variables, documentId, extensions } = parameters
  const query = allowed ? allowed.find(parameters) : parameters.query
  if (typeof query !== 'string') return undefined
  if (!allowed && !isAbsent(documentId)) return undefined
  // Clients name a document beside its text, for servers that go by names; nothing else there means anything here.
  if (!isAbsent(extensions) && !isObject(extensions)) return undefined
  if (!isAbsent(operationName) && typeof operationName !== 'string') return undefined
  if (!isAbsent(variables) && !isObject(variables)) return undefined
  return {
    query,
    operationName: typeof operationName === 'string' ? operationName : undefined,
    variables: isObject(variables) ? variables : {},
    mediaType,
  }
}

const isAbsent = (value: unknown): value is null | undefined => value === null || value === undefined

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The first of the accepted types that an answer can have, as the library chooses it.
 * @returns undefined when a page or a stream might be wanted, or nothing that we have
 */
const negotiate = (accept: string | null): MediaType | undefined => {
  if (accept === null || accept === '' || accept === '*/*') return 'application/json'
  const text = accept.replace(/\s/g, '').toLowerCase()
  if (/text\/|multipart\//.test(text)) return undefined
  for (const item of text.split(',')) {
    const [type, ...parameters] = item.split(';')
    const charset = parameters.find((parameter) => parameter.includes('charset='))
    if (charset !== undefined && charset !== 'charset=utf-8') continue
    if (type === '*/*' || type === 'application/*') return 'application/json'
    const known = mediaTypes.find((mediaType) => mediaType === type)
    if (known) return known
  }
  return undefined
}
