/** Somebody with an account, who sends transactions through a node of their own and does not give up at once. */
import type { Call, Receipt } from '../../chain/rpc.ts'
import { createAccount } from '../../chain/transactions.ts'
import type { Address, Hex } from '../../chain/types.ts'
import type { Chain } from '../../effects/chain.ts'
import type { Clock } from '../../effects/clock.ts'
import { fromHex } from '../../protocol/bytes.ts'
import type { SimAccount } from '../edr.ts'
import type { World } from './world.ts'

const TRIES = 4
const RETRY_MS = 20_000

export interface PersonDoors {
  readonly chain: Chain
  readonly clock: Clock
}

/** What became of a transaction. Neither: it was given up, and may still be mined. */
export interface Sent {
  readonly receipt?: Receipt
  /** The contract's reason; nothing of it happened. */
  readonly refusal?: string
}

export interface Person {
  readonly address: Address
  readonly privateKey: Uint8Array
  /** Sends a call, one transaction however often it tries. */
  send(what: string, call: Call): Promise<Sent>
}

/** Tries again after passing faults. @returns undefined when it was given up */
export const patiently = async <T>(
  clock: Clock,
  work: () => Promise<T>,
  onFault: (code: string) => void,
): Promise<T | undefined> => {
  for (let tries = 0; tries < TRIES; tries++) {
    try {
      return await work()
    } catch (error) {
      const { code, retryable = false } = error as { code?: string; retryable?: boolean }
      if (code === undefined) throw error
      onFault(code)
      if (!retryable) return undefined
      await clock.sleep(RETRY_MS)
    }
  }
  return undefined
}

export const createPerson = (
  { chainId, trace, tell }: World,
  name: string,
  { privateKey }: SimAccount,
  { chain, clock }: PersonDoors,
): Person => {
  const key = fromHex(privateKey)
  const account = createAccount({ chain, clock }, chainId, key)
  return {
    address: account.address,
    privateKey: key,
    send: async (what, call) => {
      let signed: Hex | undefined
      let refusal: string | undefined
      const attempt = async (): Promise<Receipt> => {
        if (signed !== undefined) return account.resend(signed)
        const persist = async (raw: Hex) => void (signed = raw)
        return account.send(await account.quote(call), { persist })
      }
      const noting = () =>
        attempt().catch((error: unknown) => {
          refusal = (error as { reason?: string }).reason
          throw error
        })
      const receipt = await patiently(clock, noting, (code) => trace.add('person', name, what, refusal ?? code))
      if (receipt) tell(`${name}: ${what} is on chain`)
      return { ...(receipt && { receipt }), ...(refusal !== undefined && { refusal }) }
    },
  }
}
