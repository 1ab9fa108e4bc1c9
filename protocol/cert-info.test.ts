import assert from 'node:assert/strict'
import { constants, createHash, generateKeyPairSync, sign } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { readOrRefused, refusedAs } from '../test/refusal.ts'
import { base64url, utf8 } from './bytes.ts'
import {
  openAnswer,
  openCode,
  sealAnswer,
  sealCode,
  type Answer,
  type AnswerPolicy,
  type CodePolicy,
  type OpenedCode,
  type Question,
} from './cert-info.ts'
import type { Server } from './credentials.ts'
import type { ProtocolErrorCode } from './errors.ts'
import { createJose } from './jose.ts'
import { canonicalJson, parseJson } from './json.ts'
import { keyIdOf } from './keys.ts'
import { ANSWER_PADDING_BYTES, CERT_INFO_ANSWER_BYTES_MAX, CODE_BYTES_MAX, SERVER_LIST_MAX } from './limits.ts'

const jose = createJose()
const vendorSigning = rsaKeyPair(0)
const vendorEncryption = rsaKeyPair(1)
const otherVendor = rsaKeyPair(2)
const buyer = rsaKeyPair(3)
const otherBuyer = rsaKeyPair(4)

const NOW = 1_900_000_000
const vendor = 'chrove:eip155:31337:0x00000000000000000000000000000000c0ffee42/1'
const otherVendorUri = 'chrove:eip155:31337:0x00000000000000000000000000000000c0ffee42/2'

const question: Question = { vendor, tsSeconds: NOW, nonce: new Uint8Array(16).fill(5) }
const policy: CodePolicy = { vendor, nowSeconds: NOW, legacy: false }

const ask = (change: Partial<Question> = {}, from = buyer) =>
  sealCode(jose, { ...question, ...change }, from, vendorEncryption.publicKey)
const read = (code: string, change: Partial<CodePolicy> = {}) =>
  openCode(jose, code, vendorEncryption.privateKey, { ...policy, ...change })

/** A code whose every part can be other than ours would be. */
const craftCode = async (envelope: object, signed: unknown = {}, signer = buyer) => {
  const text = typeof signed === 'string' ? utf8(signed) : canonicalJson(signed)
  const signature = await jose.sign(text, signer.privateKey)
  const whole = { key: buyer.publicKey, signature, request: 'my_subscribe', ...envelope }
  return jose.encrypt(canonicalJson(whole), vendorEncryption.publicKey)
}
const claims = { ts: NOW, aud: vendor, nonce: base64url.encode(question.nonce) }
const legacyCode = (tsSeconds = NOW) => craftCode({}, String(tsSeconds))

describe('a code', () => {
  it('tells the vendor who asks, when, and what the answer must repeat', async () => {
    assert.deepEqual(await read(await ask()), {
      key: buyer.publicKey,
      keyId: keyIdOf(buyer.publicKey),
      tsSeconds: NOW,
      onceOnly: base64url.encode(question.nonce),
      nonce: base64url.encode(question.nonce),
    } satisfies OpenedCode)
  })

  it('tells which order, when the buyer says', async () => {
    assert.equal((await read(await ask({ planId: 7 }))).planId, 7)
    assert.equal('planId' in (await read(await ask())), false)
  })

  it('is {key, signature over {ts, aud, nonce}, request: "my_subscribe"} inside (DESIGN 7)', async () => {
    assert.deepEqual(await read(await craftCode({}, claims)), await read(await ask()))
    const inside = parseJson(await jose.decrypt(await ask(), vendorEncryption.privateKey))
    const signature = await jose.sign(canonicalJson(claims), buyer.privateKey)
    assert.deepEqual(inside, { key: buyer.publicKey, signature, request: 'my_subscribe' })
  })

  it('holds nothing of the private key, whatever object the buyer keeps its keys in', async () => {
    const careless = { ...buyer, publicKey: { ...buyer.publicKey, ...buyer.privateKey } }
    const inside = await jose.decrypt(await ask({}, careless), vendorEncryption.privateKey)
    assert.deepEqual((parseJson(inside) as { key: unknown }).key, buyer.publicKey)
  })

  it('names its buyer by the key that signed, whichever buyer it is', async () => {
    const opened = await read(await ask({}, otherBuyer))
    assert.deepEqual(opened.keyId, keyIdOf(otherBuyer.publicKey))
    assert.notDeepEqual(opened.keyId, keyIdOf(buyer.publicKey))
  })

  it('loses what a careless buyer put beside its public key', async () => {
    const opened = await read(await craftCode({ key: buyer.privateKey }, claims))
    assert.deepEqual(opened.key, buyer.publicKey)
  })

  for (const away of [-300, 300, 0]) {
    it(`is good ${away} s from the vendor's time`, async () => {
      assert.equal((await read(await ask({ tsSeconds: NOW + away }))).tsSeconds, NOW + away)
    })
  }
  for (const away of [-301, 301, -86_400, 86_400]) {
    it(`is refused ${away} s from the vendor's time`, async () => {
      await assert.rejects(read(await ask({ tsSeconds: NOW + away })), refusedAs('ERR_SIGNED_TIME'))
    })
  }

  it('is good for one vendor: redirected to another it is refused, even with the same key', async () => {
    await assert.rejects(read(await ask({ vendor: otherVendorUri })), refusedAs('ERR_AUDIENCE'))
    await assert.rejects(read(await ask(), { vendor: otherVendorUri }), refusedAs('ERR_AUDIENCE'))
  })

  it('is read by the vendor only', async () => {
    const code = await ask()
    await assert.rejects(openCode(jose, code, otherVendor.privateKey, policy), refusedAs('ERR_JWE_INVALID'))
    await assert.rejects(openCode(jose, code, buyer.privateKey, policy), refusedAs('ERR_JWE_INVALID'))
  })

  it('proves the key: with the key of another buyer it is refused', async () => {
    const stolen = await craftCode({ key: otherBuyer.publicKey }, claims)
    await assert.rejects(read(stolen), refusedAs('ERR_JWS_INVALID'))
  })

  it('is refused with exponent 1, for which anyone can write a signature that holds', async () => {
    // With e = 1 the signature is the padded hash itself.
    const header = base64url.encode(utf8('{"alg":"RS256"}'))
    const payload = base64url.encode(canonicalJson(claims))
    const hash = createHash('sha256').update(`${header}.${payload}`).digest()
    const digestInfo = Buffer.concat([Buffer.from('3031300d060960864801650304020105000420', 'hex'), hash])
    const padding = Buffer.alloc(256 - 3 - digestInfo.length, 0xff)
    const padded = Buffer.concat([Buffer.of(0, 1), padding, Buffer.of(0), digestInfo])
    const forged = { protected: header, payload, signature: padded.toString('base64url') }
    const code = await craftCode({ key: { ...buyer.publicKey, e: 'AQ' }, signature: forged })
    await assert.rejects(read(code), refusedAs('ERR_KEY_INVALID'))
  })

  for (const weak of [
    { modulusLength: 1024, publicExponent: 65_537 },
    { modulusLength: 2048, publicExponent: 3 },
  ]) {
    it(`is refused with a real key of ${weak.modulusLength} bits and exponent ${weak.publicExponent}`, async () => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', weak)
      const header = base64url.encode(utf8('{"alg":"RS256"}'))
      const payload = base64url.encode(canonicalJson(claims))
      const padding = constants.RSA_PKCS1_PADDING
      const signature = sign('sha256', Buffer.from(`${header}.${payload}`), { key: privateKey, padding })
      const jws = { protected: header, payload, signature: signature.toString('base64url') }
      const code = await craftCode({ key: publicKey.export({ format: 'jwk' }), signature: jws })
      await assert.rejects(read(code), refusedAs('ERR_KEY_INVALID'))
    })
  }

  it('is refused with a key of 8192 bits before any work is done with it', async () => {
    const n = Buffer.alloc(1024, 0xff).toString('base64url')
    await assert.rejects(
      read(await craftCode({ key: { kty: 'RSA', n, e: 'AQAB' } }, claims)),
      refusedAs('ERR_KEY_INVALID'),
    )
  })

  const misshapen: Readonly<Record<string, readonly [object, unknown?]>> = {
    'another request': [{ request: 'your_subscribe' }, claims],
    'no request': [{ request: null }, claims],
    'no key': [{ key: null }, claims],
    'no signature': [{ signature: null }, claims],
    'a signature that is not flattened': [{ signature: 'a.b.c' }, claims],
    'no nonce': [{}, { ...claims, nonce: undefined }],
    'a short nonce': [{}, { ...claims, nonce: 'AAAA' }],
    'a long nonce': [{}, { ...claims, nonce: 'A'.repeat(24) }],
    'a nonce that is a number': [{}, { ...claims, nonce: 1 }],
    'no audience': [{}, { ...claims, aud: undefined }],
    'a list of audiences': [{}, { ...claims, aud: [vendor, otherVendorUri] }],
    'no time': [{}, { ...claims, ts: undefined }],
    'a time as text': [{}, { ...claims, ts: String(NOW) }],
    'half a second': [{}, { ...claims, ts: NOW + 0.5 }],
    'plan 0': [{}, { ...claims, plan: 0 }],
    'plan 2^32': [{}, { ...claims, plan: 2 ** 32 }],
    'the bare time of the original': [{}, String(NOW)],
    'a list': [{}, [claims]],
  }
  for (const [name, [envelope, signed]] of Object.entries(misshapen)) {
    it(`is refused with ${name}`, async () => {
      await assert.rejects(read(await craftCode(envelope, signed)), refusedAs('ERR_CODE_SHAPE'))
    })
  }

  it('is refused when it is oversized, before it is decrypted', async () => {
    await assert.rejects(read('A'.repeat(CODE_BYTES_MAX + 1)), refusedAs('ERR_CODE_SHAPE'))
    await assert.rejects(read('A'.repeat(CODE_BYTES_MAX)), refusedAs('ERR_JWE_INVALID'))
  })

  it('is refused when it is nested deeply, or signs what is', async () => {
    const deep = '['.repeat(500) + ']'.repeat(500)
    await assert.rejects(read(await craftCode({}, deep)), refusedAs('ERR_JSON_INVALID'))
    const code = await jose.encrypt(utf8(`{"key":${deep}}`), vendorEncryption.publicKey)
    await assert.rejects(read(code), refusedAs('ERR_JSON_INVALID'))
  })

  it('changes nothing by a member named __proto__', async () => {
    const text = JSON.stringify(claims).replace('{', '{"__proto__":{"plan":9},')
    assert.equal((await read(await craftCode({}, text))).planId, undefined)
    assert.equal(({} as { plan?: number }).plan, undefined)
  })

  it('is refused in one way, whatever text comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.base64String()), async (text) => {
        assert.equal(await readOrRefused(() => read(text, { legacy: true })), undefined)
      }),
    )
  })

  it('is refused in one way, whatever a holder of our public key puts in it', async () => {
    const jws = await jose.sign(canonicalJson(claims), buyer.privateKey)
    const key = fc.oneof(fc.jsonValue(), fc.constant(buyer.publicKey))
    const signature = fc.oneof(fc.jsonValue(), fc.record({ ...mapToAny(jws) }, { requiredKeys: [] }))
    const envelope = fc.oneof(fc.jsonValue(), fc.record({ key, signature, request: fc.constant('my_subscribe') }))
    await fc.assert(
      fc.asyncProperty(envelope, async (value) => {
        const code = await jose.encrypt(utf8(JSON.stringify(value)), vendorEncryption.publicKey)
        const opened = await readOrRefused(() => read(code))
        if (opened) assert.deepEqual(opened, await read(await ask()))
      }),
    )
  })
})

/** Each member as it is, or any JSON. */
const mapToAny = <T extends object>(value: T) =>
  Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, fc.oneof(fc.constant(member), fc.jsonValue())]),
  )

describe('a code of the original', () => {
  it('is refused unless the vendor turns legacy on', async () => {
    await assert.rejects(read(await legacyCode()), refusedAs('ERR_CODE_SHAPE'))
    const opened = await read(await legacyCode(), { legacy: true })
    assert.deepEqual(opened.keyId, keyIdOf(buyer.publicKey))
    assert.equal(opened.tsSeconds, NOW)
    assert.equal(opened.nonce, undefined)
  })

  it('is bound to the same window of time', async () => {
    await read(await legacyCode(NOW - 300), { legacy: true })
    await read(await legacyCode(NOW + 300), { legacy: true })
    await assert.rejects(read(await legacyCode(NOW - 301), { legacy: true }), refusedAs('ERR_SIGNED_TIME'))
    await assert.rejects(read(await legacyCode(NOW + 301), { legacy: true }), refusedAs('ERR_SIGNED_TIME'))
  })

  it('is known again when it is encrypted anew, and cannot be respelt into a new one', async () => {
    const [first, second] = [await legacyCode(), await legacyCode()]
    assert.notEqual(first, second)
    const opened = await read(first, { legacy: true })
    assert.equal(opened.onceOnly, (await read(second, { legacy: true })).onceOnly)

    const signature = await jose.sign(utf8(String(NOW)), buyer.privateKey)
    const last = signature.signature.charCodeAt(signature.signature.length - 1)
    const respelt = { ...signature, signature: signature.signature.slice(0, -1) + String.fromCharCode(last + 1) }
    await assert.rejects(read(await craftCode({ signature: respelt }), { legacy: true }), refusedAs('ERR_CODE_SHAPE'))
  })

  it('does not weaken a vendor that accepts it: codes of today are checked in full', async () => {
    await assert.rejects(read(await ask({ vendor: otherVendorUri }), { legacy: true }), refusedAs('ERR_AUDIENCE'))
    for (const text of ['"1900000000"', '1900000000.5', 'null', `{"ts":${NOW}}`, `[${NOW}]`]) {
      await assert.rejects(read(await craftCode({}, text), { legacy: true }), refusedAs('ERR_CODE_SHAPE'))
    }
  })
})

const server: Server = {
  type: 'socks5',
  server_name: 'fra-1',
  config: { address: '192.0.2.1', port: 1080, username: 'u', password: 'sesame' },
}
const answer: Answer = {
  servers: [server],
  tsSeconds: NOW,
  expiresSeconds: NOW + 86_400,
  order: { id: `0x${'ab'.repeat(32)}`, vendor, plan: 1 },
}

const timeSignature = (tsSeconds: number, signing = vendorSigning) =>
  jose.sign(utf8(String(tsSeconds)), signing.privateKey)
const reply = async (change: Partial<Answer> = {}, signing = vendorSigning, code?: OpenedCode) => {
  const given = { ...answer, ...change }
  const signer = { privateKey: signing.privateKey, timeSignature: await timeSignature(given.tsSeconds, signing) }
  return sealAnswer(jose, given, code ?? (await read(await ask())), signer)
}
const answerPolicy: AnswerPolicy = { question, vendorSigningKey: vendorSigning.publicKey, nowSeconds: NOW }
const receive = (jwe: string, change: Partial<AnswerPolicy> = {}) =>
  openAnswer(jose, jwe, buyer.privateKey, { ...answerPolicy, ...change })

/** The answer as the buyer's key shows it. */
const insideOf = async (jwe: string) => parseJson(await jose.decrypt(jwe, buyer.privateKey)) as Record<string, unknown>
const sealToBuyer = (document: unknown) => jose.encrypt(canonicalJson(document), buyer.publicKey)

describe('an answer', () => {
  it('gives the buyer what the vendor gave', async () => {
    assert.deepEqual(await receive(await reply()), answer)
  })

  it('has the members that DESIGN 7 names, and the time signed alone as the original has it', async () => {
    const inside = await insideOf(await reply())
    const { content_signature, signature_str_ts, ...content } = inside
    assert.deepEqual(content, {
      service_type: 'proxy',
      service_content: { server_list: [server] },
      ts: NOW,
      expires: NOW + 86_400,
      order: answer.order,
      nonce: base64url.encode(question.nonce),
    })
    assert.deepEqual(signature_str_ts, await timeSignature(NOW))
    assert.deepEqual(content_signature, await jose.sign(canonicalJson(content), vendorSigning.privateKey))
  })

  it('has one size for all that fits into it, so that its length tells nothing', async () => {
    const sizes = new Set<number>()
    for (const count of [1, 2, 5]) {
      const jwe = await reply({ servers: Array<Server>(count).fill(server) })
      sizes.add(jwe.length)
      assert.equal((await jose.decrypt(jwe, buyer.privateKey)).length % ANSWER_PADDING_BYTES, 0)
    }
    assert.equal(sizes.size, 1)
    assert.ok((await reply({ servers: Array<Server>(SERVER_LIST_MAX).fill(server) })).length > [...sizes][0]!)
  })

  it('comes through with the longest list of the longest servers', async () => {
    const longest = 'x'.repeat(255)
    const config = { address: longest, port: 65_535, username: longest, password: longest }
    const servers = Array<Server>(SERVER_LIST_MAX).fill({ type: 'https', server_name: longest, config })
    const jwe = await reply({ servers })
    assert.ok(jwe.length <= CERT_INFO_ANSWER_BYTES_MAX)
    assert.deepEqual((await receive(jwe)).servers, servers)
  })

  it('is read by the buyer only', async () => {
    const jwe = await reply()
    for (const { privateKey } of [otherBuyer, vendorEncryption, vendorSigning]) {
      await assert.rejects(openAnswer(jose, jwe, privateKey, answerPolicy), refusedAs('ERR_JWE_INVALID'))
    }
  })

  for (const away of [-300, 300]) {
    it(`is good ${away} s from the buyer's time`, async () => {
      assert.equal((await receive(await reply({ tsSeconds: NOW + away }))).tsSeconds, NOW + away)
    })
    it(`is refused ${away + Math.sign(away)} s from the buyer's time`, async () => {
      const jwe = await reply({ tsSeconds: NOW + away + Math.sign(away) })
      await assert.rejects(receive(jwe), refusedAs('ERR_SIGNED_TIME'))
    })
  }

  it('is refused to another question: an old answer cannot be replayed', async () => {
    const later = { ...question, nonce: new Uint8Array(16).fill(6) }
    await assert.rejects(receive(await reply(), { question: later }), refusedAs('ERR_NONCE'))
  })

  it('is refused without a nonce, as to a legacy code', async () => {
    const code = await read(await legacyCode(), { legacy: true })
    await assert.rejects(receive(await reply({}, vendorSigning, code)), refusedAs('ERR_NONCE'))
  })

  it('is refused when another vendor signed it', async () => {
    await assert.rejects(receive(await reply({}, otherVendor)), refusedAs('ERR_JWS_INVALID'))
  })

  it("is refused for another vendor's order", async () => {
    const jwe = await reply({ order: { ...answer.order, vendor: otherVendorUri } })
    await assert.rejects(receive(jwe), refusedAs('ERR_AUDIENCE'))
  })

  const redirected = { ...server, config: { ...server.config, address: '198.51.100.9' } }
  const changes: Readonly<Record<string, object>> = {
    'another server list': { service_content: { server_list: [redirected] } },
    'one server more': { service_content: { server_list: [server, redirected] } },
    'another end': { expires: NOW + 2 },
    'another time': { ts: NOW + 1 },
    'another service': { service_type: 'api' },
    'another order': { order: { ...answer.order, plan: 2 } },
    'another nonce': { nonce: base64url.encode(new Uint8Array(16).fill(6)) },
    'a member more': { note: 'pay again' },
    'a member more in a server': { service_content: { server_list: [{ ...server, via: 'x' }] } },
  }
  for (const [name, change] of Object.entries(changes)) {
    it(`is refused when someone changed it: ${name}`, async () => {
      const jwe = await sealToBuyer({ ...(await insideOf(await reply())), ...change })
      await assert.rejects(receive(jwe), refusedAs('ERR_JWS_INVALID'))
    })
  }

  it('is refused with the signature of an earlier answer', async () => {
    const earlier = await insideOf(await reply({ expiresSeconds: NOW + 1 }))
    const jwe = await sealToBuyer({
      ...(await insideOf(await reply())),
      content_signature: earlier['content_signature'],
    })
    await assert.rejects(receive(jwe), refusedAs('ERR_JWS_INVALID'))
  })

  it('is refused with the signature of its time in place of that of its content', async () => {
    const inside = await insideOf(await reply())
    const jwe = await sealToBuyer({ ...inside, content_signature: inside['signature_str_ts'] })
    await assert.rejects(receive(jwe), refusedAs('ERR_JWS_INVALID'))
  })

  const shapes: Readonly<Record<string, object>> = {
    'no servers': { service_content: { server_list: [] } },
    'too many servers': { service_content: { server_list: Array(SERVER_LIST_MAX + 1).fill(server) } },
    'an unknown type of server': { service_content: { server_list: [{ ...server, type: 'x' }] } },
    'an order id in upper case': { order: { ...answer.order, id: `0x${'AB'.repeat(32)}` } },
    'no signature': { content_signature: null },
    'no end': { expires: null },
  }
  for (const [name, change] of Object.entries(shapes)) {
    it(`is refused with ${name}`, async () => {
      const jwe = await sealToBuyer({ ...(await insideOf(await reply())), ...change })
      await assert.rejects(receive(jwe), refusedAs('ERR_ANSWER_SHAPE'))
    })
  }

  it('is refused when it is oversized, before it is decrypted', async () => {
    await assert.rejects(receive('A'.repeat(CERT_INFO_ANSWER_BYTES_MAX + 1)), refusedAs('ERR_ANSWER_SHAPE'))
    await assert.rejects(receive('A'.repeat(CERT_INFO_ANSWER_BYTES_MAX)), refusedAs('ERR_JWE_INVALID'))
  })

  it('is refused in one way, whatever text or document comes', async () => {
    const inside = await insideOf(await reply())
    const document = fc.oneof(fc.jsonValue(), fc.record(mapToAny(inside), { requiredKeys: [] }))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), document), async (value) => {
        const jwe = typeof value === 'string' ? value : await jose.encrypt(utf8(JSON.stringify(value)), buyer.publicKey)
        const opened = await readOrRefused(() => receive(jwe))
        if (opened) assert.deepEqual(opened, answer)
      }),
    )
  })

  it('tells no secret in any refusal', async () => {
    const codes: ProtocolErrorCode[] = []
    for (const change of [...Object.values(changes), ...Object.values(shapes)]) {
      const jwe = await sealToBuyer({ ...(await insideOf(await reply())), ...change })
      await assert.rejects(receive(jwe), (error: Error & { code: ProtocolErrorCode }) => {
        assert.doesNotMatch(error.message, /sesame|192\.0\.2|198\.51/)
        codes.push(error.code)
        return true
      })
    }
    assert.deepEqual(new Set(codes), new Set(['ERR_JWS_INVALID', 'ERR_ANSWER_SHAPE']))
  })
})
