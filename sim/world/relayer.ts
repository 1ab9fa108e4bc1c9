/** Somebody who sends what others have signed, and somebody who saw it go by. */
import type { Call } from '../../chain/rpc.ts'
import type { Clock } from '../../effects/clock.ts'
import { createSimHost } from '../host.ts'
import { accountOf } from './accounts.ts'
import { createPerson, type Person, type Sent } from './person.ts'
import { postToTill, type Voucher } from './till-messages.ts'
import type { World } from './world.ts'

export interface Carried {
  readonly what: string
  readonly call: Call
}

export interface Relayer {
  /** Sends a call that anyone may make. */
  send(what: string, call: Call): Promise<Sent>
  /** Sends a call with a signature in it. */
  carry(what: string, call: Call): Promise<Sent>
  /** What was carried: anybody can read it, and send it again. */
  readonly carried: readonly Carried[]
  /** Reads all that is carried, and means no good. */
  readonly adversary: Person
  /** The adversary gives a till a voucher. @returns the status; undefined when no answer came */
  slip(voucher: Voucher): Promise<number | undefined>
}

export const createRelayer = (world: World): Relayer => {
  const { loop, network, random, trace, chain, accounts } = world
  const { life, clock, network: door } = createSimHost({ loop, network, random, trace }, 'relayer').boot()
  const personOf = (role: 'relayer' | 'adversary', its: Clock): Person =>
    createPerson(world, role, accountOf(accounts, role), { chain: chain.door(role, life), clock: its })
  const relayer = personOf('relayer', clock)
  const carried: Carried[] = []
  return {
    send: (what, call) => relayer.send(what, call),
    carry: (what, call) => {
      carried.push({ what, call })
      return relayer.send(what, call)
    },
    carried,
    adversary: personOf('adversary', clock),
    slip: (voucher) =>
      postToTill(door, voucher.settings.vendorId, '/voucher', voucher).then((answer) => answer?.status),
  }
}
