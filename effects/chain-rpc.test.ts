import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createChainRpc } from './chain-rpc.ts'
import { ChainError, type ChainErrorCode } from './chain.ts'
import { type Network, NetworkError } from './network.ts'

const url = 'http://node.example/v2/access-key'

/** A network of one node, which answers the request's body. */
const network = (answer: (body: { id: number }, request: Request) => Response | Promise<Response>): Network => ({
  fetch: async (request) => answer((await request.clone().json()) as { id: number }, request),
  connect: () => assert.fail('opens no connection of its own'),
  listen: () => assert.fail('does not listen'),
})

const ask = (answer: Parameters<typeof network>[0], signal?: AbortSignal): Promise<unknown> =>
  createChainRpc({ url, network: network(answer) }).request('eth_call', [{ to: '0x01' }, 'latest'], signal)

const answering = (content: object, init?: ResponseInit) =>
  ask(({ id }) => Response.json({ jsonrpc: '2.0', id, ...content }, init))

const fails =
  (code: ChainErrorCode, fields: Partial<ChainError> = {}) =>
  (error: ChainError) => {
    assert.ok(error instanceof ChainError, String(error))
    assert.equal(error.code, code)
    assert.deepEqual({ ...error, ...fields }, { ...error })
    assert.ok(!error.message.includes('node.example') && !error.message.includes('access-key'))
    return true
  }

describe('a chain behind JSON-RPC', () => {
  it('is asked by POST, as JSON-RPC 2.0, with a new id each time', async () => {
    const bodies: unknown[] = []
    const chain = createChainRpc({
      url: 'https://us%20er:pass@node.example/',
      network: network((body, request) => {
        bodies.push(body)
        assert.equal(request.method, 'POST')
        assert.equal(request.headers.get('content-type'), 'application/json')
        assert.equal(request.headers.get('authorization'), `Basic ${btoa('us er:pass')}`)
        return Response.json({ jsonrpc: '2.0', id: body.id, result: '0x1' })
      }),
    })
    assert.equal(await chain.request('eth_chainId', []), '0x1')
    assert.equal(await chain.request('eth_getBalance', ['0x00', 'latest']), '0x1')
    assert.deepEqual(bodies, [
      { jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] },
      { jsonrpc: '2.0', id: 2, method: 'eth_getBalance', params: ['0x00', 'latest'] },
    ])
  })

  it('gives any result as it is, null included', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (result) => {
        assert.deepEqual(await answering({ result }), JSON.parse(JSON.stringify(result)))
      }),
    )
  })

  it('gives the revert data of a refused call, wherever nodes put it', async () => {
    const refusal = { rpcCode: 3, rpcMessage: 'execution reverted', data: '0xdeadBEEF' }
    for (const data of ['0xdeadBEEF', { data: '0xdeadBEEF', message: 'reverted' }]) {
      const error = { code: 3, message: 'execution reverted', data }
      await assert.rejects(answering({ error }), fails('ERR_CHAIN_REFUSED', refusal))
    }
    for (const data of [undefined, null, 7, '0x0', 'Reverted', { data: 'x' }, []]) {
      const error = { code: 3, message: 'execution reverted', data }
      await assert.rejects(answering({ error }), fails('ERR_CHAIN_REFUSED', { data: undefined }))
    }
  })

  it('keeps the words of the node out of the message, and bounded', async () => {
    const error = { code: -32000, message: 'insufficient funds '.repeat(1000) }
    await assert.rejects(answering({ error }), (fault: ChainError) => {
      assert.equal(fault.message, 'the node refuses the request (JSON-RPC error -32000)')
      assert.equal(fault.rpcMessage?.length, 256)
      return !fault.retryable
    })
  })

  it('takes an error without an id: the node could not read ours', async () => {
    await assert.rejects(
      answering({ id: null, error: { code: -32700, message: '' } }),
      fails('ERR_CHAIN_REFUSED', { rpcCode: -32700 }),
    )
  })

  it('reads an error that comes with an HTTP status', async () => {
    const error = { code: -32601, message: 'no such method' }
    await assert.rejects(answering({ error }, { status: 400 }), fails('ERR_CHAIN_REFUSED', { rpcCode: -32601 }))
  })

  it('knows the ways of being asked too much', async () => {
    const passing = { retryable: true }
    await assert.rejects(
      ask(() => new Response('slow down', { status: 429 })),
      fails('ERR_CHAIN_RATE_LIMITED', passing),
    )
    for (const code of [-32005, 429]) {
      await assert.rejects(answering({ error: { code, message: 'limit' } }), fails('ERR_CHAIN_RATE_LIMITED', passing))
    }
  })

  it('refuses what is no answer to its question', async () => {
    const answers = ['', '<html>login</html>', '[]', 'null', '{"jsonrpc":"2.0"', '"0x1"', '['.repeat(1_000_000)]
    for (const text of answers)
      await assert.rejects(
        ask(() => new Response(text)),
        fails('ERR_CHAIN_MALFORMED', { retryable: false }),
      )
    for (const content of [
      {},
      { id: 7, result: 1 },
      { id: '1', result: 1 },
      { id: null, result: 1 },
      { jsonrpc: '1.0', result: 1 },
      { id: 7, error: { code: 1, message: '' } },
      { error: {} },
    ]) {
      await assert.rejects(answering(content), fails('ERR_CHAIN_MALFORMED'))
    }
  })

  it('takes a status without JSON-RPC for something in front of the node', async () => {
    for (const status of [301, 403, 502]) {
      await assert.rejects(
        ask(() => new Response('<html>', { status })),
        fails('ERR_CHAIN_UNREACHABLE', { retryable: true }),
      )
    }
  })

  it('asks once more when the connection breaks, as an idle one may, and not a third time', async () => {
    const broken = () => Promise.reject(new NetworkError('ERR_NETWORK_UNREACHABLE', 'fault'))
    const tries: number[] = []
    const askingWith = (answers: readonly ((id: number) => Response | Promise<Response>)[]) => {
      tries.length = 0
      return ask(({ id }) => {
        tries.push(id)
        const answer = answers[tries.length - 1] ?? assert.fail('asked too often')
        return answer(id)
      })
    }
    const good = (id: number) => Response.json({ jsonrpc: '2.0', id, result: 'yes' })
    assert.equal(await askingWith([broken, good]), 'yes')
    assert.equal(tries[0], tries[1])
    await assert.rejects(askingWith([broken, broken]), fails('ERR_CHAIN_UNREACHABLE'))
    const late = () => Promise.reject(new NetworkError('ERR_NETWORK_TIMEOUT', 'fault'))
    await assert.rejects(askingWith([late]), fails('ERR_CHAIN_TIMEOUT'))
  })

  it('says which fault of the network it was', async () => {
    const codes = {
      ERR_NETWORK_TIMEOUT: 'ERR_CHAIN_TIMEOUT',
      ERR_NETWORK_BODY_TOO_LARGE: 'ERR_CHAIN_MALFORMED',
      ERR_NETWORK_UNREACHABLE: 'ERR_CHAIN_UNREACHABLE',
      ERR_NETWORK_PROXY: 'ERR_CHAIN_UNREACHABLE',
    } as const
    for (const [fault, code] of Object.entries(codes) as [keyof typeof codes, ChainErrorCode][]) {
      await assert.rejects(
        ask(() => Promise.reject(new NetworkError(fault, 'fault'))),
        fails(code),
      )
    }
  })

  it('hands on the reason of the signal', async () => {
    const reason = new Error('enough')
    await assert.rejects(
      ask(() => Promise.reject(reason), AbortSignal.abort(reason)),
      reason,
    )
  })

  it('fails with ChainError only, whatever the node sends', async () => {
    const member = fc.oneof(fc.constant('2.0'), fc.constant(1), fc.jsonValue())
    const envelope = fc.record(
      {
        jsonrpc: member,
        id: member,
        result: member,
        error: fc.oneof(member, fc.record({ code: member, message: member, data: member })),
      },
      { requiredKeys: [] },
    )
    const anything = fc.oneof(
      fc.string(),
      envelope.map((value) => JSON.stringify(value)),
    )
    await fc.assert(
      fc.asyncProperty(anything, fc.constantFrom(200, 400, 500), async (text, status) => {
        await ask(() => new Response(text, { status })).catch((error: unknown) =>
          assert.ok(error instanceof ChainError),
        )
      }),
      { numRuns: 500 },
    )
  })

  it('takes only http and https endpoints, and does not repeat others', () => {
    for (const bad of ['', 'node.example', 'ws://access-key@node.example', 'file:///etc/passwd']) {
      assert.throws(() => createChainRpc({ url: bad, network: network(() => Response.error()) }), {
        name: 'TypeError',
        message: 'a JSON-RPC endpoint is a URL with http: or https:',
      })
    }
  })
})
