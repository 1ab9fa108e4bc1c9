import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readOrRefused, refusedAs } from '../test/refusal.ts'
import { formatVendorUri, parseVendorUri } from './vendor-uri.ts'

const registry = '0x00000000000000000000000000000000c0ffee42'

const vendorUri = fc.record(
  {
    chainId: fc.bigInt({ min: 1n, max: 2n ** 256n - 1n }),
    registry: fc
      .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 40, maxLength: 40 })
      .map((digits): `0x${string}` => `0x${digits}`),
    vendorId: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
  },
  { noNullPrototype: true },
)

describe('vendor URI', () => {
  it('is chrove:eip155:<chainId>:<registry>/<vendorId> (DESIGN 5)', () => {
    assert.equal(formatVendorUri({ chainId: 1n, registry, vendorId: 7n }), `chrove:eip155:1:${registry}/7`)
    assert.deepEqual(parseVendorUri(`chrove:eip155:1:${registry}/7`), { chainId: 1n, registry, vendorId: 7n })
  })

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(vendorUri, (uri) => {
        assert.deepEqual(parseVendorUri(formatVendorUri(uri)), uri)
      }),
    )
  })

  it('names one vendor in any case of letters, and is written in lower case', () => {
    fc.assert(
      fc.property(vendorUri, fc.infiniteStream(fc.boolean()), (uri, upper) => {
        const text = formatVendorUri(uri)
        const mixed = [...text].map((letter) => (upper.next().value ? letter.toUpperCase() : letter)).join('')
        assert.deepEqual(parseVendorUri(mixed), uri)
        assert.equal(formatVendorUri(parseVendorUri(mixed)), text)
        const shouted = { ...uri, registry: `0x${uri.registry.slice(2).toUpperCase()}` as const }
        assert.equal(formatVendorUri(shouted), text)
      }),
    )
  })

  const wrong = {
    nothing: '',
    'another scheme': `https:eip155:1:${registry}/7`,
    'another namespace': `chrove:solana:1:${registry}/7`,
    'chain 0': `chrove:eip155:0:${registry}/7`,
    'a chain with a leading zero': `chrove:eip155:01:${registry}/7`,
    'a negative chain': `chrove:eip155:-1:${registry}/7`,
    'a short address': `chrove:eip155:1:${registry.slice(0, -1)}/7`,
    'a long address': `chrove:eip155:1:${registry}0/7`,
    'no vendor': `chrove:eip155:1:${registry}/`,
    'vendor 0': `chrove:eip155:1:${registry}/0`,
    'a vendor with a leading zero': `chrove:eip155:1:${registry}/07`,
    'a vendor over 64 bits': `chrove:eip155:1:${registry}/${2n ** 64n}`,
    'a line after it': `chrove:eip155:1:${registry}/7\n`,
    'a space before it': ` chrove:eip155:1:${registry}/7`,
    'more of a path': `chrove:eip155:1:${registry}/7/8`,
    'digits of another script': `chrove:eip155:1:${registry}/７`,
    'a letter that lower-cases to k': `chrove:eip155:1:${registry}/7\u212a`,
    'a chain of a million digits': `chrove:eip155:${'9'.repeat(1_000_000)}:${registry}/7`,
  }
  for (const [name, text] of Object.entries(wrong)) {
    it(`is refused with ${name}`, () => assert.throws(() => parseVendorUri(text), refusedAs('ERR_VENDOR_URI_INVALID')))
  }

  it('is refused in one way, whatever text comes, and has one form when it is not', async () => {
    const near = fc
      .array(fc.constantFrom('chrove:', 'eip155:', '1', '0', ':', registry, '/', 'a', ' '), { maxLength: 8 })
      .map((parts) => parts.join(''))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), near), async (text) => {
        const uri = await readOrRefused(() => parseVendorUri(text))
        if (uri) assert.equal(formatVendorUri(uri), text.toLowerCase())
      }),
      { numRuns: 1000 },
    )
  })
})
