import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import legacyDocument from '../test/vectors/chrove-price-2019.json' with { type: 'json' }
import { utf8 } from './bytes.ts'
import { createJose } from './jose.ts'
import { formatKeyId, keyIdOf, thumbprintOf } from './keys.ts'
import { PAYMENT_METHODS_MAX } from './limits.ts'
import {
  examinePriceDocument,
  isContractMethod,
  signPriceContent,
  type ContractMethod,
  type PriceAnchor,
  type PriceCheck,
  type PriceContent,
  type PriceDocument,
} from './price.ts'
import { parseVendorUri } from './vendor-uri.ts'

const jose = createJose()
const signing = rsaKeyPair(0)
const encryption = rsaKeyPair(1)
const stranger = rsaKeyPair(2)

const NOW = 1_900_000_000
const registry = '0x00000000000000000000000000000000c0ffee42'
const nativeCoin = `0x${'0'.repeat(40)}`
const token = `0x${'7e'.repeat(20)}`

const daily: ContractMethod = {
  Name: 'Daily',
  Price: { symbol: 'ETH', amount: '0.001', unit: 'Day' },
  PaymentMethod: 'Contract',
  ChainId: '31337',
  Registry: registry,
  VendorId: '1',
  PlanId: 1,
  Token: nativeCoin,
  Amount: '1000000000000000',
  PeriodSeconds: 86_400,
  MemoName: 'keyHash',
  MemoContent: formatKeyId(keyIdOf(stranger.publicKey)),
}
const weekly: ContractMethod = {
  ...daily,
  Name: 'Weekly',
  Price: { symbol: 'USDX', amount: '5', unit: 'Week' },
  PlanId: 2,
  Token: token,
  Amount: '5000000',
  PeriodSeconds: 604_800,
}
const nano = {
  Name: 'Nano',
  Price: { symbol: 'XNO', amount: 0.1, unit: 'Day' },
  PaymentMethod: 'Address+Memo',
  PaymentAddress: 'nano_1',
}
const content: PriceContent = {
  ContractAddress: registry,
  Price: daily.Price,
  PaymentChannels: [daily, weekly, nano],
  PublicKey: { ...signing.publicKey },
  PublicKeyEnc: { ...encryption.publicKey },
  ts: NOW,
  brandinfo: { Logo: 'http://198.51.100.1/logo.png', title: 'Flying Ghost', description: 'Quick und günstig 👻' },
}
const anchor: PriceAnchor = {
  vendor: parseVendorUri(`chrove:eip155:31337:${registry}/1`),
  signingKey: thumbprintOf(signing.publicKey),
  encryptionKey: thumbprintOf(encryption.publicKey),
  plans: [
    { planId: 1, token: nativeCoin, price: 1_000_000_000_000_000n, periodSeconds: 86_400, onSale: true },
    { planId: 2, token, price: 5_000_000n, periodSeconds: 604_800, onSale: true },
    { planId: 3, token, price: 9n, periodSeconds: 60, onSale: false },
  ],
}

/** A document as it comes out of a JSON parser. */
const asSent = (document: unknown): unknown => JSON.parse(JSON.stringify(document))
const publish = async (whole: PriceContent, { privateKey } = signing): Promise<PriceDocument> =>
  signPriceContent(jose, whole, privateKey, await jose.sign(utf8(String(whole.ts)), privateKey))
const published = (change: Partial<PriceContent> = {}, key = signing) => publish({ ...content, ...change }, key)
const examine = (document: unknown, nowSeconds = NOW, held: PriceAnchor | undefined = anchor) =>
  examinePriceDocument(jose, asSent(document), nowSeconds, held)
/** Names of the checks that do not hold. */
const failing = async (
  document: unknown,
  ...rest: [nowSeconds?: number, held?: PriceAnchor]
): Promise<PriceCheck[]> => {
  const { findings, acceptable } = await examine(document, ...rest)
  const checks = findings.filter(({ holds }) => !holds).map(({ check }) => check)
  assert.equal(acceptable, checks.length === 0, 'acceptable means that every check holds')
  return checks
}

const good = await published()

describe('a price document', () => {
  it('is acceptable when all of it is signed, fresh, and as registered', async () => {
    const examination = await examine(good)
    assert.deepEqual(
      examination.findings.map(({ check }) => check),
      [
        'shape',
        'keys',
        'ts_signature',
        'content_signature',
        'fresh',
        'signing_key',
        'encryption_key',
        'contract',
        'terms',
      ] satisfies PriceCheck[],
    )
    assert.ok(examination.findings.every(({ holds }) => holds))
    assert.equal(examination.acceptable, true)
    assert.equal(examination.legacy, false)
    assert.deepEqual(examination.content, content)
    assert.deepEqual(examination.keys, { signing: signing.publicKey, encryption: encryption.publicKey })
  })

  it('is never acceptable without the chain, however good it looks', async () => {
    const examination = await examinePriceDocument(jose, asSent(good), NOW)
    assert.ok(examination.findings.every(({ holds }) => holds))
    assert.equal(examination.acceptable, false)
  })

  it('does not depend on how its members were ordered on the way', async () => {
    const { content_signature, ts_signature, content: sent } = good
    const turned = Object.fromEntries(Object.entries(sent).toReversed())
    assert.deepEqual(await failing({ content_signature, ts_signature, content: turned }), [])
  })

  it('keeps methods that we do not know, and tells ours from them', async () => {
    const { PaymentChannels = [] } = (await examine(good)).content ?? {}
    assert.deepEqual(PaymentChannels.filter(isContractMethod), [daily, weekly])
    assert.deepEqual(
      PaymentChannels.filter((method) => !isContractMethod(method)),
      [nano],
    )
  })
})

describe('a price document is refused', () => {
  it('with a signing key other than the registered one, though that key signed everything', async () => {
    const impostor = await published({ PublicKey: { ...stranger.publicKey } }, stranger)
    assert.deepEqual(await failing(impostor), ['signing_key'])
  })

  it('with an encryption key other than the registered one, or none', async () => {
    assert.deepEqual(await failing(await published({ PublicKeyEnc: { ...stranger.publicKey } })), ['encryption_key'])
    const { PublicKeyEnc: _, ...without } = content
    assert.deepEqual(await failing(await publish(without)), ['encryption_key'])
  })

  it('when another key signed it than the one it shows', async () => {
    assert.deepEqual(await failing(await published({}, stranger)), ['ts_signature', 'content_signature'])
  })

  for (const away of [-300, 0, 300]) {
    it(`not ${away} s from now`, async () => assert.deepEqual(await failing(good, NOW + away), []))
  }
  for (const away of [-301, 301, 31_536_000]) {
    it(`${away} s from now, and says so`, async () => {
      assert.deepEqual(await failing(good, NOW + away), ['fresh'])
      const said = (await examine(good, NOW + away)).findings.find(({ check }) => check === 'fresh')?.says
      assert.equal(said, `its time is ${Math.abs(away)} s ${away < 0 ? 'ahead of' : 'behind'} now`)
    })
  }

  it('when an old time was made new, or an old signature of the time was kept', async () => {
    const earlier = await published({ ts: NOW - 1000 })
    const renewed = { ...earlier, content: { ...earlier.content, ts: NOW } }
    assert.deepEqual(await failing(renewed), ['ts_signature', 'content_signature'])
    assert.deepEqual(await failing({ ...good, ts_signature: earlier.ts_signature }), ['ts_signature'])
    assert.deepEqual(await failing({ ...good, content_signature: earlier.content_signature }), ['content_signature'])
    assert.deepEqual(await failing({ ...good, content_signature: good.ts_signature }), ['content_signature'])
  })

  it('when nothing but its time is signed', async () => {
    const { content_signature: _, ...bare } = good
    assert.deepEqual(await failing(bare), ['content_signature'])
    assert.equal((await examine(bare)).legacy, true)
  })

  it('when it names another contract', async () => {
    assert.deepEqual(await failing(await published({ ContractAddress: token })), ['contract'])
    assert.deepEqual(await failing(await published({ ContractAddress: registry.toUpperCase().replace('X', 'x') })), [])
  })

  const strays: Readonly<Record<string, Partial<ContractMethod>>> = {
    'a plan that is not registered': { PlanId: 4 },
    'a plan that is not on sale': { PlanId: 3, Token: token, Amount: '9', PeriodSeconds: 60 },
    'the terms of one plan under the number of another': { PlanId: 2 },
    'another token': { Token: token },
    'a higher amount': { Amount: '1000000000000001' },
    'a lower amount': { Amount: '999999999999999' },
    'a shorter period': { PeriodSeconds: 86_399 },
    'a longer period': { PeriodSeconds: 86_401 },
    'another chain': { ChainId: '1' },
    'another registry': { Registry: token },
    'another vendor': { VendorId: '2' },
  }
  for (const [name, change] of Object.entries(strays)) {
    it(`with ${name}, though the vendor signed it`, async () => {
      const stray = { ...daily, ...change }
      assert.deepEqual(await failing(await published({ PaymentChannels: [weekly, stray] })), ['terms'])
      assert.deepEqual(await failing(await published({ PaymentChannels: [stray, weekly] })), ['terms'])
    })
  }

  it('with a price in a token that people read as another, where its decimals are known', async () => {
    const anchorOf = (decimals: number | undefined) => ({
      ...anchor,
      plans: anchor.plans.map((plan) => (plan.token === token ? { ...plan, decimals } : plan)),
    })
    const documentOf = (amount: string) =>
      published({ PaymentChannels: [{ ...weekly, Price: { ...weekly.Price, amount } }] })
    assert.deepEqual(await failing(await documentOf('5'), NOW, anchorOf(6)), [])
    for (const amount of ['0.5', '5000000', '05', '5.0', '5 USDX'])
      assert.deepEqual(await failing(await documentOf(amount), NOW, anchorOf(6)), ['terms'])
    assert.deepEqual(await failing(await documentOf('5'), NOW, anchorOf(undefined)), [])
  })

  const shapes: Readonly<Record<string, unknown>> = {
    'no content': { ...good, content: undefined },
    'no signature of its time': { ...good, ts_signature: undefined },
    'a signature that is not flattened': { ...good, ts_signature: 'a.b.c' },
    'a broken signature of its content': { ...good, content_signature: null },
    'no key': { ...good, content: { ...content, PublicKey: undefined } },
    'no time': { ...good, content: { ...content, ts: undefined } },
    'half a second': { ...good, content: { ...content, ts: NOW + 0.5 } },
    'a time as text': { ...good, content: { ...content, ts: String(NOW) } },
    'an amount in hex': { ...good, content: { ...content, PaymentChannels: [{ ...daily, Amount: '0xff' }] } },
    'a free plan': { ...good, content: { ...content, PaymentChannels: [{ ...daily, Amount: '0' }] } },
    'a plan as text': { ...good, content: { ...content, PaymentChannels: [{ ...daily, PlanId: '1' }] } },
    'a token in upper case': {
      ...good,
      content: { ...content, PaymentChannels: [{ ...daily, Token: token.toUpperCase() }] },
    },
    'too many methods': {
      ...good,
      content: { ...content, PaymentChannels: Array(PAYMENT_METHODS_MAX + 1).fill(nano) },
    },
    'a title of 5000 characters': {
      ...good,
      content: { ...content, brandinfo: { ...content.brandinfo, title: 'x'.repeat(5000) } },
    },
    nothing: null,
    text: 'price',
    'a list': [good],
  }
  for (const [name, document] of Object.entries(shapes)) {
    it(`for its shape: ${name}`, async () => assert.deepEqual(await failing(document), ['shape']))
  }

  for (const [name, key] of Object.entries({
    'exponent 1': { ...signing.publicKey, e: 'AQ' },
    'another kind of key': { kty: 'oct', n: signing.publicKey.n, e: 'AQAB' },
    '1024 bits': { kty: 'RSA', n: Buffer.alloc(128, 0xff).toString('base64url'), e: 'AQAB' },
    '8192 bits': { kty: 'RSA', n: Buffer.alloc(1024, 0xff).toString('base64url'), e: 'AQAB' },
  })) {
    it(`for its keys: ${name}`, async () => {
      assert.deepEqual(await failing(await published({ PublicKey: key })), ['keys'])
      assert.deepEqual(await failing(await published({ PublicKeyEnc: key })), ['keys', 'encryption_key'])
    })
  }
})

/** Every place in a JSON value, as paths from its root. */
const placesIn = (value: unknown, path: readonly string[] = []): (readonly string[])[] =>
  value !== null && typeof value === 'object'
    ? [path, ...Object.entries(value).flatMap(([name, member]) => placesIn(member, [...path, name]))]
    : [path]

type Change = { kind: 'set' | 'remove' | 'add'; to: unknown; name: string }

/** The value with one change at one place. */
const changedAt = (value: unknown, [first, ...rest]: readonly string[], change: Change): unknown => {
  if (first === undefined) {
    if (change.kind !== 'add' || value === null || typeof value !== 'object') return change.to
    return Array.isArray(value)
      ? [...value, change.to]
      : Object.fromEntries([...Object.entries(value), [change.name, change.to]])
  }
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>
  if (rest.length === 0 && change.kind === 'remove') {
    if (Array.isArray(copy)) copy.splice(Number(first), 1)
    else delete copy[first]
  } else copy[first] = changedAt(copy[first], rest, change)
  return copy
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('set', 'remove', 'add'),
  to: fc.oneof(fc.jsonValue(), fc.constantFrom(0, 1, '', 'x', '1', null, true)),
  name: fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toJSON', 'amount')),
})

describe('what the signature of the content covers', () => {
  it('is all of it: any one thing changed, added or removed at any place is seen', async () => {
    const places = placesIn(asSent(content)).filter((path) => path.length > 0)
    assert.ok(places.length > 50)
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), change, async (path, what) => {
        const changed = changedAt(asSent(content), path, what)
        fc.pre(JSON.stringify(changed) !== JSON.stringify(content))
        const { findings, acceptable } = await examine({ ...good, content: changed })
        assert.equal(
          findings.some(({ check, holds }) => check === 'content_signature' && holds),
          false,
        )
        assert.equal(acceptable, false)
      }),
      { numRuns: 500 },
    )
  })

  it('is also what we do not know: unsigned members are seen at every level', async () => {
    for (const path of placesIn(asSent(content))) {
      const add: Change = { kind: 'add', name: 'Discount', to: '100%' }
      const changed = changedAt(asSent(content), path, add)
      const { findings } = await examine({ ...good, content: changed })
      assert.equal(
        findings.some(({ check, holds }) => check === 'content_signature' && holds),
        false,
        path.join('.'),
      )
    }
  })

  it('holds members that we do not know when the vendor signed them', async () => {
    const wider = { ...content, Terms: { refund: ['any', 'time'] } }
    const document = await publish(wider)
    assert.deepEqual(await failing(document), [])
    assert.deepEqual((await examine(document)).content, wider)
  })

  it('sees a member named __proto__, which changes nothing else', async () => {
    const text = JSON.stringify(good).replace('"content":{', '"content":{"__proto__":{"Discount":"100%"},')
    const examination = await examinePriceDocument(jose, JSON.parse(text), NOW, anchor)
    assert.equal(examination.acceptable, false)
    assert.equal((examination.content as { Discount?: string }).Discount, undefined)
    assert.equal(({} as { Discount?: string }).Discount, undefined)
  })

  it('has no room for numbers that JSON cannot hold', async () => {
    const text = JSON.stringify(good).replace('"content":{', '"content":{"big":1e400,')
    const { findings } = await examinePriceDocument(jose, JSON.parse(text), NOW, anchor)
    assert.deepEqual(
      findings.filter(({ holds }) => !holds).map(({ check }) => check),
      ['content_signature'],
    )
  })

  it('is nothing beside it: members outside content are neither signed nor read', async () => {
    const beside = { Price: { amount: '0' }, PublicKey: stranger.publicKey, terms: 'none' }
    assert.deepEqual(await examine({ ...beside, ...good }), await examine(good))
  })
})

describe('a document of the original system, 2019', () => {
  const then = 1_546_675_268

  it('parses, its ts_signature holds, it is legacy and not acceptable', async () => {
    const examination = await examinePriceDocument(jose, legacyDocument, then)
    assert.deepEqual(
      examination.findings.map(({ check, holds }) => [check, holds]),
      [
        ['shape', true],
        ['keys', true],
        ['ts_signature', true],
        ['content_signature', false],
        ['fresh', true],
      ],
    )
    assert.equal(examination.legacy, true)
    assert.equal(examination.acceptable, false)
    assert.equal(examination.content?.ts, then)
    assert.equal(examination.content?.PaymentChannels.length, 4)
  })

  it('is not acceptable when a registry names its very key either', async () => {
    const signingKey = thumbprintOf(legacyDocument.content.PublicKey)
    const { acceptable } = await examinePriceDocument(jose, legacyDocument, then, { ...anchor, signingKey })
    assert.equal(acceptable, false)
  })

  it('shows what is wrong with it: anyone can change the price and the signature still holds', async () => {
    const changed = { ...legacyDocument, content: { ...legacyDocument.content, ContractAddress: 'thief' } }
    const { findings, acceptable } = await examinePriceDocument(jose, changed, then)
    assert.ok(findings.some(({ check, holds }) => check === 'ts_signature' && holds))
    assert.equal(acceptable, false)
  })
})

describe('whatever comes as a price document', () => {
  it('is examined, never thrown at: any JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (document) => {
        assert.equal((await examine(document)).acceptable, false)
      }),
    )
  })

  it('is examined, never thrown at: any change anywhere in a good document', async () => {
    const places = placesIn(asSent(good))
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), change, async (path, what) => {
        const { findings } = await examine(changedAt(asSent(good), path, what))
        assert.equal(findings[0]?.check, 'shape')
      }),
      { numRuns: 500 },
    )
  })

  it('gets each finding in one sentence without the content of its fields', async () => {
    const marked = await published({ brandinfo: { Logo: 'sesame', title: 'sesame', description: 'sesame' } })
    const documents: PriceDocument[] = [marked, { ...marked, content }, await published({ ContractAddress: 'sesame' })]
    for (const document of documents) {
      for (const { says } of (await examine(document)).findings) assert.doesNotMatch(says, /sesame|\n/)
    }
  })
})
