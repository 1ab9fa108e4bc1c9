/**
 * The service's chain, read so that the node is believed as little as can be. What a block says is proved by its hash, and
 * each block names the one before it; so from a hash that we know, balances and order follow without anybody's word. The
 * node's word is only which blocks are confirmed. A block that is built on the end of this chain can then never be
 * confirmed together with one that lost its place in it.
 */
import { nanoBlockHash, nanoBlockIsSigned, type SignedBlock, ZERO_HASH } from '../../../protocol/nano/block.ts'
import type { BlockInfo } from './answers.ts'
import { NanoError } from './errors.ts'
import { FOREIGN_BLOCKS_MAX } from './limits.ts'
import type { NanoNode } from './node.ts'
import type { Tip } from './payments.ts'

export interface ChainReading {
  readonly tip: Tip
  /** Hashes of the blocks after the tip that was known, the newest first. */
  readonly added: readonly string[]
}

/** A block as the node has it, proved to be what its hash says. */
export interface ProvedBlock extends Pick<BlockInfo, 'confirmed'> {
  readonly block: SignedBlock
}

/**
 * @returns undefined for a block that the node does not know, or that is no state block
 * @throws ERR_NANO_MALFORMED when the node tells of another block than was asked for, and what asking throws
 */
export const provedBlock = async (
  node: NanoNode,
  hash: string,
  signal: AbortSignal,
): Promise<ProvedBlock | undefined> => {
  const info = await node.blockInfo(hash, signal)
  if (!info?.block) return undefined
  if (nanoBlockHash(info.block) !== hash) throw otherBlock()
  return { block: info.block, confirmed: info.confirmed }
}

/** The balance after a block, which for a state block is proved. @returns undefined for one that the node does not know */
export const balanceAfter = async (node: NanoNode, hash: string, signal: AbortSignal): Promise<bigint | undefined> => {
  const info = await node.blockInfo(hash, signal)
  if (!info?.block) return info?.balance
  if (nanoBlockHash(info.block) !== hash) throw otherBlock()
  return info.block.balance
}

/** Whether a different block of the account, signed by its key, is confirmed where this send was. */
export const isReplaced = async (
  node: NanoNode,
  { hash, account, previous }: Pick<SignedBlock, 'account' | 'previous'> & { readonly hash: string },
  signal: AbortSignal,
): Promise<boolean> => {
  const rival = (await node.blockInfo(previous, signal))?.successor
  if (rival === undefined || rival === hash || rival === ZERO_HASH) return false
  const proved = await provedBlock(node, rival, signal)
  if (!proved?.confirmed) return false
  const { block } = proved
  return block.account === account && block.previous === previous && nanoBlockIsSigned(block)
}

/**
 * Where the chain ends.
 * @param known where it ended when it was last read
 * @param representative of an account that has no block yet
 * @throws ERR_NANO_BEHIND | ERR_NANO_UNCONFIRMED: nothing may be built now; and what asking throws
 */
export const readChain = async (
  node: NanoNode,
  account: string,
  representative: string,
  known: Tip | undefined,
  signal: AbortSignal,
): Promise<ChainReading> => {
  if (known && known.hash !== ZERO_HASH) {
    const info = await node.blockInfo(known.hash, signal)
    if (!info?.confirmed) throw behind()
  }
  const info = await node.accountInfo(account, signal)
  if (!info) {
    if (known && known.hash !== ZERO_HASH) throw behind()
    return { tip: { hash: ZERO_HASH, balance: 0n, representative }, added: [] }
  }
  const { frontier, confirmedFrontier } = info
  if (frontier !== confirmedFrontier) {
    throw new NanoError('ERR_NANO_UNCONFIRMED', "the newest block of the service's account is not confirmed")
  }
  if (known?.hash === frontier) return { tip: known, added: [] }
  return walk(node, account, frontier, known, signal)
}

/** From the newest block back to the one that was known. */
const walk = async (
  node: NanoNode,
  account: string,
  frontier: string,
  known: Tip | undefined,
  signal: AbortSignal,
): Promise<ChainReading> => {
  const added: string[] = []
  let tip: Tip | undefined
  let hash = frontier
  while (hash !== (known?.hash ?? ZERO_HASH)) {
    const proved = await provedBlock(node, hash, signal)
    // Before it was known the whole chain need not be read: its end says the balance.
    if (proved?.block.account !== account || hash === ZERO_HASH || added.length >= FOREIGN_BLOCKS_MAX) throw behind()
    const { balance, representative, previous } = proved.block
    tip ??= { hash, balance, representative }
    if (!known) return { tip, added }
    added.push(hash)
    hash = previous
  }
  if (!tip) throw behind()
  return { tip, added }
}

const otherBlock = () => new NanoError('ERR_NANO_MALFORMED', 'the node tells of another block than it was asked for')

const behind = () => new NanoError('ERR_NANO_BEHIND', "the node does not have the service's chain as we know it")
