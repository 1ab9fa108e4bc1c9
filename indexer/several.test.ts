import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../chain/types.ts'
import type { Indexer } from './index.ts'
import { createDirectories } from './several.ts'
import { address } from './testing.ts'

const [first, second] = [address(1), address(0xabc)]

/** A directory that says who it is and what it was asked, and runs until it is told to stop or to fail. */
const directory = (name: string) => {
  const failing = Promise.withResolvers<never>()
  const state = { running: false, closed: false }
  const indexer: Indexer = {
    fetch: async (request) => Response.json([name, new URL(request.url).pathname, await request.text()]),
    step: () => assert.fail('it keeps its own time'),
    async run(signal) {
      state.running = true
      const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      await Promise.race([stopped, failing.promise]).finally(() => (state.running = false))
    },
    close: async () => void (state.closed = true),
  }
  return { indexer, state, fail: (error: Error) => failing.reject(error) }
}

const open = () => {
  const [one, other] = [directory('first'), directory('second')]
  const indexers = new Map<Address, Indexer>([
    [first, one.indexer],
    [second, other.indexer],
  ])
  return { directories: createDirectories(indexers), one, other }
}

describe('several registries in one process', () => {
  it('are asked each under its address, however it is spelled, and the first at the root too', async () => {
    const { directories } = open()
    const ask = async (path: string) =>
      (await directories.fetch(new Request(`http://here${path}`, { method: 'POST', body: 'asked' }))).json()
    assert.deepEqual(await ask('/graphql?query=x'), ['first', '/graphql', 'asked'])
    assert.deepEqual(await ask(`/${first}/graphql`), ['first', '/graphql', 'asked'])
    assert.deepEqual(await ask(`/${second}/ready`), ['second', '/ready', 'asked'])
    assert.deepEqual(await ask(`/0x${second.slice(2).toUpperCase()}/graphql`), ['second', '/graphql', 'asked'])
  })

  it('do not answer for a registry that is not among them', async () => {
    const response = await open().directories.fetch(new Request(`http://here/${address(7)}/graphql`))
    assert.equal(response.status, 404)
    assert.equal(((await response.json()) as { code: string }).code, 'ERR_REGISTRY_UNKNOWN')
  })

  it('run together: one that fails ends the others, and says why', async () => {
    const { directories, one, other } = open()
    const running = directories.run(new AbortController().signal)
    assert.deepEqual([one.state.running, other.state.running], [true, true])
    other.fail(new Error('the chain began again'))
    await assert.rejects(running, /began again/)
    assert.equal(one.state.running, false)
    await directories.close()
    assert.deepEqual([one.state.closed, other.state.closed], [true, true])
  })

  it('stop together', async () => {
    const { directories } = open()
    const stopping = new AbortController()
    const running = directories.run(stopping.signal)
    stopping.abort()
    await running
  })
})
