/** The configured ways of turning orders into access, built and ready to listen. */
import type { Clock } from '../effects/clock.ts'
import type { Log } from '../effects/log.ts'
import type { Listener, Network } from '../effects/network.ts'
import type { PaidOrder } from './orders.ts'
import type { Provisioner } from './provisioners/provisioner.ts'
import { createAccountBook, createSocks5Provisioner } from './provisioners/socks5.ts'
import { createStaticProvisioner } from './provisioners/static.ts'
import { deliveryFor, type Delivery, type Socks5Delivery } from './settings.ts'
import { createSocks5Server } from './socks5-server.ts'

export interface Deliveries {
  provisionerFor(order: Pick<PaidOrder, 'planId'>): Provisioner
  /** Opens what buyers connect to. */
  listen(): Promise<readonly Listener[]>
}

interface Built {
  readonly delivery: Delivery
  readonly provisioner: Provisioner
  readonly listen?: () => Promise<Listener>
}

type DeliveryEffects = { readonly clock: Clock; readonly network: Network; readonly log: Log }

export const createDeliveries = (
  effects: DeliveryEffects,
  deliveries: readonly Delivery[],
  secret: Uint8Array,
): Deliveries => {
  const built: readonly Built[] = deliveries.map((delivery) => {
    if (delivery.type === 'socks5') return buildSocks5(effects, delivery, secret)
    return { delivery, provisioner: createStaticProvisioner(delivery.servers) }
  })
  return {
    provisionerFor: ({ planId }) => {
      const chosen = deliveryFor(deliveries, planId)
      const entry = built.find(({ delivery }) => delivery === chosen)
      if (!entry) throw new Error(`no delivery is configured for plan ${planId}`)
      return entry.provisioner
    },
    listen: () => Promise.all(built.flatMap(({ listen }) => (listen ? [listen()] : []))),
  }
}

const buildSocks5 = (effects: DeliveryEffects, delivery: Socks5Delivery, secret: Uint8Array): Built => {
  const book = createAccountBook()
  const server = createSocks5Server(effects, { accounts: book, allowPrivate: delivery.allowPrivate })
  const { serverName, address, port } = delivery
  return {
    delivery,
    provisioner: createSocks5Provisioner(book, server, { serverName, address, port, secret }),
    listen: () => effects.network.listen(delivery.listen, (connection, peer) => server.accept(connection, peer)),
  }
}
