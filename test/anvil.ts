/** For tests: anvil, a node that we did not write, as a process of its own on a free port of loopback. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { JsonRpcProvider } from 'ethers'
import { tapChain, type ChainTap } from './child.ts'

const require = createRequire(import.meta.url)

export interface Anvil {
  readonly url: string
  readonly chainId: number
  /** Any of its methods, `anvil_…` and `evm_…` included. @throws Error with the node's answer */
  request(method: string, params?: readonly unknown[]): Promise<unknown>
  /** Ends it, and removes the journals of what `npm run deploy` has deployed to it. */
  close(): Promise<void>
}

export interface AnvilOptions {
  readonly chainId?: number
  /** More of its command line: see `anvil --help`. */
  readonly args?: readonly string[]
}

/** The program itself. The script around it that npm links would leave it running when killed. */
const program = (): string => {
  const processor = process.arch === 'x64' ? 'amd64' : process.arch
  const name = process.platform === 'win32' ? 'anvil.exe' : 'anvil'
  return createRequire(require.resolve('@foundry-rs/anvil/package.json')).resolve(
    `@foundry-rs/anvil-${process.platform}-${processor}/bin/${name}`,
  )
}

/**
 * Starts anvil with its twenty accounts of 10,000 coins, which it signs for; takes about 50 ms.
 * @throws Error with what it said when it does not start
 */
export const startAnvil = async ({ chainId = 31_337, args = [] }: AnvilOptions = {}): Promise<Anvil> => {
  const child = spawn(program(), ['--port', '0', '--chain-id', String(chainId), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close')
  const killWithUs = () => child.kill('SIGKILL')
  process.once('exit', killWithUs)
  let complained = ''
  child.stderr.on('data', (chunk) => (complained += String(chunk)))
  const url = await new Promise<string>((resolve, reject) => {
    // All its lines are read to the end, or it would stop when the pipe is full.
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, address] = /^Listening on (\S+)/.exec(line) ?? []
      if (address !== undefined) resolve(`http://${address}`)
    })
    child.once('error', reject)
    child.once('close', () => reject(new Error(`anvil ended: ${complained}`)))
  })
  const provider = new JsonRpcProvider(url, chainId, { staticNetwork: true })
  return {
    url,
    chainId,
    request: (method, params = []) => provider.send(method, [...params]) as Promise<unknown>,
    async close() {
      const { hash } = (await provider.send('eth_getBlockByNumber', ['0x0', false])) as { hash: string }
      await removeJournals(`chain-${chainId}-${hash.slice(2, 10)}-`)
      provider.destroy()
      process.removeListener('exit', killWithUs)
      child.kill()
      await ended
    },
  }
}

const removeJournals = async (prefix: string): Promise<void> => {
  const deployments = join(import.meta.dirname, '../ignition/deployments')
  const journals = await readdir(deployments).catch(() => [])
  for (const name of journals.filter((journal) => journal.startsWith(prefix))) {
    await rm(join(deployments, name), { recursive: true })
  }
}

/** A way to the node on which a transaction is so many blocks deep as soon as somebody asks for it. */
export const openMiningTap = ({ url, request }: Anvil, blocks: number): Promise<ChainTap> =>
  tapChain(url, async (side, _count, call) => {
    if (side === 'question' && call.includes('eth_getTransactionReceipt')) await request('anvil_mine', [blocks])
  })
