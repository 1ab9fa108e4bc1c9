import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createFaults, only, type FaultRates, calm } from './faults.ts'
import { createLife } from './life.ts'
import { createLoop } from './loop.ts'
import { createSimNetwork } from './network.ts'
import { createSimRandom } from './random.ts'
import { createTrace } from './trace.ts'

const LIMITS = { answerMs: 1_000, idleMs: 1_000 }
const PIECE_MS = 100

/** A service that answers in pieces, and a client of it. */
const createWorld = (pieces: number, rates: FaultRates = calm) => {
  const loop = createLoop()
  const parts = { loop, trace: createTrace(loop), random: createSimRandom(1), faults: createFaults(rates) }
  const network = createSimNetwork(parts)
  const lives = { service: createLife(), client: createLife() }
  const asked = { pieces: 0, cancelled: false }
  network.host('service', lives.service).serve(80, () => {
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          await new Promise<void>((resolve) => void loop.schedule(PIECE_MS, resolve))
          if (asked.pieces === pieces) return controller.close()
          asked.pieces++
          controller.enqueue(new Uint8Array([asked.pieces]))
        },
        cancel: () => {
          asked.cancelled = true
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body)
  })
  const client = network.host('client', lives.client)
  const open = () => client.open(new Request('http://service/'), LIMITS)
  return { loop, network, lives, asked, open, run: <T>(work: Promise<T>) => loop.runUntil(work, 60_000) }
}

describe('a body that flows over the simulated network', () => {
  it('arrives in order, piece by piece, as fast as it is read', async () => {
    const { run, open, asked } = createWorld(3)
    const reader = (await run(open())).body?.getReader()
    assert.equal(asked.pieces, 0)
    const seen: number[] = []
    const read = async () => {
      for (;;) {
        const { done, value } = (await reader?.read()) ?? { done: true }
        if (done) return
        seen.push(...(value as Uint8Array))
        assert.equal(asked.pieces, seen.length)
      }
    }
    await run(read())
    assert.deepEqual(seen, [1, 2, 3])
  })

  it('breaks off at the client when the service dies or the connection breaks', async () => {
    const dying = createWorld(3)
    const reader = (await dying.run(dying.open())).body?.getReader()
    await dying.run(reader?.read() as Promise<unknown>)
    dying.lives.service.end()
    await assert.rejects(dying.run(reader?.read() as Promise<unknown>), { code: 'ERR_NETWORK_UNREACHABLE' })

    const breaking = createWorld(100, only({ reset: 0.3 }))
    const answer = await breaking.run(breaking.open())
    await assert.rejects(breaking.run(answer.arrayBuffer()), { code: 'ERR_NETWORK_UNREACHABLE' })
    assert.ok(breaking.asked.cancelled)
  })

  it('is told to the service when the client leaves or dies', async () => {
    for (const leave of ['cancel', 'die'] as const) {
      const { run, open, lives, loop, asked } = createWorld(3)
      const { body } = await run(open())
      if (leave === 'cancel') await run(body?.cancel() as Promise<void>)
      else lives.client.end()
      await loop.run('idle')
      assert.ok(asked.cancelled, leave)
    }
  })

  it('is given up when no piece comes for too long', async () => {
    const { run, open, network } = createWorld(3)
    const { body } = await run(open())
    network.partition('client', 'service')
    await assert.rejects(run(body?.getReader().read() as Promise<unknown>), { code: 'ERR_NETWORK_TIMEOUT' })
  })
})
