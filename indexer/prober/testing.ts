/** Vendors with real keys for the prober's tests, on a made-up chain, and their price documents. */
import type { ChroveEvent } from '../../chain/events.ts'
import { type Address, type Evidence, ZERO_ADDRESS } from '../../chain/types.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { createJose } from '../../protocol/jose.ts'
import { thumbprintOf } from '../../protocol/keys.ts'
import { type PriceContent, signPriceContent } from '../../protocol/price.ts'
import { address, genesis, hash, type Sealed, SOURCE, text } from '../testing.ts'

export const jose = createJose()
const signing = await jose.generateKeyPair()
const encryption = await jose.generateKeyPair()

/** Blocks, each with one change of one vendor; all vendors have the same keys, and the plan that documents offer. */
export const createChain = () => {
  const chain: Sealed[] = [genesis]
  const versions = new Map<bigint, number>()

  const mine = (make: (evidence: Evidence) => readonly ChroveEvent[], fork = 1): Sealed => {
    const parent = chain.at(-1) ?? genesis
    const number = parent.block.number + 1
    const block = {
      number,
      hash: hash(fork * 1_000_000 + number),
      parentHash: parent.block.hash,
      timestampSeconds: parent.block.timestampSeconds + 12,
    }
    const evidence = {
      blockNumber: number,
      blockHash: block.hash,
      transactionHash: hash(7),
      transactionIndex: 0,
      logIndex: 0,
    }
    const sealed = { block, events: make(evidence), undecodable: [] }
    chain.push(sealed)
    return sealed
  }

  const change = (vendorId: bigint) => {
    const version = (versions.get(vendorId) ?? 0) + 1
    versions.set(vendorId, version)
    return { contract: SOURCE.registry, vendorId, version }
  }

  return {
    chain,
    register: (endpoints: readonly string[]): Sealed => {
      const vendorId = BigInt(versions.size + 1)
      return mine((evidence) => [
        {
          type: 'VendorRegistered',
          ...change(vendorId),
          evidence,
          owner: address(1),
          operator: ZERO_ADDRESS,
          payout: address(2),
          signingKey: toHex(thumbprintOf(signing.publicKey)),
          encryptionKey: toHex(thumbprintOf(encryption.publicKey)),
          endpoints: endpoints.map(text),
          profile: text('{}'),
        },
        {
          type: 'PlanAdded',
          ...change(vendorId),
          evidence: { ...evidence, logIndex: 1 },
          planId: 1,
          token: ZERO_ADDRESS,
          price: 10n ** 15n,
          periodSeconds: 3600,
          maxPeriods: 12,
          settlement: 'Streamed',
          title: text('One hour'),
        },
      ])
    },
    move: (vendorId: bigint, endpoints: readonly string[], fork = 1): Sealed =>
      mine(
        (evidence) => [{ type: 'EndpointsChanged', ...change(vendorId), evidence, endpoints: endpoints.map(text) }],
        fork,
      ),
    withdrawPlan: (vendorId: bigint): Sealed =>
      mine((evidence) => [{ type: 'PlanSaleChanged', ...change(vendorId), evidence, planId: 1, onSale: false }]),
    /** Drops the newest block; the vendor's counter goes back with it. */
    undo: (vendorId: bigint): void => {
      chain.pop()
      versions.set(vendorId, (versions.get(vendorId) ?? 1) - 1)
    },
  }
}

/** What the vendor's server answers, in good order. @param change breaks it */
export const priceDocument = async (
  vendorId: number,
  tsSeconds: number,
  change: (content: PriceContent) => PriceContent = (content) => content,
): Promise<string> => {
  const Price = { symbol: 'ETH', amount: '0.001', unit: 'Hour' }
  const content = change({
    ContractAddress: SOURCE.registry,
    Price,
    PaymentChannels: [
      {
        Name: 'One hour',
        Price,
        PaymentMethod: 'Contract',
        ChainId: `${SOURCE.chainId}`,
        Registry: SOURCE.registry as Address,
        VendorId: `${vendorId}`,
        PlanId: 1,
        Token: ZERO_ADDRESS,
        Amount: `${10n ** 15n}`,
        PeriodSeconds: 3600,
        MemoName: '',
        MemoContent: '',
      },
    ],
    PublicKey: { ...signing.publicKey },
    PublicKeyEnc: { ...encryption.publicKey },
    ts: tsSeconds,
    brandinfo: { Logo: '', title: '', description: '' },
  })
  const timeSignature = await jose.sign(utf8(String(content.ts)), signing.privateKey)
  return JSON.stringify(await signPriceContent(jose, content, signing.privateKey, timeSignature))
}
