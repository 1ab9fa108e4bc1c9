/** Bytes that somebody wrote to hurt, on their whole way from a log of the chain to an answer. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Interface, type InterfaceAbi } from 'ethers'
import fc from 'fast-check'
import { decodeLog } from '../../chain/decode-log.ts'
import type { ChroveLog, Evidence, Hex } from '../../chain/types.ts'
import { ZERO_ADDRESS } from '../../chain/types.ts'
import { vendorRegistryAbi } from '../../protocol/abi/vendor-registry.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { CLEAN_TEXT_LENGTH_MAX } from '../../protocol/text.ts'
import { genesis, hash, type Sealed, SOURCE } from '../testing.ts'
import { directoryOf } from './testing.ts'

const registry = new Interface(vendorRegistryAbi as unknown as InterfaceAbi)
/** The same with bytes for strings, so that ethers writes what is no text. */
const anyBytes = new Interface(
  JSON.parse(JSON.stringify(vendorRegistryAbi).replaceAll('"string', '"bytes')) as InterfaceAbi,
)

const evidenceOf = (logIndex: number): Evidence => ({
  blockNumber: 1,
  blockHash: hash(1),
  transactionHash: hash(100 + logIndex),
  transactionIndex: logIndex,
  logIndex,
})

const logOf = (name: string, logIndex: number, values: Readonly<Record<string, unknown>>): ChroveLog => {
  const inputs = registry.getEvent(name)?.inputs ?? []
  const { topics, data } = anyBytes.encodeEventLog(
    name,
    inputs.map((input) => values[input.name]),
  )
  return {
    address: SOURCE.registry,
    topics: [registry.getEvent(name)?.topicHash as Hex, ...(topics.slice(1) as Hex[])],
    data: data as Hex,
    evidence: evidenceOf(logIndex),
  }
}

/** A chain whose first block has these logs. */
const chainOf = (logs: readonly ChroveLog[]): Sealed[] => {
  const block = { number: 1, hash: hash(1), parentHash: genesis.block.hash, timestampSeconds: 1_700_000_012 }
  const decoded = logs.map((log) => decodeLog(log, SOURCE))
  const events = decoded.filter((event) => event.type !== 'Undecodable')
  const undecodable = decoded.filter((event) => event.type === 'Undecodable')
  return [genesis, { block, events, undecodable }]
}

const registered = (bytes: Uint8Array) => [
  logOf('VendorRegistered', 0, {
    vendorId: 1n,
    version: 1n,
    owner: SOURCE.payments,
    operator: ZERO_ADDRESS,
    payout: SOURCE.payments,
    signingKey: hash(1),
    encryptionKey: hash(2),
    endpoints: [bytes, bytes],
    profile: bytes,
  }),
  logOf('PlanAdded', 1, {
    vendorId: 1n,
    version: 2n,
    planId: 1n,
    token: ZERO_ADDRESS,
    price: 1n,
    periodSeconds: 60n,
    maxPeriods: 1n,
    settlement: 0n,
    title: bytes,
  }),
]

const QUERY = `{ vendors(search: "") { nodes {
  endpoints { text bytes } profile { title description logo raw { text bytes } } evidence { transactionHash logIndex finalized }
  plans { nodes { title { text bytes } evidence { transactionHash logIndex finalized } } } } }
  _meta { completeness { complete undecodableLogs } } }`

interface Told {
  readonly vendors: {
    readonly nodes: readonly {
      readonly endpoints: readonly { text: string; bytes: string }[]
      readonly profile: { title: string; description: string; logo: string; raw: { text: string; bytes: string } }
      readonly evidence: object
      readonly plans: { readonly nodes: readonly { title: { text: string; bytes: string }; evidence: object }[] }
    }[]
  }
  readonly _meta: { readonly completeness: object }
}

/** What may harm a terminal, a database or a reader. */
const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff]/

const isHarmless = async (bytes: Uint8Array): Promise<void> => {
  const { post } = await directoryOf(chainOf(registered(bytes)))
  const response = await post({ query: QUERY })
  const body = await response.text()
  assert.doesNotMatch(body, HARMFUL)
  const { data } = JSON.parse(body) as { data: Told }
  const [vendor] = data.vendors.nodes
  const [plan] = vendor?.plans.nodes ?? []
  assert.ok(vendor && plan)
  for (const { bytes: told } of [...vendor.endpoints, vendor.profile.raw, plan.title]) assert.equal(told, toHex(bytes))
  const { title, description, logo, raw } = vendor.profile
  for (const text of [
    ...vendor.endpoints.map((end) => end.text),
    raw.text,
    plan.title.text,
    title,
    description,
    logo,
  ]) {
    assert.doesNotMatch(text, HARMFUL)
    assert.ok(text.isWellFormed() && text.length <= CLEAN_TEXT_LENGTH_MAX)
  }
  const evidence = (logIndex: number) => ({ transactionHash: hash(100 + logIndex), logIndex, finalized: false })
  // The last change of the vendor is its plan.
  assert.deepEqual([vendor.evidence, plan.evidence], [evidence(1), evidence(1)])
  assert.deepEqual(data._meta.completeness, { complete: true, undecodableLogs: 0 })
}

describe('bytes of strangers, from log to answer', () => {
  const hostile = {
    'NUL and controls': utf8('a\0b\u001b[2J\u0007c\u009b'),
    'bad UTF-8': new Uint8Array([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0xf8, 0x88, 0x80, 0x80, 0x80]),
    'bidi and invisible characters': utf8('\u202egpj.exe\u2066x\u2069 pay\u200bpal\ufeff'),
    HTML: utf8('<script>alert(1)</script>"\'><img src=x onerror=alert(1)>'),
    '100 kB': utf8('\u{1f600}%_\\|'.repeat(12_500)),
    'JSON with escapes of all that': utf8(
      JSON.stringify({ title: 'a\0\u202e<b>', description: '\ud800', logo: 'javascript:alert(1)\0' }),
    ),
    'nothing at all': new Uint8Array(),
  }
  for (const [name, bytes] of Object.entries(hostile)) {
    it(`do no harm as ${name}`, () => isHarmless(bytes))
  }

  it('do no harm whatever they are', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), isHarmless), { numRuns: 15 })
  })

  it('are recorded and counted when they are no event', async () => {
    const [log, ...rest] = registered(utf8('x'))
    assert.ok(log)
    const { ask } = await directoryOf(chainOf([{ ...log, data: `${log.data}00` }, ...rest]))
    const { data } = await ask<Told>('{ _meta { completeness { complete undecodableLogs } } }')
    assert.deepEqual(data._meta.completeness, { complete: false, undecodableLogs: 1 })
  })
})
