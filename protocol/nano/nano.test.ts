import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hexToBytes } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { utf8 } from '../bytes.ts'
import { parseCompactJws, signCompactJws } from '../compact-jws.ts'
import vectors from '../vectors/nano.json' with { type: 'json' }
import { formatNanoAccount, parseNanoAccount } from './account.ts'
import {
  nanoBlockHash,
  nanoBlockIsSigned,
  nanoRootOf,
  nanoSignBlock,
  type SignedBlock,
  upperHex,
  ZERO_HASH,
} from './block.ts'
import { nanoPublicKeyOf, nanoSign, nanoVerify } from './signature.ts'
import { nanoVoucherHolds, nanoVoucherSigner } from './voucher.ts'
import { LIVE_WORK, nanoSearchWork, nanoWorkValue } from './work.ts'

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const hash = bytes32.map(upperHex)
const account = bytes32.map(formatNanoAccount)
const balance = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n })

const blocks = vectors.blocks.map((vector) => ({ ...vector, balance: BigInt(vector.balance) }))
const [send] = blocks
assert.ok(send)

/** Before the upgrade of 2020 all blocks had this threshold, and the vectors' work is for it. */
const WORK_OF_2019 = 0xffff_ffc0_0000_0000n

describe('accounts', () => {
  for (const { private: secret, public: key, account: text } of vectors.keys) {
    it(`docs.nano.org: the key ${secret.slice(0, 8)}… has this public key and account`, () => {
      const publicKey = nanoPublicKeyOf(hexToBytes(secret))
      if (key !== undefined) assert.equal(upperHex(publicKey), key)
      if (text !== undefined) assert.equal(formatNanoAccount(publicKey), text)
    })
  }

  it('docs.nano.org: a link as account', () => {
    for (const { link, linkAsAccount } of blocks) assert.equal(formatNanoAccount(hexToBytes(link)), linkAsAccount)
  })

  it('are read with the prefix of SEED 004 too', () => {
    const text = send.account.replace('nano_', 'xrb_')
    assert.deepEqual(parseNanoAccount(text), parseNanoAccount(send.account))
  })

  it('are read as they are written', () => {
    fc.assert(
      fc.property(bytes32, (key) => assert.deepEqual(parseNanoAccount(formatNanoAccount(key)), key)),
      { numRuns: 200 },
    )
  })

  it('with any one character changed are none', () => {
    const characters = '13456789abcdefghijkmnopqrstuwxyz'
    const change = fc.record({ at: fc.nat(59), by: fc.integer({ min: 1, max: 31 }) })
    fc.assert(
      fc.property(account, change, (text, { at, by }) => {
        const place = 'nano_'.length + at
        const changed = characters[(characters.indexOf(text[place] ?? '') + by) % 32]
        assert.equal(parseNanoAccount(text.slice(0, place) + changed + text.slice(place + 1)), undefined)
      }),
    )
  })

  it('are nothing else', () => {
    const { account: text } = send
    for (const wrong of ['', 'nano_', text.toUpperCase(), ` ${text}`, `${text}1`, text.replace('nano', 'ban')])
      assert.equal(parseNanoAccount(wrong), undefined)
  })
})

describe('state blocks', () => {
  for (const vector of blocks) {
    it(`docs.nano.org: ${vector.what} has this hash, signature and work`, () => {
      assert.equal(nanoBlockHash(vector), vector.hash)
      assert.ok(nanoBlockIsSigned(vector))
      // Ours are the same each time; some of the published ones have a random nonce instead.
      if (vector.private !== undefined) {
        const { account: of, previous, representative, balance: rest, link } = vector
        const signed = nanoSignBlock({ account: of, previous, representative, balance: rest, link }, hexToBytes(vector.private)) // prettier-ignore
        assert.equal(signed.signature, vector.signature)
      }
      assert.ok(nanoWorkValue(vector.work, nanoRootOf(vector)) >= WORK_OF_2019)
    })
  }

  it('differ in hash when they differ in anything', () => {
    const block = fc.record({ account, previous: hash, representative: account, balance, link: hash })
    const others = fc.record({ account, previous: hash, representative: account, balance, link: hash })
    const field = fc.constantFrom('account', 'previous', 'representative', 'balance', 'link')
    fc.assert(
      fc.property(block, others, field, (one, other, name) => {
        fc.pre(one[name] !== other[name])
        assert.notEqual(nanoBlockHash(one), nanoBlockHash({ ...one, [name]: other[name] }))
      }),
    )
  })

  it('signed by another key are not signed', () => {
    const { private: secret, ...block } = send
    assert.ok(secret)
    const other: SignedBlock = nanoSignBlock(block, nanoSign(utf8('another'), hexToBytes(secret)).slice(0, 32))
    assert.equal(nanoBlockIsSigned(other), false)
  })

  it('hold balances of 128 bits and no others', () => {
    assert.doesNotThrow(() => nanoBlockHash({ ...send, balance: (1n << 128n) - 1n }))
    for (const wrong of [-1n, 1n << 128n])
      assert.throws(() => nanoBlockHash({ ...send, balance: wrong }), { name: 'RangeError' })
  })
})

describe('signatures', () => {
  it('hold for their message and key alone', () => {
    fc.assert(
      fc.property(bytes32, fc.uint8Array(), fc.nat(), (secret, message, at) => {
        const signature = nanoSign(message, secret)
        const publicKey = nanoPublicKeyOf(secret)
        assert.ok(nanoVerify(signature, message, publicKey))
        const bent = signature.slice()
        bent[at % 64] = (bent[at % 64] ?? 0) ^ (1 << (at % 8))
        assert.equal(nanoVerify(bent, message, publicKey), false)
        assert.equal(nanoVerify(signature, Uint8Array.of(...message, 0), publicKey), false)
      }),
      { numRuns: 20 },
    )
  })

  it('of keys that are no point, or a point of small order, hold for nothing', () => {
    const identity = Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0))
    const signature = new Uint8Array(64)
    signature[0] = 1
    for (const key of [identity, new Uint8Array(32), new Uint8Array(32).fill(0xff), new Uint8Array(31)])
      assert.equal(nanoVerify(signature, utf8('anything'), key), false)
    assert.equal(nanoVerify(new Uint8Array(3), utf8('anything'), nanoPublicKeyOf(new Uint8Array(32))), false)
  })
})

describe('work', () => {
  it('docs.nano.org: has this value', () => {
    const { root, work, value } = vectors.work
    assert.equal(nanoWorkValue(work, root).toString(16), value)
    assert.ok(nanoWorkValue(work, root) >= LIVE_WORK.receive)
    assert.ok(nanoWorkValue(work, root) < LIVE_WORK.send)
  })

  it('is found where it is easy, as good as it has to be', () => {
    const threshold = 0xff00_0000_0000_0000n
    fc.assert(
      fc.property(hash, fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (root, first) => {
        const work = nanoSearchWork(root, threshold, first, 10_000)
        assert.ok(work !== undefined && nanoWorkValue(work, root) >= threshold)
      }),
      { numRuns: 20 },
    )
  })

  it('is not found in fewer tries than it takes', () => {
    const threshold = 0xfff0_0000_0000_0000n
    const work = nanoSearchWork(ZERO_HASH, threshold, 0n, 100_000)
    assert.ok(work !== undefined)
    const tries = Number(BigInt(`0x${work}`)) + 1
    assert.equal(nanoSearchWork(ZERO_HASH, threshold, 0n, tries), work)
    assert.equal(nanoSearchWork(ZERO_HASH, threshold, 0n, tries - 1), undefined)
  })
})

describe('vouchers', () => {
  const secret = hexToBytes(send.private ?? '')

  it("are signed by the account's key", async () => {
    const { header, sign } = nanoVoucherSigner(secret)
    const jws = parseCompactJws(await signCompactJws(header, utf8('{}'), sign))
    assert.ok(nanoVoucherHolds(jws, send.account))
    assert.equal(nanoVoucherHolds(jws, send.linkAsAccount), false)
    assert.equal(nanoVoucherHolds(jws, 'nano_'), false)
  })

  it('by another algorithm are none, whoever signed them', async () => {
    const { sign } = nanoVoucherSigner(secret)
    for (const alg of ['EdDSA', 'none', undefined]) {
      const jws = parseCompactJws(await signCompactJws({ alg }, utf8('{}'), sign))
      assert.equal(nanoVoucherHolds(jws, send.account), false)
    }
  })

  it('never sign what a block does', async () => {
    const { header, sign } = nanoVoucherSigner(secret)
    const jws = parseCompactJws(await signCompactJws(header, new Uint8Array(0), sign))
    assert.notEqual(jws.signingInput.length, 32)
  })
})
