/** All real doors of one process on Node. */
import { createNativeAead } from './aead-node.ts'
import { createFailoverChain, type FailoverEffects } from './chain-failover.ts'
import { createChainRpc } from './chain-rpc.ts'
import type { Chain } from './chain.ts'
import { createClock, type Clock } from './clock.ts'
import { CommandError } from './command-error.ts'
import { createHasher, type Hasher } from './digest-node.ts'
import { createFolders } from './folders-node.ts'
import type { Folders } from './folders.ts'
import type { Heads } from './heads.ts'
import { createHeads } from './heads-node.ts'
import { createLog, type Log } from './log.ts'
import { createDial, createNetwork } from './network-node.ts'
import type { Network } from './network.ts'
import { createPacker } from './packer-node.ts'
import type { Packer } from './packer.ts'
import { createRandom, type Random } from './random.ts'
import { rpcRoles } from './rpc-endpoint.ts'
import { createSockets, type OpenSocket } from './web-socket.ts'
import { createFileStore, createSqlStore } from './store-node.ts'
import type { FileStore, SqlStore } from './store.ts'
import { createStreams } from './streams-node.ts'
import type { Streams } from './streams.ts'

export interface NodeEffectsOptions {
  /** Name of the program in its log lines. */
  readonly service: string
  /** Folder of all files and databases; made when first written to. */
  readonly home: string
  /**
   * JSON-RPC URL, or several of nodes of one chain, the preferred first; without one every use of `chain` is refused with
   * ERR_SETTING_MISSING. Over those of WebSockets nodes tell of new blocks, and are asked nothing.
   */
  readonly rpc?: string | readonly string[]
  /** socks5h URL that every outgoing connection goes through, JSON-RPC included. */
  readonly proxy?: string
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

export interface NodeEffects {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly streams: Streams
  readonly chain: Chain
  readonly heads: Heads
  readonly files: FileStore
  readonly sql: SqlStore
  readonly log: Log
  readonly aead: typeof createNativeAead
  readonly openSocket: OpenSocket
  readonly folders: Folders
  readonly packer: Packer
  createHasher(): Hasher
}

const missingChain: Chain = {
  request: () =>
    Promise.reject(
      new CommandError(
        'ERR_SETTING_MISSING',
        'no chain is set: give --rpc URL, CHROVE_RPC, or run `chrove init --rpc URL`',
      ),
    ),
}

/** Opens nothing yet: connections, files and databases are opened when they are first used. */
export const createNodeEffects = ({
  service,
  home,
  rpc,
  proxy,
  logLevel = 'warn',
}: NodeEffectsOptions): NodeEffects => {
  const connecting = proxy === undefined ? {} : { proxy: new URL(proxy) }
  const network = createNetwork(connecting)
  const dial = createDial(connecting)
  const { ask, heads } = rpcRoles([rpc ?? []].flat())
  const base = { clock: createClock(), random: createRandom(), log: createLog(service, logLevel) }
  return {
    ...base,
    network,
    streams: createStreams(createDial(connecting)),
    chain: chainOf(
      ask.map((url) => createChainRpc({ url, network })),
      base,
    ),
    heads: createHeads(base, dial, heads),
    openSocket: createSockets(dial),
    files: createFileStore(home),
    sql: createSqlStore(home),
    aead: createNativeAead,
    folders: createFolders(),
    packer: createPacker(),
    createHasher,
  }
}

const chainOf = ([first, ...more]: readonly Chain[], effects: FailoverEffects): Chain => {
  if (!first) return missingChain
  return more.length === 0 ? first : createFailoverChain(effects, [first, ...more])
}
