/** A buyer's local proxy, a vendor's SOCKS5 server and curl, which none of us wrote. */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createLocalProxy } from '../buyer/cli/local-proxy.ts'
import { createClock } from '../effects/clock.ts'
import { silentLog } from '../effects/log.ts'
import { createNetwork } from '../effects/network-node.ts'
import type { Network } from '../effects/network.ts'
import { createSocks5Server, type Socks5Account } from '../vendor/socks5-server.ts'

const curlMissing = (() => {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'curl is not installed'
  }
})()

const direct = createNetwork()
const effects = (network: Network) => ({ clock: createClock(), network, log: silentLog })

const curl = (port: number, url: string): Promise<{ code: number; body: string }> =>
  new Promise((resolve) => {
    const args = ['--silent', '--max-time', '20', '--noproxy', '', '--socks5-hostname', `127.0.0.1:${port}`, url]
    execFile('curl', args, (fault, body) => resolve({ code: fault ? Number(fault.code) : 0, body }))
  })

/** curl's exit code when a SOCKS proxy does not connect. */
const REFUSED = 97

const startSite = async (t: TestContext): Promise<string> => {
  const site = createServer((_request, response) => response.end('x'.repeat(100_000)))
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  t.after(() => site.close())
  return `http://localhost:${(site.address() as AddressInfo).port}/`
}

const startVendor = async (t: TestContext, username: string) => {
  const accounts = new Map<string, Socks5Account>()
  accounts.set(username, { password: 'pass', expiresAtMs: Infinity, orderId: '0x01' })
  const settings = { accounts: { find: (name: string) => accounts.get(name) }, allowPrivate: true }
  const server = createSocks5Server(effects(direct), settings)
  const listener = await direct.listen({ host: '127.0.0.1', port: 0 }, server.accept)
  t.after(() => listener.close())
  return {
    server,
    accounts,
    address: listener.address,
    bought: { address: listener.address, username, password: 'pass' },
  }
}

const startLocal = async (t: TestContext, network: Network, bought: Parameters<typeof createLocalProxy>[1]) => {
  const listener = await createLocalProxy(effects(network), bought).listen(0)
  t.after(() => listener.close())
  return listener.address.port
}

describe('curl through a local proxy and a vendor', { skip: curlMissing }, () => {
  it('fetches a page as long as the order lasts', async (t) => {
    const url = await startSite(t)
    const { server, accounts, bought } = await startVendor(t, 'order1')
    const port = await startLocal(t, direct, bought)
    assert.deepEqual(await curl(port, url), { code: 0, body: 'x'.repeat(100_000) })
    assert.ok(server.usage('order1').bytesDown > 100_000n)
    accounts.delete('order1')
    server.revoke('order1')
    assert.deepEqual(await curl(port, url), { code: REFUSED, body: '' })
  })

  it('fetches nothing with the credentials of another order', async (t) => {
    const url = await startSite(t)
    const { bought } = await startVendor(t, 'order1')
    const port = await startLocal(t, direct, { ...bought, username: 'order2' })
    assert.deepEqual(await curl(port, url), { code: REFUSED, body: '' })
  })

  it('fetches a page while the buyer hides behind a further proxy', async (t) => {
    const url = await startSite(t)
    const hiding = await startVendor(t, 'hidden')
    const vendor = await startVendor(t, 'order1')
    const proxy = new URL(`socks5h://hidden:pass@127.0.0.1:${hiding.address.port}`)
    const port = await startLocal(t, createNetwork({ proxy }), vendor.bought)
    assert.equal((await curl(port, url)).body.length, 100_000)
    assert.ok(hiding.server.usage('hidden').bytesDown > vendor.server.usage('order1').bytesDown)
  })
})
