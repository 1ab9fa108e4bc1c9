/** A vendor: its service on a machine that may crash, and the person who runs it and changes its listing. */
import { createAccount, type Account } from '../../chain/transactions.ts'
import { registryCall } from '../../chain/contracts.ts'
import type { Call, Receipt } from '../../chain/rpc.ts'
import type { Hex } from '../../chain/types.ts'
import { nowSeconds, type Clock } from '../../effects/clock.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { thumbprintOf, type RsaPrivateKey } from '../../protocol/keys.ts'
import { formatVendorUri } from '../../protocol/vendor-uri.ts'
import { createVendor } from '../../vendor/index.ts'
import type { VendorKeys } from '../../vendor/keys.ts'
import { vendorSettingsSchema } from '../../vendor/settings.ts'
import { createSimHost, type SimHost } from '../host.ts'
import { createSimNativeJose } from '../jose.ts'
import type { World } from './world.ts'

/** Ports of a vendor's machine. */
const HTTP_PORT = 80
const SOCKS5_PORT = 1080

/** Changes that a person sends are tried so often. */
const TRIES = 4
const RETRY_MS = 20_000

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
  readonly accountKey: Hex
  readonly socks5: { readonly host: string; readonly port: number }
  /** As the service uses them now. */
  keys(): VendorKeys
  clock(): Clock | undefined
  /** Registers, faults or not; before anything else. */
  register(): Promise<void>
  start(): void
  crash(): void
  /** Sends a transaction of the vendor's account; resolves when it is mined or given up. */
  send(what: string, call: Call): Promise<Receipt | undefined>
  /** New keys, on chain and in the service. */
  rotateKeys(): Promise<void>
  /** Where the vendor's database stood, oldest first. */
  readonly standpoints: readonly Standpoint[]
}

export const createVendorActor = (
  world: World,
  index: number,
  onExchange: (exchange: Exchange) => Promise<void>,
): VendorActor => {
  const { loop, trace, random, chain, chainId, contracts, knobs } = world
  const name = `vendor-${index + 1}`
  const vendorId = BigInt(index + 1)
  const account = world.accounts[index]
  if (!account) throw new Error('too few accounts')
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
  const errors = { skewMs: own.int(-60_000, 60_000), driftPpm: own.int(-200, 200) }
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
  let operator: Account | undefined
  let clock: Clock | undefined
  let answering = 0

  const serve = async (): Promise<void> => {
    const effects = host.boot()
    const { life, network } = effects
    const door = chain.door(name, life)
    clock = effects.clock
    operator = createAccount({ chain: chain.door(`${name} person`, life), clock }, chainId, fromHex(account.privateKey))
    answering = 0
    const jose = createSimNativeJose(effects.random.fork('jose'), world.keys)
    const whole = { ...effects, chain: door, jose }
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
    accountKey: account.privateKey,
    socks5: { host: name, port: SOCKS5_PORT },
    keys: () => keys,
    clock: () => clock,
    standpoints,

    register: async () => {
      const person = createAccount({ chain: chain.node, clock: trueClock(loop) }, chainId, fromHex(account.privateKey))
      const send = async (call: Call) => person.send(await person.quote(call))
      const { signingKey, encryptionKey } = thumbprints(keys)
      await send(
        registryCall(contracts.registry, 'register', {
          operator: `0x${'0'.repeat(40)}` as never,
          payout: account.address.toLowerCase() as never,
          signingKey,
          encryptionKey,
          endpoints: [name],
          profile: JSON.stringify({ title: name, description: 'a proxy', serviceTypes: ['proxy'], regions: ['NL'] }),
        }),
      )
      const plans = [
        { price: 1_000_003n, periodSeconds: 600, maxPeriods: 20, settlement: 'Streamed' as const },
        { price: 77_777n, periodSeconds: 3600, maxPeriods: 48, settlement: 'Streamed' as const },
        { price: 5_000_000n, periodSeconds: 1800, maxPeriods: 10, settlement: 'Instant' as const },
      ]
      for (const plan of plans) {
        const input = { ...plan, token: `0x${'0'.repeat(40)}` as never, title: `plan of ${name}` }
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

    send: async (what, call) => {
      const [person, its] = [operator, clock]
      if (!person || !its || !host.isRunning()) return undefined
      for (let tries = 0; tries < TRIES; tries++) {
        try {
          const receipt = await person.send(await person.quote(call))
          world.tell(`${name}: ${what} is on chain`)
          return receipt
        } catch (error) {
          const { code, retryable } = error as { code?: string; retryable?: boolean }
          if (code === undefined) throw error
          world.trace.add('operator', name, what, code)
          if (!retryable) return undefined
          await its.sleep(RETRY_MS)
        }
      }
      return undefined
    },

    rotateKeys: async () => {
      const next = freshKeys()
      const { signingKey, encryptionKey } = thumbprints(next)
      const call = registryCall(contracts.registry, 'setKeys', vendorId, signingKey, encryptionKey)
      if (!(await actor.send('new keys', call))) return
      world.reach('vendor changed its keys')
      keys = next
      host.crash()
      actor.start()
    },
  }
  return actor
}

/** As the registry names them. */
export const thumbprints = ({ signing, encryption }: Pick<VendorKeys, 'signing' | 'encryption'>) => ({
  signingKey: toHex(thumbprintOf(signing.publicKey)),
  encryptionKey: toHex(thumbprintOf(encryption.publicKey)),
})

/** A clock without error. */
export const trueClock = (loop: World['loop']): Clock => ({
  nowMs: () => loop.nowMs(),
  sleep: (ms) => new Promise((resolve) => void loop.schedule(ms, resolve)),
})
