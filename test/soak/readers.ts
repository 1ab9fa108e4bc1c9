/** Readers of all that a directory answers: hot questions and new ones, of the newest block and of earlier ones. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SimRandom } from '../../sim/random.ts'
import { ask, Refused } from '../directory-client.ts'
import type { KeptDirectory } from './directory.ts'
import type { Run } from './run.ts'

const PAUSE_MS_MAX = 60
/** Blocks and answers that are remembered, to ask again. */
const REMEMBERED_MAX = 200

const VENDOR =
  'uri version active profile { title } volumes { paid refunded } plans(first: 5) { nodes { planId price } }'
const ORDER = 'orderId status startedAt endsAt paid refunded withdrawn plan { title { text } } vendor { uri }'

const HOT = [
  `vendors(first: 20, filter: { active: true }) { totalCount nodes { ${VENDOR} } }`,
  `orders(first: 20, orderBy: { field: CHANGED, direction: DESC }) { totalCount nodes { ${ORDER} } }`,
  'plans(first: 50, filter: { onSale: true }) { nodes { title { text } pricePerDay vendor { profile { title } } } }',
  'stats { vendors plansOnSale orders runningOrders volumes { paid refunded withdrawn } }',
  'vendors(search: "amber", first: 10) { totalCount nodes { profile { title description } } }',
] as const

/** What a question about a block may be refused for. */
const REFUSALS = {
  newest: ['ERR_BLOCK_REPLACED'],
  number: ['ERR_BLOCK_REPLACED', 'ERR_BLOCK_NOT_REACHED', 'ERR_BLOCK_UNAVAILABLE'],
  numberGte: ['ERR_BLOCK_REPLACED', 'ERR_BLOCK_NOT_REACHED'],
  // Unknown when replaced before, and when final: then it is not kept by its hash.
  hash: ['ERR_BLOCK_REPLACED', 'ERR_BLOCK_UNKNOWN', 'ERR_BLOCK_UNAVAILABLE'],
} as const satisfies Record<string, readonly string[]>

type Which = keyof typeof REFUSALS

interface Answer {
  readonly _meta: { readonly block: { readonly number: number; readonly hash: string } }
}

/** Asks until the run ends. */
export const read = async (directory: KeptDirectory, run: Run, name: string): Promise<void> => {
  const random = run.random.fork(name)
  const blocks: { readonly number: number; readonly hash: string }[] = [{ number: 0, hash: `0x${'0'.repeat(64)}` }]
  const answers = new Map<string, string>()
  while (!run.signal.aborted) {
    const which = random.pick(['newest', 'newest', 'number', 'numberGte', 'hash'] as const)
    const { number, hash } = random.pick(blocks.slice(-REMEMBERED_MAX))
    const block = {
      newest: '',
      number: `number: ${number}`,
      numberGte: `numberGte: ${number}`,
      hash: `hash: "${hash}"`,
    }[which]
    const query = questionOf(random, block && `block: { ${block} }`)
    const life = directory.life()
    if (life !== undefined) {
      try {
        run.counts.queries++
        const answer = await ask<Answer>(directory.url, query)
        if (which === 'newest') blocks.push(answer._meta.block)
        if (which === 'hash') compare(query, JSON.stringify(answer))
      } catch (error) {
        complain(error, which, query, life)
      }
    }
    await sleep(random.int(0, PAUSE_MS_MAX))
  }

  /** What is asked of one block by its hash has one answer. */
  function compare(query: string, answer: string): void {
    const before = answers.get(query)
    if (before !== undefined && before !== answer) run.isWrong(`${query}: ${answer}; before: ${before}`)
    if (answers.size < REMEMBERED_MAX) answers.set(query, answer)
  }

  function complain(error: unknown, which: Which, query: string, life: number): void {
    if (!(error instanceof Refused)) {
      if (directory.life() === life) run.isWrong(`${query}: ${String(error)}`)
      return
    }
    run.see(`answer: ${error.code}`)
    if (!(REFUSALS[which] as readonly string[]).includes(error.code))
      run.isWrong(`${query}: ${error.code} ${error.message}`)
  }
}

/** @param block the argument, or nothing */
const questionOf = (random: SimRandom, block: string): string => {
  const question = random.chance(0.5) ? random.pick(HOT) : distinct(random)
  // All fields of the query take it, and nothing below does.
  const [, field = '', given, rest = ''] = /^(\w+)(?:\((.*?)\))?( ?\{.*)$/s.exec(question) ?? []
  const all = [given, block].filter(Boolean).join(', ')
  return `{ _meta${block && `(${block})`} { block { number hash } } ${field}${all && `(${all})`}${rest} }`
}

const distinct = (random: SimRandom): string => {
  const [size, id] = [random.int(1, 60), random.int(1, 40)]
  const direction = random.pick(['ASC', 'DESC'])
  const letters = random.pick(['am', 'bi', 'ce', 'del', 'em', 'fj', 'gro', 'he', 'in', 'ju'])
  return random.pick([
    `vendor(id: ${id}) { ${VENDOR} history(first: ${size}, direction: ${direction}) { totalCount nodes {
      fromBlock toBlock vendor { version profile { title } } } } }`,
    `orders(first: 5, filter: { vendorId: ${id} }) { nodes { ${ORDER} history(first: ${size}) { nodes { order { status } } } } }`,
    `orders(last: ${size}, orderBy: { field: ENDS_AT, direction: ${direction} }) { totalCount nodes { ${ORDER} } }`,
    `vendors(search: "${letters}", first: ${size}) { totalCount nodes { ${VENDOR} } }`,
    `vendors(first: ${size}, orderBy: { field: CHANGED, direction: ${direction} }) { nodes { ${VENDOR} createdBlock } }`,
    `plans(first: ${size}, filter: { vendorId: ${id} }) { nodes { title { text } history(first: 9) { nodes { fromBlock } } } }`,
  ])
}
