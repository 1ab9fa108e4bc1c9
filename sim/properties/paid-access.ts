/** No credential without payment: who is let in has an order that runs, as far as the vendor has read the chain. */
import { orderIdOf } from '../../chain/contracts.ts'
import type { Hex } from '../../chain/types.ts'
import { nowSeconds } from '../../effects/clock.ts'
import { keyHashOf } from '../../protocol/cert-info.ts'
import type { Jose } from '../../protocol/jose.ts'
import { isRunningAt } from '../world/model.ts'
import { readCode } from '../world/read-code.ts'
import type { Exchange, VendorActor } from '../world/vendor.ts'
import type { World } from '../world/world.ts'

const PROPERTY = 'no credential without payment'

/** A vendor acts on what it has read at its next turn; beyond a poll's length, milliseconds. */
const SETTLE_MS = 5_000

/** Whether an order runs at a moment in one of these blocks. */
const runsInOneOf = ({ history }: World, hashes: readonly string[], orderId: Hex, seconds: number): boolean =>
  hashes.some((hash) => {
    const order = history.at(hash)?.market.orders.get(orderId)
    return order !== undefined && isRunningAt(order, seconds)
  })

/** Checks answers to /cert.info: paid, and each code answered once. */
export const createAnswerCheck = (jose: Jose) => {
  const answered = new Set<string>()
  return async (world: World, exchange: Exchange): Promise<void> => {
    const { vendor, status, problem, views } = exchange
    world.trace.add('answer', vendor.name, status, problem ?? '')
    if (problem === 'ERR_REPLAYED' || problem === 'ERR_CODE_TOO_OLD') world.reach('code replayed and refused')
    if (problem === 'ERR_JWE_INVALID' || problem === 'ERR_AUDIENCE') world.reach('code for another vendor refused')
    if (status !== 200) return
    const { key, nonce, plan } = await readCode(jose, exchange)
    if (answered.has(nonce)) world.breach('a code is answered once', `${vendor.name} answered the same code again`)
    answered.add(nonce)
    const keyHash = keyHashOf(key)
    const orderId = orderIdOf(vendor.vendorId, plan ?? 0, keyHash)
    if (!runsInOneOf(world, views, orderId, exchange.nowSeconds))
      world.breach(PROPERTY, `${vendor.name} gave credentials for order ${orderId.slice(0, 10)}, which does not run`)
  }
}

/** Checks a login that a vendor's proxy took. */
export const checkLogin = (world: World, vendor: VendorActor, orderId: Hex, connectedAtMs: number): void => {
  const clock = vendor.clock()
  if (!clock) return
  const sinceMs = connectedAtMs - world.knobs.pollMs * 1.1 - SETTLE_MS
  if (world.jumpedAtMs(vendor.name) >= sinceMs) return
  const { standpoints } = vendor
  const first = standpoints.findLastIndex(({ atMs }) => atMs <= sinceMs)
  const hashes = standpoints.slice(Math.max(0, first)).map(({ hash }) => hash)
  const windowSeconds = Math.ceil((world.loop.nowMs() - sinceMs) / 1000)
  if (!runsInOneOf(world, hashes, orderId, nowSeconds(clock) - windowSeconds))
    world.breach(PROPERTY, `the proxy of ${vendor.name} let in order ${orderId.slice(0, 10)}, which does not run`)
}

/** A proxy refused the login of an order; notes by what its access ended before its time. */
export const noteRevoked = ({ history, reach }: World, orderId: Hex): void => {
  const order = history.head().market.orders.get(orderId)
  if (order?.cancelled) reach(order.isGivenBack ? 'access revoked by a refund' : 'access revoked by a cancellation')
}
