import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { type Clock, createClock } from '../effects/clock.ts'
import { type Log, silentLog } from '../effects/log.ts'
import { createNetwork } from '../effects/network-node.ts'
import { type Address, type AllowIp, type Network, NetworkError } from '../effects/network.ts'
import { socksHandshake } from '../effects/socks-client.ts'
import { takeBytes } from '../effects/take-bytes.ts'
import { HANDSHAKE_TIMEOUT_MS, IDLE_TIMEOUT_MS } from './socks5-client.ts'
import {
  CONNECTIONS_PER_ACCOUNT_MAX,
  createSocks5Server,
  type Socks5Account,
  type Socks5Settings,
  STRANGERS_PER_HOST_MAX,
} from './socks5-server.ts'

const START_MS = 1_700_000_000_000
const alice = { username: 'alice', password: 'correct horse' }
const destination = { host: 'site.example', port: 443 }
const peer = { host: '198.51.100.7', port: 50_000 }

/** Time that passes only when told to. */
const manualClock = () => {
  let nowMs = START_MS
  const sleepers = new Set<{ atMs: number; wake: () => void }>()
  const clock: Clock = {
    nowMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error)
        const sleeper = { atMs: nowMs + ms, wake: resolve }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper)
          reject(signal.reason as Error)
        })
      }),
  }
  const pass = (ms: number) => {
    nowMs += ms
    for (const sleeper of sleepers) if (sleeper.atMs <= nowMs && sleepers.delete(sleeper)) sleeper.wake()
  }
  return { clock, pass, sleepers }
}

/** A server whose destinations are in the test's hands. */
const setUp = (settings: Partial<Socks5Settings> = {}) => {
  const { clock, pass, sleepers } = manualClock()
  const accounts = new Map<string, Socks5Account>()
  const setExpiry = (ms: number) =>
    accounts.set(alice.username, { password: alice.password, expiresAtMs: START_MS + ms, orderId: '0x01' })
  setExpiry(3_600_000)
  const dialled: { address: Address; allow: AllowIp | undefined }[] = []
  const opened: Duplex[] = []
  const lines: string[] = []
  const write = (event: string, fields?: object) => void lines.push(JSON.stringify([event, fields]))
  const log: Log = { debug: write, info: write, warn: write, error: write }
  const network: Pick<Network, 'connect'> = {
    connect: (address, _timeoutMs, _signal, allow) => {
      dialled.push({ address, allow })
      const [ours, theirs] = duplexPair()
      opened.push(theirs)
      return Promise.resolve(ours)
    },
  }
  const effects = { clock, network: network as Network, log }
  const server = createSocks5Server(effects, { accounts: { find: (username) => accounts.get(username) }, ...settings })
  const connect = (from: Address = peer): Duplex => {
    const [ours, theirs] = duplexPair()
    // As a socket does, the two ends close together.
    theirs.once('close', () => ours.destroy())
    server.accept(theirs, from)
    return ours
  }
  /** A client that has come through the handshake, and what it is connected to. */
  const session = async () => {
    const client = connect()
    await socksHandshake(client, destination, alice)
    return { client, site: opened.at(-1) ?? assert.fail('not connected') }
  }
  return { server, network, accounts, setExpiry, pass, sleepers, dialled, lines, connect, session }
}

const closed = async (connection: Duplex): Promise<void> => {
  if (!connection.closed) await once(connection.resume(), 'close')
}

const refusedWith = (code: string) => (fault: NetworkError) => fault.code === code

describe('a SOCKS5 server for accounts', () => {
  it('carries bytes both ways, each direction ending on its own, and counts them', async () => {
    const { server, session, dialled } = setUp()
    const { client, site } = await session()
    assert.deepEqual(dialled[0]?.address, destination)
    client.end('request')
    assert.equal(await text(site), 'request')
    site.end(Buffer.alloc(300_000))
    assert.equal((await buffer(client)).length, 300_000)
    assert.deepEqual(server.usage('alice'), { bytesUp: 7n, bytesDown: 300_000n })
    assert.deepEqual(server.usage('bob'), { bytesUp: 0n, bytesDown: 0n })
  })

  it('refuses a wrong password, another user, and an account without a password', async () => {
    const { connect, accounts, dialled } = setUp()
    accounts.set('bob', { password: 'another', expiresAtMs: Infinity, orderId: '0x02' })
    const logins = [
      ['alice', 'wrong'],
      ['alice', 'correct horsf'],
      ['alice', 'correct horse!'],
      ['bob', 'correct horse'],
      ['carol', 'x'],
    ] as const
    for (const [username, password] of logins) {
      await assert.rejects(
        socksHandshake(connect(), destination, { username, password }),
        refusedWith('ERR_NETWORK_PROXY'),
      )
    }
    await assert.rejects(socksHandshake(connect(), destination, undefined), refusedWith('ERR_NETWORK_PROXY'))
    assert.deepEqual(dialled, [])
  })

  it('refuses an account from the moment it expires', async () => {
    const { connect, pass } = setUp()
    pass(3_599_999)
    await socksHandshake(connect(), destination, alice)
    pass(1)
    await assert.rejects(socksHandshake(connect(), destination, alice), /refuses the credentials/)
  })

  it('ends live connections at the moment the account expires, later when it was extended', async () => {
    const { session, pass, setExpiry } = setUp()
    setExpiry(1000)
    const { client, site } = await session()
    pass(999)
    site.write('still here')
    assert.equal((await takeBytes(client, 10)).length, 10)
    setExpiry(2000)
    pass(1)
    site.write('still here')
    assert.equal((await takeBytes(client, 10)).length, 10)
    pass(1000)
    await closed(client)
  })

  it('ends live connections of a revoked account at once, and of no other', async () => {
    const { server, accounts, connect, session } = setUp()
    accounts.set('bob', { password: 'b', expiresAtMs: Infinity, orderId: '0x02' })
    const [first, second] = [await session(), await session()]
    const bob = connect()
    await socksHandshake(bob, destination, { username: 'bob', password: 'b' })
    accounts.delete('alice')
    server.revoke('alice')
    await Promise.all([closed(first.client), closed(second.client)])
    await assert.rejects(socksHandshake(connect(), destination, alice), refusedWith('ERR_NETWORK_PROXY'))
    assert.equal(bob.destroyed, false)
    assert.deepEqual(server.usage('alice'), { bytesUp: 0n, bytesDown: 0n })
  })

  it('ends a connection of a revoked account that is still being made', async () => {
    const { server, network, connect } = setUp()
    const asked = Promise.withResolvers<void>()
    network.connect = (_address, _timeoutMs, signal) => {
      asked.resolve()
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))
    }
    const client = connect()
    const handshake = socksHandshake(client, destination, alice)
    await asked.promise
    server.revoke('alice')
    await assert.rejects(handshake, refusedWith('ERR_NETWORK_PROXY'))
  })

  it('ends connections over which nothing passes', async () => {
    const { session, pass } = setUp()
    const { client, site } = await session()
    pass(IDLE_TIMEOUT_MS - 1)
    client.write('alive')
    await takeBytes(site, 5)
    pass(IDLE_TIMEOUT_MS - 1)
    await new Promise(setImmediate)
    site.write('alive')
    await takeBytes(client, 5)
    pass(IDLE_TIMEOUT_MS)
    await closed(client)
  })

  it('waits for a handshake only so long', async () => {
    const { connect, pass } = setUp()
    const client = connect()
    client.write(Uint8Array.of(5, 1))
    pass(HANDSHAKE_TIMEOUT_MS)
    await closed(client)
  })

  it('leaves no timer behind', async () => {
    const { session, connect, sleepers } = setUp()
    const { client, site } = await session()
    site.end()
    client.end()
    await Promise.all([closed(client), closed(site)])
    const refused = connect()
    refused.end('GET / HTTP/1.1\r\n\r\n')
    await closed(refused)
    assert.equal(sleepers.size, 0)
  })

  it('reads from one side no faster than the other takes', async () => {
    const { server, session } = setUp()
    const { client } = await session()
    let writes = 0
    while (writes < 1000 && client.write(Buffer.alloc(16_384))) {
      writes++
      await new Promise(setImmediate)
    }
    assert.ok(writes < 100, `${writes} writes were taken`)
    assert.ok(server.usage('alice').bytesUp < 1_000_000n)
  })

  it('gives an account only so many connections at a time', async () => {
    const { session, connect } = setUp()
    const first = await session()
    for (let i = 1; i < CONNECTIONS_PER_ACCOUNT_MAX; i++) await session()
    await assert.rejects(socksHandshake(connect(), destination, alice), refusedWith('ERR_NETWORK_FORBIDDEN'))
    first.site.end()
    first.client.end()
    await Promise.all([closed(first.client), closed(first.site)])
    await session()
  })

  it('lets one host have only so many clients that have not logged in', async () => {
    const { connect, session } = setUp()
    await session()
    const strangers = Array.from({ length: STRANGERS_PER_HOST_MAX }, () => connect())
    await closed(connect())
    assert.ok(strangers.every(({ destroyed }) => !destroyed))
    await socksHandshake(connect({ ...peer, host: '198.51.100.8' }), destination, alice)
    await socksHandshake(strangers[0] ?? assert.fail(), destination, alice)
    await socksHandshake(connect(), destination, alice)
  })

  it('tells why it could not connect', async () => {
    const { network, connect } = setUp()
    for (const code of ['ERR_NETWORK_UNREACHABLE', 'ERR_NETWORK_TIMEOUT', 'ERR_NETWORK_FORBIDDEN'] as const) {
      network.connect = () => Promise.reject(new NetworkError(code, ''))
      await assert.rejects(socksHandshake(connect(), destination, alice), refusedWith(code))
    }
  })

  it('has the address that is connected to checked, unless private ones are allowed', async () => {
    const { session, dialled } = setUp()
    await session()
    assert.equal(dialled[0]?.allow?.('169.254.169.254'), false)
    assert.equal(dialled[0]?.allow?.('1.1.1.1'), true)
    const open = setUp({ allowPrivate: true })
    await open.session()
    assert.equal(open.dialled[0]?.allow, undefined)
  })

  it('understands a handshake however it is cut into chunks, and passes on what follows it', async () => {
    const name = Buffer.from('alice')
    const password = Buffer.from('correct horse')
    const handshake = [5, 1, 2, 1, name.length, ...name, password.length, ...password, 5, 1, 0, 1, 192, 0, 2, 1, 0, 80]
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 30 }), fc.array(fc.nat(40)), async (early, cuts) => {
        const { connect, network } = setUp()
        const [ours, site] = duplexPair()
        network.connect = () => Promise.resolve(ours)
        const client = connect()
        const bytes = Buffer.from([...handshake, ...early])
        const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
        for (const [index, edge] of edges.entries()) client.write(bytes.subarray(edge, edges[index + 1]))
        client.end()
        site.end()
        assert.deepEqual(await buffer(site), Buffer.from(early))
        assert.deepEqual([...(await buffer(client))], [5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
      }),
    )
  })

  it('stands any bytes, connects for none of them, and lets go', async () => {
    const start = fc.constantFrom([], [5, 1, 2], [5, 1, 2, 1, 1, 97, 1, 97], [5, 1, 0], [4, 1])
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 600 }), async (first, rest) => {
        const { connect, dialled, sleepers } = setUp()
        const client = connect()
        client.end(Uint8Array.of(...first, ...rest))
        await closed(client)
        assert.deepEqual(dialled, [])
        assert.equal(sleepers.size, 0)
      }),
    )
  })

  it('names no address, user or password in its log', async () => {
    const { server, session, connect, lines } = setUp()
    const { client } = await session()
    await assert.rejects(socksHandshake(connect(), destination, { ...alice, password: 'wrong' }))
    server.revoke('alice')
    await closed(client)
    await new Promise(setImmediate)
    assert.ok(lines.length > 0)
    for (const secret of ['alice', 'horse', 'wrong', peer.host, destination.host])
      assert.ok(!lines.join().includes(secret))
  })
})

const curlMissing = (() => {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'curl is not installed'
  }
})()

describe('curl through a SOCKS5 server', { skip: curlMissing }, () => {
  /** Exit code and output of curl; 97 is its code for a proxy that refuses. */
  const curl = (proxy: string, url: string) =>
    new Promise<{ code: number; body: string }>((resolve) => {
      const args = ['--silent', '--max-time', '20', '--noproxy', '', '--proxy', proxy, url]
      execFile('curl', args, (fault, body) => resolve({ code: fault ? Number(fault.code) : 0, body }))
    })

  const start = async (t: TestContext, allowPrivate: boolean) => {
    const site = createServer((request, response) => response.end(`you asked for ${request.headers.host}`))
    site.listen(0, '127.0.0.1')
    await once(site, 'listening')
    t.after(() => site.close())
    const accounts = new Map([['alice', { password: 'pass', expiresAtMs: Infinity, orderId: '0x01' }]])
    const network = createNetwork()
    const effects = { clock: createClock(), network, log: silentLog }
    const server = createSocks5Server(effects, {
      accounts: { find: (username) => accounts.get(username) },
      allowPrivate,
    })
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, server.accept)
    t.after(() => listener.close())
    const host = `localhost:${(site.address() as AddressInfo).port}`
    const proxy = (login: string) => `socks5h://${login}@127.0.0.1:${listener.address.port}`
    return { server, accounts, host, url: `http://${host}/`, proxy }
  }

  it('fetches a page with the right credentials only, and no more once they are revoked or expired', async (t) => {
    const { server, accounts, host, url, proxy } = await start(t, true)
    assert.deepEqual(await curl(proxy('alice:pass'), url), { code: 0, body: `you asked for ${host}` })
    assert.ok(server.usage('alice').bytesUp > 0n && server.usage('alice').bytesDown > 0n)
    assert.equal((await curl(proxy('alice:other'), url)).code, 97)
    assert.equal((await curl(proxy('bob:pass'), url)).code, 97)
    assert.equal((await curl(proxy(''), url)).code, 97)
    accounts.set('alice', { password: 'pass', expiresAtMs: 0, orderId: '0x01' })
    assert.equal((await curl(proxy('alice:pass'), url)).code, 97)
    accounts.delete('alice')
    server.revoke('alice')
    assert.equal((await curl(proxy('alice:pass'), url)).code, 97)
  })

  it('reaches nothing of the private network behind it, by name or by address', async (t) => {
    const { url, proxy } = await start(t, false)
    for (const host of ['localhost', '127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0']) {
      assert.deepEqual(await curl(proxy('alice:pass'), url.replace('localhost', host)), { code: 97, body: '' }, host)
    }
  })
})
