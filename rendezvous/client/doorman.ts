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

/** For a stranger to knock, milliseconds. */
const KNOCK_MS = 5_000
/** Connections that have not knocked. */
const STRANGERS_MAX = 64

/** @throws ERR_NETWORK_ADDRESS_IN_USE */
export const createDoorman = async (
  { clock, network }: { readonly clock: Clock; readonly network: Pick<Network, 'listen'> },
  address: Address,
): Promise<Doorman> => {
  const expected = new Set<{ readonly request: string; readonly dialer: Side; take(connection: Duplex): void }>()
  let strangers = 0

  const meet = async (connection: Duplex): Promise<void> => {
    const knock = await within(clock, KNOCK_MS, connection, takeBytes(connection, KNOCK_BYTES))
    const guest = [...expected].find(({ request, dialer }) => isKnock(knock, request, dialer))
    if (guest) guest.take(connection)
    else connection.destroy()
  }

  const listener = await network.listen(address, (connection) => {
    connection.on('error', () => {})
    if (strangers >= STRANGERS_MAX || expected.size === 0) return void connection.destroy()
    strangers++
    meet(connection)
      .catch(() => connection.destroy())
      .finally(() => strangers--)
  })
  return {
    port: listener.address.port,
    expect(request, dialer, take) {
      const guest = { request, dialer, take }
      expected.add(guest)
      return () => void expected.delete(guest)
    },
    close: () => listener.close(),
  }
}
