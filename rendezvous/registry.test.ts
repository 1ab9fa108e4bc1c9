import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createTestTime } from '../effects/testing.ts'
import { REGISTRATION_BYTES_MAX, REGISTRATION_VERSIONS_MAX } from '../protocol/limits.ts'
import { clientRecordSchema, signRegistration, verifyRecord } from '../protocol/rendezvous/registration.ts'
import { uuidOf } from '../protocol/rendezvous/uuid.ts'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { jose, newDisk, openTestRendezvous, type Person, person, SERVER } from './testing.ts'

const [alice, bob] = [person(0), person(1)]
const withKey = (who: Person, index: number): Person => ({ ...who, keys: rsaKeyPair(index) })

describe('the registry', () => {
  it('takes the same registration again and changes nothing, at any time', async (t) => {
    const { put, registration, time } = await openTestRendezvous(t)
    const body = await registration(alice)
    assert.equal((await put(alice.uuid, body)).status, 201)
    await time.pass(10_000_000)
    const again = await put(alice.uuid, body)
    assert.deepEqual([again.status, again.body.outcome], [200, 'same'])
  })

  it('refuses what was signed too long ago, and for another UUID or server', async (t) => {
    const { put, registration, time } = await openTestRendezvous(t)
    const old = await registration(alice)
    await time.pass(301_000)
    assert.equal((await put(alice.uuid, old)).body.code, 'ERR_SIGNED_TIME')
    assert.equal((await put(bob.uuid, await registration(alice))).body.code, 'ERR_REGISTRATION_OTHER')
    const elsewhere = { server: 'http://other.example', uuid: alice.uuid, version: 1, tsSeconds: 301 }
    const body = await signRegistration(jose, { ...elsewhere, nonce: new Uint8Array(16) }, alice.keys)
    const { body: problem } = await put(alice.uuid, body)
    assert.deepEqual([problem.code, problem.server], ['ERR_REGISTRATION_OTHER', SERVER])
  })

  it('cannot be set back: an older registration is no change', async (t) => {
    const { put, registration } = await openTestRendezvous(t)
    const first = await registration(alice)
    await put(alice.uuid, first)
    await put(alice.uuid, await registration(withKey(alice, 5), 4, alice.keys))
    assert.equal((await put(alice.uuid, first)).body.code, 'ERR_TAKEN')
    const back = await put(alice.uuid, await registration(alice, 4, rsaKeyPair(5)))
    assert.deepEqual([back.status, back.body.code, back.body.version], [409, 'ERR_VERSION', 4])
    // The old key cannot take it back.
    const taken = await put(alice.uuid, await registration(withKey(alice, 6), 5, alice.keys))
    assert.deepEqual([taken.status, taken.body.code], [403, 'ERR_JWS_INVALID'])
  })

  it('proves every key that it tells of, to who trusts it with nothing', async (t) => {
    const { put, get, registration } = await openTestRendezvous(t)
    await put(alice.uuid, await registration(alice))
    await put(alice.uuid, await registration(withKey(alice, 5), 2, alice.keys))
    await put(alice.uuid, await registration(withKey(alice, 6), 3, rsaKeyPair(5)))
    const record = clientRecordSchema.parse(JSON.parse((await get(`/clients/${alice.uuid}`)).text))
    const { key } = await verifyRecord(jose, record, { server: SERVER, uuid: alice.uuid })
    assert.equal(key.n, rsaKeyPair(6).publicKey.n)
  })

  it('gives a UUID to one of those who want it at the same time', async (t) => {
    const { put, get, registration } = await openTestRendezvous(t)
    const uuid = uuidOf(new Uint8Array(16).fill(3), 4)
    const wanting = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((index) => registration({ uuid, keys: rsaKeyPair(index) })),
    )
    const answers = await Promise.all(wanting.map((body) => put(uuid, body)))
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [201, 409, 409, 409, 409, 409],
    )
    const { version } = JSON.parse((await get(`/clients/${uuid}`)).text) as { version: number }
    assert.equal(version, 1)
  })

  it('makes one of several changes that come at the same time', async (t) => {
    const { put, registration } = await openTestRendezvous(t)
    await put(alice.uuid, await registration(alice))
    const changes = await Promise.all([5, 6, 7].map((index) => registration(withKey(alice, index), index, alice.keys)))
    const statuses = (await Promise.all(changes.map((body) => put(alice.uuid, body)))).map(({ status }) => status)
    assert.equal(statuses.filter((status) => status === 200).length, 1, String(statuses))
  })

  it('holds all or nothing of a registration, after kill -9 at any write', async (t) => {
    for (let writes = 1; writes <= 16; writes++) {
      const disk = newDisk()
      const first = await openTestRendezvous(t, {}, { disk, time: createTestTime() })
      await first.put(bob.uuid, await first.registration(bob))
      disk.crashAfterWrites(writes)
      const added = await first.registration(alice)
      const changed = await first.registration(withKey(bob, 5), 2, bob.keys)
      const told: number[] = []
      const work = (async () => {
        told.push((await first.put(alice.uuid, added)).status)
        told.push((await first.put(bob.uuid, changed)).status)
      })()
      await Promise.race([work, new Promise<void>((resolve) => void first.life.onEnd(resolve))])
      first.life.end()
      const second = await openTestRendezvous(t, {}, { disk, time: createTestTime() })
      for (const uuid of [alice.uuid, bob.uuid]) {
        const { status, text } = await second.get(`/clients/${uuid}`)
        // What was confirmed is there, and what is there is whole.
        if (uuid === alice.uuid && told[0] === undefined && status === 404) continue
        const record = clientRecordSchema.parse(JSON.parse(text))
        await verifyRecord(jose, record, { server: SERVER, uuid })
        if (uuid === bob.uuid && told[1] === 200) assert.equal(record.version, 2)
      }
      assert.ok([200, 201].includes((await second.put(alice.uuid, added)).status))
      assert.equal((await second.put(bob.uuid, changed)).status, 200)
    }
  })

  it('has limits: length, keys of a life, clients, requests of an address', async (t) => {
    const { put, get, registration, time } = await openTestRendezvous(t, { clientsMax: 1, registrationsPerMinute: 50 })
    assert.equal((await put(alice.uuid, 'x'.repeat(REGISTRATION_BYTES_MAX + 1))).status, 413)
    await put(alice.uuid, await registration(alice))
    assert.equal((await put(bob.uuid, await registration(bob))).status, 503)
    for (let version = 2; version <= REGISTRATION_VERSIONS_MAX; version++) {
      const body = await registration(withKey(alice, (version + 1) % 2), version, rsaKeyPair(version % 2))
      assert.equal((await put(alice.uuid, body)).status, 200, String(version))
    }
    const full = await put(alice.uuid, await registration(withKey(alice, 5), 99, rsaKeyPair(1)))
    assert.equal(full.body.code, 'ERR_VERSIONS_FULL')
    for (let more = 0; more < 50; more++) await put(bob.uuid, '{}')
    assert.equal((await put(bob.uuid, '{}')).status, 429)
    assert.equal((await put(bob.uuid, '{}', '192.0.2.10')).status, 400)
    await time.pass(60_000)
    assert.equal((await put(bob.uuid, '{}')).status, 400)
    let status = 200
    for (let asked = 0; asked <= 600 && status === 200; asked++) ({ status } = await get(`/clients/${alice.uuid}`))
    assert.equal(status, 429)
  })

  it('believes forwarded addresses of configured proxies only', async (t) => {
    const { get } = await openTestRendezvous(t, { trustedProxies: ['10.0.0.1'], lookUpsPerMinute: 1 })
    const from = (peer: string, forwarded: string) =>
      get(`/clients/${alice.uuid}`, peer, { 'x-forwarded-for': forwarded })
    assert.deepEqual(
      [
        (await from('10.0.0.1', '192.0.2.1')).status,
        (await from('10.0.0.1', '192.0.2.2')).status,
        (await from('10.0.0.1', '192.0.2.1')).status,
        (await from('10.0.0.2', '192.0.2.3')).status,
        (await from('10.0.0.2', '192.0.2.4')).status,
      ],
      [404, 404, 429, 404, 429],
    )
  })

  it('answers any method, path and body with a problem', async (t) => {
    const { service, put } = await openTestRendezvous(t, { registrationsPerMinute: 10_000 })
    for (const [method, path, status] of [
      ['POST', `/clients/${alice.uuid}`, 405],
      ['DELETE', `/clients/${alice.uuid}`, 405],
      ['GET', '/else', 404],
    ] as const) {
      const response = await service.fetch(new Request(`${SERVER}${path}`, { method }), '192.0.2.1')
      assert.equal(response.status, status)
      assert.match(String(response.headers.get('content-type')), /problem/)
    }
    const jws = fc.record({ payload: fc.base64String(), protected: fc.string(), signature: fc.base64String() })
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.record({ byNewKey: jws }).map((value) => JSON.stringify(value)),
    )
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const { status, body: problem } = await put(alice.uuid, text)
        assert.ok(status >= 400 && status < 500, text)
        assert.match(String(problem.code), /^ERR_/)
      }),
    )
  })

  it('says whether it is there, and counts without naming', async (t) => {
    const { get, put, registration, log } = await openTestRendezvous(t)
    await put(alice.uuid, await registration(alice))
    assert.equal((await get('/health')).status, 200)
    const { text } = await get('/metrics')
    assert.match(text, /registrations_total\{outcome="added"\} 1/)
    for (const secret of [alice.uuid, alice.keys.publicKey.n, '192.0.2.9']) {
      assert.ok(!text.includes(secret) && !log.said.join().includes(secret))
    }
  })
})
