/** Documents that a directory answers when it answers no others: each is named by the SHA-256 of its text. */
import { sha256 } from '@noble/hashes/sha2.js'
import { z } from 'zod'
import { toHex, fromUtf8, utf8 } from '../../protocol/bytes.ts'
import { IndexerError } from '../errors.ts'
import type { RequestContext } from './context.ts'
import { createDocuments, type Documents } from './documents.ts'
import { createDirectorySchema } from './schema.ts'

/** A file as the person who runs the directory named it. */
export interface DocumentFile {
  readonly name: string
  readonly content: Uint8Array
}

export interface AllowedDocuments {
  /**
   * The text of what a request asks by name, or its own text if that is allowed.
   * @param parameters members of the request: `documentId` as GraphQL over HTTP has it, `extensions.persistedQuery` as
   * Apollo's clients send it, or `query`
   */
  find(parameters: unknown): string | undefined
}

const manifestSchema = z.record(z.string(), z.string())

const namedSchema = z.object({
  query: z.string().nullish(),
  documentId: z.string().nullish(),
  extensions: z.object({ persistedQuery: z.object({ sha256Hash: z.string() }).optional() }).nullish(),
})

/**
 * Reads lists of documents: `.json` files are one object with texts by name, all others are one document each.
 * @throws ERR_INDEXER_DOCUMENTS for what is neither, has a name that is not its digest, or could never be answered
 */
export const allowDocuments = (files: readonly DocumentFile[]): AllowedDocuments => {
  const documents = createDocuments<RequestContext>(createDirectorySchema())
  const byId = new Map<string, string>()
  for (const { name, content } of files) {
    for (const [given, text] of readFile(name, content)) {
      const id = idOf(text)
      if (given !== undefined && given.replace(/^sha256:/, '') !== id) {
        throw new IndexerError('ERR_INDEXER_DOCUMENTS', `${name}: a document is not named by the SHA-256 of its text`)
      }
      const fault = faultOf(documents, text)
      if (fault !== undefined) throw new IndexerError('ERR_INDEXER_DOCUMENTS', `${name}: ${fault}`)
      byId.set(id, text)
    }
  }
  const texts = new Set(byId.values())
  return {
    find(parameters) {
      const parsed = namedSchema.safeParse(parameters)
      if (!parsed.success) return undefined
      const { query, documentId, extensions } = parsed.data
      const id = documentId?.replace(/^sha256:/, '') ?? extensions?.persistedQuery?.sha256Hash
      if (id === undefined) return typeof query === 'string' && texts.has(query) ? query : undefined
      const text = byId.get(id)
      // A text beside the name has to be the one that is named.
      return typeof query === 'string' && query !== text ? undefined : text
    },
  }
}

const readFile = (name: string, content: Uint8Array): (readonly [name: string | undefined, text: string])[] => {
  try {
    const text = fromUtf8(content)
    return name.endsWith('.json') ? Object.entries(manifestSchema.parse(JSON.parse(text))) : [[undefined, text]]
  } catch (cause) {
    const forms = 'one GraphQL document, or JSON with the texts of documents by name'
    throw new IndexerError('ERR_INDEXER_DOCUMENTS', `${name} is not ${forms}`, { cause })
  }
}

/** Why a document can never be answered; undefined if it can. */
const faultOf = (documents: Documents<RequestContext>, text: string): string | undefined => {
  try {
    return documents.read(text).errors[0]?.message
  } catch (error) {
    return (error as Error).message
  }
}

const idOf = (text: string): string => toHex(sha256(utf8(text))).slice(2)
