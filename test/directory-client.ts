/** Asks a directory and follows it, over HTTP and server-sent events, as docs/queries.md has them. */

interface Failure {
  readonly message: string
  readonly extensions?: { readonly code?: string }
}

/** The directory does not answer, or ends a subscription, and says why. */
export class Refused extends Error {
  readonly code: string
  constructor({ message, extensions }: Failure) {
    super(message)
    this.code = extensions?.code ?? message
  }
}

interface Answer<Data> {
  readonly data?: Data | null
  readonly errors?: readonly [Failure, ...Failure[]]
}

const dataOf = <Data>({ data, errors }: Answer<Data>): Data => {
  if (errors) throw new Refused(errors[0])
  if (!data) throw new Error('an answer without data')
  return data
}

const post = (url: string, accept: string, body: object, signal?: AbortSignal): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: signal ?? null,
  })

/** @throws Refused with the first error; any other error when no answer comes */
export const ask = async <Data>(url: string, query: string): Promise<Data> => {
  const response = await post(url, 'application/json', { query })
  return dataOf((await response.json()) as Answer<Data>)
}

const FIELDS = `id retracted vendorId evidence { blockNumber blockHash logIndex }`
const QUERIES = {
  vendorChanged: `subscription ($after: String) { vendorChanged(after: $after) {
    ${FIELDS} vendor { version profile { title } } } }`,
  orderPaid: `subscription ($after: String) { orderPaid(after: $after) { ${FIELDS} order { keyHash } } }`,
}

/** What can be followed. */
export type Kind = keyof typeof QUERIES

export interface Told {
  readonly id: string
  readonly retracted: boolean
  readonly vendorId: string
  readonly evidence: { readonly blockNumber: number; readonly blockHash: string; readonly logIndex: number }
  readonly vendor?: { readonly version: number; readonly profile: { readonly title: string } } | null
  readonly order?: { readonly keyHash: string } | null
}

export interface Subscriber {
  /**
   * @returns undefined when the directory completes the stream
   * @throws Refused; any other error when the connection breaks
   */
  next(): Promise<Told | undefined>
  close(): Promise<void>
}

/** @param after id of the event that was heard last, or `_meta.resumeId` */
export const subscribe = async (url: string, kind: Kind, after: string): Promise<Subscriber> => {
  const gone = new AbortController()
  const body = { query: QUERIES[kind], variables: { after } }
  const response = await post(url, 'text/event-stream', body, gone.signal)
  if (!response.body) throw new Error('no stream')
  const events = eventsOf(response.body)
  return {
    async next() {
      const { value } = await events.next()
      return value
    },
    async close() {
      gone.abort()
      await events.return(undefined).catch(() => {})
    },
  }
}

const eventsOf = async function* (body: ReadableStream<Uint8Array>): AsyncGenerator<Told, undefined> {
  let buffered = ''
  const decoder = new TextDecoder()
  for await (const bytes of body) {
    const blocks = (buffered + decoder.decode(bytes, { stream: true })).split('\n\n')
    buffered = blocks.pop() ?? ''
    for (const block of blocks) {
      if (block.startsWith('event: complete')) return undefined
      // Else it is a comment: the directory is there.
      if (block.startsWith('event: next')) yield toldIn(block)
    }
  }
  throw new Error('the stream was cut off')
}

const toldIn = (block: string): Told => {
  const data = block.split('\n').find((line) => line.startsWith('data: ')) ?? ''
  const answer = JSON.parse(data.slice('data: '.length)) as Answer<Readonly<Partial<Record<Kind, Told>>>>
  const { vendorChanged, orderPaid } = dataOf(answer)
  const told = vendorChanged ?? orderPaid
  if (!told) throw new Error('an event without data')
  return told
}
