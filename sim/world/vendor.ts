/** A vendor: its service on a machine that may crash, and the person who runs it and changes its listing. */
import { paymentsCall, registryCall } from '../../chain/contracts.ts'
import type { Call } from '../../chain/rpc.ts'
import { ZERO_ADDRESS, type Hex } from '../../chain/types.ts'
import { nowSeconds, type Clock } from '../../effects/clock.ts'
import type { RsaPrivateKey } from '../../protocol/keys.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { createVendor } from '../../vendor/index.ts'
import { registeredForm, type VendorKeys } from '../../vendor/keys.ts'
import { vendorSettingsSchema } from '../../vendor/settings.ts'
import { drawClockErrors } from '../clock.ts'
import { createSimHost, type SimHost } from '../host.ts'
import { createSimNativeJose } from '../jose.ts'
import { accountOf } from './accounts.ts'
import { openHeads } from './heads.ts'
import { createOffices, type Office, type Offices } from './offices.ts'
import { createPerson, type Sent } from './person.ts'
import type { World } from './world.ts'

/** Ports of a vendor's machine. */
const HTTP_PORT = 80
const SOCKS5_PORT = 1080

/** A question to /cert.info with its answer, as seen on the wire. */
export interface Exchange {
  readonly vendor: VendorActor
  readonly code: string
  /** What opens the code. */
  readonly decryptionKey: RsaPrivateKey
  readonly status: number
  /** Of a problem document. */
  readonly problem: string | undefined
  readonly answer: string
  /** Blocks at which the vendor stood while it answered. */
  readonly views: readonly string[]
  /** By the vendor's clock. */
  readonly nowSeconds: number
}

/** At which block the vendor's database stood from some moment on. */
export interface Standpoint {
  readonly atMs: number
  readonly hash: string
}

export interface VendorActor {
  readonly name: string
  readonly host: SimHost
  readonly vendorId: bigint
  readonly uri: string
  readonly addresses: Offices['addresses']
  readonly socks5: { readonly host: string; readonly port: number }
  /** As the service uses them now. */
  keys(): VendorKeys
  clock(): Clock | undefined
  /** Registers, faults or not; before anything else. */
  register(): Promise<void>
  start(): void
  crash(): void
  /** Sends a transaction of whoever holds an office by the registry; resolves when it is mined or given up. */
  send(what: string, call: Call, office?: Office): Promise<Sent>
  /** Gives back what an order has not earned, and so much of what it has. */
  giveBack(orderId: Hex, extra: bigint): Promise<void>
  /** New keys, on chain and in the service. */
  rotateKeys(): Promise<void>
  /** Where the vendor's database stood, oldest first. */
  readonly standpoints: readonly Standpoint[]
}

/** What every vendor sells at first. */
const plans = [
  { inToken: false, price: 1_000_003n, periodSeconds: 600, maxPeriods: 20, settlement: 'Streamed' },
  { inToken: false, price: 77_777n, periodSeconds: 3600, maxPeriods: 48, settlement: 'Streamed' },
  { inToken: false, price: 5_000_000n, periodSeconds: 1800, maxPeriods: 10, settlement: 'Instant' },
  { inToken: true, price: 250_007n, periodSeconds: 900, maxPeriods: 30, settlement: 'Streamed' },
  { inToken: true, price: 1_500_000n, periodSeconds: 1800, maxPeriods: 10, settlement: 'Instant' },
] as const

export const createVendorActor = (
  world: World,
  index: number,
  onExchange: (exchange: Exchange) => Promise<void>,
): VendorActor => {
  const { loop, trace, random, chain, chainId, contracts, knobs } = world
  const name = `vendor-${index + 1}`
  const vendorId = BigInt(index + 1)
  const offices = createOffices(world, name, index)
  const account = accountOf(world.accounts, 'owner', index)
  const standpoints: Standpoint[] = []
  const noteStandpoint = () => {
    const [row] = host.inspect('vendor', 'select hash from blocks order by number desc limit 1') as { hash: string }[]
    if (row && row.hash !== standpoints.at(-1)?.hash) standpoints.push({ atMs: loop.nowMs(), hash: row.hash })
  }
  const watched = {
    ...trace,
    add: (...line: Parameters<typeof trace.add>) => {
      trace.add(...line)
      if (line[0] === 'sql') noteStandpoint()
    },
  }
  const own = random.fork(name)
  const errors = drawClockErrors(own)
  const host = createSimHost({ loop, network: world.network, random, trace: watched }, name, errors)
  const settings = vendorSettingsSchema.parse({
    chainId: `${chainId}`,
    registry: contracts.registry,
    vendorId: `${vendorId}`,
    confirmations: knobs.confirmations,
    finalityBlocks: knobs.finalityDepth,
    pollMs: knobs.pollMs,
    listen: { host: '0.0.0.0', port: HTTP_PORT },
    brand: { title: name },
    delivery: [
      {
        ...{ type: 'static', plans: [2] },
        servers: [{ type: 'ss', server_name: name, config: { address: name, port: 8388, method: 'm', key: name } }],
      },
      {
        ...{ type: 'socks5', serverName: name, address: name, port: SOCKS5_PORT },
        listen: { host: '0.0.0.0', port: SOCKS5_PORT },
      },
    ],
  })
  const provisioningSecret = own.bytes(32)
  const freshKeys = (): VendorKeys => ({
    signing: world.keys.take(),
    encryption: world.keys.take(),
    provisioningSecret,
    accountKey: account.privateKey,
  })
  let keys = freshKeys()
  let clock: Clock | undefined
  let answering = 0

  const serve = async (): Promise<void> => {
    const effects = host.boot()
    const { life, network } = effects
    const door = chain.door(name, life)
    clock = effects.clock
    offices.open({ chain: chain.door(`${name} person`, life), clock })
    answering = 0
    const jose = createSimNativeJose(effects.random.fork('jose'), world.keys)
    const heads = openHeads(world, name, life)
    const whole = { ...effects, chain: door, heads, jose }
    const decryptionKey = keys.encryption.privateKey
    const vendor = await createVendor(world.sabotage.vendor?.(whole, own) ?? whole, settings, keys)
    network.serve(HTTP_PORT, async (request) => {
      const isQuestion = new URL(request.url).pathname === '/cert.info'
      const code = isQuestion ? await request.clone().text() : ''
      const since = Math.max(0, standpoints.length - 1)
      if (isQuestion) answering++
      const response = await vendor.fetch(request)
      if (!isQuestion) return response
      answering--
      const answer = await response.clone().text()
      const views = standpoints.slice(since).map(({ hash }) => hash)
      const at = { views, nowSeconds: nowSeconds(effects.clock) }
      const { status } = response
      const problem = status === 200 ? undefined : (JSON.parse(answer) as { code?: string }).code
      await onExchange({ vendor: actor, code, decryptionKey, status, problem, answer, ...at })
      return response
    })
    life.onEnd(() => {
      if (answering > 0) world.reach('vendor crashed while answering')
    })
    await vendor.run(new AbortController().signal)
  }

  const actor: VendorActor = {
    name,
    host,
    vendorId,
    uri: formatVendorUri({ chainId, registry: contracts.registry, vendorId }),
    addresses: offices.addresses,
    socks5: { host: name, port: SOCKS5_PORT },
    keys: () => keys,
    clock: () => clock,
    standpoints,

    register: async () => {
      const person = createPerson(world, name, account, { chain: chain.node, clock: trueClock(loop) })
      const send = async (call: Call) => {
        const { receipt } = await person.send('registration', call)
        if (!receipt) throw new Error('a vendor could not register')
      }
      const { signingKey, encryptionKey } = registeredForm(keys)
      await send(
        registryCall(contracts.registry, 'register', {
          operator: offices.addresses.operator,
          payout: offices.addresses.owner,
          signingKey,
          encryptionKey,
          endpoints: [name],
          profile: JSON.stringify({ title: name, description: 'a proxy', serviceTypes: ['proxy'], regions: ['NL'] }),
        }),
      )
      for (const plan of plans) {
        const input = { ...plan, token: plan.inToken ? world.token.address : ZERO_ADDRESS, title: `plan of ${name}` }
        await send(registryCall(contracts.registry, 'addPlan', vendorId, input))
      }
    },

    start: () => {
      if (host.isRunning()) return
      serve().catch((error: unknown) => {
        const { name: kind, message } = error as Error
        world.breach('services stay up', `${name} stopped with ${kind}: ${message}`)
      })
    },

    crash: () => host.crash(),

    send: async (what, call, office = 'operator') => (host.isRunning() ? offices.send(what, call, office) : {}),

    giveBack: async (orderId, extra) => {
      const call = paymentsCall(contracts.payments, 'vendorRefund', orderId, extra)
      const { receipt, refusal } = await actor.send('refund', call)
      if (receipt) world.reach(extra > 0n ? 'order refunded with extra' : 'order refunded by its vendor')
      if (refusal === 'Payments_RefundTooLarge') world.reach('refund of more than was earned refused')
    },

    rotateKeys: async () => {
      const next = freshKeys()
      const { signingKey, encryptionKey } = registeredForm(next)
      const call = registryCall(contracts.registry, 'setKeys', vendorId, signingKey, encryptionKey)
      if (!(await actor.send('new keys', call)).receipt) return
      world.reach('vendor changed its keys')
      keys = next
      host.crash()
      actor.start()
    },
  }
  return actor
}

/** A clock without error. */
export const trueClock = (loop: World['loop']): Clock => ({
  nowMs: () => loop.nowMs(),
  sleep: (ms) => new Promise((resolve) => void loop.schedule(ms, resolve)),
})
