import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatAmount, formatPeriod, NATIVE_DECIMALS, parseAmount, pricePerDay } from './amount.ts'

const decimals = fc.integer({ min: 0, max: 36 })
const uint256 = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n })

describe('amounts', () => {
  it('are written exactly, without trailing zeros', () => {
    assert.equal(formatAmount(1_500_000_000_000_000_000n, NATIVE_DECIMALS), '1.5')
    assert.equal(formatAmount(1n, NATIVE_DECIMALS), '0.000000000000000001')
    assert.equal(formatAmount(1_000_000n, 6), '1')
    assert.equal(formatAmount(0n, 6), '0')
    assert.equal(formatAmount(42n, 0), '42')
  })

  it('come back as they were written, for any token', () => {
    fc.assert(
      fc.property(uint256, decimals, (amount, places) => {
        assert.equal(parseAmount(formatAmount(amount, places), places), amount)
      }),
    )
  })

  it('keep their order of size when written with all their decimals', () => {
    fc.assert(
      fc.property(uint256, uint256, decimals, (a, b, places) => {
        const least = parseAmount(formatAmount(a < b ? a : b, places), places)
        const greatest = parseAmount(formatAmount(a < b ? b : a, places), places)
        assert.ok(least !== undefined && greatest !== undefined && least <= greatest)
      }),
    )
  })

  it('may be written with zeros that say nothing', () => {
    assert.equal(parseAmount('007.50', 2), 750n)
    assert.equal(parseAmount('1.0', 18), 10n ** 18n)
  })

  for (const text of [
    '',
    '.',
    '1.',
    '.5',
    '-1',
    '+1',
    '1e3',
    '1,5',
    ' 1',
    '1 ',
    '1\n',
    '0x10',
    '1.2.3',
    '１',
    '9'.repeat(79),
  ]) {
    it(`are not read from ${JSON.stringify(text.length > 20 ? `${text.slice(0, 3)}…` : text)}`, () => {
      assert.equal(parseAmount(text, 18), undefined)
    })
  }

  it('are not rounded: a digit beyond the smallest unit is refused', () => {
    assert.equal(parseAmount('0.0000001', 6), undefined)
    assert.equal(parseAmount('1.0', 0), undefined)
  })
})

describe('periods', () => {
  const words: readonly (readonly [number, string])[] = [
    [1, 'Second'],
    [60, 'Minute'],
    [5400, '90 Minute'],
    [3600, 'Hour'],
    [86_400, 'Day'],
    [30 * 86_400, '30 Day'],
    [604_800, 'Week'],
    [31_536_000, 'Year'],
    [86_401, '86401 Second'],
  ]
  for (const [seconds, word] of words) {
    it(`${seconds} s is ${word}`, () => assert.equal(formatPeriod(seconds), word))
  }

  it('are whole numbers of one unit that make up all their seconds', () => {
    const lengths = new Map(words.filter(([, word]) => !word.includes(' ')).map(([seconds, word]) => [word, seconds]))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0xffffffff }), (seconds) => {
        const [count = '', unit = count] = formatPeriod(seconds).split(' ')
        const length = lengths.get(unit) ?? 0
        assert.equal((unit === count ? 1 : Number(count)) * length, seconds)
      }),
    )
  })
})

describe('the price of a day', () => {
  it('is rounded up to the smallest unit, so that nothing that costs anything seems free', () => {
    assert.equal(pricePerDay(1n, 3600), 24n)
    assert.equal(pricePerDay(1n, 172_800), 1n)
    assert.equal(pricePerDay(0n, 172_800), 0n)
    fc.assert(
      fc.property(uint256, fc.integer({ min: 1, max: 0xffffffff }), (price, seconds) => {
        const overpaid = pricePerDay(price, seconds) * BigInt(seconds) - price * 86_400n
        assert.ok(overpaid >= 0n && overpaid < BigInt(seconds))
      }),
    )
  })
})
