/**
 * Where a vendor takes vouchers: checks each against the chain, keeps the best of every channel on disk before it says
 * so, cashes them, and agrees to refunds of what no voucher needs. It has the keys of the vendor's operators.
 */
import { createContractReader, paymentsCall } from '../../chain/contracts.ts'
import { ZERO_ADDRESS, type Address, type Hex } from '../../chain/types.ts'
import { ChainError, type Chain } from '../../effects/chain.ts'
import { nowSeconds, type Clock } from '../../effects/clock.ts'
import type { FileStore } from '../../effects/store.ts'
import { fromUtf8, utf8 } from '../../protocol/bytes.ts'
import { parseJson } from '../../protocol/json.ts'
import { channelIdOf, paymentsDomain, signerOf, signMessage } from '../../protocol/typed-data.ts'
import { createSimHost, type SimHost } from '../host.ts'
import { accountOf } from './accounts.ts'
import { viewPayments } from './payments-view.ts'
import { createPerson, type Person } from './person.ts'
import {
  bookSchema,
  encodeMessage,
  refundRequestSchema,
  tillOf,
  voucherSchema,
  type Book,
  type RefundRequest,
  type Settings,
  type Voucher,
} from './till-messages.ts'
import type { World } from './world.ts'

export interface Till {
  readonly name: string
  readonly host: SimHost
  start(): void
  crash(): void
  /** Cashes what is worth more than what was claimed, all in one transaction. */
  claim(): Promise<void>
  /** Gives a payer back, unasked, what no voucher needs, and takes no more vouchers on the channel. */
  close(settings: Settings): Promise<void>
}

export interface TillEffects {
  readonly chain: Chain
  readonly clock: Clock
  readonly files: FileStore
}

/** Until when a refund that was agreed to may be sent, seconds. */
const APPROVAL_SECONDS = 1_800

const FILE = 'book'
const EMPTY: Book = { vouchers: [], promised: [], closed: [] }

/** @param index of the vendor, from 0 */
export const createTill = (world: World, index: number): Till => {
  const { loop, network, random, trace, accounts, chainId, contracts, reach, sabotage } = world
  const { registry, payments } = contracts
  const vendorId = BigInt(index + 1)
  const name = tillOf(vendorId)
  const domain = paymentsDomain(chainId, payments)
  const host = createSimHost({ loop, network, random, trace }, name)
  let live: ReturnType<typeof open> | undefined

  const open = (effects: TillEffects) => {
    const { chain, clock, files } = effects
    const people = (['operator', 'deputy'] as const).map((role) =>
      createPerson(world, name, accountOf(accounts, role, index), effects),
    )

    const read = async (): Promise<Book> => {
      const content = await files.read(FILE)
      return content ? bookSchema.parse(parseJson(fromUtf8(content))) : EMPTY
    }
    const write = (book: Book) => files.write(FILE, utf8(encodeMessage(book)))
    const inTurn = <T>(work: () => Promise<T>) => files.exclusively(FILE, work)

    const look = async (channelId: Hex, at: 'latest' | 'finalized') => {
      const [channel] = await viewPayments({ chain, payments }, at, 'channels', [channelId])
      if (!channel) throw new ChainError('ERR_CHAIN_MALFORMED', 'one channel was asked for')
      return channel
    }

    /** What vouchers and refunds of a channel may come to together: what no reorg and no promise takes away. */
    const standing = async (channelId: Hex, book: Book) => {
      const [final, latest] = [await look(channelId, 'finalized'), await look(channelId, 'latest')]
      // A refund that was agreed to is good for one count of refunds, which some refund uses up for good.
      const open_ = book.promised.filter((each) => each.channelId === channelId && each.refunds >= final.refunds)
      const limits = [final.balance, latest.balance, ...open_.map(({ ceiling }) => ceiling)]
      const best = book.vouchers.find((each) => channelIdOf(domain, each.settings) === channelId)?.cumulative ?? 0n
      const used = [best, final.claimed, latest.claimed].reduce((a, b) => (a > b ? a : b))
      const isOpen = latest.withdrawTo === ZERO_ADDRESS && !book.closed.includes(channelId)
      return { limit: limits.reduce((a, b) => (a < b ? a : b)), best, used, latest, isOpen }
    }

    /** @returns an HTTP status */
    const take = async (voucher: Voucher): Promise<number> => {
      const { settings, cumulative, signature } = voucher
      const channelId = channelIdOf(domain, settings)
      const signer = signerOf(domain, 'Voucher', { channelId, cumulative }, signature)
      if (settings.vendorId !== vendorId || signer !== settings.signer) return 400
      const book = await read()
      const { limit, best, isOpen } = await standing(channelId, book)
      if (cumulative === best) return 200
      if (cumulative < best) return 409
      if (cumulative > limit || !isOpen) return 402
      const others = book.vouchers.filter((each) => channelIdOf(domain, each.settings) !== channelId)
      await write({ ...book, vouchers: [...others, voucher] })
      return 200
    }

    /** The operator that the registry has, if this till has its key. */
    const operator = async (): Promise<Person | undefined> => {
      const { vendor } = await createContractReader(chain).listing(registry, vendorId)
      return people.find(({ address }) => address === vendor.operator)
    }

    const giveBack = async ({ settings, to, share, signature, by }: RefundRequest): Promise<Response> => {
      const channelId = channelIdOf(domain, settings)
      const approver = await operator()
      const book = await read()
      const { limit, used, latest, isOpen } = await standing(channelId, book)
      const amount = ((limit - used) * BigInt(share)) / 100n
      if (settings.vendorId !== vendorId || !approver || !isOpen || amount <= 0n) return answer(409)
      const { refunds } = latest
      await write({ ...book, promised: [...book.promised, { channelId, refunds, ceiling: limit - amount }] })
      if (by === 'call') {
        void sendRefund(approver, settings, to, amount, signature)
        return answer(200)
      }
      const deadline = BigInt(nowSeconds(clock) + APPROVAL_SECONDS)
      const terms = { channelId, to, amount, refunds, deadline }
      const approval = signMessage(domain, 'RefundApproval', terms, approver.privateKey)
      return answer(200, { amount, deadline, approver: approver.address, approval })
    }

    const sendRefund = async (by: Person, settings: Settings, to: Address, amount: bigint, signature: Hex) => {
      const { receipt } = await by.send('refund', paymentsCall(payments, 'refund', settings, to, amount, signature))
      if (receipt) reach(signature === '0x' ? 'channel closed by its vendor' : 'channel refunded by its vendor')
    }

    return {
      fetch: async (request: Request): Promise<Response> => {
        const { pathname } = new URL(request.url)
        const body: unknown = await request.json().catch(() => undefined)
        try {
          if (pathname === '/voucher') {
            const voucher = voucherSchema.safeParse(body)
            return answer(voucher.success ? await inTurn(() => take(voucher.data)) : 400)
          }
          const asked = refundRequestSchema.safeParse(body)
          return asked.success ? await inTurn(() => giveBack(asked.data)) : answer(400)
        } catch (error) {
          if (error instanceof ChainError) return answer(503)
          throw error
        }
      },

      claim: async () => {
        const { vouchers } = await read()
        const ids = vouchers.map(({ settings }) => channelIdOf(domain, settings))
        const channels = await viewPayments({ chain, payments }, 'latest', 'channels', ids)
        // One that is not good would refuse all.
        const due = vouchers.filter(({ cumulative }, at) => {
          const { claimed = 0n, balance = 0n } = channels[at] ?? {}
          return cumulative > claimed && cumulative <= balance
        })
        if (due.length === 0) return
        const { receipt } = (await people[0]?.send('claim', paymentsCall(payments, 'claim', due))) ?? {}
        if (receipt) reach(due.length > 1 ? 'vouchers of several channels claimed at once' : 'voucher claimed')
      },

      close: (settings: Settings) =>
        inTurn(async () => {
          const channelId = channelIdOf(domain, settings)
          const by = await operator()
          const book = await read()
          const { limit, used, isOpen } = await standing(channelId, book)
          if (!by || !isOpen || limit <= used) return
          await write({ ...book, closed: [...book.closed, channelId] })
          void sendRefund(by, settings, settings.payer, limit - used, '0x')
        }),
    }
  }

  /** What a person at the till does, if it stands; a node that does not answer is for another time. */
  const attempt = async (work: (till: NonNullable<typeof live>) => Promise<void>): Promise<void> => {
    if (!live || !host.isRunning()) return
    try {
      await work(live)
    } catch (error) {
      if (!(error instanceof ChainError)) throw error
      trace.add('till', name, error.code)
    }
  }

  return {
    name,
    host,
    start: () => {
      if (host.isRunning()) return
      const effects = host.boot()
      const whole = { ...effects, chain: world.chain.door(name, effects.life) }
      live = open(sabotage.till?.(whole) ?? whole)
      effects.network.serve(80, live.fetch)
    },
    crash: () => host.crash(),
    claim: () => attempt(({ claim }) => claim()),
    close: (settings) => attempt(({ close }) => close(settings)),
  }
}

const answer = (status: number, message?: unknown): Response =>
  new Response(message === undefined ? null : encodeMessage(message), { status })
