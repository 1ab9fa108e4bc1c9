/** What the rails know of channels and credit, against the contract itself: after any events, reorgs and crashes. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { createContractReader, paymentsCall } from '../../../chain/contracts.ts'
import { ContractRevert } from '../../../chain/errors.ts'
import type { Call } from '../../../chain/rpc.ts'
import type { Account } from '../../../chain/transactions.ts'
import { ZERO_ADDRESS, type Hex } from '../../../chain/types.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { formatKeyId } from '../../../protocol/keys.ts'
import { createLife } from '../../../sim/life.ts'
import { createChannelReader } from './test-channel.ts'
import { catchUp, CREDIT_PRICE, createTestDisk, createTestLedger, openTestWorld, type TestWorld } from './testing.ts'

let world: TestWorld
let base: unknown
before(async () => {
  world = await openTestWorld()
})
beforeEach(async () => {
  if (base !== undefined) await world.evm.request('evm_revert', [base])
  base = await world.evm.request('evm_snapshot', [])
})
after(() => world.close())

const CHANNELS = 3

/** Something that happens on the chain, in a block of its own; false when the contract refuses it. */
type Action =
  | { readonly do: 'deposit' | 'claim' | 'refund'; readonly channel: number; readonly amount: bigint }
  | { readonly do: 'request' | 'finalize'; readonly channel: number }
  | { readonly do: 'buy'; readonly key: number; readonly planId: 1 | 2 }
  | { readonly do: 'wait' }

type Command =
  | Action
  | { readonly do: 'reorg'; readonly depth: number; readonly kept: number }
  | { readonly do: 'follow' }
  | { readonly do: 'crash'; readonly calls: number }

const channel = fc.nat({ max: CHANNELS - 1 })
const amount = fc.bigInt({ min: 1n, max: 100n })
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('deposit' as const), channel, amount }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('claim' as const, 'refund' as const), channel, amount }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('request' as const, 'finalize' as const), channel }) },
  fc.record({
    do: fc.constant('buy' as const),
    key: fc.nat({ max: 1 }),
    planId: fc.constantFrom(1 as const, 2 as const),
  }),
  fc.record({ do: fc.constant('wait' as const) }),
)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: action },
  fc.record({ do: fc.constant('reorg' as const), depth: fc.integer({ min: 1, max: 6 }), kept: fc.nat({ max: 6 }) }),
  fc.record({ do: fc.constant('follow' as const) }),
  fc.record({ do: fc.constant('crash' as const), calls: fc.integer({ min: 1, max: 60 }) }),
)

const keyHashOf = (key: number): Hex => toHex(new Uint8Array(32).fill(key + 1))

const openChainModel = async () => {
  const { evm, payer, vendor } = world
  const { payments } = evm
  const channels = Array.from({ length: CHANNELS }, (_, salt) =>
    world.channel(salt, salt === 2 ? world.dollar.address : ZERO_ADDRESS),
  )
  const blocks: { readonly stateBefore: unknown; readonly action: Action }[] = []
  let branch = 0

  const mined = async (account: Account, call: Omit<Call, 'from'>) => {
    await account.send(await account.quote(call))
  }

  const carryOut = async (todo: Action): Promise<void> => {
    switch (todo.do) {
      case 'deposit':
        return world.deposit(channels[todo.channel] as never, todo.amount)
      case 'claim': {
        const settings = channels[todo.channel] as never
        const signature = world.voucher(settings, todo.amount)
        return mined(vendor, paymentsCall(payments, 'claim', [{ settings, cumulative: todo.amount, signature }]))
      }
      case 'refund':
        return mined(
          vendor,
          paymentsCall(payments, 'refund', channels[todo.channel] as never, payer.address, todo.amount, '0x'),
        )
      case 'request':
        return mined(payer, paymentsCall(payments, 'requestWithdrawal', channels[todo.channel] as never, payer.address))
      case 'finalize':
        await evm.request('evm_increaseTime', [3600])
        return mined(payer, paymentsCall(payments, 'finalizeWithdrawal', channels[todo.channel] as never))
      case 'buy':
        return world.buyCredit(keyHashOf(todo.key), todo.planId, 1)
      case 'wait':
        return evm.mine()
    }
  }

  const act = async (todo: Action): Promise<void> => {
    const stateBefore = await evm.request('evm_snapshot', [])
    try {
      await carryOut(todo)
      blocks.push({ stateBefore, action: todo })
    } catch (error) {
      if (!(error instanceof ContractRevert)) throw error
    }
  }

  return {
    channels,
    act,
    /** Periods of credit that stand in the name of a key. */
    bought: (key: number) => blocks.filter(({ action: done }) => done.do === 'buy' && done.key === key).length,
    /** The newest blocks are replaced by others, of which some do again what those did. */
    async reorg(depth: number, kept: number) {
      const removed = blocks.splice(-depth)
      if (removed.length === 0) return
      await evm.request('evm_revert', [removed[0]?.stateBefore])
      await evm.request('hardhat_setPrevRandao', [`0x${(++branch).toString(16).padStart(64, '0')}`])
      await act({ do: 'wait' })
      for (const { action: again } of removed.slice(0, kept)) await act(again)
    },
  }
}

const SUSPENDED_TWICE: Command[] = [
  { do: 'deposit', channel: 1, amount: 1n },
  { do: 'crash', calls: 40 },
  { do: 'reorg', depth: 1, kept: 1 },
  { do: 'request', channel: 1 },
  { do: 'crash', calls: 36 },
  { do: 'reorg', depth: 1, kept: 0 },
]

describe('the rails', () => {
  it('see of each channel what the contract sees, and the ledger has what is there, after any events and reorgs', async () => {
    const chainReader = createContractReader(world.evm)
    let start = await world.evm.request('evm_snapshot', [])
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40, size: 'max' }), async (commands) => {
        await world.evm.request('evm_revert', [start])
        start = await world.evm.request('evm_snapshot', [])
        const model = await openChainModel()
        const disk = createTestDisk()
        const ledger = createTestLedger()
        for (const todo of commands) {
          if (todo.do === 'reorg') await model.reorg(todo.depth, todo.kept)
          else if (todo.do === 'follow') await catchUp(world, disk.mount(), ledger.deposits)
          else if (todo.do === 'crash') {
            // The process dies somewhere in the middle, and its database with it.
            const life = createLife()
            const dead = new Promise<void>((resolve) => void life.onEnd(resolve))
            disk.crashAfterCalls(todo.calls)
            await Promise.race([catchUp(world, disk.mount(life), ledger.deposits), dead])
            disk.crashAfterCalls(Infinity)
            life.end()
          } else await model.act(todo)
        }
        await catchUp(world, disk.mount(), ledger.deposits)

        const ids = model.channels.map(world.channelId)
        const states = await chainReader.channels(world.evm.payments, ids)
        const seen = await createChannelReader(disk.mount())(ids)
        for (const [at, id] of ids.entries()) {
          const state = states[at]
          const { balance = 0n, claimed = 0n, refunds = 0, withdrawableAt = 0 } = seen[at] ?? {}
          assert.deepEqual(
            { balance, claimed, refunds, withdrawableAt },
            {
              balance: state?.balance,
              claimed: state?.claimed,
              refunds: state?.refunds,
              withdrawableAt: state?.withdrawableAt,
            },
          )
          assert.equal(ledger.balance(id), state?.balance)
          assert.equal(ledger.isSuspended(id), state?.withdrawTo !== ZERO_ADDRESS)
        }
        for (const key of [0, 1]) {
          const paid = BigInt(model.bought(key)) * CREDIT_PRICE
          assert.equal(ledger.balance(formatKeyId(new Uint8Array(32).fill(key + 1))), paid)
        }
      }),
      // Killed while a reorg's leftovers were told, it once forgot that the ledger knew of a request.
      { numRuns: 40, examples: [[SUSPENDED_TWICE]] },
    )
  })

  it('tell nobody of other vendors, other currencies and plans that are no credit', async () => {
    const ledger = createTestLedger()
    const disk = createTestDisk()
    const settings = { ...world.settings, channels: world.settings.channels.slice(1), orders: [] }
    await world.deposit(world.channel(7), 5n)
    await world.buyCredit(keyHashOf(3), 1, 2)
    await catchUp({ ...world, settings }, disk.mount(), ledger.deposits)
    assert.deepEqual(ledger.accounts(), [])
    await world.deposit(world.channel(7, world.dollar.address), 5n)
    await catchUp({ ...world, settings }, disk.mount(), ledger.deposits)
    assert.deepEqual(ledger.accounts(), [world.channelId(world.channel(7, world.dollar.address))])
  })

  it('count a deposit once it is as deep as it has to be', async () => {
    const ledger = createTestLedger()
    const disk = createTestDisk()
    const settings = { ...world.settings, confirmations: 3 }
    const settingsOfChannel = world.channel(8)
    const account = world.channelId(settingsOfChannel)
    await world.deposit(settingsOfChannel, 5n)
    for (const expected of [0n, 0n, 0n, 5n]) {
      await catchUp({ ...world, settings }, disk.mount(), ledger.deposits)
      assert.equal(ledger.balance(account), expected)
      await world.evm.mine()
    }
  })
})
