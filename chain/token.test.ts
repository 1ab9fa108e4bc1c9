import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { type Chain, ChainError } from '../effects/chain.ts'
import { toHex, utf8 } from '../protocol/bytes.ts'
import { partsOf, signMessage } from '../protocol/typed-data.ts'
import { type DevelopmentChain, startDevelopmentChain } from '../test/development-chain.ts'
import { deployToken, type TestToken } from '../scripts/tokens.ts'
import { encodeValues } from './abi-encode.ts'
import { createTokenReader, tokenAmountText, tokenCall } from './token.ts'
import { createAccount } from './transactions.ts'
import type { Address, Hex } from './types.ts'

const chainId = 31337n
const TOKEN = `0x${'70'.repeat(20)}` as Address
const OWNER = `0x${'01'.repeat(20)}` as Address

describe('tokens on a real EVM', () => {
  let evm: DevelopmentChain
  let stablecoin: TestToken
  let old: TestToken
  before(async () => {
    evm = await startDevelopmentChain()
    stablecoin = await deployToken(evm.request, 'Stablecoin')
    old = await deployToken(evm.request, 'OldToken')
  })
  after(() => evm.close())

  it('tell their symbol and decimals, in either of the forms that there are', async () => {
    const reader = createTokenReader(evm)
    assert.deepEqual(await reader.facts(stablecoin.address), {
      address: stablecoin.address,
      symbol: 'CTD',
      decimals: 6,
    })
    assert.deepEqual(await reader.facts(old.address), { address: old.address, symbol: 'OLD', decimals: 2 })
  })

  it('tell balances and allowances; what is no token tells nothing', async () => {
    const reader = createTokenReader(evm)
    await old.mint(OWNER, 7n)
    assert.equal(await reader.balance(old.address, OWNER), 7n)
    assert.equal(await reader.allowance(old.address, OWNER, evm.payments), 0n)
    for (const nothing of [TOKEN, evm.payments]) {
      assert.equal(await reader.balance(nothing, OWNER), undefined)
      assert.deepEqual(await reader.facts(nothing), { address: nothing, symbol: undefined, decimals: undefined })
    }
  })

  it('EIP-2612, EIP-3009: their domain is found where they have one, and takes what is signed for it', async () => {
    const reader = createTokenReader(evm)
    assert.equal(await reader.domain(old.address, chainId), undefined)
    const found = await reader.domain(stablecoin.address, chainId)
    assert.deepEqual([found?.name, found?.version], ['Chrove Test Dollar', '1'])
    const domain = found?.separator as Hex
    const { address: owner } = createAccount(
      { chain: evm, clock: { nowMs: () => 0, sleep: () => evm.mine() } },
      chainId,
      evm.key(1),
    )
    const terms = {
      owner,
      spender: owner,
      value: 0n,
      nonce: (await reader.permitNonce(stablecoin.address, owner)) ?? 1n,
      deadline: 2n ** 40n,
    }
    const permit = (signed: typeof terms) => {
      const { v, r, s } = partsOf(signMessage(domain, 'Permit', signed, evm.key(1)))
      return tokenCall(stablecoin.address, 'permit', owner, owner, terms.value, terms.deadline, v, r, s)
    }
    assert.equal(await reader.accepts(permit(terms)), true)
    assert.equal(await reader.accepts(permit({ ...terms, value: 1n })), false)
    const nonce: Hex = `0x${'ab'.repeat(32)}`
    assert.equal(await reader.isAuthorizationUsed(stablecoin.address, owner, nonce), false)
    assert.equal(await reader.isAuthorizationUsed(old.address, owner, nonce), undefined)
  })

  it('of another chain have no domain here', async () => {
    assert.equal(await createTokenReader(evm).domain(stablecoin.address, 1n), undefined)
  })
})

/** A token that gives any answer at all. */
const answering = (answers: Readonly<Record<string, string | ChainError>>): Chain => ({
  request: async (_method, params) => {
    const [{ data }] = params as [{ data: Hex }]
    const [name] = (['symbol', 'decimals', 'balanceOf', 'name', 'version', 'DOMAIN_SEPARATOR'] as const).filter(
      (each) =>
        data.startsWith(
          tokenCall(TOKEN, ...((each === 'balanceOf' ? [each, OWNER] : [each]) as ['symbol'])).data.slice(0, 10),
        ),
    )
    const answer = answers[name ?? ''] ?? '0x'
    if (answer instanceof ChainError) throw answer
    return answer
  },
})
const textAnswer = (text: string): Hex => encodeValues([{ name: '', type: 'string' }], [text])
const factsOf = (answers: Parameters<typeof answering>[0]) => createTokenReader(answering(answers)).facts(TOKEN)

describe('a token that is somebody else', () => {
  it('has no symbol that would mislead', async () => {
    const good = ['USDC', 'USDC.e', 'USD₮0', '1INCH', 'BTC++', '$X', 'wstETH']
    for (const symbol of good) assert.equal((await factsOf({ symbol: textAnswer(symbol) })).symbol, symbol)
    const bad = [
      ...['', '000', '1.5', 'US DC', 'USDC\n', '\u001b[31mUSDC', 'US\u200bDC', '\u202eCDSU', 'אבג', '﷼'],
      ...['USD\u0421', 'A'.repeat(17), '💰', 'a\u0301', '<b>', '(0x12)', '`'],
    ]
    for (const symbol of bad) assert.equal((await factsOf({ symbol: textAnswer(symbol) })).symbol, undefined, symbol)
    assert.equal((await factsOf({ symbol: toHex(utf8('A'.repeat(32))) })).symbol, undefined)
    assert.equal((await factsOf({ symbol: `0x${'00'.repeat(32)}` })).symbol, undefined)
  })

  it('has no decimals that no amount has', async () => {
    const decimalsOf = async (value: bigint) =>
      (await factsOf({ decimals: encodeValues([{ name: '', type: 'uint256' }], [value]) })).decimals
    assert.deepEqual(
      [await decimalsOf(0n), await decimalsOf(77n), await decimalsOf(78n), await decimalsOf(2n ** 255n)],
      [0, 77, undefined, undefined],
    )
  })

  it('whatever it answers, is read without fault and in bounds', async () => {
    const answer = fc.uint8Array({ maxLength: 200 }).map(toHex)
    await fc.assert(
      fc.asyncProperty(answer, answer, answer, async (symbol, decimals, other) => {
        const reader = createTokenReader(
          answering({ symbol, decimals, balanceOf: other, DOMAIN_SEPARATOR: other, name: symbol }),
        )
        const facts = await reader.facts(TOKEN)
        assert.ok(facts.symbol === undefined || facts.symbol.length <= 16)
        assert.ok(facts.decimals === undefined || facts.decimals <= 77)
        assert.equal(await reader.domain(TOKEN, chainId), undefined)
        await reader.balance(TOKEN, OWNER)
      }),
    )
  })

  it('that answers without end, fails, or is refused by the node, does not answer; a node that is away is told', async () => {
    const endless = toHex(new Uint8Array(2048))
    const refused = new ChainError('ERR_CHAIN_REFUSED', 'out of gas')
    for (const symbol of [endless, refused, `0x${'00'.repeat(1024 * 1024)}`])
      assert.equal((await factsOf({ symbol })).symbol, undefined)
    await assert.rejects(factsOf({ symbol: new ChainError('ERR_CHAIN_UNREACHABLE', 'away') }), {
      code: 'ERR_CHAIN_UNREACHABLE',
    })
  })
})

describe('amounts of tokens', () => {
  it('are exact, and name the token by its address', () => {
    const facts = { address: TOKEN, symbol: 'CTD', decimals: 6 }
    assert.equal(tokenAmountText(2_500_000n, facts), '2.5 CTD (0x7070…7070)')
    assert.equal(tokenAmountText(2n ** 128n, facts), '340282366920938463463374607431768.211456 CTD (0x7070…7070)')
    assert.equal(tokenAmountText(5n, { ...facts, symbol: undefined }), '0.000005 token (0x7070…7070)')
    assert.equal(tokenAmountText(5n, { ...facts, decimals: undefined }), '5 smallest units of CTD (0x7070…7070)')
  })
})
