/** A rendezvous, a relay and two clients as programs of their own: over loopback, and in networks of their own. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { createNodeEffects } from '../effects/node.ts'
import { recordingProxy } from '../effects/testing.ts'
import { createJose } from '../protocol/jose.ts'
import { createRegistryDoor } from '../rendezvous/client/registry-door.ts'
import { generateIdentity } from '../rendezvous/client/identity.ts'
import { openRendezvousClient } from '../rendezvous/client/index.ts'
import { freePort } from '../scripts/ports.ts'
import { eventually } from './eventually.ts'
import { peerTools } from './peer-tools.ts'

const root = join(import.meta.dirname, '..')
let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chrove-rendezvous-'))
})
after(() => rm(folder, { recursive: true, force: true }))

interface Program {
  /** Its standard output, a line at a time, from JSON. */
  readonly said: Record<string, unknown>[]
  complaints(): string
  type(text: string): void
  /** The end of its standard input. */
  endInput(): void
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
  readonly ended: Promise<number | null>
  /** The first line that has this member. */
  answer(member: string): Promise<Record<string, unknown>>
}

/** `chrove …`, in a network namespace if one is named. */
const chrove = (t: TestContext, home: string, args: readonly string[], namespace?: string): Program => {
  const command = [process.execPath, join(root, 'buyer/main.ts'), ...args, '--json', '--home', join(folder, home)]
  const [file = '', ...rest] = namespace === undefined ? command : ['ip', 'netns', 'exec', namespace, ...command]
  const child = spawn(file, rest, { env: { PATH: process.env.PATH, CHROVE_PASSPHRASE: 'a test' } })
  const said: Record<string, unknown>[] = []
  let [text, complained] = ['', '']
  child.stdout.on('data', (chunk) => {
    const lines = (text + String(chunk)).split('\n')
    text = lines.pop() ?? ''
    said.push(...lines.map((line) => JSON.parse(line) as Record<string, unknown>))
  })
  child.stderr.on('data', (chunk) => (complained += String(chunk)))
  child.stdin.on('error', () => {})
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const stop = (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => {
    child.kill(signal)
    return ended
  }
  t.after(() => stop('SIGKILL'))
  return {
    ...{ said, ended, stop },
    complaints: () => complained,
    type: (line) => void child.stdin.write(`${line}\n`),
    endInput: () => void child.stdin.end(),
    answer: (member) =>
      eventually(`${args.slice(0, 2).join(' ')} says ${member}: ${complained}`, async () => {
        const failure = said.find(({ ok }) => ok === false)
        if (failure) throw new Error(`${JSON.stringify(failure)} ${complained}`)
        return said.find((line) => member in line)
      }),
  }
}

const serve = async (
  t: TestContext,
  name: string,
  { relay = true, host = '127.0.0.1', namespace = undefined as string | undefined, more = [] as string[] } = {},
) => {
  const [port, relayPort, dataPort] = [await freePort(), await freePort(), await freePort()]
  const at = ['--host', host, '--port']
  const carrier = relay
    ? chrove(t, `${name}-relay`, ['relay', 'serve', ...at, `${relayPort}`, '--ports', `${dataPort}`], namespace)
    : undefined
  const relayOption = carrier ? ['--relay', String((await carrier.answer('url')).url)] : []
  const hub = chrove(t, `${name}-hub`, ['rendezvous', 'serve', ...at, `${port}`, ...relayOption, ...more], namespace)
  return { hub, url: String((await hub.answer('url')).url), port, relayOption }
}

const codeOf = ({ said }: Program): unknown => (said[0]?.error as { code?: unknown } | undefined)?.code

const asks = async (asking: Program, listening: Program): Promise<[string, string]> => {
  const [there, here] = [await asking.answer('connected'), await listening.answer('connected')]
  asking.type('are you there?')
  listening.type('yes')
  assert.equal((await listening.answer('text')).text, 'are you there?')
  assert.equal((await asking.answer('text')).text, 'yes')
  for (const one of [asking, listening]) one.endInput()
  assert.deepEqual(
    await Promise.all([asking.ended, listening.ended]),
    [0, 0],
    asking.complaints() + listening.complaints(),
  )
  return [String(there.way), String(here.way)]
}

describe('chrove rendezvous serve, listen and connect', () => {
  it('let two talk, directly, and through the relay when one hides', async (t) => {
    const { url } = await serve(t, 'talk')
    const common = ['--rendezvous', url, '--local']
    for (const [hide, way] of [
      [[], 'direct'],
      [['--hide'], 'relay'],
    ] as const) {
      const listening = chrove(t, 'talk-bob', ['listen', '--accept', 'all', ...common])
      const { uuid } = await listening.answer('uuid')
      const asking = chrove(t, 'talk-alice', ['connect', String(uuid), ...common, ...hide])
      assert.deepEqual(await asks(asking, listening), [way, way])
    }
  })

  it('send files to who accepts known clients, and are denied by who does not know them', async (t) => {
    const { url } = await serve(t, 'files', { relay: false, more: ['--window', '5'] })
    const common = ['--rendezvous', url, '--local']
    const content = Buffer.alloc(300_000, 'chrove ')
    await writeFile(join(folder, 'letter.txt'), content)
    await mkdir(join(folder, 'inbox'))
    const strict = chrove(t, 'files-bob', ['listen', '--accept', 'known', ...common])
    const { uuid } = await strict.answer('uuid')
    const args = ['connect', String(uuid), ...common, '--send', join(folder, 'letter.txt')]
    // Who has asked before is no less a stranger.
    for (let time = 0; time < 2; time++) {
      const stranger = chrove(t, 'files-alice', args)
      assert.equal(await stranger.ended, 3)
      assert.equal(codeOf(stranger), 'ERR_DENIED')
    }
    await strict.stop()
    const inbox = join(folder, 'inbox')
    for (const accept of ['all', 'known']) {
      const listening = chrove(t, 'files-bob', ['listen', '--accept', accept, '--out', inbox, ...common])
      await listening.answer('uuid')
      const sending = chrove(t, 'files-alice', args)
      assert.equal((await sending.answer('sent')).way, 'direct')
      assert.deepEqual(await Promise.all([sending.ended, listening.ended]), [0, 0])
      assert.deepEqual(await readFile(join(inbox, 'letter.txt')), content)
      await rm(join(inbox, 'letter.txt'))
    }
  })

  it('keep what was registered through kill -9, and clients come back by themselves', async (t) => {
    const { hub, url, port } = await serve(t, 'kill', { relay: false })
    const common = ['--rendezvous', url, '--local']
    const listening = chrove(t, 'kill-bob', ['listen', '--accept', 'all', ...common])
    const { uuid } = await listening.answer('uuid')
    const present = async () => {
      const text = await (await fetch(`${url}/metrics`)).text().catch(() => '')
      return /chrove_rendezvous_present 1/.test(text) ? true : undefined
    }
    await eventually('the client is there', present)
    await hub.stop('SIGKILL')
    chrove(t, 'kill-hub', ['rendezvous', 'serve', '--port', `${port}`])
    await eventually('the client is there again', () => present().catch(() => undefined))
    const record = (await (await fetch(`${url}/clients/${String(uuid)}`)).json()) as { version: number }
    assert.equal(record.version, 1)
    const asking = chrove(t, 'kill-alice', ['connect', String(uuid), ...common])
    assert.deepEqual(await asks(asking, listening), ['direct', 'direct'])
  })

  it('give a UUID another key, and those who met it before go with it', async (t) => {
    const { url } = await serve(t, 'change', { relay: false })
    const effects = {
      ...createNodeEffects({ service: 'test', home: join(folder, 'change-alice') }),
      jose: createJose(),
    }
    const registry = createRegistryDoor(effects, url)
    const { uuid, thumbprint: old } = await chrove(t, 'change-bob', ['rendezvous', 'id']).answer('uuid')
    await chrove(t, 'change-bob', ['rendezvous', 'change-key', '--rendezvous', url]).ended
    const found = await registry.find(String(uuid))
    assert.equal(found?.version, 2)
    await registry.remember(found)
    const id = await chrove(t, 'change-bob', ['rendezvous', 'id']).answer('uuid')
    assert.deepEqual([id.uuid, id.thumbprint === old], [uuid, false])
    // A server that shows the first registration alone lies.
    await chrove(t, 'change-bob', ['rendezvous', 'change-key', '--rendezvous', url]).ended
    assert.equal((await registry.find(String(uuid)))?.version, 3)
  })

  it('stop gracefully, and say what is wrong with how they are called', async (t) => {
    const { hub, url } = await serve(t, 'usage', { relay: false })
    const listening = chrove(t, 'usage-bob', ['listen', '--accept', 'all', '--keep', '--rendezvous', url])
    await listening.answer('uuid')
    const wrong: [string[], string][] = [
      [['listen', '--rendezvous', url], 'ERR_USAGE'],
      [['listen', '--accept', 'nobody', '--rendezvous', url], 'ERR_USAGE'],
      [['listen', '--accept', 'all'], 'ERR_SETTING_MISSING'],
      [['connect', 'somebody', '--rendezvous', url], 'ERR_UUID'],
      [['rendezvous', 'serve', '--window', '0'], 'ERR_USAGE'],
    ]
    for (const [args, code] of wrong) {
      const program = chrove(t, 'usage-alice', args)
      assert.ok([1, 2].includes((await program.ended) ?? -1))
      assert.equal(codeOf(program), code, args.join(' '))
    }
    assert.equal(await hub.stop(), 0)
    assert.equal(await listening.stop(), 130)
  })

  it('serve a client that is a library, over a SOCKS proxy for all that goes out', async (t) => {
    const { url } = await serve(t, 'library', { relay: false })
    const { proxy, destinations } = await recordingProxy(t, Number(new URL(url).port))
    const home = join(folder, 'library')
    const effects = {
      ...createNodeEffects({ service: 'test', home, proxy: proxy.href }),
      ...peerTools,
      jose: createJose(),
    }
    const identity = await generateIdentity(effects.jose)
    const client = await openRendezvousClient(effects, {
      ...{
        server: url,
        identity,
        uniform: false,
        hide: true,
        listen: undefined,
        hosts: [],
        allowPrivate: false,
        isProxied: true,
      },
      ...{ decide: async () => 'ignore', connected: () => {}, failed: () => {} },
    })
    const stopping = new AbortController()
    const running = client.run(stopping.signal)
    await eventually('it is there', async () => (client.isPresent() ? true : undefined))
    stopping.abort(new Error('enough'))
    await running
    await client.close()
    // One for looking up and registering, one for being there.
    assert.ok(destinations.length >= 2)
    assert.deepEqual([...new Set(destinations.map(({ port }) => port))], [Number(new URL(url).port)])
  })
})

/** Two clients in networks of their own, joined by a third where server and relay are. */
const layNetworks = (t: TestContext, isOpen: boolean) => {
  const id = `cr${process.pid % 10_000}${isOpen ? 'o' : 'c'}`
  const [middle, left, right] = [`${id}m`, `${id}l`, `${id}r`]
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => {
    for (const name of [left, right, middle]) {
      try {
        ip('netns', 'del', name)
      } catch {
        // It never came to be.
      }
    }
  })
  for (const name of [middle, left, right]) {
    ip('netns', 'add', name)
    ip('-n', name, 'link', 'set', 'lo', 'up')
  }
  for (const [name, net] of [
    [left, '10.77.1'],
    [right, '10.77.2'],
  ] as const) {
    ip('link', 'add', `${name}0`, 'netns', name, 'type', 'veth', 'peer', 'name', `${name}1`, 'netns', middle)
    ip('-n', name, 'addr', 'add', `${net}.2/24`, 'dev', `${name}0`)
    ip('-n', middle, 'addr', 'add', `${net}.1/24`, 'dev', `${name}1`)
    ip('-n', name, 'link', 'set', `${name}0`, 'up')
    ip('-n', middle, 'link', 'set', `${name}1`, 'up')
    ip('-n', name, 'route', 'add', 'default', 'via', `${net}.1`)
  }
  // A machine in the middle that does not forward is a firewall.
  const forward = `echo ${isOpen ? 1 : 0} > /proc/sys/net/ipv4/ip_forward`
  ip('netns', 'exec', middle, 'sh', '-c', forward)
  return { middle, left, right }
}

const noNetworks = ((): string | false => {
  try {
    execFileSync('ip', ['netns', 'add', `crtry${process.pid}`], { stdio: 'ignore' })
    execFileSync('ip', ['netns', 'del', `crtry${process.pid}`], { stdio: 'ignore' })
    return false
  } catch {
    return 'network namespaces are not allowed here'
  }
})()

describe('two clients in networks of their own', { skip: noNetworks }, () => {
  for (const [isOpen, way] of [
    [true, 'direct'],
    [false, 'relay'],
  ] as const) {
    it(isOpen ? 'connect directly' : 'connect through the relay when a firewall is between them', async (t) => {
      const { middle, left, right } = layNetworks(t, isOpen)
      const name = `nets-${way}`
      // Its address on one side is a way to it from the other.
      const { url } = await serve(t, name, { host: '10.77.1.1', namespace: middle })
      const common = ['--rendezvous', url, '--local']
      const listening = chrove(t, `${name}-bob`, ['listen', '--accept', 'all', ...common], right)
      const { uuid } = await listening.answer('uuid')
      const asking = chrove(t, `${name}-alice`, ['connect', String(uuid), ...common], left)
      assert.deepEqual(await asks(asking, listening), [way, way])
    })
  }
})
