import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { calm, createFaults, only, type FaultRates } from './faults.ts'
import { lyingNode } from './lying-node.ts'
import { createSimRandom } from './random.ts'

const REGISTRY = '0xaa'
const log = (address: string, vendor: string, version: number) => ({
  address,
  topics: ['0x01', vendor],
  blockHash: `0x${'b'.repeat(64)}`,
  version,
})
/** Two of vendor 1, of which the later tells of the first; one of vendor 2; two of another contract. */
const LOGS = [
  log(REGISTRY, '0x1', 1),
  log(REGISTRY, '0x2', 1),
  log('0xbb', '0x1', 0),
  log(REGISTRY, '0x1', 2),
  log('0xbb', '0x1', 0),
]

const nodeWith = (rates: FaultRates) =>
  lyingNode(createSimRandom(1), createFaults(rates), { request: async () => LOGS }, REGISTRY)
const logsOf = (rates: FaultRates, filter: object = { fromBlock: '0x1', toBlock: '0x9' }) =>
  nodeWith(rates).request('eth_getLogs', [filter])

describe('a node that lies', () => {
  it('tells the truth when nothing is wrong, and where it is not asked for logs', async () => {
    assert.deepEqual(await logsOf(calm), LOGS)
    const all = { 'rpc-range-limit': 1, 'rpc-duplicate': 1, 'rpc-other-block': 1, 'rpc-omission': 1 }
    assert.deepEqual(await nodeWith(only(all)).request('eth_call', []), LOGS)
  })

  it('refuses a range, but not a block', async () => {
    await assert.rejects(logsOf(only({ 'rpc-range-limit': 1 })), { code: 'ERR_CHAIN_REFUSED' })
    assert.deepEqual(await logsOf(only({ 'rpc-range-limit': 1 }), { blockHash: '0xb' }), LOGS)
  })

  it('gives logs twice, or as of another block', async () => {
    assert.deepEqual(await logsOf(only({ 'rpc-duplicate': 1 })), [...LOGS, ...LOGS])
    const strayed = (await logsOf(only({ 'rpc-other-block': 1 }))) as typeof LOGS
    assert.ok(strayed.every(({ blockHash }, at) => blockHash !== LOGS[at]?.blockHash))
  })

  it('leaves out what a later log of the same vendor tells of, and nothing else', async () => {
    assert.deepEqual(await logsOf(only({ 'rpc-omission': 1 })), LOGS.slice(1))
  })
})
