/** A chain in this process with Chrove deployed on it, answering JSON-RPC on loopback: for `npm start` and for tests. */
import { HDNodeWallet } from 'ethers'
import { network } from 'hardhat'
import ChroveModule from '../ignition/modules/chrove.ts'
import { parseAddress, type Address } from '../chain/types.ts'
import { serveHttp } from '../effects/http-server.ts'
import { freePort } from './ports.ts'

/** The mnemonic that every development chain knows: its money is play money everywhere. */
const MNEMONIC = 'test test test test test test test test test test test junk'
const ACCOUNTS = 20
/** A block each second, and one at once for each transaction. */
const BLOCK_INTERVAL_MS = 1000
const REQUEST_BYTES_MAX = 1024 * 1024

export interface EmbeddedChain {
  readonly url: string
  readonly chainId: bigint
  readonly registry: Address
  readonly payments: Address
  /** Private keys of accounts with money, `0x` hex. */
  readonly accounts: readonly `0x${string}`[]
  request(method: string, params: readonly unknown[]): Promise<unknown>
  close(): Promise<void>
}

/** @param port of JSON-RPC on 127.0.0.1; another is taken where it is not free */
export const startEmbeddedChain = async (port = 0): Promise<EmbeddedChain> => {
  const connection = await network.create({
    override: {
      mining: { auto: true, interval: BLOCK_INTERVAL_MS },
      // Chain time stays wall-clock time however many transactions a second brings.
      allowBlocksWithSameTimestamp: true,
    },
  })
  const { registry, payments } = await connection.ignition.deploy(ChroveModule)
  const request = (method: string, params: readonly unknown[]): Promise<unknown> =>
    connection.provider.request({ method, params: [...params] })
  const listener = await serveHttp(jsonRpcOver(request), { host: '127.0.0.1', port: await freePort(port) })
  return {
    url: `http://127.0.0.1:${listener.address.port}`,
    chainId: BigInt((await request('eth_chainId', [])) as string),
    registry: parseAddress(await registry.getAddress()) as Address,
    payments: parseAddress(await payments.getAddress()) as Address,
    accounts: Array.from({ length: ACCOUNTS }, (_, index) => accountKey(index)),
    request,
    async close() {
      await listener.close()
      await connection.close()
    },
  }
}

const accountKey = (index: number): `0x${string}` =>
  HDNodeWallet.fromPhrase(MNEMONIC, undefined, `m/44'/60'/0'/0/${index}`).privateKey as `0x${string}`

type JsonRpcRequest = { readonly id?: unknown; readonly method?: unknown; readonly params?: unknown }

/** JSON-RPC 2.0 over POST, one call or a batch. */
const jsonRpcOver =
  (request: EmbeddedChain['request']) =>
  async (http: Request): Promise<Response> => {
    if (http.method !== 'POST') return new Response('POST JSON-RPC here\n', { status: 405 })
    const text = await http.text()
    if (text.length > REQUEST_BYTES_MAX) return new Response('too large\n', { status: 413 })
    const call = async ({ id = null, method, params }: JsonRpcRequest) => {
      try {
        const result = await request(String(method), Array.isArray(params) ? params : [])
        return { jsonrpc: '2.0', id, result }
      } catch (error) {
        const { code = -32603, message, data } = error as { code?: number; message?: string; data?: unknown }
        return {
          jsonrpc: '2.0',
          id,
          error: { code, message: message ?? 'failed', ...(data === undefined ? {} : { data }) },
        }
      }
    }
    let body: JsonRpcRequest | JsonRpcRequest[]
    try {
      body = JSON.parse(text) as JsonRpcRequest | JsonRpcRequest[]
    } catch {
      return Response.json({ jsonrpc: '2.0', id: null, error: { code: -32700, message: 'not JSON' } })
    }
    return Response.json(Array.isArray(body) ? await Promise.all(body.map(call)) : await call(body))
  }
