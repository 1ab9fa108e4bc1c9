/** A directory that answers documents of its own list only. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { utf8 } from '../../protocol/bytes.ts'
import { allowDocuments } from './allowed-documents.ts'
import { type Answer, chainOf, codesOf, directoryOf, doing } from './testing.ts'

const LISTED = 'query Vendor($id: BigInt!) { vendor(id: $id) { id } }\n'
const COUNT = '{ vendors { totalCount } }'
const digest = (text: string) => createHash('sha256').update(text).digest('hex')
const file = (name: string, content: string) => ({ name, content: utf8(content) })
const manifest = (documents: Readonly<Record<string, string>>) => file('list.json', JSON.stringify(documents))

const directory = () =>
  directoryOf(chainOf([doing('register', 0, 0)]), {
    allowed: allowDocuments([file('vendor.graphql', LISTED), manifest({ [digest(COUNT)]: COUNT })]),
  })

describe('a directory with a list of documents', () => {
  it('answers them by name, in a body and in a URL, and by their text', async () => {
    const { graphql, post } = await directory()
    const variables = { id: 1 }
    const persistedQuery = { version: 1, sha256Hash: digest(LISTED) }
    const asked: object[] = [
      { documentId: `sha256:${digest(LISTED)}`, variables },
      { documentId: digest(LISTED), variables },
      { extensions: { persistedQuery }, variables },
      { query: LISTED, variables },
      { query: LISTED, documentId: digest(LISTED), variables },
    ]
    for (const body of asked) {
      assert.deepEqual(((await (await post(body)).json()) as Answer<object>).data, { vendor: { id: 'vendor:1' } })
    }
    for (const parameters of [
      { documentId: `sha256:${digest(LISTED)}` },
      { extensions: JSON.stringify({ persistedQuery }) },
      { query: LISTED },
    ]) {
      const query = new URLSearchParams({ ...parameters, variables: JSON.stringify(variables) })
      const response = await graphql(new Request(`http://directory/graphql?${query}`))
      assert.deepEqual(((await response.json()) as Answer<object>).data, { vendor: { id: 'vendor:1' } })
    }
  })

  it('refuses every other document, in whatever form it comes', async () => {
    const { graphql, post } = await directory()
    const other = '{ vendors { nodes { id } } }'
    const refused = async (response: Response) => {
      assert.deepEqual(codesOf((await response.json()) as Answer<null>), ['ERR_DOCUMENT_UNKNOWN'])
    }
    await refused(await post({ query: other }))
    await refused(await post({ query: `${COUNT} ` }))
    await refused(await post({ documentId: digest(other) }))
    // The text of one and the name of another.
    await refused(await post({ query: other, documentId: digest(LISTED) }))
    await refused(await post({ query: other, extensions: { persistedQuery: { sha256Hash: digest(LISTED) } } }))
    await refused(await post({ query: '{ __schema { types { name } } }' }))
    const url = 'http://directory/graphql'
    const inUrl = new URLSearchParams({ query: other })
    await refused(await graphql(new Request(`${url}?${inUrl}`)))
    await refused(await graphql(new Request(`${url}?${new URLSearchParams({ documentId: digest(other) })}`)))
    for (const [type, body] of [
      ['application/json', JSON.stringify({ query: other })],
      ['application/graphql', other],
      ['application/x-www-form-urlencoded', inUrl.toString()],
    ] as const) {
      const headers = { 'content-type': type }
      await refused(await graphql(new Request(url, { method: 'POST', headers, body })))
      await refused(await graphql(new Request(`${url}?documentId=x`, { method: 'POST', headers, body })))
    }
    const page = await graphql(new Request(url, { headers: { accept: 'text/html' } }))
    assert.doesNotMatch(page.headers.get('content-type') ?? '', /html/)
  })

  it('is not made of what is no list, or could never be answered, and says which file it was', () => {
    const refused = (says: RegExp, ...files: Parameters<typeof allowDocuments>[0]) =>
      assert.throws(() => allowDocuments(files), { code: 'ERR_INDEXER_DOCUMENTS', message: says })
    refused(/^list\.json: .*SHA-256/, manifest({ [digest('other')]: COUNT }))
    refused(/^list\.json is not/, file('list.json', '[]'))
    refused(/^list\.json is not/, file('list.json', '{'))
    refused(/^a\.graphql is not/, { name: 'a.graphql', content: Uint8Array.of(0xff) })
    refused(/^a\.graphql: .*"nothing"/, file('a.graphql', '{ vendors { nodes { nothing } } }'))
    refused(/^b\.graphql: Syntax Error/, file('a.graphql', LISTED), file('b.graphql', '{ vendors'))
  })
})

describe('a directory without a list', () => {
  it('knows no names', async () => {
    const { post } = await directoryOf(chainOf([]))
    const response = await post({ documentId: digest(COUNT), query: COUNT })
    assert.equal(response.status, 400)
  })
})
