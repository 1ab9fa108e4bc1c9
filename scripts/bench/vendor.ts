/**
 * `/cert.info` of the real service in a process of its own, held against the RSA private operations that `openssl
 * speed` does on one core of the same machine in the same run: each round against the mean of what openssl did right
 * before and right after it, since machines change their pace. Medians are told.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createContractReader, paymentsCall } from '../../chain/contracts.ts'
import { createAccount } from '../../chain/transactions.ts'
import { createChainRpc } from '../../effects/chain-rpc.ts'
import { createClock } from '../../effects/clock.ts'
import { createNetwork } from '../../effects/network-node.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { keyHashOf, sealCode } from '../../protocol/cert-info.ts'
import { createJose } from '../../protocol/jose.ts'
import { parsePublicKey, type RsaPublicKey } from '../../protocol/keys.ts'
import { parseVendorUri } from '../../protocol/vendor-uri.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { rsaKeyPair } from '../../sim/rsa-keys.ts'
import type { Measured } from '../bench.ts'
import { createChrove } from '../chrove.ts'
import { startEmbeddedChain, type EmbeddedChain } from '../embedded-chain.ts'
import { freePort } from '../ports.ts'

const ROUNDS = 9
const REQUESTS_PER_ROUND = 2_000
/** Until nothing is left to compile, which a service of many days does once. */
const WARM_UP_ROUNDS = 7
const CONNECTIONS = 64
const BUYERS = 8
/** Decrypting the code and signing the answer; the signed time is shared by all answers of a second. */
const PRIVATE_OPERATIONS_PER_REQUEST = 2
/** Before each round and again after it. */
const OPENSSL_SECONDS = 1
/** Kernel's unit of process times, per second; the same on every Linux. */
const TICKS_PER_SECOND = 100

export const benchVendor = async (): Promise<Measured> => {
  stayOnOneProcessor()
  const folder = await mkdtemp(join(tmpdir(), 'chrove-bench-'))
  const chain = await startEmbeddedChain()
  try {
    const vendor = await startVendor(chain, folder)
    try {
      await untilDelivered(vendor)
      for (let round = 0; round < WARM_UP_ROUNDS; round++) {
        process.stderr.write(`warming up: ${round + 1} of ${WARM_UP_ROUNDS}\n`)
        await measureRound(vendor, await makeCodes(vendor, REQUESTS_PER_ROUND))
      }
      const rounds: Round[] = []
      const limits: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        process.stderr.write(`round ${round + 1} of ${ROUNDS}\n`)
        const codes = await makeCodes(vendor, REQUESTS_PER_ROUND)
        const before = opensslPrivateOperationsPerSecond()
        rounds.push(await measureRound(vendor, codes))
        limits.push((before + opensslPrivateOperationsPerSecond()) / 2)
      }
      return summarize(rounds, limits)
    } finally {
      vendor.process.kill('SIGTERM')
    }
  } finally {
    await chain.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * Client, service and openssl take turns on one processor: where two share a core, work on one makes the other's
 * seconds longer, and a share of openssl's seconds would say nothing.
 */
const stayOnOneProcessor = (): void => {
  const { status } = spawnSync('taskset', ['-acp', '0', String(process.pid)])
  if (status !== 0) process.stderr.write('taskset is missing: run this on an otherwise idle machine\n')
}

/** @param limits what openssl does per second, for each round */
const summarize = (rounds: readonly Round[], limits: readonly number[]): Measured => {
  const perCpuSecond = rounds.map(
    ({ cpuSeconds }) => (REQUESTS_PER_ROUND * PRIVATE_OPERATIONS_PER_REQUEST) / cpuSeconds,
  )
  return {
    metrics: {
      requestsPerSecond: median(rounds.map(({ seconds }) => REQUESTS_PER_ROUND / seconds)),
      rsaPrivateOperationsPerRequest: PRIVATE_OPERATIONS_PER_REQUEST,
      rsaPrivateOperationsPerCpuSecond: median(perCpuSecond),
      shareOfRsaLimit: median(perCpuSecond.map((rate, index) => rate / (limits[index] ?? Number.NaN))),
      p50Ms: median(rounds.map(({ latenciesMs }) => quantile(latenciesMs, 0.5))),
      p99Ms: median(rounds.map(({ latenciesMs }) => quantile(latenciesMs, 0.99))),
    },
    baselines: { opensslPrivateOperationsPerSecond: median(limits), shareOfRsaLimitAtLeast: 0.6 },
  }
}

interface BenchVendor {
  readonly process: ChildProcess
  readonly port: number
  readonly uri: string
  readonly encryptionKey: RsaPublicKey
}

/** A registered vendor, served by the `chrove` command, with one paid order for each buyer. */
const startVendor = async (chain: EmbeddedChain, folder: string): Promise<BenchVendor> => {
  const passphrase = 'a benchmark'
  const home = join(folder, 'vendor')
  const [port, socks5Port] = [await freePort(), await freePort()]
  const on = ['--rpc', chain.url, '--registry', chain.registry]
  const [buyerKey, vendorKey] = chain.accounts
  if (buyerKey === undefined || vendorKey === undefined) throw new Error('the embedded chain has too few accounts')
  const chrove = createChrove({ home, passphrase, accountKey: vendorKey })
  await chrove.run('vendor', 'init', ...on)
  const { uri } = await chrove.run(
    ...['vendor', 'register', '--title', 'Bench', '--endpoint', `http://127.0.0.1:${port}`, '--yes'],
    ...['--listen', `127.0.0.1:${port}`, '--socks5', `127.0.0.1:${socks5Port}`, '--confirmations', '0'],
  )
  const plan = ['--title', 'A day', '--price', '0.001', '--period', '1d']
  await chrove.run('vendor', 'plan', 'add', ...plan, '--yes')
  await payOrders(chain, fromHex(buyerKey), String(uri))

  // As `npm run chrove` starts it.
  const [, ...chroveArguments] = packageJson.scripts.chrove.split(' ')
  const child = spawn(process.execPath, [...chroveArguments, 'vendor', 'serve', '--home', home], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...process.env, CHROVE_PASSPHRASE: passphrase, CHROVE_LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const price = await untilServed(`http://127.0.0.1:${port}/price.json`)
  return { process: child, port, uri: String(uri), encryptionKey: parsePublicKey(price.content.PublicKeyEnc) }
}

const payOrders = async (chain: EmbeddedChain, accountKey: Uint8Array, uri: string): Promise<void> => {
  const door = createChainRpc({ url: chain.url, network: createNetwork({}) })
  const account = createAccount({ chain: door, clock: createClock() }, chain.chainId, accountKey)
  const { registry, vendorId } = parseVendorUri(uri)
  const { plans } = await createContractReader(door).listing(registry as typeof chain.registry, vendorId)
  for (let buyer = 0; buyer < BUYERS; buyer++) {
    const keyHash = keyHashOf(rsaKeyPair(buyer).publicKey)
    const call = paymentsCall(chain.payments, 'buy', vendorId, 1, keyHash, 1, account.address)
    await account.send(await account.quote({ ...call, valueWei: plans[0]?.price ?? 0n }))
  }
}

const untilServed = async (url: string): Promise<{ content: { PublicKeyEnc: unknown } }> => {
  for (let tries = 0; tries < 300; tries++) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.status === 200) return (await answer.json()) as { content: { PublicKeyEnc: unknown } }
    await createClock().sleep(100)
  }
  throw new Error('the vendor did not start within 30 seconds')
}

/** Until the service has followed the chain to the payments, and codes are newer than its start. */
const untilDelivered = async (vendor: BenchVendor): Promise<void> => {
  for (let tries = 0; tries < 100; tries++) {
    const codes = await makeCodes(vendor, BUYERS)
    const body = (code: string) => fetch(`http://127.0.0.1:${vendor.port}/cert.info`, { method: 'POST', body: code })
    const answers = await Promise.all(codes.map(body))
    if (answers.every(({ status }) => status === 200)) return
    await createClock().sleep(200)
  }
  throw new Error('the vendor did not see the payments within 20 seconds')
}

/** Fresh codes: each is good once. */
const makeCodes = async (vendor: BenchVendor, count: number): Promise<string[]> => {
  const jose = createJose()
  const codes: Promise<string>[] = []
  for (let index = 0; index < count; index++) {
    const question = {
      vendor: vendor.uri,
      tsSeconds: Math.floor(Date.now() / 1000),
      nonce: crypto.getRandomValues(new Uint8Array(16)),
    }
    codes.push(sealCode(jose, question, rsaKeyPair(index % BUYERS), vendor.encryptionKey))
  }
  return Promise.all(codes)
}

interface Round {
  readonly seconds: number
  /** Of the vendor's process, all threads. */
  readonly cpuSeconds: number
  readonly latenciesMs: readonly number[]
}

const measureRound = async (vendor: BenchVendor, codes: readonly string[]): Promise<Round> => {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const latenciesMs: number[] = []
  const cpuBefore = cpuSecondsOf(vendor.process)
  const startedAt = performance.now()
  let next = 0
  const worker = async () => {
    for (let code = codes[next++]; code !== undefined; code = codes[next++]) {
      const before = performance.now()
      await get(vendor.port, code, agent)
      latenciesMs.push(performance.now() - before)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
  const seconds = (performance.now() - startedAt) / 1000
  const cpuSeconds = cpuSecondsOf(vendor.process) - cpuBefore
  agent.destroy()
  return { seconds, cpuSeconds, latenciesMs }
}

const get = (port: number, code: string, agent: Agent): Promise<void> =>
  new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: `/cert.info?code=${code}`, agent }, (response) => {
      response.resume()
      response.on('end', () => {
        if (response.statusCode === 200) resolve()
        else reject(new Error(`/cert.info answered ${response.statusCode}`))
      })
    })
    sent.on('error', reject)
    sent.end()
  })

/** User and system time so far. @see proc(5), stat fields 14 and 15 */
const cpuSecondsOf = ({ pid }: ChildProcess): number => {
  const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(afterName[11]) + Number(afterName[12])) / TICKS_PER_SECOND
}

const opensslPrivateOperationsPerSecond = (): number => {
  const output = execFileSync('openssl', ['speed', '-seconds', String(OPENSSL_SECONDS), '-mr', 'rsa2048'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  // +F2:<index>:<bits>:<private operations a second>:<public ones>
  const [, perSecond] = /^\+F2:\d+:2048:([\d.]+):/m.exec(output) ?? []
  if (perSecond === undefined) throw new Error('openssl speed said something else than it used to')
  return Number(perSecond)
}

const median = (values: readonly number[]): number => quantile(values, 0.5)

const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
