/**
 * The one writer of the service's chain. It makes one payment at a time: a block is signed, written down, published, and
 * the next one waits until it is confirmed. Where another block has the place of one of ours, ours is given up, and the
 * payment is made anew after what is confirmed there. The chain between is read and proved (`chain.ts`), so either ours is
 * in it, and then the payment is made, or the new block can never be confirmed together with it: each payment is made once.
 */
import type { Log } from '../../../effects/log.ts'
import { nanoBlockHash, nanoRootOf, nanoSignBlock, ZERO_HASH } from '../../../protocol/nano/block.ts'
import { readChain } from './chain.ts'
import { NanoError } from './errors.ts'
import type { NanoNode, Taken } from './node.ts'
import { blockOf, nextPayment, type Payment, receiveOf, waitingPayers } from './payments.ts'
import type { NanoSettings } from './settings.ts'
import type { LiveBlock, NanoStore } from './store.ts'
import type { FindWork } from './work.ts'

/** What a step did: there may be more to do at once, a confirmation is waited for, or there is nothing to do. */
export type WriterStep = 'progress' | 'waiting' | 'idle'

export interface WriterParts {
  readonly log: Log
  readonly node: NanoNode
  readonly store: NanoStore
  readonly settings: NanoSettings
  readonly findWork: FindWork
  readonly account: string
  /** 32 bytes. */
  readonly secretKey: Uint8Array
  /** Called when payments are made. */
  readonly onMade: () => void
}

/** @returns does the next step; steps must not overlap. @throws NanoError, or the signal's reason */
export const createWriter = (parts: WriterParts): ((signal: AbortSignal) => Promise<WriterStep>) => {
  const { log, node, store, settings, findWork, account, secretKey, onMade } = parts

  const workFor = ({ kind }: Payment, root: string, signal: AbortSignal): Promise<string> =>
    findWork(root, kind === 'send' ? settings.work.send : settings.work.receive, signal)

  /** Reads on where the chain ends, and notes what of it is ours. */
  const readOn = async (signal: AbortSignal) => {
    const { tip, added } = await readChain(node, account, settings.representative, await store.tip(), signal)
    const ours: string[] = []
    for (const hash of added.toReversed()) {
      if (await store.isOurs(hash)) ours.push(hash)
      else log.warn('nano.foreign-block')
    }
    await store.advance(tip, ours)
    if (ours.length > 0) onMade()
    return tip
  }

  const begin = async (signal: AbortSignal): Promise<WriterStep> => {
    const wanted = await store.wanted()
    if (wanted.length === 0 && (await store.tip())) return 'idle'
    const tip = await readOn(signal)
    const unmade = await store.wanted()
    const open = await store.openDeposits(waitingPayers(unmade, tip.balance))
    const left = new Map([...unmade, ...open.map(receiveOf)].map((payment) => [payment.id, payment]))
    for (;;) {
      const payment = nextPayment([...left.values()], tip.balance)
      if (!payment) break
      left.delete(payment.id)
      if (payment.kind === 'receive' && !(await node.isReceivable(payment.link, signal))) {
        if (await settleMissing(payment, signal)) return 'progress'
        continue
      }
      const signed = nanoSignBlock(blockOf(payment, account, tip), secretKey)
      const work = await workFor(payment, nanoRootOf(signed), signal)
      await store.addBlock(payment, nanoBlockHash(signed), { ...signed, work })
      return 'progress'
    }
    if (left.size > 0) log.warn('nano.refunds-wait-for-money', { refunds: left.size })
    return 'idle'
  }

  /** A send that is not there to be received was received already; else the node does not have it yet, or lost it. */
  const settleMissing = async ({ link }: Payment, signal: AbortSignal): Promise<boolean> => {
    const source = await node.blockInfo(link, signal)
    if (!source?.confirmed) {
      log.warn('nano.send-is-missing')
      return false
    }
    // Only the service's key can have done that; by which block is of use to nobody.
    await store.receivedElsewhere(link, ZERO_HASH)
    log.warn('nano.received-elsewhere')
    onMade()
    return true
  }

  /** Brings a block about that was signed, whatever became of it before. */
  const carryOn = async (live: LiveBlock, signal: AbortSignal): Promise<WriterStep> => {
    const { hash } = live
    const info = await node.blockInfo(hash, signal)
    if (!info) return publish(live, signal)
    if (!info.confirmed) return 'waiting'
    const { balance, representative } = live.block
    await store.advance({ hash, balance, representative }, [hash])
    onMade()
    return 'progress'
  }

  const publish = async ({ hash, payment, block }: LiveBlock, signal: AbortSignal): Promise<WriterStep> => {
    const taken = await node.process(block, payment.kind, signal)
    const giveUp = async (): Promise<WriterStep> => {
      log.warn('nano.block-given-up', { taken })
      await store.giveUp(hash)
      return 'progress'
    }
    const outcomes: Record<Taken, () => Promise<WriterStep>> = {
      taken: async () => 'waiting',
      gap: () => Promise.reject(new NanoError('ERR_NANO_BEHIND', 'the node lacks what a block of ours is built on')),
      fork: giveUp,
      unreceivable: giveUp,
      work: async () => {
        await store.setWork(hash, await workFor(payment, nanoRootOf(block), signal))
        return 'progress'
      },
    }
    return outcomes[taken]()
  }

  return async (signal) => {
    const live = await store.live()
    return live ? carryOn(live, signal) : begin(signal)
  }
}
