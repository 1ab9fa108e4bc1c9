/** SEED 002, requirement by requirement. What of it two clients do by themselves is in `client/` and `test/`. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { uuidOf } from '../protocol/rendezvous/uuid.ts'
import { openTestRendezvous, person, requestId } from './testing.ts'

const [alice, bob] = [person(0), person(1)]
const someUuid = (digit: number) => uuidOf(new Uint8Array(16).fill(digit), 4)

describe('SEED 002: the registry', () => {
  it('SEED 002 §1.2 is asked for clients by UUIDs, in any case', async (t) => {
    const { put, get, registration } = await openTestRendezvous(t)
    await put(alice.uuid.toUpperCase(), await registration(alice))
    assert.equal((await get(`/clients/${alice.uuid.toUpperCase()}`)).status, 200)
  })

  it('SEED 002 §1.3 tells of a client only to who knows its UUID: there is no list', async (t) => {
    const { get } = await openTestRendezvous(t)
    for (const path of ['/clients', '/clients/', '/']) assert.equal((await get(path)).status, 404)
  })

  it('SEED 002 §2 adds a record, updates it, retrieves it', async (t) => {
    const { put, get, registration } = await openTestRendezvous(t)
    assert.equal((await get(`/clients/${alice.uuid}`)).status, 404)
    assert.equal((await put(alice.uuid, await registration(alice))).status, 201)
    const renewed = { ...alice, keys: rsaKeyPair(5) }
    assert.deepEqual(await put(alice.uuid, await registration(renewed, 2, alice.keys)), {
      ...{ status: 200, body: { uuid: alice.uuid, outcome: 'changed' } },
    })
    const record = JSON.parse((await get(`/clients/${alice.uuid}`)).text) as Record<string, unknown>
    assert.deepEqual([record.version, record.pinned], [2, true])
    assert.equal((record.publicKey as { n: string }).n, renewed.keys.publicKey.n)
  })

  it('SEED 002 §2.1.1 takes UUIDs that clients made, checks their form and that they are free', async (t) => {
    const { put, registration } = await openTestRendezvous(t)
    const random = { ...alice, uuid: someUuid(7) }
    assert.equal((await put(random.uuid, await registration(random))).status, 201)
    const thief = { ...random, keys: bob.keys }
    const { status, body } = await put(random.uuid, await registration(thief, 2))
    assert.deepEqual([status, body.code], [409, 'ERR_TAKEN'])
    const malformed = await put('not-a-uuid', await registration(random))
    assert.deepEqual([malformed.status, malformed.body.code], [400, 'ERR_UUID'])
    const timed = { ...alice, uuid: 'c232ab00-9414-11ec-b3c8-9f6bdeced846' }
    assert.equal((await put(timed.uuid, await registration(timed))).status, 400)
  })

  it('SEED 002 §2.1.2 gives every UUID one public key, for anybody to see', async (t) => {
    const { put, get, registration } = await openTestRendezvous(t)
    await put(alice.uuid, await registration(alice))
    const { publicKey } = JSON.parse((await get(`/clients/${alice.uuid}`)).text) as { publicKey: object }
    const { kty, n, e } = alice.keys.publicKey
    assert.deepEqual(publicKey, { kty, n, e })
  })

  it('SEED 002 §4 ignores a registration whose signature does not hold, and says so', async (t) => {
    const { put, get, registration } = await openTestRendezvous(t)
    const body = await registration(alice)
    const other = await registration(bob)
    const forged = { byNewKey: { ...body.byNewKey, signature: other.byNewKey.signature } }
    const refused = await put(alice.uuid, forged)
    assert.deepEqual([refused.status, refused.body.code], [403, 'ERR_JWS_INVALID'])
    assert.equal((await get(`/clients/${alice.uuid}`)).status, 404)
  })

  it('SEED 002 §4 ignores an update that the registered key has not signed, and says so', async (t) => {
    const { put, get, registration } = await openTestRendezvous(t)
    await put(alice.uuid, await registration(alice))
    const taken = { ...alice, keys: rsaKeyPair(6) }
    const refused = await put(alice.uuid, await registration(taken, 2, rsaKeyPair(6)))
    assert.deepEqual([refused.status, refused.body.code], [403, 'ERR_JWS_INVALID'])
    assert.equal((JSON.parse((await get(`/clients/${alice.uuid}`)).text) as { version: number }).version, 1)
  })
})

describe('SEED 002: the network', () => {
  it('SEED 002 §3.1.1 routes a request to its destination, and exchanges addresses on accept', async (t) => {
    const { join, ask, accept } = await openTestRendezvous(t)
    const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '198.51.100.2')]
    const request = requestId()
    const asked = await ask({ request, from: alice, to: bob, port: 4001 })
    a.send(asked)
    assert.deepEqual((await b.next('request')).request, asked.request)
    const agreed = await accept({ request, from: bob, to: alice, port: 4002 })
    b.send(agreed)
    const [atAlice, atBob] = [await a.next('addresses'), await b.next('addresses')]
    assert.deepEqual(
      [atAlice.request, atAlice.observed, atAlice.addresses],
      [request, '198.51.100.2', agreed.addresses],
    )
    assert.deepEqual([atBob.request, atBob.observed, atBob.addresses], [request, '192.0.2.1', asked.addresses])
  })

  it('SEED 002 §3 shows no address before, or when the target denies', async (t) => {
    const { join, ask } = await openTestRendezvous(t)
    const [a, b] = [await join(alice, '192.0.2.1'), await join(bob, '198.51.100.2')]
    const request = requestId()
    a.send(await ask({ request, from: alice, to: bob, port: 4001, hosts: ['10.9.8.7'] }))
    const shown = JSON.stringify(await b.next('request'))
    b.send({ type: 'deny', request })
    assert.deepEqual(await a.next('denied'), { type: 'denied', request })
    const said = [shown, ...[...a.heard, ...b.heard].map((message) => JSON.stringify(message))].join()
    const plain =
      said +
      [...said.matchAll(/"payload":"([\w-]+)"/g)]
        .map(([, text = '']) => Buffer.from(text, 'base64url').toString())
        .join()
    for (const address of ['192.0.2.1', '198.51.100.2', '10.9.8.7', '4001'])
      assert.ok(!plain.includes(address), address)
  })

  it('SEED 002 §3.1.1 takes a request that is ignored for denied, after a window', async (t) => {
    const { join, ask, time } = await openTestRendezvous(t, { windowSeconds: 60 })
    const [a, b] = [await join(alice), await join(bob)]
    const request = requestId()
    a.send(await ask({ request, from: alice, to: bob }))
    await b.next('request')
    await time.pass(59_999)
    assert.ok(!a.heard.some(({ type }) => type === 'denied'))
    await time.pass(1)
    assert.deepEqual(await a.next('denied'), { type: 'denied', request })
    assert.deepEqual(await b.next('over'), { type: 'over', request })
  })

  it('SEED 002 §3.1.1 makes one connection of one request: a second answer to it does nothing', async (t) => {
    const { join, ask, accept } = await openTestRendezvous(t)
    const [a, b] = [await join(alice), await join(bob)]
    const request = requestId()
    a.send(await ask({ request, from: alice, to: bob }))
    await b.next('request')
    b.send(await accept({ request, from: bob, to: alice }))
    await Promise.all([a.next('addresses'), b.next('addresses')])
    b.send(await accept({ request, from: bob, to: alice }))
    assert.deepEqual(await b.next('over'), { type: 'over', request })
    a.send({ type: 'ping' })
    await a.next('pong')
  })

  it('SEED 002 §3.1.2 denies at once when the target is offline, and keeps nothing for it', async (t) => {
    const { join, ask, put, registration } = await openTestRendezvous(t)
    await put(bob.uuid, await registration(bob))
    const a = await join(alice)
    const request = requestId()
    a.send(await ask({ request, from: alice, to: bob }))
    assert.deepEqual(await a.next('denied'), { type: 'denied', request })
    const b = await join(bob)
    b.send({ type: 'ping' })
    await b.next('pong')
    assert.deepEqual(
      b.heard.map(({ type }) => type),
      ['challenge', 'welcome', 'pong'],
    )
  })

  it('SEED 002 §4 lets in who signs the challenge with the registered key, and nobody else', async (t) => {
    const { join, connect } = await openTestRendezvous(t)
    await join(alice)
    const wrong: [string, Parameters<ReturnType<typeof connect>['present']>][] = [
      ['another key', [{ ...alice, keys: bob.keys }]],
      ['another challenge', [alice, { challenge: 'A'.repeat(43) }]],
      ['another server', [alice, { server: 'http://other.example' }]],
      ['another time', [alice, { ts: 1_000_000 }]],
      ['a client that is not registered', [bob]],
    ]
    for (const [what, presence] of wrong) {
      const client = connect()
      await client.present(...presence)
      assert.equal((await client.next('refused')).code, 'ERR_PRESENCE', what)
      await client.next('bye')
      assert.ok(client.isClosed)
    }
  })
})
