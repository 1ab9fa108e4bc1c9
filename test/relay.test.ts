/** A relay as a program of its own, over loopback: what it carries, and what it survives. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createNativeAead } from '../effects/aead-node.ts'
import { createSocketReader } from '../effects/byte-reader-node.ts'
import { createNodeEffects } from '../effects/node.ts'
import { createPortableAead } from '../protocol/relay/aead.ts'
import { joinRelay, type JoinOptions, type RelayLink } from '../relay/client/index.ts'
import type { SecureStream } from '../relay/client/secure-stream.ts'
import { createChrove } from '../scripts/chrove.ts'
import { freePort } from '../scripts/ports.ts'
import { type Child, startChild } from './child.ts'
import { openMarket, PASSPHRASE } from './market.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chrove-relay-'))
})
after(() => rm(folder, { recursive: true, force: true }))

const effects = () => createNodeEffects({ service: 'test', home: folder })
/** One end as programs are, the other as it would be in a browser. */
const ends = () => [
  { ...effects(), aead: createNativeAead, reader: createSocketReader },
  { ...effects(), aead: createPortableAead },
]

const serveRelay = async (
  t: { after(end: () => unknown): void },
  args: readonly string[],
): Promise<{ url: string; child: Child }> => {
  const child = startChild('buyer/main.ts', ['relay', 'serve', '--json', '--home', join(folder, 'relay'), ...args])
  t.after(() => child.kill())
  return { url: String((await child.answer).url), child }
}

const meet = async (relay: string, streams: number, more: Partial<JoinOptions> = {}): Promise<RelayLink[]> => {
  const [atSender, atRecipient] = ends()
  assert.ok(atSender && atRecipient)
  const told = Promise.withResolvers<string>()
  const sending = joinRelay(atSender, { relay, role: 'sender', streams, onCode: told.resolve, ...more })
  sending.catch(told.reject)
  return Promise.all([sending, joinRelay(atRecipient, { relay, role: 'recipient', streams, code: await told.promise })])
}

const send = async (stream: SecureStream, content: Uint8Array): Promise<void> => {
  for (let at = 0; at < content.length; at += 65_536) await stream.send(content.subarray(at, at + 65_536))
  await stream.end()
}

const receive = async (stream: SecureStream): Promise<string> => {
  const sum = createHash('sha256')
  for (let record = await stream.receive(); record; record = await stream.receive()) sum.update(record)
  return sum.digest('hex')
}

describe('chrove relay serve', () => {
  it('carries megabytes both ways on several streams, between a native end and a portable one', async (t) => {
    const { url } = await serveRelay(t, ['--port', '0', '--ports', '0,0'])
    const [sender, recipient] = await meet(url, 3)
    assert.ok(sender && recipient)
    await Promise.all(
      sender.streams.map(async (stream, index) => {
        const [there, back] = [randomBytes(3_000_000), randomBytes(1_000_000)]
        const peer = recipient.streams[index] as SecureStream
        const [, , atPeer, atUs] = await Promise.all([
          send(stream, there),
          send(peer, back),
          receive(peer),
          receive(stream),
        ])
        const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
        assert.deepEqual([atPeer, atUs], [digest(there), digest(back)])
      }),
    )
    await Promise.all([sender.close(), recipient.close()])
  })

  it('that is killed and started anew goes on with its channels, and the ends with their work', async (t) => {
    const [http, tcp] = [await freePort(), await freePort()]
    const where = ['--port', String(http), '--ports', String(tcp)]
    const first = await serveRelay(t, where)
    const [sender, recipient] = await meet(first.url, 1)
    assert.ok(sender && recipient)
    await sender.streams[0]?.send(Buffer.from('before'))
    assert.equal(Buffer.from((await recipient.streams[0]?.receive()) ?? []).toString(), 'before')
    const broken = assert.rejects(recipient.streams[0]?.receive() ?? Promise.resolve(), { code: 'ERR_STREAM_BROKEN' })
    await first.child.kill()
    await broken
    const second = await serveRelay(t, where)
    const [again, there] = await Promise.all([sender.reconnect(), recipient.reconnect()])
    await again[0]?.send(Buffer.from('after'))
    assert.equal(Buffer.from((await there[0]?.receive()) ?? []).toString(), 'after')
    await sender.close()
    await assert.rejects(recipient.reconnect(), { code: 'ERR_CHANNEL_OVER' })
    const ended = await second.child.kill()
    assert.ok(!ended.complained.includes('127.0.0.1'), ended.complained)
  })

  it('listens on IPv6 and IPv4 with one address', async (t) => {
    const { url } = await serveRelay(t, ['--host', '::', '--port', '0', '--ports', '0'])
    const { port } = new URL(url)
    for (const host of ['127.0.0.1', '[::1]']) {
      const links = await meet(`http://${host}:${port}`, 1)
      await Promise.all(links.map((link) => link.close()))
    }
  })

  it('says which option is wrong', async () => {
    const { run } = createChrove({ home: join(folder, 'wrong'), passphrase: PASSPHRASE })
    for (const [option, value] of [
      ['--port', '70000'],
      ['--ports', '1,x'],
      ['--curves', 'p256,ed25519'],
      ['--trust-proxy', 'localhost'],
      ['--idle', '0'],
    ] as const) {
      await assert.rejects(run('relay', 'serve', option, value), (error: Error) => error.message.includes(option))
    }
  })
})

describe('a relay in the registry', () => {
  it('is a vendor of type relay, is found as one, and is the endpoint that answers as a relay', async (t) => {
    const market = await openMarket()
    t.after(() => market.close())
    const { url } = await serveRelay(t, ['--port', '0', '--ports', '0'])
    const chrove = createChrove({
      home: join(market.folder, 'post'),
      passphrase: PASSPHRASE,
      accountKey: market.account(),
    })
    await chrove.run('vendor', 'init', '--rpc', market.chain.url, '--registry', market.chain.registry)
    const [http, socks5] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
    await chrove.run(
      ...['vendor', 'register', '--title', 'Blind Post', '--service', 'proxy', '--service', 'relay', '--yes'],
      ...['--endpoint', `http://${http}`, '--endpoint', url, '--listen', http, '--socks5', socks5],
    )
    await chrove.run('vendor', 'plan', 'add', '--title', 'One day', '--price', '0.001', '--period', '1d', '--yes')
    const { found } = (await chrove.run('search', '--type', 'relay')) as { found?: { vendor: string; title: string }[] }
    const [vendor] = found ?? []
    assert.equal(vendor?.title, 'Blind Post')
    const { endpoints } = (await chrove.run('show', vendor.vendor)) as { endpoints?: { endpoint: string }[] }
    const urls = (endpoints ?? []).map(({ endpoint: one }) => one)
    const answers = await Promise.all(urls.map((one) => fetch(`${one}/limits`).catch(() => undefined)))
    const endpoint = urls[answers.findIndex((answer) => answer?.status === 200)]
    assert.equal(endpoint, url)
    const [sender, recipient] = await meet(endpoint, 1)
    assert.equal(sender?.channel, recipient?.channel)
    await Promise.all([sender?.close(), recipient?.close()])
  })
})
