import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { DATA_CHARACTERS_MAX, LOGS_MAX } from './limits.ts'
import { readLogs } from './read-logs.ts'
import { bytes, count, hash } from './rpc-schema.ts'
import { type Address, parseAddress } from './types.ts'

/** The same shape, made of parts that can be read at a glance. */
const address = z.string().transform((text, context) => {
  const parsed = parseAddress(text)
  if (!parsed) context.addIssue({ code: 'custom', message: 'not an address' })
  return parsed as Address
})
const shape = z
  .array(
    z
      .object({
        address,
        topics: z.array(hash).max(4),
        data: bytes,
        blockNumber: count,
        blockHash: hash,
        transactionHash: hash,
        transactionIndex: count,
        logIndex: count,
        removed: z.literal(false).optional(),
      })
      .transform(
        ({ address: by, topics, data, blockNumber, blockHash, transactionHash, transactionIndex, logIndex }) => {
          return {
            address: by,
            topics,
            data,
            evidence: { blockNumber, blockHash, transactionHash, transactionIndex, logIndex },
          }
        },
      ),
  )
  .max(LOGS_MAX)

const digits = (minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength, maxLength })
const exactly = (length: number) => digits(length, length).map((text) => `0x${text}`)
const few = <T>(arbitrary: fc.Arbitrary<T>) => fc.constantFrom(...fc.sample(arbitrary, { numRuns: 3, seed: 7 }))
const quantity = fc.oneof(
  fc.nat().map((n) => `0x${n.toString(16)}`),
  fc.constantFrom('0x0', '0x00', '0x1fffffffffffff', '0x20000000000000', '0X1', `0x${'f'.repeat(65)}`, '1', ''),
)
const someBytes = fc.oneof(
  digits(0, 40).map((text) => `0x${text}`),
  fc.constantFrom('0x', '0X00', 'x', '0x0'),
)
const wrong = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(undefined, null, 0, '', '0x', true, [], {}) },
  { weight: 1, arbitrary: exactly(63) },
  { weight: 1, arbitrary: exactly(66) },
)
/** Nearly always right, so that whole logs come through. */
const mostly = (arbitrary: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 60, arbitrary }, { weight: 1, arbitrary: wrong })
const log = mostly(
  fc.record({
    address: mostly(few(exactly(40))),
    topics: mostly(fc.array(mostly(exactly(64)), { maxLength: 5 })),
    data: mostly(someBytes),
    blockNumber: mostly(quantity),
    blockHash: mostly(few(exactly(64))),
    transactionHash: mostly(few(exactly(64))),
    transactionIndex: mostly(quantity),
    logIndex: mostly(fc.nat().map((n) => `0x${n.toString(16)}`)),
    removed: fc.constantFrom(undefined, false, false, true, null),
  }),
)

describe('logs of a node', () => {
  it('are read as the shape says that they are', () => {
    let accepted = 0
    fc.assert(
      fc.property(mostly(fc.array(log, { maxLength: 4 })), (raw) => {
        const expected = shape.safeParse(raw)
        const read = readLogs(raw)
        if (expected.success) accepted++
        assert.deepEqual(read, expected.success ? expected.data : undefined)
      }),
      { numRuns: 3000 },
    )
    assert.ok(accepted > 100, `${accepted} were accepted`)
  })

  it('are refused when there are too many, or when one is too long', () => {
    const one = { topics: [], data: '0x', blockNumber: '0x1', transactionIndex: '0x0', logIndex: '0x0' }
    const hashes = { blockHash: `0x${'1'.repeat(64)}`, transactionHash: `0x${'2'.repeat(64)}` }
    const raw = Array.from({ length: LOGS_MAX + 1 }, () => ({ ...one, ...hashes, address: `0x${'3'.repeat(40)}` }))
    assert.equal(readLogs(raw), undefined)
    assert.equal(readLogs(raw.slice(1))?.length, LOGS_MAX)
    const data = `0x${'0'.repeat(DATA_CHARACTERS_MAX - 2)}`
    assert.equal(readLogs([{ ...raw[0], data }])?.length, 1)
    assert.equal(readLogs([{ ...raw[0], data: `${data}00` }]), undefined)
  })
})
