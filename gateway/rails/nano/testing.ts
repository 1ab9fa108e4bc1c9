/** For tests: the rail on a simulated machine that can crash at any write, and a Nano network to go with it. */
import { createNanoConfirmations } from '../../../effects/nano-confirmations-node.ts'
import type { Dial } from '../../../effects/tcp-node.ts'
import { createFaults, calm, type FaultRates } from '../../../sim/faults.ts'
import { createSimHost, type HostEffects } from '../../../sim/host.ts'
import { createLoop } from '../../../sim/loop.ts'
import { createSimNanoNode, NANO_RPC_PORT, NANO_SOCKET_PORT } from '../../../sim/nano-node.ts'
import { linkTo } from '../../../sim/nano/ledger.ts'
import { createNanoWallet, EASY_WORK, nanoAccount, nanoKey, type NanoWallet } from '../../../sim/nano/wallet.ts'
import { createSimNetwork } from '../../../sim/network.ts'
import { createSimRandom } from '../../../sim/random.ts'
import { createTrace } from '../../../sim/trace.ts'
import { createNanoRail, type NanoRail } from './index.ts'
import { nanoSettingsSchema } from './settings.ts'
import { type Book, createBook } from './test-book.ts'

export const SERVICE_KEY = nanoKey(1_000)
export const SERVICE = nanoAccount(SERVICE_KEY)
const GENESIS_KEY = nanoKey(1)
const REPRESENTATIVE = nanoAccount(nanoKey(2))
/** What each payer has at first, raw. */
const FORTUNE = 1_000_000n
const CONNECT_MS = 10_000
/** The gateway looks so often for what it has to tell its rails, milliseconds. */
const TELL_MS = 2_000
const LONG_MS = 600_000

const hex = (value: bigint) => value.toString(16).padStart(16, '0')

export const testSettings = (rpc = `http://node:${NANO_RPC_PORT}`, minimumDeposit = 1n) =>
  nanoSettingsSchema.parse({
    ...{ scheme: 'nano', rpc, representative: REPRESENTATIVE, minimumDeposit: String(minimumDeposit) },
    work: { by: 'node', send: hex(EASY_WORK.send), receive: hex(EASY_WORK.receive) },
  })

export interface NanoWorldOptions {
  readonly seed?: number
  readonly rates?: FaultRates
  readonly payers?: number
  readonly minimumDeposit?: bigint
}

/** The network, payers with some money, and the service's machine, which is not started. */
export const createNanoWorld = async (options: NanoWorldOptions = {}) => {
  const { seed = 1, rates = calm, payers = 2, minimumDeposit } = options
  const loop = createLoop()
  const trace = createTrace(loop)
  const random = createSimRandom(seed)
  const faults = createFaults(rates)
  const network = createSimNetwork({ loop, trace, random: random.fork('network'), faults })
  const node = createSimNanoNode({ loop, random, network, genesisKey: GENESIS_KEY }, 'node')
  const host = createSimHost({ loop, network, random, trace }, 'gateway')
  const book = createBook()
  const genesis = createNanoWallet(node.nano, GENESIS_KEY)
  const wallets = Array.from({ length: payers }, (_, at) => createNanoWallet(node.nano, nanoKey(100 + at)))
  const pass = (ms: number) => loop.run({ timeMs: loop.nowMs() + ms })
  let rail: NanoRail | undefined

  for (const wallet of wallets) {
    const hash = genesis.send(wallet.account, FORTUNE)
    wallet.receive(hash)
  }
  await pass(60_000)
  await node.start()

  const open = async (effects: HostEffects, stop: AbortSignal): Promise<void> => {
    const dial: Dial = (address, signal) => effects.network.connect(address, CONNECT_MS, signal) as ReturnType<Dial>
    const confirmations = createNanoConfirmations(effects, dial, [`ws://node:${NANO_SOCKET_PORT}`], SERVICE)
    const started = await createNanoRail(
      { ...effects, confirmations },
      testSettings(undefined, minimumDeposit),
      SERVICE_KEY,
    )
    rail = started
    const sleep = () => effects.clock.sleep(TELL_MS, stop)
    const running = [started.run(book.deposits, stop), book.drive(started, sleep, stop)]
    await Promise.allSettled(running)
    await started.close()
  }

  /** Aborted when the machine is told to stop, which a crash never is. */
  let stopping = new AbortController()

  return {
    loop,
    trace,
    faults,
    network,
    node,
    host,
    book: book as Book,
    wallets: wallets as readonly NanoWallet[],
    ledger: node.nano.ledger,
    pass,
    long: LONG_MS,

    /** The gateway starts, unless it runs. */
    start() {
      if (host.isRunning()) return
      stopping = new AbortController()
      void open(host.boot(), stopping.signal)
    },

    /** The gateway stops in good order. */
    async stop() {
      stopping.abort()
      await pass(1_000)
      host.crash()
    },

    rail(): NanoRail {
      if (!rail) throw new Error('the gateway was not started')
      return rail
    },

    /** Public key of an account, as links have it. */
    linkOf: linkTo,
    /** Sends that are there to be received by the service. */
    receivable: () => node.nano.ledger.receivable(SERVICE),
    /** Sends of the service: the refunds, as the network has them. */
    sends: () => node.nano.ledger.chain(SERVICE).filter(({ subtype }) => subtype === 'send'),
    receives: () => node.nano.ledger.chain(SERVICE).filter(({ subtype }) => subtype !== 'send' && subtype !== 'change'),
    balance: () => node.nano.ledger.account(SERVICE)?.balance ?? 0n,
  }
}
