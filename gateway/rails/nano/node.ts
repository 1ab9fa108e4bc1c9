/** A Nano node behind its RPC, spoken to by HTTP POST. Every answer is taken for hostile. */
import type { z } from 'zod'
import { type Network, NetworkError } from '../../../effects/network.ts'
import { parseRpcEndpoint } from '../../../effects/rpc-endpoint.ts'
import { parseJson } from '../../../protocol/json.ts'
import type { WorkedBlock } from '../../../protocol/nano/block.ts'
import {
  type AccountInfo,
  accountInfoSchema,
  type BlockInfo,
  blockInfoSchema,
  existsSchema,
  processSchema,
  type Receivable,
  receivableSchema,
  refusalSchema,
  workSchema,
} from './answers.ts'
import { NanoError } from './errors.ts'
import { RECEIVABLE_PAGE, RPC_BYTES_MAX, RPC_MS_MAX, WORDS_LENGTH_MAX, WORK_MS_MAX } from './limits.ts'

/** What became of a block that was handed to the node. */
export type Taken =
  /** It is in the node's ledger, now or since earlier. */
  | 'taken'
  /** Another block stands where it would. */
  | 'fork'
  /** The node does not know the block before it, or the send that it receives. */
  | 'gap'
  /** What it receives is not there to be received. */
  | 'unreceivable'
  /** Its work is not good enough. */
  | 'work'

export interface NanoNode {
  /** Undefined for an account without blocks. */
  accountInfo(account: string, signal: AbortSignal): Promise<AccountInfo | undefined>
  /** Undefined for a block that the node does not know. */
  blockInfo(hash: string, signal: AbortSignal): Promise<BlockInfo | undefined>
  /** Confirmed sends to the account that it has not received; a page of them, in the node's order. */
  receivable(account: string, minimum: bigint, offset: number, signal: AbortSignal): Promise<readonly Receivable[]>
  /** Whether this send is there to be received, confirmed or not. */
  isReceivable(hash: string, signal: AbortSignal): Promise<boolean>
  process(block: WorkedBlock, subtype: 'send' | 'receive', signal: AbortSignal): Promise<Taken>
  /** @returns work as the node found it, to be checked */
  workGenerate(root: string, threshold: bigint, signal: AbortSignal): Promise<string>
}

/** The node's words; those of old versions too. */
const takenBy: Readonly<Record<string, Taken>> = {
  'Old block': 'taken',
  Fork: 'fork',
  // Said before the node looks whether it has the block, when the account's balance is another one by now.
  'Invalid block balance for given subtype': 'fork',
  'Invalid previous block for given subtype': 'fork',
  'Gap previous block': 'gap',
  'Gap source block': 'gap',
  Unreceivable: 'unreceivable',
  'Block work is less than threshold': 'work',
  'Block work is insufficient': 'work',
}

/**
 * All methods throw NanoError, or the signal's reason.
 * @throws TypeError when the URL is none, without repeating it
 */
export const createNanoNode = (network: Network, url: string): NanoNode => {
  const endpoint = parseRpcEndpoint(url, 'ask')
  const headers = { 'content-type': 'application/json', accept: 'application/json', ...endpoint.headers }

  const ask = async <Schema extends z.ZodType>(
    action: string,
    parameters: Readonly<Record<string, unknown>>,
    schema: Schema,
    signal: AbortSignal,
    timeoutMs = RPC_MS_MAX,
  ): Promise<z.output<Schema>> => {
    const body = JSON.stringify({ action, ...parameters })
    const request = new Request(endpoint.url, { method: 'POST', headers, body })
    const limits = { timeoutMs, bodyBytesMax: RPC_BYTES_MAX, signal }
    const answer = await network.fetch(request, limits).catch((fault: unknown) => Promise.reject(toNanoError(fault)))
    if (!answer.ok) throw new NanoError('ERR_NANO_UNREACHABLE', `the node answers with HTTP status ${answer.status}`)
    const content = parse(await answer.text())
    const refusal = refusalSchema.safeParse(content)
    if (refusal.success) {
      const words = refusal.data.error.slice(0, WORDS_LENGTH_MAX)
      throw new NanoError('ERR_NANO_REFUSED', `the node refuses ${action}`, { words })
    }
    const granted = schema.safeParse(content)
    if (!granted.success)
      throw new NanoError('ERR_NANO_MALFORMED', `the node answers ${action} in another way than nodes do`)
    return granted.data
  }

  return {
    accountInfo: (account, signal) =>
      orUndefined('Account not found', ask('account_info', { account }, accountInfoSchema, signal)),

    blockInfo: (hash, signal) =>
      orUndefined('Block not found', ask('block_info', { json_block: true, hash }, blockInfoSchema, signal)),

    async receivable(account, minimum, offset, signal) {
      const parameters = {
        ...{ account, count: String(RECEIVABLE_PAGE), offset: String(offset), threshold: String(minimum) },
        ...{ source: true, include_only_confirmed: true },
      }
      return (await ask('receivable', parameters, receivableSchema, signal)).blocks
    },

    async isReceivable(hash, signal) {
      const parameters = { hash, include_active: true, include_only_confirmed: false }
      const asked = ask('receivable_exists', parameters, existsSchema, signal)
      return (await orUndefined('Block not found', asked))?.exists ?? false
    },

    async process({ account, previous, representative, balance, link, signature, work }, subtype, signal) {
      const block = {
        ...{ type: 'state', account, previous, representative, balance: String(balance), link, signature, work },
      }
      try {
        await ask('process', { json_block: true, subtype, block }, processSchema, signal)
        return 'taken'
      } catch (error) {
        const taken = error instanceof NanoError ? takenBy[error.words] : undefined
        if (taken === undefined) throw error
        return taken
      }
    },

    async workGenerate(root, threshold, signal) {
      const parameters = { hash: root, difficulty: threshold.toString(16).padStart(16, '0') }
      return (await ask('work_generate', parameters, workSchema, signal, WORK_MS_MAX)).work
    },
  }
}

/** Undefined for what is no JSON, which no answer is. */
const parse = (text: string): unknown => {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

const orUndefined = <Answer>(words: string, asked: Promise<Answer>): Promise<Answer | undefined> =>
  asked.catch((error: unknown) => {
    if (error instanceof NanoError && error.words === words) return undefined
    throw error
  })

const toNanoError = (fault: unknown): unknown => {
  if (!(fault instanceof NetworkError)) return fault
  const options = { cause: fault }
  if (fault.code === 'ERR_NETWORK_BODY_TOO_LARGE')
    return new NanoError('ERR_NANO_MALFORMED', 'the answer of the node is longer than it may be', options)
  if (fault.code === 'ERR_NETWORK_TIMEOUT')
    return new NanoError('ERR_NANO_UNREACHABLE', 'the node takes too long', options)
  return new NanoError('ERR_NANO_UNREACHABLE', 'the node cannot be reached', options)
}
