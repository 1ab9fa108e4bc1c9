/** A relay that charges, over loopback: its ledger is that of a gateway, and neither knows the other. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createSocketReader } from '../effects/byte-reader-node.ts'
import { serveHttp } from '../effects/http-server.ts'
import { createNodeEffects } from '../effects/node.ts'
import { spliceSockets } from '../effects/splice-node.ts'
import { createTabs } from '../gateway/tabs.ts'
import { createKeyRail, createSpender, keyPayer, startGateway } from '../gateway/testing.ts'
import { joinRelay, type JoinOptions } from '../relay/client/index.ts'
import type { SecureStream } from '../relay/client/secure-stream.ts'
import { createRelay } from '../relay/index.ts'
import { relaySettingsSchema } from '../relay/settings.ts'
import { freePort } from '../scripts/ports.ts'

const MIB = 1024 * 1024
const RECORD = new Uint8Array(65_536).fill(7)
/** Smallest units for a byte: 8 bits, each 10^-8 whole units of 10^4 smallest ones. */
const UNITS_PER_BYTE = 0.0008

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chrove-paid-'))
})
after(() => rm(folder, { recursive: true, force: true }))

const startPaidRelay = async (t: { after(end: () => unknown): void }, deposit: bigint, freeBytes = 0) => {
  const port = await freePort()
  const host = `127.0.0.1:${port}`
  const rail = createKeyRail()
  const routes = [{ match: '/pay/*', per: 'bit', price: '0.00000001' }]
  const ledger = await startGateway({ rails: { test: rail }, settings: { hosts: [host], price: 'free', routes } })
  const payments = createTabs(
    ledger.gateway,
    createNodeEffects({ service: 'test', home: folder, logLevel: 'silent' }).log,
  )
  const home = join(folder, String(port))
  const effects = createNodeEffects({ service: 'test', home, logLevel: 'silent' })
  const settings = relaySettingsSchema.parse({ tcp: { host: '127.0.0.1', ports: [0] }, freeBytes })
  const relay = await createRelay({ ...effects, splice: spliceSockets, payments }, settings)
  const listener = await serveHttp((request, peer) => relay.fetch(request, peer), { host: '127.0.0.1', port })
  t.after(async () => {
    await listener.close()
    await relay.close()
    await payments.close()
    await ledger.stop()
  })
  const payer = keyPayer(2)
  await ledger.credit(rail, payer, deposit)
  const spender = await createSpender(payer, { host })
  const post = async (method: string, url: string): Promise<Response> => {
    const { pathname } = new URL(url)
    const headers = new Headers(spender.ask(method, pathname).headers)
    headers.delete('host')
    return fetch(url, { method, headers })
  }
  const url = `http://${host}`
  return {
    url,
    pay: async (where: string) => {
      const answer = await post('POST', where)
      if (answer.status !== 204) throw new Error(`not paid: ${answer.status}`)
    },
    usage: async () => Number(((await (await post('GET', `${url}/usage`)).json()) as { usage: string }).usage),
  }
}

const meet = async (relay: string, sender: Partial<JoinOptions>) => {
  const effects = () => ({ ...createNodeEffects({ service: 'test', home: folder }), reader: createSocketReader })
  const told = Promise.withResolvers<string>()
  const sending = joinRelay(effects(), { relay, role: 'sender', streams: 1, onCode: told.resolve, ...sender })
  const code = await told.promise
  const ends = await Promise.all([sending, joinRelay(effects(), { relay, role: 'recipient', streams: 1, code })])
  return { ends, streams: ends.map((end) => end.streams[0] as SecureStream) }
}

/** @returns how many bytes came until the end, or the break */
const receive = async (stream: SecureStream): Promise<{ bytes: number; isWhole: boolean }> => {
  let bytes = 0
  try {
    for (let record = await stream.receive(); record; record = await stream.receive()) bytes += record.length
    return { bytes, isWhole: true }
  } catch {
    return { bytes, isWhole: false }
  }
}

const sendRecords = async (stream: SecureStream, count: number): Promise<void> => {
  for (let at = 0; at < count; at++) await stream.send(RECORD)
  await stream.end()
}

describe('a relay that charges', () => {
  it('carries what is paid for, charges what passed, and gives back the rest when the channel is over', async (t) => {
    const { url, pay, usage } = await startPaidRelay(t, 1_000_000n)
    const { ends, streams } = await meet(url, { pay })
    const [out, into] = streams as [SecureStream, SecureStream]
    const [, received] = await Promise.all([sendRecords(out, 100 * 16), receive(into)])
    assert.deepEqual(received, { bytes: 100 * MIB, isWhole: true })
    // Ahead of what passes, 64 MiB at a time.
    assert.equal(await usage(), Math.ceil(128 * MIB * UNITS_PER_BYTE))
    for (const end of ends) await end.close()
    const [least, most] = [100 * MIB, 101 * MIB].map((bytes) => bytes * UNITS_PER_BYTE) as [number, number]
    let charged = await usage()
    // What is given back is written after the channel's end is told.
    while (charged > most) charged = await usage()
    assert.ok(charged >= least, `${charged}`)
  })

  it('breaks off where the money ends, and charges no more than there is', async (t) => {
    const { url, pay, usage } = await startPaidRelay(t, BigInt(Math.ceil(2 * MIB * UNITS_PER_BYTE)))
    const { ends, streams } = await meet(url, { pay })
    const [out, into] = streams as [SecureStream, SecureStream]
    const [sent, received] = await Promise.all([
      sendRecords(out, 64).then(
        () => 'sent',
        () => 'broken',
      ),
      receive(into),
    ])
    assert.deepEqual([sent, received.isWhole, received.bytes <= 2 * MIB], ['broken', false, true])
    assert.equal(await usage(), Math.ceil(2 * MIB * UNITS_PER_BYTE))
    for (const end of ends) await end.close()
  })

  it('carries nothing for who does not pay, and takes money for no channel that is not there', async (t) => {
    const { url, pay, usage } = await startPaidRelay(t, 1_000n, 1_000)
    const { ends, streams } = await meet(url, {})
    const [out, into] = streams as [SecureStream, SecureStream]
    const [, received] = await Promise.all([sendRecords(out, 4).catch(() => {}), receive(into)])
    assert.deepEqual([received.isWhole, received.bytes], [false, 0])
    for (const end of ends) await end.close()
    await assert.rejects(pay(`${url}/pay/nobody`), /404/)
    await assert.rejects(pay(`${url}/pay/${ends[0]?.channel}`), /410/)
    assert.equal(await usage(), 0)
  })
})
