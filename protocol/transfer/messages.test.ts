import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readOrRefused, refusedAs } from '../../test/refusal.ts'
import { utf8 } from '../bytes.ts'
import { RECORD_BYTES_MAX, TRANSFER_BLOCK_BYTES_MAX, TRANSFER_PREFIXES_MAX } from '../limits.ts'
import { decodeRecord, encodeBlock, encodeMessage, type Message, type Offer } from './messages.ts'
import { checkOffer, offerId } from './offer.ts'
import { createOrdering } from './ordering.ts'
import { createPacking } from './packing.ts'
import { createPrefixes } from './prefixes.ts'

const digest = 'a'.repeat(64)
const offer: Offer = {
  type: 'offer',
  version: 1,
  kind: 'files',
  id: offerId(['a', 'b']),
  names: ['a', 'b'],
  files: 2,
  folders: 1,
  bytes: 10,
  length: 100,
}

describe('a record of a transfer', () => {
  it('is a message', () => {
    const messages: Message[] = [
      offer,
      { type: 'answer', arrived: [{ length: 5, digest }] },
      { type: 'start', from: 5 },
      { type: 'ack', length: 7 },
      { type: 'whole', length: 100, digest },
      { type: 'done' },
      { type: 'ping' },
      { type: 'abort', code: 'ERR_TRANSFER_DISK_FULL' },
    ]
    for (const message of messages)
      assert.deepEqual(decodeRecord(encodeMessage(message)), { record: 'message', message })
  })

  it('is a block, which fits a record of the stream', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), fc.uint8Array({ minLength: 1, maxLength: 50 }), (position, payload) => {
        const plain = { position, length: payload.length, packed: false, payload }
        assert.deepEqual(decodeRecord(encodeBlock(plain)), { record: 'block', block: plain })
        const packed = { position, length: payload.length + 1, packed: true, payload }
        assert.deepEqual(decodeRecord(encodeBlock(packed)), { record: 'block', block: packed })
      }),
    )
    const full = {
      position: 0,
      length: TRANSFER_BLOCK_BYTES_MAX,
      packed: false,
      payload: new Uint8Array(TRANSFER_BLOCK_BYTES_MAX),
    }
    assert.ok(encodeBlock(full).length <= RECORD_BYTES_MAX)
  })

  it('is refused when a block says another length than it has, or promises more than one may hold', () => {
    const payload = new Uint8Array(3)
    for (const [length, packed] of [
      [2, false],
      [4, false],
      [3, true],
      [2, true],
      [TRANSFER_BLOCK_BYTES_MAX + 1, true],
      [0, true],
    ] as const)
      assert.throws(
        () => decodeRecord(encodeBlock({ position: 0, length, packed, payload })),
        refusedAs('ERR_TRANSFER_SHAPE'),
      )
  })

  it('is refused when a message has more or less in it, or is too long', () => {
    const say = (content: unknown) => Uint8Array.of(1, ...utf8(JSON.stringify(content)))
    for (const content of [
      { type: 'done', more: 1 },
      { type: 'ack' },
      { type: 'ack', length: -1 },
      { ...offer, version: 2 },
      { type: 'abort', code: 'ERR_BUG' },
      [],
      null,
    ])
      assert.throws(() => decodeRecord(say(content)), refusedAs('ERR_TRANSFER_SHAPE'))
    const long = { ...offer, names: Array<string>(70).fill('a'.repeat(1000)) }
    assert.throws(() => decodeRecord(say(long)), refusedAs('ERR_TRANSFER_SHAPE'))
  })

  it('is read or refused, whatever the bytes are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (bytes) => {
        await readOrRefused(() => decodeRecord(bytes))
      }),
    )
  })
})

describe('an offer', () => {
  const check = (change: Partial<Offer>, windows = false) => {
    const names = change.names ?? offer.names
    checkOffer({ ...offer, id: offerId(names), ...change }, { windows })
  }

  it('is believed where it can be true', () => {
    check({})
    check({ kind: 'text', names: ['text'], files: 1, folders: 0 })
  })

  it('is refused where it contradicts itself', () => {
    const wrong: Partial<Offer>[] = [
      { names: ['b', 'a'] },
      { id: offerId(['a', 'c']) },
      { names: ['a', 'a'] },
      { files: 1, folders: 0 },
      { bytes: 99 },
      { kind: 'text' },
      { kind: 'text', names: ['text'], files: 1, folders: 0, bytes: 2e6, length: 3e6 },
    ]
    for (const change of wrong) assert.throws(() => check(change), refusedAs('ERR_TRANSFER_SHAPE'))
  })

  it('is refused for a name that a person must not be shown, or a system not be given', () => {
    const hidden = '.chrove-0123456789abcdef.part'
    for (const name of ['..', 'a/b', '\u001b[2J', hidden, hidden.toUpperCase(), `${hidden}\u200d`])
      assert.throws(() => check({ names: [name] }), refusedAs('ERR_TRANSFER_NAME'))
    check({ names: ['aux'] })
    assert.throws(() => check({ names: ['aux'] }, true), refusedAs('ERR_TRANSFER_NAME'))
  })
})

describe('prefixes', () => {
  it('are few, in order and close to the end, however long the row', () => {
    const prefixes = createPrefixes()
    const step = 700_000
    for (let length = step; length <= step * 20_000; length += step) {
      if (prefixes.wants(length)) prefixes.add({ length, digest })
      const list = prefixes.list()
      assert.ok(list.length < TRANSFER_PREFIXES_MAX)
      if (length > 100 * step) assert.ok((list.at(-1)?.length ?? 0) > length * 0.98)
    }
    const lengths = prefixes.list().map(({ length }) => length)
    assert.deepEqual(
      lengths,
      lengths.toSorted((a, b) => a - b),
    )
  })
})

describe('blocks of several streams', () => {
  it('come back into one row', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.infiniteStream(fc.nat()), (bytes, draws) => {
        const ordering = createOrdering(7)
        const left = Array.from({ length: Math.ceil(bytes.length / 4) }, (_each, at) => at * 4)
        const row: number[] = []
        while (left.length > 0) {
          const [at = 0] = left.splice((draws.next().value ?? 0) % left.length, 1)
          ordering.put(7 + at, bytes.subarray(at, at + 4))
          for (let next = ordering.take(); next; next = ordering.take()) row.push(...next)
        }
        assert.deepEqual(row, [...bytes])
      }),
    )
  })

  it('are refused when they come twice, are past, far ahead, or too many to keep', () => {
    const refused = refusedAs('ERR_TRANSFER_SHAPE')
    const one = new Uint8Array(1)
    const ordering = createOrdering(10)
    ordering.put(11, one)
    assert.throws(() => ordering.put(11, one), refused)
    assert.throws(() => ordering.put(9, one), refused)
    assert.throws(() => ordering.put(10 + 16 * 1024 * 1024, one), refused)
    assert.throws(() => {
      for (let at = 12; at < 20_000; at++) ordering.put(at, one)
    }, refused)
  })
})

describe('packing', () => {
  const block = TRANSFER_BLOCK_BYTES_MAX
  /** How many of a thousand blocks are tried. */
  const tries = (packedBytes: number, workMs: number, wayMs: number): number => {
    const packing = createPacking()
    let count = 0
    for (let at = 0; at < 1000; at++) {
      let sent = block
      if (packing.tries()) {
        count += 1
        if (packing.tried(block, packedBytes, workMs)) sent = packedBytes
      }
      packing.sent(sent, (wayMs * sent) / block)
    }
    return count
  }

  it('is tried always where it pays, and seldom where it does not', () => {
    assert.equal(tries(block / 2, 1, 10), 1000)
    assert.ok(tries(block, 1, 10) < 30, 'content that does not shrink')
    assert.ok(tries(block / 2, 10, 1) < 30, 'a network that is faster than the compressor')
  })

  it('is found out anew when content or network change', () => {
    const packing = createPacking()
    for (let at = 0; at < 500; at++) {
      if (packing.tries()) packing.tried(block, block, 1)
      packing.sent(block, 10)
    }
    let count = 0
    for (let at = 0; at < 500; at++) {
      if (packing.tries()) {
        count += 1
        packing.tried(block, block / 2, 1)
      }
      packing.sent(block, 10)
    }
    assert.ok(count > 430)
  })

  it('sends as it is what hardly shrinks', () => {
    const packing = createPacking()
    assert.equal(packing.tried(block, block - 100, 0), false)
    assert.equal(packing.tried(block, block / 2, 0), true)
  })
})
