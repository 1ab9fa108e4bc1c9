/** Takes the connections of peers, and of strangers who find the port: those learn nothing, and are let go. */
import type { Duplex } from 'node:stream'
import type { Clock } from '../../effects/clock.ts'
import type { Address, Network } from '../../effects/network.ts'
import { takeBytes } from '../../effects/take-bytes.ts'
import { isKnock, KNOCK_BYTES, type Side } from '../../protocol/peer-handshake.ts'
import { within } from './within.ts'

export interface Doorman {
  readonly port: number
  /**
   * Hands on connections whose knock is that of this request and side.
   * @returns stops it
   */
  expect(request: string, dialer: Side, take: (connection: Duplex) => void): () => void
  close(): Promise<void>
}

/** For a stranger to knock, milliseconds; and, with a knock that nobody expects yet, to be expected: its news may be slower. */
const KNOCK_MS = 5_000
/** Connections that nobody has taken. */
const STRANGERS_MAX = 64

interface Guest {
  readonly request: string
  readonly dialer: Side
  take(connection: Duplex): void
}

/** @throws ERR_NETWORK_ADDRESS_IN_USE */
export const createDoorman = async (
  { clock, network }: { readonly clock: Clock; readonly network: Pick<Network, 'listen'> },
  address: Address,
): Promise<Doorman> => {
  const expected = new Set<Guest>()
  /** Those who have knocked and are not expected yet. */
  const early = new Map<Duplex, { readonly knock: Uint8Array; readonly met: (guest: Guest) => void }>()
  let strangers = 0

  const isOf = ({ request, dialer }: Guest, knock: Uint8Array): boolean => isKnock(knock, request, dialer)

  const guestOf = async (connection: Duplex): Promise<Guest> => {
    const knock = await takeBytes(connection, KNOCK_BYTES)
    const guest = [...expected].find((each) => isOf(each, knock))
    if (guest) return guest
    return new Promise((met, gone) => {
      early.set(connection, { knock, met })
      connection.once('close', gone)
    })
  }

  const meet = async (connection: Duplex): Promise<void> => {
    try {
      const guest = await within(clock, KNOCK_MS, connection, guestOf(connection))
      guest.take(connection)
    } catch {
      connection.destroy()
    } finally {
      early.delete(connection)
      strangers--
    }
  }

  const listener = await network.listen(address, (connection) => {
    connection.on('error', () => {})
    if (strangers >= STRANGERS_MAX) return void connection.destroy()
    strangers++
    void meet(connection)
  })
  return {
    port: listener.address.port,
    expect(request, dialer, take) {
      const guest: Guest = { request, dialer, take }
      expected.add(guest)
      for (const { knock, met } of early.values()) if (isOf(guest, knock)) met(guest)
      return () => void expected.delete(guest)
    },
    close: () => listener.close(),
  }
}
