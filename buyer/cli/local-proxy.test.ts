import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { createClock, type Clock } from '../../effects/clock.ts'
import { silentLog } from '../../effects/log.ts'
import { createNetwork } from '../../effects/network-node.ts'
import type { NetworkError, NetworkErrorCode } from '../../effects/network.ts'
import { socksHandshake } from '../../effects/socks-client.ts'
import { takeBytes } from '../../effects/take-bytes.ts'
import { conductSocks } from '../../protocol/socks5-handshake.ts'
import { type SocksDestination, socksReply } from '../../protocol/socks5.ts'
import { createLocalProxy } from './local-proxy.ts'

const network = createNetwork()
const destination = { host: 'site.example', port: 443 }

/** A proxy for one login, which replies as told and then speaks for the destination. */
const boughtProxy = async (t: TestContext, serve: (destination: SocksDestination, client: Duplex) => void) => {
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (client) => {
    const io = {
      read: (length: number) => takeBytes(client, length),
      write: (bytes: Uint8Array) => void client.write(bytes),
    }
    conductSocks(io, ({ username, password }) => username === 'alice' && password === 'pass').then(
      (outcome) => (outcome.do === 'connect' ? serve(outcome.destination, client) : client.end()),
      () => client.destroy(),
    )
  })
  t.after(() => listener.close())
  return { address: listener.address, username: 'alice', password: 'pass' }
}

const localProxy = async (
  t: TestContext,
  bought: Parameters<typeof createLocalProxy>[1],
  clock: Clock = createClock(),
) => {
  const listener = await createLocalProxy({ clock, network, log: silentLog }, bought).listen(0)
  t.after(() => listener.close())
  return listener.address
}

/** What a program of this machine does. */
const connectThrough = async (
  address: { host: string; port: number },
  to: SocksDestination = destination,
): Promise<Duplex> => {
  const connection = await network.connect(address, 20_000)
  await socksHandshake(connection, to, undefined)
  return connection
}

const refusedWith = (code: NetworkErrorCode) => (fault: NetworkError) => fault.code === code

describe('the local proxy', () => {
  it('asks for no login and leads each connection through the bought proxy, names unresolved', async (t) => {
    const asked: SocksDestination[] = []
    const bought = await boughtProxy(t, (to, client) => {
      asked.push(to)
      // The first bytes of the destination come along with the reply.
      client.write(Buffer.concat([socksReply(0), Buffer.from('220 ready ')]))
      void text(client).then((said) => client.end(said.toUpperCase()))
    })
    const address = await localProxy(t, bought)
    assert.equal(address.host, '127.0.0.1')
    for (const host of ['site.example', '192.0.2.1', '2001:db8::1']) {
      const connection = await connectThrough(address, { host, port: 25 })
      connection.end('helo')
      assert.equal(await text(connection), '220 ready HELO')
    }
    assert.deepEqual(
      asked.map(({ host }) => host),
      ['site.example', '192.0.2.1', '2001:db8::1'],
    )
  })

  it('tells what the bought proxy said of the destination', async (t) => {
    const codes = {
      1: 'ERR_NETWORK_PROXY',
      2: 'ERR_NETWORK_FORBIDDEN',
      4: 'ERR_NETWORK_UNREACHABLE',
      6: 'ERR_NETWORK_TIMEOUT',
    } as const
    for (const [reply, code] of Object.entries(codes)) {
      const address = await localProxy(t, await boughtProxy(t, (_to, client) => client.end(socksReply(Number(reply)))))
      await assert.rejects(connectThrough(address), refusedWith(code))
    }
  })

  it('fails in the way of SOCKS5 when the credentials are refused, the proxy is away or breaks off', async (t) => {
    const bought = await boughtProxy(t, (_to, client) => client.destroy())
    await assert.rejects(connectThrough(await localProxy(t, bought)), refusedWith('ERR_NETWORK_PROXY'))
    await assert.rejects(
      connectThrough(await localProxy(t, { ...bought, password: 'old' })),
      refusedWith('ERR_NETWORK_PROXY'),
    )
    const away = await network.listen({ host: '127.0.0.1', port: 0 }, () => {})
    await away.close()
    const address = await localProxy(t, { ...bought, address: away.address })
    await assert.rejects(connectThrough(address), refusedWith('ERR_NETWORK_UNREACHABLE'))
  })

  it('hangs up on the other side when one breaks off', async (t) => {
    const clients: Duplex[] = []
    const bought = await boughtProxy(t, (_to, client) => {
      client.write(socksReply(0))
      clients.push(client)
    })
    const address = await localProxy(t, bought)
    const first = await connectThrough(address)
    clients[0]?.destroy()
    await text(first).catch(() => {})
    const second = await connectThrough(address)
    const gone = once(clients[1]?.resume() ?? assert.fail(), 'close')
    second.destroy()
    // A proxy sees the end of the program's data, or a reset.
    clients[1]?.once('end', () => clients[1]?.end())
    await gone
  })

  it('gives up connecting when the program leaves', async (t) => {
    const reached = Promise.withResolvers<Duplex>()
    const silent = await network.listen({ host: '127.0.0.1', port: 0 }, reached.resolve)
    t.after(() => silent.close())
    const address = await localProxy(t, { address: silent.address, username: 'alice', password: 'pass' })
    const connection = await network.connect(address, 20_000)
    connection.write(Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 0, 80))
    const upstream = await reached.promise
    // An end alone may be half a close: the program could still be waiting for its answer.
    ;(connection as Socket).resetAndDestroy()
    await text(upstream)
  })

  it('waits for neither a silent program nor a silent proxy beyond its time', async (t) => {
    // Every wait is over at once, except that nothing ends before it has begun.
    const impatient: Clock = { nowMs: () => 0, sleep: () => new Promise((resolve) => setImmediate(resolve)) }
    const bought = await boughtProxy(t, () => {})
    const silent = await network.connect(await localProxy(t, bought, impatient), 20_000)
    await text(silent).catch(() => {})
    assert.ok(silent.readableEnded || silent.destroyed)
  })

  it('stands any bytes and goes on', async (t) => {
    const bought = await boughtProxy(t, (_to, client) => client.end(socksReply(4)))
    const address = await localProxy(t, bought)
    const start = fc.constantFrom([], [5, 1, 0], [5, 1, 0, 5, 1, 0], [4, 1])
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 300 }), async (first, rest) => {
        const connection = await network.connect(address, 20_000)
        connection.end(Uint8Array.of(...first, ...rest))
        await text(connection).catch(() => {})
      }),
      { numRuns: 50 },
    )
    await assert.rejects(connectThrough(address), refusedWith('ERR_NETWORK_UNREACHABLE'))
  })
})
