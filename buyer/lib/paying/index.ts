/**
 * Paying for requests: a `fetch` that pays within caps, and what belongs to it. All that must not be lost is in the
 * buyer's keyring.
 */
import type { Address } from '../../../chain/types.ts'
import type { Streams } from '../../../effects/streams.ts'
import { createAccounts } from '../accounts.ts'
import type { BuyerEffects } from '../effects.ts'
import { createKeyring, type KeyringSettings } from '../keyring.ts'
import { openMarket } from '../market.ts'
import type { CheckedOffer } from './asset.ts'
import { listAccounts, withdraw, type AccountView, type Withdrawal } from './channels.ts'
import { createFetch, type FetchOptions } from './fetch.ts'
import { deposit, type Deposited } from './give.ts'
import type { PayingKit, PayingSettings } from './kit.ts'
import { findPlace, type Place } from './place.ts'
import { refund, type Refunded } from './refund.ts'
import { createWays } from './ways.ts'

export interface PayingEffects extends BuyerEffects {
  readonly streams: Streams
}

export interface PayingFetch {
  /**
   * Sends a request, and pays for it where it costs something.
   * @returns the service's answer, whatever its status; its body flows
   * @throws BuyerError; ProtocolError for offers that do not hold; NetworkError; what depositing throws. When it throws
   *   after the request was sent, the same with the same `Idempotency-Key` is not paid twice
   */
  fetch(request: Request, options?: FetchOptions): Promise<Response>
  /**
   * What a URL, or a vendor by its URI or number, asks for; pays nothing.
   * @throws ERR_NOTHING_TO_PAY and what checking offers throws
   */
  place(target: string, signal?: AbortSignal): Promise<Place>
  /**
   * Puts money into an account. Until the result is acknowledged, the same again puts in nothing and gives the same.
   * @param checked one of the place's choices
   */
  deposit(place: Place, checked: CheckedOffer, amount: bigint, signal?: AbortSignal): Promise<Deposited>
  /** Asks for what is left of an account. @param to any address; the account that paid when it is left out */
  refund(place: Place, checked: CheckedOffer, to?: string, signal?: AbortSignal): Promise<Refunded>
  accounts(signal?: AbortSignal): Promise<readonly AccountView[]>
  /** Takes the next step of a withdrawal, when the vendor does not give back what is left. */
  withdraw(channel: string, to?: string, signal?: AbortSignal): Promise<Withdrawal>
  /** Writes down what is only in memory: what a process that is killed forgets, of it a window is signed anew. */
  close(): Promise<void>
}

/** @throws what `openMarket` throws */
export const createPayingFetch = async (
  effects: PayingEffects,
  settings: PayingSettings & KeyringSettings & { readonly registry: Address },
  signal?: AbortSignal,
): Promise<PayingFetch> => {
  const keyring = createKeyring(effects.files, effects.random, settings)
  const accounts = createAccounts(effects, keyring)
  const market = await openMarket(effects, settings.registry, signal)
  const kit: PayingKit = { effects, market, keyring, accounts, streams: effects.streams, settings }
  const ways = createWays(kit)
  return {
    fetch: createFetch(kit, ways),
    place: (target, until) => findPlace(kit, target, until),
    deposit: (place, checked, amount, until) => deposit(kit, place, checked, amount, until),
    refund: (place, checked, to, until) => refund(kit, place, checked, to, until),
    accounts: (until) => listAccounts(kit, until),
    withdraw: (channel, to, until) => withdraw(kit, channel, to, until),
    async close() {
      for (const tab of ways.tabs()) await tab.flush()
    },
  }
}
