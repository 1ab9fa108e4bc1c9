import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { type Address, ZERO_ADDRESS } from '../../chain/types.ts'
import { coin, factsIn, fit, oneLine, priceText, table, timeText } from './text.ts'

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
      fc.property(fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }), (rows) => {
        const lines = table(['A', 'B', 'C'], rows).split('\n')
        assert.equal(lines.length, rows.length + 1)
        for (const line of lines) {
          assert.ok([...line].length <= 80)
          assert.equal(line, stripVTControlCharacters(line))
        }
      }),
    )
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
    assert.equal(priceText(10n ** 18n, undefined, 86_400), '1 coin / Day')
    const token = { address: `0x${'ab'.repeat(20)}` as Address, symbol: 'CTD', decimals: 6 }
    assert.equal(priceText(2_500_000n, token, 3600), '2.5 CTD (0xabab…abab) / Hour')
    const tokens = new Map([[token.address, token]])
    assert.equal(priceText(5n, factsIn(tokens, token.address), 3600), '0.000005 CTD (0xabab…abab) / Hour')
    const unknown = factsIn(new Map(), token.address)
    assert.equal(priceText(5n, unknown, 3600), '5 smallest units of token (0xabab…abab) / Hour')
    assert.equal(factsIn(tokens, ZERO_ADDRESS), undefined)
    assert.equal(timeText(1_546_675_275), '2019-01-05 08:01 UTC')
  })
})
