/**
 * The compiled contracts and the reference ledger, in lockstep: fast-check draws long lists of calls, right and wrong,
 * and after each of them both must have said the same, refusals with their arguments included, and must show the same.
 *
 *   CHROVE_LEDGER_RUNS=500 CHROVE_LEDGER_SEED=7 node --test test/ledger/ledger.test.ts    a longer run
 */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import fc from 'fast-check'
import { type Chain, MONEY_OF_EACH, openChain, type View } from './chain.ts'
import { callOf, type Command, commandLists, momentOf, type History } from './commands.ts'
import {
  type Call,
  carryOut,
  type Hex,
  type Ledger,
  NATIVE,
  owedOf,
  type PlanTerms,
  refundableOf,
  ZERO,
} from './model.ts'

const RUNS = Number(process.env['CHROVE_LEDGER_RUNS'] ?? 20)
const SEED = Number(process.env['CHROVE_LEDGER_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const COMMANDS_MAX = 240

/** Rounding shows in nearly every second. */
const plans = (token: Hex): readonly PlanTerms[] =>
  [NATIVE, token].flatMap((currency) => [
    { token: currency, price: 7n, periodSeconds: 3, maxPeriods: 20, isStreamed: true },
    { token: currency, price: 1_000_003n, periodSeconds: 60, maxPeriods: 24, isStreamed: false },
  ])

const ledgerOf = ({ place, roles, accounts, startedAt }: Chain): Ledger => {
  const { operator } = roles
  const vendor = (owner: Hex, payout: Hex) => ({
    ...{ owner, operator, payout, active: true },
    plans: plans(place.token).map((terms) => ({ terms, onSale: true })),
  })
  const rich = accounts.filter((account) => account !== place.payments)
  return {
    now: startedAt,
    vendors: [vendor(roles.owner1, roles.payout), vendor(roles.owner2, roles.moody)],
    orders: new Map(),
    channels: new Map(),
    kept: new Map(),
    used: new Set(),
    balances: new Map(
      rich.flatMap((account) => [NATIVE, place.token].map((token) => [`${token} ${account}`, MONEY_OF_EACH] as const)),
    ),
    allowances: new Map(),
    permitNonces: new Map(),
    authorizationsUsed: new Set(),
    refusing: new Set(),
    events: [],
  }
}

/** What the contracts must show. */
const viewOf = (ledger: Ledger, { place, accounts }: Chain): View => ({
  orders: [...ledger.orders.values()].map((order) => [
    order.streamed?.controller ?? ZERO,
    ...[order.startedAt, order.endsAt, order.periods].map(BigInt),
    String(order.cancelled),
    owedOf(ledger, order),
    refundableOf(ledger, order),
  ]),
  channels: [...ledger.channels.values()].map(({ balance, claimed, refunds, withdrawTo, withdrawableAt }) => [
    ...[balance, claimed, BigInt(refunds)],
    withdrawTo,
    BigInt(withdrawableAt),
  ]),
  kept: [1, 2].flatMap((vendorId) =>
    [NATIVE, place.token].map((token) => ledger.kept.get(`${vendorId} ${token}`) ?? 0n),
  ),
  used: [...ledger.used].map(() => true),
  balances: accounts.flatMap((account) =>
    [NATIVE, place.token].map((token) => ledger.balances.get(`${token} ${account}`) ?? 0n),
  ),
})

/** How often each thing happened, over all runs: what never happens is not tested. */
const seen = new Map<string, number>()
const note = (what: string) => void seen.set(what, (seen.get(what) ?? 0) + 1)

const runInLockstep = async (chain: Chain, commands: readonly Command[]): Promise<void> => {
  await chain.reset()
  let ledger = ledgerOf(chain)
  const history: History = []
  const story: string[] = []
  for (const command of commands) {
    ledger.now = momentOf(ledger, command)
    const sent = callOf(ledger, chain, history, command)
    if (!sent) {
      const refuses = command.a % 2 === 0
      ledger.refusing = new Set(refuses ? [chain.roles.moody] : [])
      await chain.setMood(refuses)
      continue
    }
    const { call, sender } = sent
    const said = await chain.send(call, sender, ledger.now)
    const { after: next, refusal } = carryOut(ledger, chain.place, call, sender)
    story.push(`${ledger.now} ${text(call)} by ${sender} -> ${refusal ? refusal.join(' ') : 'done'}`)
    const where = () => `after ${story.slice(-6).join('\n')}`
    assert.deepEqual(said.refusal, refusal, where())
    assert.deepEqual(said.events, next.events, where())
    ledger = next
    note(refusal?.[0] ?? `${call.do} done`)
    for (const [name] of next.events) note(name)
    if (!refusal) history.push(sent)

    const asked = {
      orderIds: [...ledger.orders.keys()],
      channelIds: [...ledger.channels.keys()],
      digests: [...ledger.used],
    }
    assert.deepEqual(await chain.view(asked, ledger.now), viewOf(ledger, chain), where())
  }
}

const text = ({ do: name, ...rest }: Call): string =>
  `${name} ${JSON.stringify(rest, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`

let chain: Chain
before(async () => {
  chain = await openChain(plans)
})
after(() => chain.close())

it('does and shows what the reference ledger does, call by call', async (t) => {
  t.diagnostic(`CHROVE_LEDGER_SEED=${SEED} CHROVE_LEDGER_RUNS=${RUNS} repeats this`)
  const property = fc.asyncProperty(commandLists(COMMANDS_MAX), (commands) => runInLockstep(chain, commands))
  await fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: RUNS === 1 })
  const counts = [...seen].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, times]) => `${name} ${times}`)
  t.diagnostic(counts.join(', '))
})
