/**
 * A service that is paid for each request: the real gateway with its ledger and its rails on a machine that may crash, in
 * front of an upstream that may fail.
 */
import { registryCall } from '../../chain/contracts.ts'
import { ContractRevert } from '../../chain/errors.ts'
import { createAccount } from '../../chain/transactions.ts'
import { ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import { ChainError } from '../../effects/chain.ts'
import { base64urlOfText, createSha256, hmacSha256, sha256 } from '../../effects/digest-node.ts'
import { turn } from '../../effects/turn-node.ts'
import { meterFetch } from '../../gateway/fetch.ts'
import { createGateway } from '../../gateway/index.ts'
import type { Rail } from '../../gateway/rail.ts'
import { evmAccountSchema, openEvmAccounts } from '../../gateway/rails/evm/accounts.ts'
import type { Claims } from '../../gateway/rails/evm/claims.ts'
import { openLedgerBook } from '../../gateway/rails/evm/ledger-book.ts'
import { gatewaySettingsSchema } from '../../gateway/settings.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { registeredForm } from '../../vendor/keys.ts'
import { drawClockErrors } from '../clock.ts'
import { createSimHost, type SimHost } from '../host.ts'
import { createSimNativeJose } from '../jose.ts'
import { accountOf, addressOf } from '../world/accounts.ts'
import { openHeads } from '../world/heads.ts'
import { createPerson } from '../world/person.ts'
import { trueClock } from '../world/vendor.ts'
import type { World } from '../world/world.ts'
import { createAudit, type Audit } from './audit.ts'
import { createCounter } from './counter.ts'
import { creditPlan, pricing } from './goods.ts'
import { createUpstream, type Upstream } from './upstream.ts'

export const SHOP = 'shop'
export const ORIGIN = `http://${SHOP}`
const HTTP_PORT = 80
const CURRENCY = 'ETH'
/** The shortest that the contract has, so that runs see withdrawals end. */
const WITHDRAW_DELAY_SECONDS = 900
const CLAIM_EVERY_SECONDS = [60, 600, 3_600] as const

const accounts = (claimEverySeconds: number) => ({
  channel: {
    ...{ scheme: 'channel', currency: CURRENCY, claimEverySeconds },
    withdrawDelayMinSeconds: WITHDRAW_DELAY_SECONDS,
  } as const,
  credit: { scheme: 'order', currency: CURRENCY, plans: [1] } as const,
})

export interface Shop {
  readonly name: string
  readonly host: SimHost
  readonly uri: string
  readonly keys: ReturnType<typeof shopKeys>
  readonly audit: Audit
  readonly upstream: Upstream
  /** Account that sends refunds of credit and claims. */
  readonly account: Address
  register(): Promise<void>
  start(): void
  crash(): void
  /** Cashes all vouchers. */
  claimAll(): Promise<void>
}

const shopKeys = ({ keys }: World) => ({ signing: keys.take(), encryption: keys.take() })

export const createShop = (world: World): Shop => {
  const { loop, trace, random, chain, chainId, contracts, knobs } = world
  const { registry } = contracts
  const owner = accountOf(world.accounts, 'owner')
  const keys = shopKeys(world)
  const own = random.fork(SHOP)
  const watched = {
    ...trace,
    add: (...line: Parameters<typeof trace.add>) => {
      trace.add(...line)
      if (line[0] === 'sql' && line[2] === 'gateway') audit.look()
    },
  }
  const host = createSimHost({ loop, network: world.network, random, trace: watched }, SHOP, drawClockErrors(own))
  const audit = createAudit(world, host)
  const upstream = createUpstream(world, audit)
  const vendorId = 1n
  const uri = formatVendorUri({ chainId, registry, vendorId })
  const entries = accounts(own.pick(CLAIM_EVERY_SECONDS))
  const settings = gatewaySettingsSchema.parse({ hosts: [SHOP], accounts: entries, ...pricing })
  const chainSettings = {
    ...{ chainId, registry, vendorId, startBlock: 0, pollMs: knobs.pollMs },
    ...{ confirmations: knobs.confirmations, finalityBlocks: knobs.finalityDepth },
  }
  let live: { readonly claims: Claims } | undefined

  const openRails = async (effects: ReturnType<SimHost['boot']>) => {
    const door = chain.door(SHOP, effects.life)
    const evm = { ...effects, chain: door, heads: openHeads(world, SHOP, effects.life) }
    const account = createAccount({ chain: door, clock: effects.clock }, chainId, fromHex(owner.privateKey))
    const book = await openLedgerBook(effects.sql.dialect('gateway'))
    const parsed = Object.fromEntries(
      Object.entries(entries).map(([name, entry]) => [name, evmAccountSchema.parse(entry)]),
    )
    return openEvmAccounts(world.sabotage.evm?.(evm) ?? evm, chainSettings, parsed, account, book)
  }

  const serve = async (): Promise<void> => {
    const effects = host.boot()
    const { life, network } = effects
    const counter = createCounter(world, audit)
    life.onEnd(() => {
      counter.died()
      audit.died()
    })
    const { rails, claims } = await openRails(effects)
    const changed = [...rails].map(
      ([name, rail]) => [name, world.sabotage.rail?.(rail as Rail) ?? (rail as Rail)] as const,
    )
    const jose = createSimNativeJose(effects.random.fork('jose'), world.keys)
    const native = { turn, sha256, hmac: hmacSha256, encode: base64urlOfText }
    const whole = { ...effects, ...native, jose }
    const service = { keys, vendor: uri, rails: new Map(changed) }
    const gateway = await createGateway(world.sabotage.gateway?.(whole) ?? whole, settings, service)
    const answer = meterFetch(gateway, createSha256, upstream.serve)
    network.serve(HTTP_PORT, (request) => counter.watch(request, (watched_) => answer(watched_)))
    live = { claims }
    const { signal } = new AbortController()
    await Promise.all([gateway.run(signal), claims.run(signal)])
  }

  /** A process that ends is started again by whoever looks after it. */
  const failed = (error: unknown): void => {
    const { name: kind, message } = error as Error
    // What a node that lags says of the registry ends a gateway that starts, and no other.
    const isPassing = error instanceof ChainError || (live === undefined && error instanceof ContractRevert)
    if (!isPassing) return world.breach('services stay up', `${SHOP} stopped: ${kind}: ${message}`)
    world.reach('gateway could not start')
    world.tell(`${SHOP}: could not start: ${kind}`)
    host.crash()
  }

  return {
    name: SHOP,
    host,
    uri,
    keys,
    audit,
    upstream,
    account: addressOf(owner),
    async register() {
      const person = createPerson(world, SHOP, owner, { chain: chain.node, clock: trueClock(loop) })
      const { signingKey, encryptionKey } = registeredForm(keys)
      const profile = JSON.stringify({ title: SHOP, description: 'answers', serviceTypes: ['web'], regions: ['NL'] })
      const calls = [
        registryCall(registry, 'register', {
          ...{ operator: addressOf(owner), payout: addressOf(accountOf(world.accounts, 'heir')) },
          ...{ signingKey, encryptionKey, endpoints: [ORIGIN], profile },
        }),
        registryCall(registry, 'addPlan', vendorId, { ...creditPlan, token: ZERO_ADDRESS, title: 'credit' }),
      ]
      for (const call of calls) {
        const { receipt } = await person.send('registration', call)
        if (!receipt) throw new Error('the shop could not register')
      }
    },
    start() {
      if (host.isRunning()) return
      live = undefined
      serve().catch(failed)
    },
    crash: () => host.crash(),
    async claimAll() {
      await live?.claims.claimAll()
    },
  }
}
