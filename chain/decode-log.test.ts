import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Interface } from 'ethers'
import fc from 'fast-check'
import { paymentsAbi } from '../protocol/abi/payments.ts'
import { vendorRegistryAbi } from '../protocol/abi/vendor-registry.ts'
import { fromHex, fromUtf8, toHex, utf8 } from '../protocol/bytes.ts'
import type { AbiEntry, EntryOf, FieldsOf, NameOf } from './abi.ts'
import { signatureHashOf } from './abi-encode.ts'
import { decodeLog } from './decode-log.ts'
import type { ChroveEvent, Contracts } from './events.ts'
import { damage, encode, reduced, shown, unshown, valueOf } from './testing.ts'
import { type Address, type ChroveLog, type Evidence, type Hash, type Hex, parseAddress } from './types.ts'

type Abi = typeof vendorRegistryAbi | typeof paymentsAbi
/** An event as its ABI has it. */
type Derived<A extends Abi, Name extends string> = FieldsOf<EntryOf<A, 'event', Name>['inputs']>
type Written = { readonly type: string; readonly contract: Address; readonly evidence: Evidence }
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false
type Agreement<A extends Abi> = {
  [Name in NameOf<A, 'event'>]: Same<Derived<A, Name>, Omit<Extract<ChroveEvent, { type: Name }>, keyof Written>>
}
/** Compiles only if every event of the ABIs is in the union, with the same fields of the same types. */
const agreement: Record<NameOf<typeof vendorRegistryAbi, 'event'>, true> &
  Record<NameOf<typeof paymentsAbi, 'event'>, true> = {} as Agreement<typeof vendorRegistryAbi> &
  Agreement<typeof paymentsAbi>
/** And if the union has no other. */
const noOther: NameOf<typeof vendorRegistryAbi, 'event'> | NameOf<typeof paymentsAbi, 'event'> =
  '' as ChroveEvent['type']
void agreement
void noOther

const contracts: Contracts = {
  registry: parseAddress(`0x${'aa'.repeat(20)}`) as Address,
  payments: parseAddress(`0x${'bb'.repeat(20)}`) as Address,
}
const evidence: Evidence = {
  blockNumber: 5,
  blockHash: `0x${'01'.repeat(32)}` as Hash,
  transactionHash: `0x${'02'.repeat(32)}` as Hash,
  transactionIndex: 1,
  logIndex: 2,
}
const eventsOf = (abi: readonly AbiEntry[], address: Address) =>
  abi.flatMap(({ type, name = '', inputs = [] }) =>
    type === 'event' ? [{ entry: { type, name, inputs }, address }] : [],
  )
const events = [...eventsOf(vendorRegistryAbi, contracts.registry), ...eventsOf(paymentsAbi, contracts.payments)]

/** An event's log, written by ethers. */
const writeLog = ({ entry, address }: (typeof events)[number], values: readonly unknown[]): ChroveLog => {
  const pairs = entry.inputs.map((input, i) => ({ input, value: values[i] }))
  const indexed = pairs.filter(({ input }) => input.indexed)
  const rest = pairs.filter(({ input }) => !input.indexed)
  return {
    address,
    topics: [signatureHashOf(entry), ...indexed.map(({ input, value }) => encode([input], [value]))],
    data: encode(
      rest.map(({ input }) => input),
      rest.map(({ value }) => value),
    ),
    evidence,
  }
}

const anyEvent = fc.constantFrom(...events).chain((event) => {
  return fc.tuple(fc.constant(event), fc.tuple(...event.entry.inputs.map(valueOf)))
})

describe('a log of our contracts', () => {
  it('decodes to the values that ethers encoded', () => {
    fc.assert(
      fc.property(anyEvent, ([event, values]) => {
        const decoded = decodeLog(writeLog(event, values), contracts) as unknown as Record<string, unknown>
        const expected = event.entry.inputs.map((input, i) => [input.name, shown(input, values[i])])
        assert.equal(decoded.type, event.entry.name)
        assert.equal(decoded.contract, event.address)
        assert.deepEqual(decoded.evidence, evidence)
        for (const [name, value] of expected) assert.deepEqual(reduced(decoded[name as string]), value)
        assert.equal(Object.keys(decoded).length, expected.length + 3)
      }),
      { numRuns: 2000 },
    )
  })

  it('decodes as ethers decodes it, where its text is UTF-8', () => {
    const oracle = new Interface([...vendorRegistryAbi, ...paymentsAbi])
    const text = fc.string({ unit: 'grapheme', maxLength: 50 }).map(utf8)
    const readable = fc.constantFrom(...events).chain((event) => {
      const values = event.entry.inputs.map((input) => {
        if (input.type === 'string') return text
        return input.type === 'string[]' ? fc.array(text, { maxLength: 4 }) : valueOf(input)
      })
      return fc.tuple(fc.constant(event), fc.tuple(...values))
    })
    fc.assert(
      fc.property(readable, ([event, values]) => {
        const log = writeLog(event, values)
        const decoded = decodeLog(log, contracts) as unknown as Record<string, unknown>
        const theirs = oracle.parseLog({ topics: [...log.topics], data: log.data })
        assert.ok(theirs)
        for (const input of event.entry.inputs) {
          const words = (value: unknown): unknown => {
            if (Array.isArray(value)) return value.map(words)
            if (value instanceof Uint8Array) return fromUtf8(value)
            return typeof value === 'string' && input.type === 'address' ? value.toLowerCase() : value
          }
          const theirValue: unknown = theirs.args.getValue(input.name)
          const list = input.type === 'string[]' ? [...(theirValue as string[])] : theirValue
          assert.deepEqual(words(reduced(decoded[input.name])), shown(input, words(list)))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('is refused unless it is byte for byte what the compiler writes', () => {
    fc.assert(
      fc.property(anyEvent, damage, fc.nat({ max: 4 }), ([event, values], change, place) => {
        const log = writeLog(event, values)
        const [signature = '0x', ...topics] = log.topics
        const changed = (hex: Hex, at: number) => (at === place ? toHex(change(fromHex(hex))) : hex)
        const damaged = {
          ...log,
          data: changed(log.data, 0),
          topics: [signature, ...topics.map((topic, i) => changed(topic, i + 1))],
        }
        const decoded = decodeLog(damaged, contracts) as unknown as Record<string, unknown>
        if (decoded.type === 'Undecodable') return
        // Still an event: then it is the one encoding of other values.
        const again = event.entry.inputs.map((input) => unshown(input, reduced(decoded[input.name])))
        assert.deepEqual(writeLog(event, again), damaged)
      }),
      { numRuns: 5000 },
    )
  })

  it('is refused with bits set beyond an indexed value, and with a topic more or less', () => {
    const [event] = events.filter(({ entry }) => entry.name === 'ActiveChanged')
    assert.ok(event)
    const log = writeLog(event, [7n, 2n, true])
    assert.equal(decodeLog(log, contracts).type, 'ActiveChanged')
    const topics = [
      [log.topics[0], `0x01${log.topics[1]?.slice(4)}`],
      [log.topics[0]],
      [...log.topics, log.topics[1]],
    ] as Hex[][]
    for (const list of topics) {
      const refused = { ...log, topics: list }
      assert.deepEqual(decodeLog(refused, contracts), { type: 'Undecodable', reason: 'not-canonical', log: refused })
    }
  })

  it('is an event only of the contract that has this event', () => {
    for (const event of events) {
      const log = writeLog(event, fc.sample(fc.tuple(...event.entry.inputs.map(valueOf)), 1)[0] ?? [])
      const reason = (address: Address) => {
        const decoded = decodeLog({ ...log, address }, contracts)
        return decoded.type === 'Undecodable' ? decoded.reason : decoded.type
      }
      assert.equal(reason(event.address), event.entry.name)
      assert.equal(
        reason(event.address === contracts.registry ? contracts.payments : contracts.registry),
        'unknown-event',
      )
      assert.equal(reason(parseAddress(`0x${'cc'.repeat(20)}`) as Address), 'foreign-contract')
    }
  })

  it('never makes the decoder throw, or allocate for lengths that are not there', () => {
    const word = fc.oneof(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc
        .constantFrom(0n, 32n, 64n, 2n ** 20n, 2n ** 47n, 2n ** 256n - 1n)
        .map((n) => fromHex(`0x${n.toString(16).padStart(64, '0')}`)),
    )
    const words = fc
      .array(word, { maxLength: 20 })
      .map((list) => toHex(new Uint8Array(list.flatMap((each) => [...each]))))
    fc.assert(
      fc.property(
        fc.constantFrom(...events),
        fc.array(word.map(toHex), { maxLength: 4 }),
        words,
        (event, rest, data) => {
          const topics = [signatureHashOf(event.entry), ...rest].slice(0, 4)
          decodeLog({ address: event.address, topics, data, evidence }, contracts)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
