import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { type Address, ZERO_ADDRESS } from '../../chain/types.ts'
import { coin, factsIn, fit, money, oneLine, perPeriod, table, tableMoney, timeText } from './text.ts'

describe('a table', () => {
  it('aligns its columns', () => {
    assert.equal(
      table(
        ['A', 'NAME'],
        [
          ['1', 'x'],
          ['22', 'yy'],
        ],
      ),
      ['A   NAME', '1   x', '22  yy'].join('\n'),
    )
  })

  it('has a line for each row and at most 80 columns, whatever stands in it', () => {
    const cell = fc.oneof(fc.string({ unit: 'binary', maxLength: 120 }), fc.constant('漢字'.repeat(40)))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }),
        fc.constantFrom('B', undefined),
        (rows, whole) => {
          const lines = table(['A', 'B', 'C'], rows, whole).split('\n')
          assert.equal(lines.length, rows.length + 1)
          for (const line of lines) {
            assert.ok([...line].length <= 80)
            assert.equal(line, stripVTControlCharacters(line))
          }
        },
      ),
    )
  })

  it('cuts words before the column that is to stay whole, and that only when nothing else is left', () => {
    const words = 'w'.repeat(60)
    const amount = '1'.repeat(50)
    const shown = table(['NAME', 'TITLE', 'PRICE'], [[words, words, amount]], 'PRICE')
    assert.ok(shown.endsWith(`  ${amount}`) && shown.includes('…  '))
    const long = table(['NAME', 'TITLE', 'PRICE'], [[words, words, '1'.repeat(90)]], 'PRICE')
    assert.ok(long.endsWith('1…') && long.split('\n').every((line) => line.length <= 80))
  })

  it('counts wide characters twice', () => {
    assert.equal(fit('漢字漢字', 5), '漢字…')
    assert.equal(fit('漢字', 4), '漢字')
  })
})

describe('words, amounts and times', () => {
  it('are one line each', () => {
    assert.equal(oneLine('a\n\u001b[2Jb\t c\u202e'), 'a [2Jb c')
    assert.equal(coin(1_500_000_000_000_000n), '0.0015 coin')
    assert.equal(perPeriod(money(10n ** 18n, undefined), 86_400), '1 coin / Day')
    assert.equal(timeText(1_546_675_275), '2019-01-05 08:01 UTC')
  })
})

describe('tokens', () => {
  const address = (byte: string) => `0x${byte.repeat(20)}` as Address
  const dollar = { address: address('ab'), symbol: 'CTD', decimals: 6 }
  const other = { address: address('cd'), symbol: 'CTD', decimals: 6 }
  const unnamed = { address: address('ef'), symbol: undefined, decimals: undefined }

  it('have their address beside their symbol', () => {
    assert.equal(perPeriod(money(2_500_000n, dollar), 3600), '2.5 CTD (0xabab…abab) / Hour')
    assert.equal(money(5n, unnamed), '5 smallest units of token (0xefef…efef)')
  })

  it('are what was read of them, or an address alone', () => {
    const book = new Map([[dollar.address, dollar]])
    assert.equal(factsIn(book, dollar.address), dollar)
    assert.deepEqual(factsIn(book, unnamed.address), unnamed)
    assert.equal(factsIn(book, ZERO_ADDRESS), undefined)
    assert.equal(factsIn(book, undefined), undefined)
  })

  it('are called by their symbols in a table, as long as each is only one token’s', () => {
    const alone = tableMoney([dollar, undefined, unnamed, dollar])
    assert.deepEqual(
      [alone.money(5n, dollar), alone.money(5n, unnamed)],
      ['0.000005 CTD', '5 smallest units of 0xefef…efef'],
    )
    assert.deepEqual(alone.notes, [
      `CTD is the token ${dollar.address}, which calls itself CTD`,
      `0xefef…efef is the token ${unnamed.address}`,
    ])
    const both = tableMoney([dollar, other])
    assert.deepEqual([both.money(5n, dollar), both.money(5n, other)], ['0.000005 0xabab…abab', '0.000005 0xcdcd…cdcd'])
    const posing = { ...other, symbol: 'coin' }
    assert.equal(tableMoney([posing]).money(5n, posing), '0.000005 0xcdcd…cdcd')
  })
})
