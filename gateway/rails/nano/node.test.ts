import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FetchLimits, type Network, NetworkError } from '../../../effects/network.ts'
import { nanoBlockHash } from '../../../protocol/nano/block.ts'
import { EASY_WORK, genesisOf, nanoAccount, nanoKey } from '../../../sim/nano/wallet.ts'
import { createNanoNode } from './node.ts'
import { nanoSettingsSchema } from './settings.ts'

const { signal } = new AbortController()
const ACCOUNT = nanoAccount(nanoKey(1))
const BLOCK = genesisOf(nanoKey(1))
const HASH = nanoBlockHash(BLOCK)

/** A node that gives one answer, and keeps what it was asked. */
const answering = (answer: Response | Error, url = 'http://user:p%40ss@node.example:7076') => {
  const asked: { request: Request; limits: FetchLimits }[] = []
  const network: Network = {
    async fetch(request, limits) {
      asked.push({ request, limits })
      if (answer instanceof Error) throw answer
      return answer.clone()
    },
    connect: () => assert.fail(),
    listen: () => assert.fail(),
  }
  return { node: createNanoNode(network, url), asked }
}
const saying = (content: unknown) => answering(Response.json(content))

describe('questions to a node', () => {
  it('are JSON by POST, with the login of the URL as others send it', async () => {
    const { node, asked } = saying({ error: 'Account not found' })
    assert.equal(await node.accountInfo(ACCOUNT, signal), undefined)
    const [{ request, limits } = assert.fail()] = asked
    assert.deepEqual([request.method, request.url], ['POST', 'http://node.example:7076/'])
    assert.equal(request.headers.get('authorization'), `Basic ${Buffer.from('user:p@ss').toString('base64')}`)
    assert.deepEqual(await request.json(), { action: 'account_info', account: ACCOUNT })
    assert.ok(limits.timeoutMs <= 60_000 && limits.bodyBytesMax <= 2 ** 20)
  })

  it('go to no URL of another kind, which the error does not repeat', () => {
    for (const url of ['', 'ws://secret.example', 'secret.example'])
      assert.throws(
        () => answering(new Response(), url),
        (error: Error) => !error.message.includes('secret'),
      )
  })
})

describe('answers of a node', () => {
  it('docs.nano.org receivable: an empty list is an empty text', async () => {
    assert.deepEqual(await saying({ blocks: '' }).node.receivable(ACCOUNT, 1n, 0, signal), [])
  })

  it('docs.nano.org account_info', async () => {
    const { node } = saying({
      frontier: 'FF84533A571D953A596EA401FD41743AC85D04F406E76FDE4408EAED50B473C5',
      open_block: '991CF190094C00F0B68E2E5F75F6BEE95A2E0BD93CEAA4A6734DB9F19B728948',
      representative_block: '991CF190094C00F0B68E2E5F75F6BEE95A2E0BD93CEAA4A6734DB9F19B728948',
      balance: '235580100176034320859259343606608761791',
      modified_timestamp: '1501793775',
      block_count: '33',
      confirmation_height: '28',
      confirmation_height_frontier: '34C70FCA0952E29ADC7BEE6F20381466AE42BD1CFBA4B7DFFE8BD69DF95449EB',
      account_version: '1',
    })
    assert.deepEqual(await node.accountInfo(ACCOUNT, signal), {
      frontier: 'FF84533A571D953A596EA401FD41743AC85D04F406E76FDE4408EAED50B473C5',
      confirmedFrontier: '34C70FCA0952E29ADC7BEE6F20381466AE42BD1CFBA4B7DFFE8BD69DF95449EB',
    })
  })

  it('docs.nano.org block_info: of a block of an older type its balance is all that is read', async () => {
    const { node } = saying({
      block_account: 'nano_1ipx847tk8o46pwxt5qjdbncjqcbwcc1rrmqnkztrfjy5k7z4imsrata9est',
      amount: '30000000000000000000000000000000000',
      balance: '5606157000000000000000000000000000000',
      height: '58',
      local_timestamp: '0',
      successor: '8D3AB98B301224253750D448B4BD997132400CEDD0A8432F775724F2D9821C72',
      confirmed: 'true',
      contents: { type: 'send', previous: 'CE898C131AAEE25E05362F247760F8A3ACF34A9796A5AE0D9204E86B0637965E' },
    })
    const info = await node.blockInfo(HASH, signal)
    assert.deepEqual(
      [info?.confirmed, info?.balance, info?.block],
      [true, 5606157000000000000000000000000000000n, undefined],
    )
  })

  const taken: [words: string, taken: string][] = [
    ['Old block', 'taken'],
    ['Fork', 'fork'],
    ['Invalid block balance for given subtype', 'fork'],
    ['Gap previous block', 'gap'],
    ['Gap source block', 'gap'],
    ['Unreceivable', 'unreceivable'],
    ['Block work is less than threshold', 'work'],
    ['Block work is insufficient', 'work'],
  ]
  for (const [words, outcome] of taken) {
    it(`nano/lib/errors.cpp: "${words}" to a block that is published`, async () => {
      assert.equal(await saying({ error: words }).node.process(BLOCK, 'send', signal), outcome)
    })
  }

  it('nano/lib/errors.cpp: any other word to it is a refusal', async () => {
    const { node } = saying({ error: 'Bad signature' })
    await assert.rejects(node.process(BLOCK, 'send', signal), { code: 'ERR_NANO_REFUSED', words: 'Bad signature' })
  })

  const wrong: [what: string, code: string, answer: Response | Error][] = [
    ['HTTP 429', 'ERR_NANO_UNREACHABLE', new Response('{}', { status: 429 })],
    ['no JSON', 'ERR_NANO_MALFORMED', new Response('<html>')],
    ['a list', 'ERR_NANO_MALFORMED', Response.json([])],
    ['deep JSON', 'ERR_NANO_MALFORMED', new Response('['.repeat(10_000))],
    ['a block without contents', 'ERR_NANO_MALFORMED', Response.json({ balance: '1', confirmed: 'true' })],
    ['an endless answer', 'ERR_NANO_MALFORMED', new NetworkError('ERR_NETWORK_BODY_TOO_LARGE', '')],
    ['nothing in time', 'ERR_NANO_UNREACHABLE', new NetworkError('ERR_NETWORK_TIMEOUT', '')],
    ['nobody there', 'ERR_NANO_UNREACHABLE', new NetworkError('ERR_NETWORK_UNREACHABLE', '')],
  ]
  for (const [what, code, answer] of wrong) {
    it(`${what} is ${code}, which passes`, async () => {
      await assert.rejects(answering(answer).node.blockInfo(HASH, signal), { code, retryable: true })
    })
  }

  it('that go on and on in words are cut', async () => {
    const { node } = saying({ error: 'x'.repeat(100_000) })
    await assert.rejects(node.blockInfo(HASH, signal), ({ words }: { words: string }) => words.length <= 200)
  })
})

describe('settings', () => {
  const least = { scheme: 'nano', rpc: 'http://127.0.0.1:7076', representative: ACCOUNT }

  it('are those of the live network where they say nothing', () => {
    const { work, minimumDeposit, pollMs } = nanoSettingsSchema.parse(least)
    assert.deepEqual(work, { by: 'node', send: 0xffff_fff8_0000_0000n, receive: 0xffff_fe00_0000_0000n })
    assert.deepEqual([minimumDeposit, pollMs], [10n ** 24n, 5_000])
  })

  it('of another network name the work that it asks for', () => {
    const work = { by: 'gateway', send: 'ff00000000000000', receive: 'f000000000000000' }
    assert.deepEqual(nanoSettingsSchema.parse({ ...least, work }).work, { by: 'gateway', ...EASY_WORK })
  })

  it('are refused when a representative is no account', () => {
    assert.throws(() => nanoSettingsSchema.parse({ ...least, representative: 'nano_1' }))
  })
})
