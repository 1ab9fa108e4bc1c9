/** Reads pieces of a chain that are whole in themselves, though the chain may change between two calls. */
import type { Rpc } from './rpc.ts'
import type { Address, Block, BlockRef, ChroveLog, Hash } from './types.ts'

/** Headers, ascending, with what was written in the blocks they cover. */
export interface Piece {
  readonly blocks: readonly [...Block[], Block]
  readonly logs: readonly ChroveLog[]
}

/**
 * Reads blocks that cannot change any more, with the header of the last only.
 * @returns undefined when the answers do not fit together
 * @throws ChainError
 */
export const fetchRange = async (
  rpc: Rpc,
  addresses: readonly Address[],
  from: number,
  to: number,
  signal?: AbortSignal,
): Promise<Piece | undefined> => {
  const logs = await rpc.logsOfRange(from, to, addresses, signal)
  // Asked afterwards, so that logs of a chain that has gone meanwhile do not fit.
  const last = await rpc.block(to, signal)
  if (!last) return undefined
  const hashes = new Map<number, Hash>([[last.number, last.hash]])
  for (const { evidence } of logs) {
    const hash = hashes.get(evidence.blockNumber) ?? evidence.blockHash
    if (hash !== evidence.blockHash) return undefined
    hashes.set(evidence.blockNumber, hash)
  }
  return { blocks: [last], logs }
}

/**
 * Reads blocks that may still change, with every header. Logs are asked for by block hash, so that a node that lags
 * or has changed its mind fails instead of leaving some out.
 * @param parent the block below, where it is known: they must stand on it
 * @returns undefined when the blocks are not one chain on that parent
 * @throws ChainError
 */
export const fetchBlocks = async (
  rpc: Rpc,
  addresses: readonly Address[],
  from: number,
  to: number,
  parent: BlockRef | undefined,
  signal?: AbortSignal,
): Promise<Piece | undefined> => {
  const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i)
  const headers = await Promise.all(numbers.map((number) => rpc.block(number, signal)))
  const blocks: Block[] = []
  let below = parent
  for (const block of headers) {
    if (!block || (below && below.hash !== block.parentHash)) return undefined
    blocks.push(block)
    below = block
  }
  const logs = await Promise.all(blocks.map((block) => rpc.logsOfBlock(block.hash, addresses, signal)))
  const last = blocks.pop()
  return last && { blocks: [...blocks, last], logs: logs.flat() }
}
