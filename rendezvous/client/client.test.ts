import assert from 'node:assert/strict'
import { type Duplex, duplexPair } from 'node:stream'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { utf8, fromUtf8 } from '../../protocol/bytes.ts'
import { REQUEST_WINDOW_SECONDS_MAX } from '../../protocol/limits.ts'
import { signRegistration } from '../../protocol/rendezvous/registration.ts'
import { uuidOf } from '../../protocol/rendezvous/uuid.ts'
import { rsaKeyPair } from '../../sim/rsa-keys.ts'
import { jose, person, SERVER } from '../testing.ts'
import type { Connected } from './index.ts'
import { type Lie, openTestPeers, passUntil, untilIt, whilePassing } from './testing.ts'

const [alice, bob, mallory] = [person(0), person(1), person(2)]
const never = new AbortController().signal

/** Says something in both directions, and ends. */
const talk = async (a: Connected, b: Connected): Promise<void> => {
  for (const [from, to, text] of [
    [a, b, 'hello'],
    [b, a, 'and you'],
  ] as const) {
    const sending = from.stream.send(utf8(text))
    assert.equal(fromUtf8((await to.stream.receive()) ?? new Uint8Array()), text)
    await sending
  }
  const [, end] = await Promise.all([a.stream.end(), b.stream.receive()])
  assert.equal(end, undefined)
}

describe('two clients', () => {
  it('SEED 002 §3.1.1 connect directly once both agree, each sure who the other is', async (t) => {
    const { join } = await openTestPeers(t)
    const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
    const there = await a.client.connect(bob.uuid, never)
    await untilIt(() => b.connected.length === 1)
    const [here] = b.connected
    assert.ok(here)
    assert.deepEqual([there.way, here.way], ['direct', 'direct'])
    assert.deepEqual([there.peer.uuid, here.peer.uuid], [bob.uuid, alice.uuid])
    assert.equal(here.peer.key.n, alice.keys.publicKey.n)
    await talk(there, here)
  })

  it('connect whichever of the two can be reached', async (t) => {
    for (const reachable of ['192.0.2.1', '192.0.2.2']) {
      const { join, world, hub } = await openTestPeers(t)
      world.passes = (_, to) => to === reachable
      const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
      const connection = await a.client.connect(bob.uuid, never)
      await untilIt(() => b.connected.length === 1)
      assert.equal(connection.way, 'direct')
      assert.equal(hub.time.clock.nowMs(), 0)
    }
  })

  it('connect through the relay when no direct way is open, after a head start', async (t) => {
    const { join, world, hub } = await openTestPeers(t)
    world.passes = () => false
    const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
    const connecting = a.client.connect(bob.uuid, never)
    await untilIt(() => hub.time.sleeps.filter((ms) => ms === 3_000).length === 2)
    await hub.time.pass(2_999)
    assert.equal(world.relayJoins, 0)
    const there = await whilePassing(hub.time, connecting)
    await untilIt(() => b.connected.length === 1)
    const [here] = b.connected
    assert.ok(here)
    assert.deepEqual([there.way, here.way], ['relay', 'relay'])
    await talk(there, here)
  })

  it('go through the relay at once, and dial nobody, when one of them hides', async (t) => {
    for (const [aHides, bHides] of [
      [true, false],
      [false, true],
    ] as const) {
      const { join, dialled, doors, hub } = await openTestPeers(t)
      const a = await join(alice, '192.0.2.1', { hide: aHides })
      const b = await join(bob, '192.0.2.2', { hide: bHides })
      const connecting = a.client.connect(bob.uuid, never)
      await untilIt(() => hub.time.sleeps.includes(500) || b.connected.length === 1)
      assert.equal((await whilePassing(hub.time, connecting)).way, 'relay')
      assert.deepEqual([dialled.length, doors.size], [0, 1])
    }
  })

  it('connect when the target takes as long as any rendezvous gives it', async (t) => {
    const windowSeconds = REQUEST_WINDOW_SECONDS_MAX
    await assert.rejects(openTestPeers(t, { windowSeconds: windowSeconds + 1 }), /window/)
    const { join, hub } = await openTestPeers(t, { windowSeconds })
    const a = await join(alice, '192.0.2.1')
    const yes = Promise.withResolvers<'accept'>()
    const b = await join(bob, '192.0.2.2', {}, () => yes.promise)
    const connecting = a.client.connect(bob.uuid, never)
    await untilIt(() => b.asked.length === 1)
    // Pings pass meanwhile.
    for (let second = 10; second < windowSeconds; second += 10) await hub.time.pass(10_000)
    yes.resolve('accept')
    assert.equal((await connecting).way, 'direct')
  })

  it('SEED 002 §3.1.1 need a new request for each connection', async (t) => {
    const { join } = await openTestPeers(t)
    const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
    await a.client.connect(bob.uuid, never)
    await a.client.connect(bob.uuid, never)
    await untilIt(() => b.connected.length === 2)
    assert.equal(b.asked.length, 2)
  })

  it('SEED 002 §3.1.1 are not connected when the target denies or ignores', async (t) => {
    const { join, hub, dialled } = await openTestPeers(t)
    const a = await join(alice, '192.0.2.1')
    const answers = ['deny', 'ignore'] as const
    let count = 0
    await join(bob, '192.0.2.2', {}, () => answers[count++] ?? 'deny')
    await assert.rejects(a.client.connect(bob.uuid, never), { code: 'ERR_DENIED', retryable: true })
    const ignored = assert.rejects(a.client.connect(bob.uuid, never), { code: 'ERR_DENIED' })
    await untilIt(() => count === 2)
    await hub.time.pass(60_000)
    await ignored
    assert.deepEqual(dialled, [])
  })

  it('know each other once they were connected, and not for having asked', async (t) => {
    const { join } = await openTestPeers(t)
    const a = await join(alice, '192.0.2.1')
    const answers = ['deny', 'deny', 'accept', 'accept'] as const
    let count = 0
    const b = await join(bob, '192.0.2.2', {}, () => answers[count++] ?? 'deny')
    for (let time = 0; time < 2; time++) await assert.rejects(a.client.connect(bob.uuid, never), { code: 'ERR_DENIED' })
    const first = await a.client.connect(bob.uuid, never)
    await untilIt(() => b.connected.length === 1)
    const met = [first, await a.client.connect(bob.uuid, never)]
    const known = [false, false, false, true]
    assert.deepEqual(
      b.asked.map(({ isKnown }) => isKnown),
      known,
    )
    assert.deepEqual(
      met.map(({ peer }) => peer.isKnown),
      [false, true],
    )
  })

  it('SEED 002 §3.1.2 are told at once that the other is offline, or unknown', async (t) => {
    const { join, hub } = await openTestPeers(t)
    await hub.put(bob.uuid, await hub.registration(bob))
    const a = await join(alice, '192.0.2.1')
    await assert.rejects(a.client.connect(bob.uuid, never), { code: 'ERR_DENIED' })
    await assert.rejects(a.client.connect(mallory.uuid, never), { code: 'ERR_CLIENT_UNKNOWN' })
  })

  it('are told to both that no way is open, where there is no relay', async (t) => {
    const { join, world, hub } = await openTestPeers(t, { relay: undefined })
    world.passes = () => false
    const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
    const failing = assert.rejects(a.client.connect(bob.uuid, never), { code: 'ERR_PEER_UNREACHABLE' })
    await untilIt(() => hub.time.sleeps.filter((ms) => ms === 20_000).length === 2)
    await hub.time.pass(20_000)
    await failing
    await untilIt(() => b.failed.length === 1)
  })

  it('may give it up: the target hears that it is over', async (t) => {
    const { join } = await openTestPeers(t)
    const a = await join(alice, '192.0.2.1')
    let over: AbortSignal | undefined
    await join(bob, '192.0.2.2', {
      decide: ({ signal }) => {
        over = signal
        return new Promise(() => {})
      },
    })
    const giveUp = new AbortController()
    const failing = assert.rejects(a.client.connect(bob.uuid, giveUp.signal), /enough/)
    await untilIt(() => over !== undefined)
    giveUp.abort(new Error('enough'))
    await failing
    await untilIt(() => over?.aborted === true)
  })
})

describe('being there', () => {
  it('is kept up: after a break it is made again, after a pause', async (t) => {
    const { join, hub, breakOff, world } = await openTestPeers(t)
    const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
    await a.client.connect(bob.uuid, never)
    world.isAway = true
    breakOff()
    await untilIt(() => hub.time.sleeps.some((ms) => ms >= 500 && ms <= 1_000))
    await hub.time.pass(20_000)
    world.isAway = false
    await passUntil(hub.time, () => a.client.isPresent() && b.client.isPresent())
    const again = await a.client.connect(bob.uuid, never)
    await untilIt(() => b.connected.length === 2)
    assert.equal(again.way, 'direct')
  })

  it('fails what was under way when it breaks, so that it can be tried again', async (t) => {
    const { join, breakOff } = await openTestPeers(t)
    const a = await join(alice, '192.0.2.1')
    const b = await join(bob, '192.0.2.2', {}, () => new Promise(() => {}))
    const failing = assert.rejects(a.client.connect(bob.uuid, never), {
      code: 'ERR_RENDEZVOUS_UNREACHABLE',
      retryable: true,
    })
    await untilIt(() => b.asked.length === 1)
    breakOff()
    await failing
  })

  it('says something often enough not to be taken for gone, and notices a server that is', async (t) => {
    const { join, hub, world } = await openTestPeers(t)
    const a = await join(alice, '192.0.2.1')
    await join(bob, '192.0.2.2')
    await a.client.connect(bob.uuid, never)
    for (let minute = 0; minute < 10; minute++) await hub.time.pass(30_000)
    assert.match((await hub.get('/metrics')).text, /chrove_rendezvous_present 2/)
    assert.doesNotMatch((await hub.get('/metrics')).text, /endings_total\{why/)
    world.lie = () => []
    for (let step = 0; step < 4; step++) await hub.time.pass(30_000)
    assert.match((await hub.get('/metrics')).text, /endings_total\{why="closed"\} [24]/)
  })

  it('ends when the same client is somewhere else, and where its key is not the registered one', async (t) => {
    const { join } = await openTestPeers(t)
    const old = await join(alice, '192.0.2.1')
    await join(bob, '192.0.2.2')
    await old.client.connect(bob.uuid, never)
    await join(alice, '192.0.2.3')
    await assert.rejects(old.running, { code: 'ERR_REPLACED' })
    const thief = await join({ uuid: alice.uuid, keys: mallory.keys }, '192.0.2.4')
    await assert.rejects(thief.running, { code: 'ERR_TAKEN' })
  })

  it('ends with what goes wrong while one who asks is decided about, such as an interruption', async (t) => {
    const { join } = await openTestPeers(t)
    const a = await join(alice, '192.0.2.1')
    const b = await join(bob, '192.0.2.2', {}, () => Promise.reject(new Error('interrupted')))
    await assert.rejects(a.client.connect(bob.uuid, never), { code: 'ERR_DENIED' })
    await assert.rejects(b.running, /interrupted/)
  })

  it('ends where the server has another name than the one that was given', async (t) => {
    const { join, world } = await openTestPeers(t)
    world.lie = (message) => (message.type === 'challenge' ? { ...message, server: 'http://bank.example' } : message)
    const a = await join(alice, '192.0.2.1')
    await assert.rejects(a.running, { code: 'ERR_RENDEZVOUS_ANSWER' })
  })
})

describe('a hostile server', () => {
  const someUuid = uuidOf(new Uint8Array(16).fill(9), 4)
  const randomBob = { ...bob, uuid: someUuid }

  /** What a server makes up for a UUID: a record with a key of its own. */
  const madeUp = async (uuid: string, index: number, version = 1) => {
    const keys = rsaKeyPair(index)
    const fresh = { server: SERVER, uuid, version, tsSeconds: 0, nonce: new Uint8Array(16) }
    const registration = await signRegistration(jose, fresh, keys)
    const { kty, n, e } = keys.publicKey
    return JSON.stringify({ uuid, publicKey: { kty, n, e }, version, pinned: false, history: [registration] })
  }

  it('cannot swap the key of a UUID that follows from one', async (t) => {
    const { join, world } = await openTestPeers(t)
    const [a] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
    const lie = await madeUp(bob.uuid, 2)
    await a.client.connect(bob.uuid, never)
    world.record = (text, uuid) => (uuid === bob.uuid ? lie : text)
    await assert.rejects(a.client.connect(bob.uuid, never), { code: 'ERR_PEER_UNTRUSTED', retryable: false })
  })

  it('cannot swap the key of any client that was met before', async (t) => {
    const { join, world, memory } = await openTestPeers(t)
    const files = memory()
    const [a] = [await join(alice, '192.0.2.1', {}, undefined, files), await join(randomBob, '192.0.2.2')]
    await a.client.connect(someUuid, never)
    const lie = await madeUp(someUuid, 2, 5)
    world.record = (text, uuid) => (uuid === someUuid ? lie : text)
    await assert.rejects(a.client.connect(someUuid, never), { code: 'ERR_PEER_UNTRUSTED' })
  })

  it('cannot make up a consent, replay one, or put in another address', async (t) => {
    const lies: Record<string, Lie> = {
      'addresses that nobody signed': (message, to) =>
        message.type === 'addresses' && to === alice.uuid && message.addresses
          ? { ...message, addresses: { ...message.addresses, signature: 'AAAA' } }
          : message,
      'no addresses at all': (message, to) => {
        if (message.type !== 'addresses' || to !== alice.uuid) return message
        const { addresses: _, ...others } = message
        return others
      },
      'a consent that is the request itself': (message, to) => {
        const asked = seen.get('request')
        return message.type === 'addresses' && to === alice.uuid && asked ? { ...message, addresses: asked } : message
      },
      'the consent to an earlier request': (message, to) => {
        const first = seen.get('first')
        return message.type === 'addresses' && to === alice.uuid && first ? { ...message, addresses: first } : message
      },
    }
    const seen = new Map<string, { payload: string; protected: string; signature: string }>()
    for (const [what, lie] of Object.entries(lies)) {
      const { join, world } = await openTestPeers(t)
      const [a] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
      world.lie = (message, to) => {
        if (message.type === 'request') seen.set('request', message.request)
        if (message.type === 'addresses' && to === alice.uuid && message.addresses) seen.set('first', message.addresses)
        return message
      }
      await a.client.connect(bob.uuid, never)
      const kept = new Map(seen)
      world.lie = (message, to) => {
        for (const [name, jws] of kept) seen.set(name, jws)
        return lie(message, to)
      }
      await assert.rejects(a.client.connect(bob.uuid, never), { code: 'ERR_PEER_UNTRUSTED' }, what)
    }
  })

  it('cannot have a request heard twice, or one that nobody made', async (t) => {
    const { join, world } = await openTestPeers(t)
    const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
    world.lie = (message) => (message.type === 'request' ? [message, message] : message)
    await a.client.connect(bob.uuid, never)
    await untilIt(() => b.connected.length === 1)
    assert.equal(b.asked.length, 1)
    let forged = 0
    world.lie = (message) => {
      if (message.type !== 'request') return message
      forged++
      return { ...message, request: { ...message.request, signature: 'AAAA' } }
    }
    const giveUp = new AbortController()
    const failing = assert.rejects(a.client.connect(bob.uuid, giveUp.signal), /enough/)
    await untilIt(() => forged === 1)
    giveUp.abort(new Error('enough'))
    await failing
    world.lie = (message) => message
    await a.client.connect(bob.uuid, never)
    assert.equal(b.asked.length, 2)
  })

  it('that sends a client to another machine gives it no peer: nothing but a knock is said there', async (t) => {
    const { join, world, doors, hub } = await openTestPeers(t)
    const [a] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
    let said = Buffer.alloc(0)
    world.passes = (_, to) => to === '198.51.100.1'
    world.lie = (message, to) =>
      message.type === 'addresses' && to === alice.uuid ? { ...message, observed: '198.51.100.1' } : message
    const knockedAt = (end: Duplex) => end.on('data', (chunk: Buffer) => (said = Buffer.concat([said, chunk])))
    for (const [name] of [...doors]) doors.set(`198.51.100.1:${name.split(':')[1]}`, knockedAt)
    const connecting = a.client.connect(bob.uuid, never)
    await untilIt(() => said.length > 0)
    assert.equal((await whilePassing(hub.time, connecting)).way, 'relay')
    // Magic and hash, and a share: nothing that names anybody.
    assert.equal(said.length, 13 + 32 + 32)
    for (const secret of [alice.uuid, bob.uuid]) assert.ok(!said.toString('latin1').includes(secret))
  })

  it('cannot make a client connect to its own network, unless that is wanted', async (t) => {
    const { join, world, dialled, doors, hub } = await openTestPeers(t)
    const strict = { allowPrivate: false }
    const [a] = [await join(alice, '11.0.0.1', strict), await join(bob, '11.0.0.2', { ...strict, hosts: ['10.0.0.7'] })]
    let reached = 0
    world.passes = (from, to) => {
      if (to !== '11.0.0.1' && to !== '11.0.0.2') reached++
      return from === ''
    }
    world.lie = (message) => (message.type === 'addresses' ? { ...message, observed: '127.0.0.1' } : message)
    for (const [name, door] of [...doors]) {
      for (const host of ['10.0.0.7', '127.0.0.1']) doors.set(`${host}:${name.split(':')[1]}`, door)
    }
    const connecting = a.client.connect(bob.uuid, never)
    await untilIt(() => dialled.includes('10.0.0.7') && dialled.includes('127.0.0.1'))
    assert.equal((await whilePassing(hub.time, connecting)).way, 'relay')
    assert.equal(reached, 0)
  })

  it('stands any message', async (t) => {
    const { join, world, hub } = await openTestPeers(t)
    const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
    await a.client.connect(bob.uuid, never)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.anything(), { maxLength: 5 }), fc.boolean(), async (nonsense, isBefore) => {
        const shaped = nonsense.map((value) => ({ ...Object(value), type: 'addresses' }) as never)
        world.lie = (message) => {
          if (['pong', 'challenge', 'welcome'].includes(message.type)) return message
          return isBefore ? [...shaped, message] : [message, ...shaped]
        }
        await whilePassing(hub.time, a.client.connect(bob.uuid, never)).catch((error: unknown) => {
          assert.match(String((error as { code?: string }).code), /^ERR_/)
        })
      }),
      { numRuns: 20 },
    )
    assert.ok(b.asked.length > 0)
  })
})

describe('a hostile client', () => {
  it('cannot make one who hides connect to it, whatever it shares', async (t) => {
    const { join, hub, dialled } = await openTestPeers(t, { relay: undefined })
    const a = await join(alice, '192.0.2.1', { hide: true })
    const b = await hub.join(bob, '192.0.2.2')
    const connecting = a.client.connect(bob.uuid, never)
    const { payload } = (await b.next('request')).request
    const { request } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { request: string }
    b.send(await hub.accept({ request, from: bob, to: alice, port: 4_000, hosts: ['198.51.100.1'] }))
    await assert.rejects(connecting, { code: 'ERR_PEER_UNREACHABLE' })
    assert.deepEqual(dialled, [])
  })

  it('that is accepted and proves nothing is no peer', async (t) => {
    const { join, hub, doors } = await openTestPeers(t, { relay: undefined })
    const a = await join(alice, '192.0.2.1')
    const b = await hub.join(bob, '192.0.2.2')
    // It is there with the key of the UUID, and who takes the connection has another.
    doors.set('192.0.2.2:4000', (end) => end.on('data', () => end.write(Buffer.alloc(304, 9))))
    const connecting = a.client.connect(bob.uuid, never)
    const { payload } = (await b.next('request')).request
    const { request } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { request: string }
    b.send(await hub.accept({ request, from: bob, to: alice, port: 4_000 }))
    const failing = assert.rejects(connecting, { code: 'ERR_PEER_UNREACHABLE' })
    await whilePassing(hub.time, failing)
  })
})

describe('whoever is between two clients', () => {
  it('can keep them from a direct connection, and not be part of it', async (t) => {
    const taps: Record<string, (end: Duplex) => Duplex> = {
      'changes a byte': (end) => {
        const [near, far] = duplexPair()
        for (const each of [near, far]) each.on('error', () => {})
        let count = 0
        end.on('data', (chunk: Buffer) => far.write(chunk.map((byte) => (++count === 20 ? byte ^ 1 : byte))))
        far.on('data', (chunk: Buffer) => end.write(chunk))
        far.once('close', () => end.destroy())
        end.once('close', () => far.destroy())
        return near
      },
      'answers itself': () => {
        const [near, far] = duplexPair()
        for (const each of [near, far]) each.on('error', () => {})
        far.on('data', () => far.write(Buffer.alloc(1_000, 7)))
        return near
      },
    }
    for (const [what, tap] of Object.entries(taps)) {
      const { join, world, hub } = await openTestPeers(t)
      world.tap = tap
      const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
      const connecting = a.client.connect(bob.uuid, never)
      await untilIt(() => hub.time.sleeps.filter((ms) => ms === 3_000).length === 2)
      assert.equal((await whilePassing(hub.time, connecting)).way, 'relay', what)
      await untilIt(() => b.connected.length === 1)
    }
  })

  it('learns nothing from an open port, and cannot fill it', async (t) => {
    const { join, doors, hub } = await openTestPeers(t)
    const a = await join(alice, '192.0.2.1')
    await join(bob, '192.0.2.2', {}, () => new Promise(() => {}))
    const [door] = [...doors].filter(([name]) => name.startsWith('192.0.2.1')).map(([, accept]) => accept)
    assert.ok(door)
    const stranger = () => {
      const [near, far] = duplexPair()
      const heard: Buffer[] = []
      near.on('error', () => {}).on('data', (chunk: Buffer) => heard.push(chunk))
      far.on('error', () => {})
      door(far, { host: '203.0.113.1', port: 1 })
      return { far, near, heard }
    }
    const silent = Array.from({ length: 64 }, stranger)
    // No more at once; and none for long.
    assert.ok(stranger().far.destroyed)
    await hub.time.pass(5_000)
    assert.ok(silent.every(({ far }) => far.destroyed))
    const knocking = stranger()
    knocking.near.write(Buffer.alloc(77, 1))
    await untilIt(() => hub.time.sleeps.filter((ms) => ms === 5_000).length === 65)
    await hub.time.pass(5_000)
    assert.ok(knocking.far.destroyed)
    assert.deepEqual(
      [...silent, knocking].flatMap(({ heard }) => heard),
      [],
    )
    assert.equal(a.connected.length + hub.log.said.length, 0)
  })
})
