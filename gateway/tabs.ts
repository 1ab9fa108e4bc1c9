/**
 * Charges for bytes that flow elsewhere than in an answer, such as through a relay: a request opens a tab under a name, by
 * a route that costs by the bit; whoever lets the bytes flow has them paid ahead, and settles when they have flowed. What
 * is paid ahead is charged, durably, before it is told; a crash costs the payer at most that.
 */
import type { Log } from '../effects/log.ts'
import type { Use } from './admission.ts'
import { GatewayError } from './errors.ts'
import { incomingOf, readVoucherText, toResponse } from './fetch.ts'
import type { Gateway } from './index.ts'
import { PAYERS_OF_TAB_MAX } from './limits.ts'
import type { Meter } from './meter.ts'
import type { Incoming } from './vouchers.ts'

export interface Tabs {
  /**
   * Takes the price of more bytes from those who pay under a name, the first first. Never twice at once for one name.
   * @returns how many are paid for; fewer than asked for when their money, or what they signed for, has come to its end
   */
  payFor(name: string, bytes: number): Promise<number>
  /** Ends a name; gives back what so many bytes cost that were paid for and did not flow. */
  settle(name: string, unusedBytes: number): void
  /**
   * Answers a request to pay, and what is the gateway's own.
   * @param name that is paid for; undefined for any other path
   * @returns undefined for what is neither
   */
  answer(request: Request, name: string | undefined): Promise<Response | undefined>
  /** Once all that was settled is written. */
  close(): Promise<void>
}

interface Payer {
  readonly use: Use
  readonly meter: Meter
  /** Bytes. */
  paid: number
  /** Whether it was ever needed. */
  isAsked: boolean
}

export const createTabs = (gateway: Gateway, log: Log): Tabs => {
  /** By name; the first pays first. */
  const tabs = new Map<string, Payer[]>()
  const settling = new Set<Promise<void>>()

  const end = ({ use }: Payer): void => {
    const ended = use
      .release()
      .catch((error: unknown) => log.error('gateway.tab-unsettled', { error: (error as Error).name }))
      .finally(() => settling.delete(ended))
    settling.add(ended)
  }

  const settle = (name: string, unusedBytes: number): void => {
    const payers = tabs.get(name) ?? []
    tabs.delete(name)
    let unused = unusedBytes
    for (const payer of payers.toReversed()) {
      const back = Math.min(unused, payer.paid)
      payer.meter.takeBack(back)
      unused -= back
      end(payer)
    }
  }

  const open = async (name: string, incoming: Incoming): Promise<Response> => {
    const use = await gateway.admit(incoming)
    const lines = use?.headers() ?? []
    const headers = Object.fromEntries([...lines, ['cache-control', 'no-store']])
    // Asked what it costs, or nothing does.
    if (!use?.meter) {
      await use?.release()
      return new Response(null, { status: 204, headers })
    }
    const payers = tabs.get(name) ?? []
    const payer: Payer = { use, meter: use.meter, paid: 0, isAsked: false }
    // One that was not needed so far is not needed beside a newer one: clients pay anew with each connection.
    for (const idle of payers.filter(({ isAsked }) => !isAsked)) end(idle)
    const others = payers.filter(({ isAsked }) => isAsked)
    if (others.length >= PAYERS_OF_TAB_MAX) {
      end(payer)
      throw new GatewayError('ERR_BUSY', 'too many have paid for this already')
    }
    tabs.set(name, [...others, payer])
    return new Response(null, { status: 204, headers })
  }

  return {
    async payFor(name, bytes) {
      let paid = 0
      for (const payer of tabs.get(name) ?? []) {
        payer.isAsked = true
        const more = await payer.meter.payNow(bytes - paid).catch((error: unknown) => {
          if (paid === 0) throw error
          return 0
        })
        payer.paid += more
        paid += more
        if (paid >= bytes) break
      }
      return paid
    },

    settle,

    async answer(request, name) {
      const incoming = incomingOf(request, undefined, gateway.scheme)
      try {
        if (name !== undefined) return await open(name, incoming)
        const own = gateway.own(incoming, () => readVoucherText(request))
        return own && toResponse(await own)
      } catch (error) {
        return toResponse(await gateway.refusal(error, incoming))
      }
    },

    async close() {
      for (const name of [...tabs.keys()]) settle(name, 0)
      await Promise.all(settling)
    },
  }
}
