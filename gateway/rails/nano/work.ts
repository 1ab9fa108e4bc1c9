/** Finds work for blocks: the node's, which is checked, or our own. */
import type { Clock } from '../../../effects/clock.ts'
import { nanoSearchWork, nanoWorkValue } from '../../../protocol/nano/work.ts'
import { NanoError } from './errors.ts'
import { WORK_TRIES_PER_TURN } from './limits.ts'
import type { NanoNode } from './node.ts'
import type { NanoSettings } from './settings.ts'

/** @returns 16 hex digits that are worth the threshold @throws NanoError, or the signal's reason */
export type FindWork = (root: string, threshold: bigint, signal: AbortSignal) => Promise<string>

export const createWorkFinder = (clock: Clock, node: NanoNode, { work: { by } }: NanoSettings): FindWork =>
  by === 'node' ? askNode(node) : compute(clock)

const askNode =
  (node: NanoNode): FindWork =>
  async (root, threshold, signal) => {
    const work = await node.workGenerate(root, threshold, signal)
    if (nanoWorkValue(work, root) >= threshold) return work
    throw new NanoError('ERR_NANO_WORK', 'the work that the node found is worth less than was asked for')
  }

const compute =
  (clock: Clock): FindWork =>
  async (root, threshold, signal) => {
    for (let first = 0n; ; first += BigInt(WORK_TRIES_PER_TURN)) {
      const work = nanoSearchWork(root, threshold, first, WORK_TRIES_PER_TURN)
      if (work !== undefined) return work
      await clock.sleep(0, signal)
    }
  }
