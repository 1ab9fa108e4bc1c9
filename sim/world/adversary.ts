/** Someone who reads the wires and uses what was read: replays codes, sends them elsewhere, sends garbage. */
import type { Hex } from '../../chain/types.ts'
import { nowSeconds } from '../../effects/clock.ts'
import { NetworkError } from '../../effects/network.ts'
import { keyHashOf, sealCode } from '../../protocol/cert-info.ts'
import { createSimHost } from '../host.ts'
import { createSimNativeJose } from '../jose.ts'
import { poolKey, POOL_KEYS } from '../key-pool.ts'
import { readCode } from './read-code.ts'
import type { Exchange, VendorActor } from './vendor.ts'
import type { World } from './world.ts'

const LIMITS = { timeoutMs: 20_000, bodyBytesMax: 1_000_000 }

export interface Adversary {
  overhear(exchange: Exchange): void
  /** Answers with credentials that were overheard. */
  heard(): readonly Exchange[]
  /** Sends a code to a vendor's machine. @returns its status; undefined when nothing came back */
  send(code: string, host: string): Promise<number | undefined>
  /** Sends bytes that mean nothing, to HTTP and to SOCKS5. */
  garbage(host: string): Promise<void>
  /** Asks for credentials in the name of a key that paid for nothing. */
  freeload(vendor: VendorActor, planId: number): Promise<void>
  /** Tries a key that is not the buyer's on an answer. @returns whether it opened it */
  open(exchange: Exchange, keyIndex: number): Promise<boolean>
  /** Whose key the code of an exchange was signed with, as keyHash: what only the vendor can read. */
  ownerOf(exchange: Exchange): Promise<Hex>
  keyHash(keyIndex: number): Hex
}

export const createAdversary = (world: World): Adversary => {
  const { loop, network, random, trace } = world
  const effects = createSimHost({ loop, network, random, trace }, 'adversary').boot()
  const own = effects.random.fork('garbage')
  const jose = createSimNativeJose(own.fork('jose'), world.keys)
  const heard: Exchange[] = []

  const send = async (code: string, host: string): Promise<number | undefined> => {
    try {
      const request = new Request(`http://${host}/cert.info`, { method: 'POST', body: code })
      return (await effects.network.fetch(request, LIMITS)).status
    } catch (error) {
      if (error instanceof NetworkError) return undefined
      throw error
    }
  }

  return {
    overhear: (exchange) => {
      if (exchange.status === 200) heard.push(exchange)
    },
    heard: () => heard,
    send,
    garbage: async (host) => {
      const status = await send(Buffer.from(own.bytes(own.int(1, 400))).toString('base64url'), host)
      if (status === 400) world.reach('garbage refused')
      try {
        const connection = await effects.network.connect({ host, port: 1080 }, LIMITS.timeoutMs)
        connection.end(own.bytes(own.int(1, 400)))
        connection.resume()
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error
      }
    },
    freeload: async (vendor, planId) => {
      const buyer = poolKey(POOL_KEYS - 1)
      const question = { vendor: vendor.uri, tsSeconds: nowSeconds(effects.clock), nonce: own.bytes(16), planId }
      const code = await sealCode(jose, question, buyer, vendor.keys().encryption.publicKey)
      if ((await send(code, vendor.name)) === 402) world.reach('credentials refused before payment')
    },
    open: async ({ answer }, keyIndex) => {
      try {
        await jose.decrypt(answer, poolKey(keyIndex % POOL_KEYS).privateKey)
        return true
      } catch {
        return false
      }
    },
    ownerOf: async (exchange) => keyHashOf((await readCode(jose, exchange)).key),
    keyHash: (keyIndex) => keyHashOf(poolKey(keyIndex % POOL_KEYS).publicKey),
  }
}
