import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Chain, ChainError } from '../effects/chain.ts'
import { createContractReader } from './contracts.ts'
import { createRpc, type Rpc } from './rpc.ts'
import { type Address, type Hash, parseAddress } from './types.ts'

const address = parseAddress(`0x${'aa'.repeat(20)}`) as Address
const hash = `0x${'11'.repeat(32)}` as Hash
const answering = (answer: unknown): Chain => ({ request: async () => answer })
const malformed = { name: 'ChainError', code: 'ERR_CHAIN_MALFORMED', retryable: false }

const block = { number: '0x5', hash, parentHash: hash, timestamp: '0x10' }
const log = {
  address,
  topics: [hash],
  data: '0x00ff',
  blockNumber: '0x5',
  blockHash: hash,
  transactionHash: hash,
  transactionIndex: '0x0',
  logIndex: '0x1',
  removed: false,
}
const receipt = {
  transactionHash: hash,
  blockNumber: '0x5',
  blockHash: hash,
  status: '0x1',
  gasUsed: '0x5208',
  effectiveGasPrice: '0x2',
  logs: [log],
}

const questions: Readonly<Record<string, (rpc: Rpc) => Promise<unknown>>> = {
  chainId: (rpc) => rpc.chainId(),
  block: (rpc) => rpc.block('latest'),
  logsOfRange: (rpc) => rpc.logsOfRange(1, 9, [address]),
  logsOfBlock: (rpc) => rpc.logsOfBlock(hash, [address]),
  call: (rpc) => rpc.call({ to: address, data: '0x' }),
  estimateGas: (rpc) => rpc.estimateGas({ to: address, data: '0x' }),
  fees: (rpc) => rpc.fees(),
  balanceWei: (rpc) => rpc.balanceWei(address),
  nonce: (rpc) => rpc.nonce(address, 'latest'),
  sendRawTransaction: (rpc) => rpc.sendRawTransaction('0x00'),
  knowsTransaction: (rpc) => rpc.knowsTransaction(hash),
  receipt: (rpc) => rpc.receipt(hash),
}

describe('what a node answers', () => {
  it('is read into one spelling', async () => {
    const mixed = { ...log, address: address.toUpperCase().replace('X', 'x'), data: '0x00FF' }
    const [read] = await createRpc(answering([mixed])).logsOfRange(1, 9, [address])
    assert.ok(read)
    assert.equal(read.address, address)
    assert.equal(read.data, '0x00ff')
    const { feeWei, succeeded } = (await createRpc(answering(receipt)).receipt(hash)) ?? assert.fail()
    assert.equal(feeWei, 42_000n)
    assert.equal(succeeded, true)
    assert.deepEqual(await createRpc(answering(block)).block(5), {
      number: 5,
      hash,
      parentHash: hash,
      timestampSeconds: 16,
    })
  })

  it('may be that there is no such thing', async () => {
    const rpc = createRpc(answering(null))
    assert.equal(await rpc.block(7), undefined)
    assert.equal(await rpc.receipt(hash), undefined)
    assert.equal(await rpc.knowsTransaction(hash), false)
  })

  it('comes in the order of the chain, whatever the order of the answer', async () => {
    const places = [
      { blockNumber: '0x9', logIndex: '0x0' },
      { blockNumber: '0x2', logIndex: '0x7' },
      { blockNumber: '0x2', logIndex: '0x3' },
    ]
    const found = await createRpc(answering(places.map((place) => ({ ...log, ...place })))).logsOfRange(1, 9, [address])
    const order = found.map(({ evidence }) => [evidence.blockNumber, evidence.logIndex])
    assert.deepEqual(order, [
      [2, 3],
      [2, 7],
      [9, 0],
    ])
  })

  it('is refused when it was not asked for', async () => {
    const foreign = { ...log, address: `0x${'bb'.repeat(20)}` }
    await assert.rejects(createRpc(answering([foreign])).logsOfRange(1, 9, [address]), malformed)
    await assert.rejects(createRpc(answering([{ ...log, blockNumber: '0xa' }])).logsOfRange(1, 9, [address]), malformed)
    const elsewhere = { ...log, blockHash: `0x${'12'.repeat(32)}` }
    await assert.rejects(createRpc(answering([elsewhere])).logsOfBlock(hash, [address]), malformed)
    await assert.rejects(createRpc(answering(block)).block(6), malformed)
    await assert.rejects(createRpc(answering([{ ...log, removed: true }])).logsOfRange(1, 9, [address]), malformed)
    await assert.rejects(createRpc(answering([log, log])).logsOfRange(1, 9, [address]), malformed)
  })

  it('is refused where it is no number, too large a number, or no bytes', async () => {
    for (const number of ['0x', '5', '0x05', '0x20000000000000', '0xg', -1, 5, null, '']) {
      await assert.rejects(createRpc(answering({ ...block, number })).block('latest'), malformed, String(number))
    }
    for (const data of ['0x0', '00', '0xzz', null]) {
      await assert.rejects(createRpc(answering([{ ...log, data }])).logsOfRange(1, 9, [address]), malformed)
    }
  })

  it('makes no question fail otherwise than with a ChainError', async () => {
    const nearly = fc.constantFrom(block, receipt, log).chain((whole) => {
      const damage = fc.tuple(fc.constantFrom(...Object.keys(whole)), fc.anything())
      return damage.map(([name, value]): unknown => ({ ...whole, [name]: value }))
    })
    const fine = fc.constantFrom<unknown>(block, [log], receipt, '0x1', hash)
    const anything = fc.oneof(
      fc.anything(),
      fine,
      nearly,
      nearly.map((one) => [one]),
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(questions)), anything, async (name, answer) => {
        try {
          await questions[name]?.(createRpc(answering(answer)))
        } catch (error) {
          assert.ok(error instanceof ChainError, String(error))
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('is no contract of ours when it is empty or not canonical', async () => {
    for (const answer of ['0x', `0x${'00'.repeat(31)}`, `0x${'ff'.repeat(32)}`, `0x${'00'.repeat(64)}`]) {
      await assert.rejects(createContractReader(answering(answer)).vendorCount(address), malformed, answer)
    }
  })

  it('may lack what is usual to offer the miner', async () => {
    const node: Chain = {
      async request(method) {
        if (method === 'eth_getBlockByNumber') return { baseFeePerGas: '0x7' }
        throw new ChainError('ERR_CHAIN_REFUSED', 'test')
      },
    }
    assert.deepEqual(await createRpc(node).fees(), { baseFeeWei: 7n, priorityFeeWei: 1_000_000_000n })
  })
})
