/** The accounts of a vendor, each used for what the registry lets its holder do at the moment. */
import { createContractReader } from '../../chain/contracts.ts'
import type { Call } from '../../chain/rpc.ts'
import { ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { accountOf, addressOf } from './accounts.ts'
import { createPerson, patiently, type Person, type PersonDoors, type Sent } from './person.ts'
import type { World } from './world.ts'

/** An operator's work is the owner's where there is no operator. */
export type Office = 'owner' | 'pendingOwner' | 'operator'

const roles = ['owner', 'heir', 'operator', 'deputy'] as const

export interface Offices {
  /** Who registers the vendor; who it may be handed over to; who may be its operator. */
  readonly addresses: Readonly<Record<(typeof roles)[number], Address>>
  /** From now on through these doors. */
  open(doors: PersonDoors): void
  /** As whoever holds an office, if that is one of these accounts. */
  send(what: string, call: Call, office: Office): Promise<Sent>
}

/** @param index of the vendor, from 0 */
export const createOffices = (world: World, name: string, index: number): Offices => {
  const { accounts, contracts, trace } = world
  const vendorId = BigInt(index + 1)
  const addresses = Object.fromEntries(
    roles.map((role) => [role, addressOf(accountOf(accounts, role, index))]),
  ) as Offices['addresses']
  let doors: PersonDoors | undefined
  const people = new Map<Address, Person>()

  const personOf = (address: Address, through: PersonDoors): Person | undefined => {
    const role = roles.find((each) => addresses[each] === address)
    if (!role) return undefined
    const person = people.get(address) ?? createPerson(world, name, accountOf(accounts, role, index), through)
    people.set(address, person)
    return person
  }

  const holderOf = async (office: Office, { chain }: PersonDoors): Promise<Address> => {
    const { vendor } = await createContractReader(chain).listing(contracts.registry, vendorId)
    return office === 'operator' && vendor.operator === ZERO_ADDRESS ? vendor.owner : vendor[office]
  }

  return {
    addresses,
    open: (through) => {
      doors = through
      people.clear()
    },
    send: async (what, call, office) => {
      const through = doors
      if (!through) return {}
      const ask = () => holderOf(office, through)
      const holder = await patiently(through.clock, ask, (code) => trace.add('person', name, office, code))
      return (holder && personOf(holder, through)?.send(what, call)) ?? {}
    },
  }
}
