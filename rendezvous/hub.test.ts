import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createTestTime } from '../effects/testing.ts'
import type { ServerMessage } from '../protocol/rendezvous/messages.ts'
import { BLOCKS_MAX } from './limits.ts'
import { newDisk, openTestRendezvous, person, requestId, type TestClient } from './testing.ts'

const [alice, bob, carol] = [person(0), person(1), person(2)]

/** Everything that was said to it has been dealt with. */
const settled = async (client: TestClient) => {
  const before = client.heard.length
  client.send({ type: 'ping' })
  while (!client.heard.slice(before).some(({ type }) => type === 'pong'))
    await new Promise((resolve) => setImmediate(resolve))
}

describe('connection requests', () => {
  it('tell the same, and at the same time, of a target with uniform answers that denies, ignores, is away or blocks', async (t) => {
    const behaviours: Record<string, (bob: TestClient, request: string) => unknown> = {
      denies: (b, request) => b.send({ type: 'deny', request }),
      'denies late': () => {},
      ignores: () => {},
      leaves: (b) => b.hangUp(),
      'was away before': () => {},
      blocks: () => {},
    }
    const stories: string[] = []
    for (const [what, behave] of Object.entries(behaviours)) {
      const time = createTestTime()
      const { join, ask } = await openTestRendezvous(t, { windowSeconds: 60 }, { time, disk: newDisk() })
      const b = await join(bob, '192.0.2.2', { uniform: true })
      if (what === 'was away before') b.hangUp()
      if (what === 'blocks') b.send({ type: 'block', uuid: alice.uuid })
      const a = await join(alice)
      const heard: string[] = []
      const request = '00000000-0000-4000-8000-00000000abcd'
      let noted = 0
      const note = () => {
        for (const message of a.heard.slice(noted)) {
          if ('request' in message) heard.push(`${time.clock.nowMs()} ${JSON.stringify(message)}`)
        }
        noted = a.heard.length
      }
      a.send(await ask({ request, from: alice, to: bob }))
      await settled(a)
      if (what === 'blocks') assert.ok(!b.heard.some(({ type }) => type === 'request'))
      behave(b, request)
      for (let second = 1; second <= 61; second++) {
        await time.pass(1_000)
        if (what === 'denies late' && second === 50) b.send({ type: 'deny', request })
        note()
      }
      stories.push(heard.join('\n'))
    }
    assert.equal(
      stories[0],
      `60000 ${JSON.stringify({ type: 'denied', request: '00000000-0000-4000-8000-00000000abcd' })}`,
    )
    assert.equal(new Set(stories).size, 1, stories.join('\n---\n'))
  })

  it('are over for the target when the source takes them back or leaves', async (t) => {
    const { join, ask } = await openTestRendezvous(t)
    const [a, b] = [await join(alice), await join(bob)]
    const [first, second] = [requestId(), requestId()]
    a.send(await ask({ request: first, from: alice, to: bob }))
    await b.next('request')
    a.send({ type: 'cancel', request: first })
    assert.equal((await b.next('over')).request, first)
    a.send(await ask({ request: second, from: alice, to: bob }))
    await b.next('request')
    a.hangUp()
    assert.equal((await b.next('over')).request, second)
  })

  it('are denied when the target leaves', async (t) => {
    const { join, ask } = await openTestRendezvous(t)
    const [a, b] = [await join(alice), await join(bob)]
    const request = requestId()
    a.send(await ask({ request, from: alice, to: bob }))
    await b.next('request')
    b.hangUp()
    assert.equal((await a.next('denied')).request, request)
  })

  it('of one who hides, and to one who hides, show no address to either: a relay is all they get', async (t) => {
    for (const [sourceHides, targetHides] of [
      [true, false],
      [false, true],
      [true, true],
    ]) {
      const { join, ask, accept } = await openTestRendezvous(t, { relay: 'http://relay.example' })
      const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
      const request = requestId()
      const shown = sourceHides === true ? {} : { port: 4_001, hosts: ['192.0.2.1'] }
      a.send(await ask({ request, from: alice, to: bob, hide: sourceHides === true, ...shown }))
      await b.next('request')
      b.send(await accept({ request, from: bob, to: alice, hide: targetHides === true }))
      const [atAlice, atBob] = [await a.next('addresses'), await b.next('addresses')]
      assert.deepEqual([atAlice.observed, atBob.observed], [undefined, undefined])
      assert.equal(atBob.addresses === undefined, targetHides)
      assert.deepEqual(atAlice.relay, atBob.relay)
      assert.match(atAlice.relay?.code ?? '', /^[0-9a-f]{24}-[a-z]+-[a-z]+$/)
    }
  })

  it('get a channel of the relay of their own', async (t) => {
    const { join, ask, accept } = await openTestRendezvous(t, { relay: 'http://relay.example' })
    const [a, b] = [await join(alice), await join(bob)]
    const codes = new Set<string | undefined>()
    for (let count = 0; count < 3; count++) {
      const request = requestId()
      a.send(await ask({ request, from: alice, to: bob }))
      await b.next('request')
      b.send(await accept({ request, from: bob, to: alice }))
      codes.add((await a.next('addresses')).relay?.code)
      await b.next('addresses')
    }
    assert.equal(codes.size, 3)
  })

  it('are answered by their target alone', async (t) => {
    const { join, ask, accept } = await openTestRendezvous(t)
    const [a, b, c] = [await join(alice), await join(bob), await join(carol)]
    const request = requestId()
    a.send(await ask({ request, from: alice, to: bob }))
    await b.next('request')
    c.send(await accept({ request, from: carol, to: alice }))
    await c.next('over')
    c.send({ type: 'deny', request })
    c.send({ type: 'cancel', request })
    await settled(c)
    assert.deepEqual(
      a.heard.map(({ type }) => type),
      ['challenge', 'welcome'],
    )
    // In another's name it is a lie.
    c.send(await accept({ request, from: bob, to: alice }))
    while (!c.heard.some(({ type }) => type === 'refused')) await settled(c)
  })

  it('are refused in the name of another, to oneself, with an id that is in use, old, or for another server', async (t) => {
    const { join, ask } = await openTestRendezvous(t)
    const [a] = [await join(alice), await join(bob)]
    const inUse = requestId()
    a.send(await ask({ request: inUse, from: alice, to: bob }))
    const lies = [
      await ask({ request: requestId(), from: bob, to: alice }),
      await ask({ request: requestId(), from: alice, to: alice }),
      await ask({ request: inUse, from: alice, to: bob }),
      await ask({ request: requestId(), from: alice, to: bob }, { server: 'http://other.example' }),
      {
        ...(await ask({ request: requestId(), from: alice, to: bob })),
        addresses: (await ask({ request: inUse, from: alice, to: bob })).addresses,
      },
    ]
    for (const lie of lies) {
      a.send(lie)
      assert.equal((await a.next('refused')).code, 'ERR_REQUEST')
    }
    a.send(await ask({ request: requestId(), from: alice, to: bob }, { ts: 10_000 }))
    assert.equal((await a.next('refused')).code, 'ERR_REQUEST')
    assert.equal((await a.next('bye')).why, 'refused')
  })

  it('are limited: under way and in a minute, of a source, of a pair, to a target, the same whether it is there', async (t) => {
    const few = { pendingPerSourceMax: 2, requestsPerPairMinute: 5 }
    const outcomes: (string | undefined)[][] = []
    for (const isThere of [true, false]) {
      const { join, ask } = await openTestRendezvous(t, few)
      const a = await join(alice)
      const b = await join(bob, '192.0.2.2', { uniform: true })
      if (!isThere) b.hangUp()
      const ids = Array.from({ length: 8 }, requestId)
      const answers: (string | undefined)[] = []
      for (const [place, request] of ids.entries()) {
        a.send(await ask({ request, from: alice, to: bob }))
        await settled(a)
        const answer = a.heard.find((message) => 'request' in message && message.request === request)
        answers.push(answer && (answer.type === 'refused' ? answer.code : answer.type))
        if (place === 2) for (const id of ids.slice(0, 2)) a.send({ type: 'cancel', request: id })
        if (place === 4) for (const id of ids.slice(3, 5)) a.send({ type: 'cancel', request: id })
      }
      outcomes.push(answers)
    }
    const late = 'ERR_TOO_MANY'
    assert.deepEqual(outcomes[0], [undefined, undefined, late, undefined, undefined, undefined, late, late])
    assert.deepEqual(outcomes[1], outcomes[0])
  })

  it('of many sources to one target are limited too', async (t) => {
    const { join, ask } = await openTestRendezvous(t, { requestsPerTargetMinute: 3, pendingPerTargetMax: 2 })
    const b = await join(bob)
    const codes: (string | undefined)[] = []
    for (let index = 2; index < 6; index++) {
      const who = person(index)
      const client = await join(who, `192.0.2.${index}`)
      const request = requestId()
      client.send(await ask({ request, from: who, to: bob }))
      await settled(client)
      codes.push(client.heard.map((message) => (message.type === 'refused' ? message.code : undefined)).find(Boolean))
      if (index === 4) for (const message of b.heard) if (message.type === 'request') b.send({ type: 'deny', request })
    }
    assert.deepEqual(codes, [undefined, undefined, 'ERR_TOO_MANY', 'ERR_TOO_MANY'])
  })
})

describe('a crowd of clients at one place', () => {
  const crowd = [2, 3, 4, 5].map(person)
  const codesOf = ({ heard }: TestClient) =>
    heard.flatMap((message) => (message.type === 'refused' ? message.code : []))

  it('has a share of what is under way to a target, and leaves the rest to others', async (t) => {
    const { join, ask } = await openTestRendezvous(t, { pendingPerTargetMax: 5 })
    const b = await join(bob)
    const codes: string[] = []
    for (const who of crowd) {
      const client = await join(who, '192.0.2.66')
      for (let time = 0; time < 2; time++) client.send(await ask({ request: requestId(), from: who, to: bob }))
      await settled(client)
      codes.push(...codesOf(client))
    }
    assert.deepEqual(codes, Array(4).fill('ERR_TOO_MANY'))
    const a = await join(alice, '192.0.2.7')
    a.send(await ask({ request: requestId(), from: alice, to: bob }))
    await settled(a)
    assert.deepEqual([codesOf(a), b.heard.filter(({ type }) => type === 'request').length], [[], 5])
  })

  it('has a share of what a target hears in a minute', async (t) => {
    const { join, ask } = await openTestRendezvous(t, { requestsPerPairMinute: 3, requestsPerTargetMinute: 4 })
    const b = await join(bob)
    for (const who of crowd) {
      const client = await join(who, '192.0.2.66')
      for (let time = 0; time < 2; time++) {
        const request = requestId()
        client.send(await ask({ request, from: who, to: bob }))
        client.send({ type: 'cancel', request })
      }
      await settled(client)
    }
    const a = await join(alice, '192.0.2.7')
    a.send(await ask({ request: requestId(), from: alice, to: bob }))
    await settled(a)
    assert.deepEqual([codesOf(a), b.heard.filter(({ type }) => type === 'request').length], [[], 4])
  })

  it('uses up nothing of a target that has blocked it', async (t) => {
    const { join, ask } = await openTestRendezvous(t, { pendingPerTargetMax: 2, requestsPerTargetMinute: 2 })
    const b = await join(bob, '192.0.2.2', { uniform: true })
    for (const { uuid } of crowd) b.send({ type: 'block', uuid })
    await settled(b)
    for (const [index, who] of crowd.entries()) {
      const client = await join(who, `192.0.2.${index + 60}`)
      client.send(await ask({ request: requestId(), from: who, to: bob }))
      await settled(client)
    }
    const a = await join(alice, '192.0.2.7')
    a.send(await ask({ request: requestId(), from: alice, to: bob }))
    await settled(a)
    assert.deepEqual([codesOf(a), b.heard.filter(({ type }) => type === 'request').length], [[], 1])
  })
})

describe('blocks', () => {
  it('look like a denial, last, and can be undone', async (t) => {
    const disk = newDisk()
    const first = await openTestRendezvous(t, {}, { disk, time: createTestTime() })
    const b = await first.join(bob)
    b.send({ type: 'block', uuid: alice.uuid })
    assert.deepEqual(await b.next('blocked'), { type: 'blocked', uuid: alice.uuid, blocked: true })
    first.life.end()
    const { join, ask } = await openTestRendezvous(t, {}, { disk, time: createTestTime() })
    const [a, again] = [await join(alice), await join(bob)]
    const request = requestId()
    a.send(await ask({ request, from: alice, to: bob }))
    assert.deepEqual(await a.next('denied'), { type: 'denied', request })
    again.send({ type: 'unblock', uuid: alice.uuid })
    await again.next('blocked')
    a.send(await ask({ request: requestId(), from: alice, to: bob }))
    await again.next('request')
  })

  it('have a bound', async (t) => {
    const { join } = await openTestRendezvous(t, { messagesPerSecond: 10_000 })
    const b = await join(bob)
    for (let count = 0; count <= BLOCKS_MAX; count++) b.send({ type: 'block', uuid: requestId() })
    await settled(b)
    while (!b.heard.some((message) => message.type === 'refused' && message.code === 'ERR_BLOCKS_FULL'))
      await settled(b)
  })
})

describe('the hub', () => {
  it('keeps the newest of several connections of one client', async (t) => {
    const { join, ask } = await openTestRendezvous(t)
    const [a, old, young] = [await join(alice), await join(bob), await join(bob)]
    assert.equal((await old.next('bye')).why, 'replaced')
    assert.ok(old.isClosed)
    a.send(await ask({ request: requestId(), from: alice, to: bob }))
    await young.next('request')
    // The end of the old one is not the end of the client.
    old.hangUp()
    a.send(await ask({ request: requestId(), from: alice, to: bob }))
    await young.next('request')
  })

  it('gives a replayed presence to nobody: each challenge is another', async (t) => {
    const { join, connect } = await openTestRendezvous(t)
    let recorded: string | undefined
    const spy = connect()
    const { send } = spy
    spy.send = (message) => {
      recorded ??= JSON.stringify(message)
      send(message)
    }
    await join(alice)
    await spy.present(alice)
    await spy.next('welcome')
    const replaying = connect()
    await replaying.next('challenge')
    replaying.send(recorded)
    assert.equal((await replaying.next('refused')).code, 'ERR_PRESENCE')
  })

  it('ends those who do not say who they are, say nothing for long, or too much', async (t) => {
    const { join, connect, time } = await openTestRendezvous(t)
    const stranger = connect()
    const a = await join(alice)
    await time.pass(9_999)
    assert.ok(!stranger.isClosed)
    await time.pass(1)
    assert.ok(stranger.isClosed)
    await time.pass(60_000)
    await settled(a)
    await time.pass(89_000)
    assert.ok(!a.isClosed)
    await time.pass(1_000)
    assert.ok(a.isClosed)
    const b = await join(bob)
    for (let count = 0; count < 40; count++) b.send({ type: 'ping' })
    while (!b.isClosed) await new Promise((resolve) => setImmediate(resolve))
    const last = b.heard.slice(-2) as ServerMessage[]
    assert.deepEqual(last, [
      { type: 'refused', code: 'ERR_TOO_MANY' },
      { type: 'bye', why: 'refused' },
    ])
  })

  it('limits connections: of a place, of strangers, in a minute, and all together', async (t) => {
    const accept = (
      service: Awaited<ReturnType<typeof openTestRendezvous>>['service'],
      peerHost: string,
      path = '/connect',
    ) => service.accept({ peerHost, forwarded: undefined, path })
    const strangers = await openTestRendezvous(t, { strangersPerPlaceMax: 2 })
    const [one] = [strangers.connect('2001:db8::1'), strangers.connect('2001:db8::2')]
    assert.equal(accept(strangers.service, '2001:db8::3'), 429)
    assert.equal(typeof accept(strangers.service, '2001:db8:0:1::3'), 'function')
    one?.hangUp()
    assert.equal(typeof accept(strangers.service, '2001:db8::3'), 'function')
    const places = await openTestRendezvous(t, { connectionsPerPlaceMax: 1 })
    await places.join(alice, '192.0.2.1')
    assert.equal(accept(places.service, '192.0.2.1'), 429)
    const all = await openTestRendezvous(t, { connectionsMax: 1 })
    await all.join(alice, '192.0.2.1')
    assert.equal(accept(all.service, '192.0.2.2'), 503)
    assert.equal(accept(all.service, '192.0.2.2', '/else'), 404)
    const often = await openTestRendezvous(t, { connectsPerMinute: 2 })
    for (let count = 0; count < 2; count++) often.connect().hangUp()
    assert.equal(accept(often.service, '192.0.2.1'), 429)
  })

  it('sees through configured proxies, and is not told stories by others', async (t) => {
    const { put, registration, connect, join, ask, accept } = await openTestRendezvous(t, {
      trustedProxies: ['10.0.0.1'],
    })
    const b = await join(bob, '192.0.2.2')
    for (const [peer, forwarded, seen] of [
      ['10.0.0.1', '203.0.113.66, 192.0.2.7', '192.0.2.7'],
      ['192.0.2.8', '203.0.113.66', '192.0.2.8'],
      ['2001:db8::5', '203.0.113.66', '2001:db8::5'],
    ] as const) {
      await put(alice.uuid, await registration(alice))
      const a = connect(peer, forwarded)
      await a.present(alice)
      await a.next('welcome')
      const request = requestId()
      a.send(await ask({ request, from: alice, to: bob }))
      await b.next('request')
      b.send(await accept({ request, from: bob, to: alice }))
      assert.equal((await b.next('addresses')).observed, seen)
    }
  })

  it('stands any message, before and after presence, and says nothing of it to others', async (t) => {
    const { join, connect, log } = await openTestRendezvous(t, {
      ...{ connectsPerMinute: 10_000, registrationsPerMinute: 10_000, messagesPerSecond: 10_000 },
    })
    const b = await join(bob)
    const jws = fc.record({ payload: fc.base64String(), protected: fc.base64String(), signature: fc.base64String() })
    const type = fc.constantFrom('present', 'request', 'accept', 'deny', 'cancel', 'block', 'unblock', 'ping', 'else')
    const shaped = fc.record(
      {
        type,
        request: fc.oneof(jws, fc.uuid({ version: 4 }), fc.string()),
        addresses: jws,
        presence: jws,
        uuid: fc.uuid(),
      },
      { requiredKeys: ['type'] },
    )
    const message = fc.oneof(fc.string(), fc.json(), shaped, fc.constant(undefined))
    await fc.assert(
      fc.asyncProperty(message, fc.boolean(), async (sent, isPresent) => {
        const client = isPresent ? await join(alice) : connect()
        client.send(sent)
        client.send({ type: 'ping' })
        while (!client.isClosed && !client.heard.some(({ type: said }) => said === 'pong'))
          await new Promise((resolve) => setImmediate(resolve))
        client.hangUp()
      }),
      { numRuns: 200 },
    )
    assert.deepEqual(
      b.heard.map(({ type: said }) => said),
      ['challenge', 'welcome'],
    )
    assert.deepEqual(log.said, [])
  })

  it('lets what is under way end before it ends, and takes nothing new', async (t) => {
    const { service, join, ask, accept, get } = await openTestRendezvous(t)
    const [a, b] = [await join(alice), await join(bob)]
    const request = requestId()
    a.send(await ask({ request, from: alice, to: bob }))
    await b.next('request')
    const draining = service.drain(30_000)
    assert.equal(service.accept({ peerHost: '192.0.2.3', forwarded: undefined, path: '/connect' }), 503)
    assert.equal((await get('/health')).status, 503)
    a.send(await ask({ request: requestId(), from: alice, to: bob }))
    assert.equal((await a.next('refused')).code, 'ERR_TOO_MANY')
    b.send(await accept({ request, from: bob, to: alice }))
    await Promise.all([a.next('addresses'), b.next('addresses'), draining])
    assert.equal((await a.next('bye')).why, 'draining')
    assert.ok(a.isClosed && b.isClosed)
  })

  it('waits for answers no longer than its patience', async (t) => {
    const { service, join, ask, time } = await openTestRendezvous(t)
    const [a, b] = [await join(alice), await join(bob)]
    a.send(await ask({ request: requestId(), from: alice, to: bob }))
    await b.next('request')
    const draining = service.drain(30_000)
    await time.pass(30_000)
    await draining
    assert.ok(a.isClosed && b.isClosed)
  })

  it('names no address and no client in its log and metrics', async (t) => {
    const { join, ask, accept, log, get } = await openTestRendezvous(t)
    const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '192.0.2.2')]
    const request = requestId()
    a.send(await ask({ request, from: alice, to: bob }))
    await b.next('request')
    b.send(await accept({ request, from: bob, to: alice }))
    await b.next('addresses')
    a.send('nonsense')
    const { text } = await get('/metrics')
    assert.match(text, /requests_total\{outcome="exchange"\} 1/)
    assert.match(text, /chrove_rendezvous_present 1/)
    const said = text + log.said.join()
    for (const secret of [alice.uuid, bob.uuid, request, '192.0.2.']) assert.ok(!said.includes(secret))
  })
})
