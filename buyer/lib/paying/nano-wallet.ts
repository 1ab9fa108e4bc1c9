/**
 * A Nano account with a node: signs sends and publishes them. The node is trusted with nothing that costs: the amount of a
 * send is the difference of two balances, so the balance before is taken from the newest block itself, by its hash. A node
 * that hides a newer block gets a block that the network refuses.
 */
import { z } from 'zod'
import type { Network } from '../../../effects/network.ts'
import { parseRpcEndpoint } from '../../../effects/rpc-endpoint.ts'
import { parseJson } from '../../../protocol/json.ts'
import { formatNanoAccount, parseNanoAccount } from '../../../protocol/nano/account.ts'
import { nanoBlockHash, nanoSignBlock, upperHex, type WorkedBlock } from '../../../protocol/nano/block.ts'
import { nanoPublicKeyOf } from '../../../protocol/nano/signature.ts'
import { nanoVoucherSigner } from '../../../protocol/nano/voucher.ts'
import { LIVE_WORK, nanoWorkValue } from '../../../protocol/nano/work.ts'
import { BuyerError } from '../../errors.ts'
import type { NanoWallet } from './kit.ts'

/** One question to the node, milliseconds; work may take it a minute. */
const ASK_MS = 20_000
const WORK_MS = 120_000
const ANSWER_BYTES_MAX = 64 * 1024

const upper = (digits: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${digits}}$`))
    .toUpperCase()
const raw = z
  .string()
  .regex(/^\d{1,39}$/)
  .transform(BigInt)
const account = z.string().refine((text) => parseNanoAccount(text) !== undefined)

const blockSchema = z.object({
  account,
  previous: upper(64),
  representative: account,
  balance: raw,
  link: upper(64),
})
const workedSchema = blockSchema.extend({ signature: upper(128), work: z.string().regex(/^[0-9a-f]{16}$/) })
const blockInfoSchema = z.object({
  successor: upper(64).optional(),
  confirmed: z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]),
  contents: blockSchema,
})

export interface NanoWalletSettings {
  /** RPC of a node, http(s)://[user:password@]host:port. */
  readonly rpc: string
  /** 32 bytes. */
  readonly secretKey: Uint8Array
  /** What work of a send has to be worth on this network. */
  readonly threshold?: bigint
}

/** @throws TypeError when the URL is none */
export const createNanoWallet = (
  { network }: { readonly network: Network },
  { rpc, secretKey, threshold = LIVE_WORK.send }: NanoWalletSettings,
): NanoWallet => {
  const endpoint = parseRpcEndpoint(rpc, 'ask')
  const self = formatNanoAccount(nanoPublicKeyOf(secretKey))

  /** @returns the answer, or the words of a refusal */
  const ask = async <T>(
    action: string,
    parameters: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    signal?: AbortSignal,
    timeoutMs = ASK_MS,
  ): Promise<T | { readonly error: string }> => {
    const headers = { 'content-type': 'application/json', ...endpoint.headers }
    const body = JSON.stringify({ action, ...parameters })
    const limits = { timeoutMs, bodyBytesMax: ANSWER_BYTES_MAX, ...(signal && { signal }) }
    const answer = await network.fetch(new Request(endpoint.url, { method: 'POST', headers, body }), limits)
    const content = contentOf(await answer.text())
    const refusal = z.object({ error: z.string() }).safeParse(content)
    if (refusal.success) return refusal.data
    const granted = schema.safeParse(content)
    if (answer.ok && granted.success) return granted.data
    throw new BuyerError('ERR_NANO_UNREACHABLE', `the Nano node does not answer ${action} as nodes do`)
  }

  const asked = async <T>(...question: Parameters<typeof ask<T>>): Promise<T> => {
    const answer = await ask(...question)
    if (!isRefusal(answer)) return answer
    throw new BuyerError('ERR_NANO_UNREACHABLE', `the Nano node refuses ${question[0]}`)
  }

  const blockOf = (hash: string, signal?: AbortSignal) =>
    ask('block_info', { json_block: true, hash }, blockInfoSchema, signal)

  /** The newest block, proved by its hash to be this account's and to have this balance. */
  const newest = async (signal?: AbortSignal) => {
    const info = await ask('account_info', { account: self }, z.object({ frontier: upper(64) }), signal)
    if (isRefusal(info)) throw new BuyerError('ERR_BALANCE', `nothing was received by ${self} yet`)
    const found = await blockOf(info.frontier, signal)
    if (!isRefusal(found) && found.contents.account === self && nanoBlockHash(found.contents) === info.frontier) {
      return { hash: info.frontier, ...found.contents }
    }
    throw new BuyerError('ERR_NANO_UNREACHABLE', 'the Nano node shows another block than it names')
  }

  return {
    account: self,
    signer: nanoVoucherSigner(secretKey),

    async prepare(to, amount, signal) {
      const key = parseNanoAccount(to)
      if (!key) throw new BuyerError('ERR_ADDRESS_INVALID', 'this is no Nano account')
      const { hash: previous, balance, representative } = await newest(signal)
      if (balance < amount) throw new BuyerError('ERR_BALANCE', 'the Nano account has less than this: top it up')
      const block = { account: self, previous, representative, balance: balance - amount, link: upperHex(key) }
      const question = { hash: previous, difficulty: threshold.toString(16).padStart(16, '0') }
      const { work } = await asked('work_generate', question, z.object({ work: z.string() }), signal, WORK_MS)
      if (!/^[0-9a-f]{16}$/.test(work) || nanoWorkValue(work, previous) < threshold) {
        throw new BuyerError('ERR_NANO_UNREACHABLE', 'the work that the Nano node found is not good enough')
      }
      const signed = { ...nanoSignBlock(block, secretKey), work }
      return { raw: textOf(signed), hash: nanoBlockHash(block) }
    },

    async publish(text, signal) {
      const block = workedSchema.parse(parseJson(text))
      const hash = nanoBlockHash(block)
      const sent = { type: 'state', ...block, balance: String(block.balance) }
      const answer = await ask('process', { json_block: true, subtype: 'send', block: sent }, z.object({}), signal)
      if (!isRefusal(answer) || answer.error === 'Old block') return 'sent'
      const ours = await blockOf(hash, signal)
      if (!isRefusal(ours)) return 'sent'
      const before = await blockOf(block.previous, signal)
      const rival = isRefusal(before) ? undefined : before.successor
      const other = rival === undefined || /^0+$/.test(rival) ? undefined : await blockOf(rival, signal)
      // Only what the network has agreed on can never be undone.
      if (other && !isRefusal(other) && other.confirmed && rival !== hash) return 'lost'
      throw new BuyerError('ERR_NANO_UNREACHABLE', `the Nano node does not take the send (${words(answer.error)})`)
    },
  }
}

const isRefusal = (answer: unknown): answer is { readonly error: string } =>
  typeof answer === 'object' && answer !== null && 'error' in answer

const words = (text: string): string => text.replace(/[^\w .-]/g, '').slice(0, 64)

const contentOf = (text: string): unknown => {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

const textOf = (block: WorkedBlock): string => JSON.stringify({ ...block, balance: String(block.balance) })
