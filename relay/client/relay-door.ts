/** A relay's HTTP face, as its clients use it: what it answers is checked, and what it refuses becomes an error of ours. */
import type { Network } from '../../effects/network.ts'
import { NetworkError } from '../../effects/network.ts'
import { parseJson } from '../../protocol/json.ts'
import { RELAY_ANSWER_BYTES_MAX, RELAY_WAIT_MS_MAX } from '../../protocol/limits.ts'
import { parseProblem } from '../../protocol/problem.ts'
import {
  type ChannelRequest,
  channelStateSchema,
  type ChannelView,
  type JoinAnswer,
  joinAnswerSchema,
  type JoinRequest,
} from '../../protocol/relay/messages.ts'
import { RelayClientError, type RelayClientErrorCode } from './errors.ts'

export interface RelayDoor {
  join(request: JoinRequest, signal?: AbortSignal): Promise<JoinAnswer>
  post(request: ChannelRequest, signal?: AbortSignal): Promise<ChannelView>
  /** Where one pays for what passes on a channel. */
  payUrl(channel: string): string
}

/** Beyond what the relay itself may wait. */
const TIMEOUT_MS = 20_000

const meanings: Readonly<Record<string, readonly [RelayClientErrorCode, string]>> = {
  ERR_CHANNEL_OCCUPIED: ['ERR_CHANNEL_FULL', 'the channel has a sender already: choose another'],
  ERR_CHANNEL_FULL: ['ERR_CHANNEL_FULL', 'two others are on this channel: ask for a new code'],
  ERR_CHANNEL_UNKNOWN: ['ERR_CHANNEL_UNKNOWN', 'the relay knows no such channel: look for a mistake in the number'],
  ERR_CHANNEL_OVER: ['ERR_CHANNEL_OVER', 'the channel is over: ask for a new code'],
  ERR_TOO_MANY: ['ERR_RELAY_BUSY', 'too many requests came from this address: wait a little'],
  ERR_TOO_MANY_WRONG_CODES: ['ERR_RELAY_BUSY', 'too many wrong codes came from this address: wait'],
  ERR_BUSY: ['ERR_RELAY_BUSY', 'the relay is full: try later, or another'],
  ERR_DRAINING: ['ERR_RELAY_BUSY', 'the relay is about to stop: try later, or another'],
}

/** @param relay its http or https URL; a path before `/join` is kept */
export const createRelayDoor = (network: Pick<Network, 'fetch'>, relay: string): RelayDoor => {
  const base = relay.replace(/\/+$/, '')

  const ask = async <Answer>(
    path: string,
    request: JoinRequest | ChannelRequest,
    schema: { safeParse(value: unknown): { data?: Answer } },
    signal: AbortSignal | undefined,
  ): Promise<Answer> => {
    const { status, body } = await exchange(network, `${base}${path}`, request, signal)
    if (status !== 200) throw refused(status, body)
    const { data } = schema.safeParse(body)
    if (data === undefined) throw noRelay()
    return data
  }

  return {
    join: (request, signal) => ask('/join', request, joinAnswerSchema, signal),
    payUrl: (channel) => `${base}/pay/${channel}`,
    post: (request, signal) => ask('/channel', request, channelStateSchema, signal),
  }
}

const exchange = async (
  network: Pick<Network, 'fetch'>,
  url: string,
  request: object,
  signal: AbortSignal | undefined,
): Promise<{ readonly status: number; readonly body: unknown }> => {
  try {
    const headers = { 'content-type': 'application/json' }
    const answer = await network.fetch(new Request(url, { method: 'POST', headers, body: JSON.stringify(request) }), {
      timeoutMs: TIMEOUT_MS + RELAY_WAIT_MS_MAX,
      bodyBytesMax: RELAY_ANSWER_BYTES_MAX,
      ...(signal && { signal }),
    })
    const bytes = new Uint8Array(await answer.arrayBuffer())
    return { status: answer.status, body: jsonOrNothing(bytes) }
  } catch (cause) {
    if (!(cause instanceof NetworkError)) throw cause
    if (!cause.retryable) throw noRelay()
    throw new RelayClientError('ERR_RELAY_UNREACHABLE', 'the relay cannot be reached: is its address right?', { cause })
  }
}

const jsonOrNothing = (bytes: Uint8Array): unknown => {
  try {
    return parseJson(bytes)
  } catch {
    return undefined
  }
}

const refused = (status: number, body: unknown): RelayClientError => {
  const problem = parseProblem(body)
  if (!problem) return status >= 500 ? busy() : noRelay()
  const [code, message] = meanings[problem.code] ?? []
  if (code !== undefined && message !== undefined) return new RelayClientError(code, message)
  if (status >= 500) return busy()
  return new RelayClientError('ERR_RELAY_REFUSED', `the relay refuses (${problem.code})`)
}

const busy = () => new RelayClientError('ERR_RELAY_BUSY', 'the relay does not work at the moment')
const noRelay = () => new RelayClientError('ERR_RELAY_ANSWER', 'what answers there is no relay of Chrove')
