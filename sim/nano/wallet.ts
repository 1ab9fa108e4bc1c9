/** Somebody with a key on a simulated Nano network: makes real blocks, and publishes them as anybody does. */
import { formatNanoAccount } from '../../protocol/nano/account.ts'
import {
  nanoBlockHash,
  nanoRootOf,
  nanoSignBlock,
  type StateBlock,
  type WorkedBlock,
  ZERO_HASH,
} from '../../protocol/nano/block.ts'
import { nanoPublicKeyOf } from '../../protocol/nano/signature.ts'
import { nanoSearchWork, type WorkThresholds } from '../../protocol/nano/work.ts'
import { linkTo } from './ledger.ts'
import type { NanoNetwork } from './network.ts'

/** About 256 tries for a send and 16 for a receive: real work, and little of it. */
export const EASY_WORK: WorkThresholds = { send: 0xff00_0000_0000_0000n, receive: 0xf000_0000_0000_0000n }

const TRIES_MAX = 1_000_000

/** A key that a test can tell from others. */
export const nanoKey = (number: number): Uint8Array => {
  const key = new Uint8Array(32)
  new DataView(key.buffer).setUint32(28, number)
  return key
}

export const nanoAccount = (key: Uint8Array): string => formatNanoAccount(nanoPublicKeyOf(key))

/** Signs a block and finds its work. */
export const finishBlock = (block: StateBlock, key: Uint8Array, threshold = EASY_WORK.send): WorkedBlock => {
  const work = nanoSearchWork(nanoRootOf(block), threshold, 0n, TRIES_MAX)
  if (work === undefined) throw new TypeError('the work of a simulated network is easier than this')
  return { ...nanoSignBlock(block, key), work }
}

/** The first block of a network, which holds all there is. */
export const genesisOf = (key: Uint8Array): WorkedBlock => {
  const account = nanoAccount(key)
  const block = {
    account,
    previous: ZERO_HASH,
    representative: account,
    balance: (1n << 128n) - 1n,
    link: linkTo(account),
  }
  return finishBlock(block, key)
}

export type NanoWallet = ReturnType<typeof createNanoWallet>

export const createNanoWallet = (network: NanoNetwork, key: Uint8Array) => {
  const account = nanoAccount(key)
  const { ledger } = network

  /** A block after the newest one, or after an earlier one: then it is a fork. */
  const after = (previous: string | undefined, balance: (before: bigint) => bigint, link: string): WorkedBlock => {
    const head = ledger.get(previous ?? ledger.account(account)?.frontier ?? ZERO_HASH)
    const before = head?.block.balance ?? 0n
    const representative = head?.block.representative ?? account
    return finishBlock(
      { account, previous: head?.hash ?? ZERO_HASH, representative, balance: balance(before), link },
      key,
    )
  }

  const publish = (block: WorkedBlock): string => {
    const status = network.publish(block)
    if (status !== 'progress' && status !== 'fork') throw new TypeError(`the network does not take it: ${status}`)
    return nanoBlockHash(block)
  }

  return {
    account,
    balance: (): bigint => ledger.account(account)?.balance ?? 0n,

    /** @returns the send's hash @throws TypeError when there is not so much */
    send: (to: string, amount: bigint): string => publish(after(undefined, (before) => before - amount, linkTo(to))),

    /** A send where another block of ours is, or will be. @param previous hash of the block before it */
    fork: (previous: string, to: string, amount: bigint): WorkedBlock =>
      after(previous, (before) => before - amount, linkTo(to)),

    /** Receives a send. @returns the receive's hash */
    receive(sendHash: string): string {
      const amount = ledger.get(sendHash)?.amount ?? 0n
      return publish(after(undefined, (before) => before + amount, sendHash))
    },
  }
}
