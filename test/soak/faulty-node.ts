/** A way to a node as public ones are: it waits, breaks off, has enough of who asks, and refuses long ranges. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { tapChain, type ChainTap } from '../child.ts'
import type { Run } from './run.ts'

const RANGE_BLOCKS_MAX = 10
const DELAY_MS_MAX = 300
/** Of a hundred. */
const CHANCE = { tooOften: 1, badGateway: 1, delay: 10, cut: 1 }

export const openFaultyNode = async (url: string, run: Run): Promise<ChainTap> => {
  const random = run.random.fork('faults')
  const tap = await tapChain(url, async (side, _count, call) => {
    if (side === 'answer') return
    const refusal = refusalOfRange(call)
    if (refusal) return seen(run, 'refused', refusal)
    let fate = random.int(1, 100)
    if ((fate -= CHANCE.tooOften) <= 0) return seen(run, '429', new Response('slow down', { status: 429 }))
    if ((fate -= CHANCE.badGateway) <= 0) return seen(run, '502', new Response('<html>Bad gateway', { status: 502 }))
    if (fate <= CHANCE.delay) await sleep(random.int(1, DELAY_MS_MAX))
  })
  const wire = await openBadWire(Number(new URL(tap.url).port), run)
  return {
    url: `http://127.0.0.1:${wire.port}`,
    async close() {
      wire.close()
      await tap.close()
    },
  }
}

const seen = (run: Run, kind: string, answer: Response): Response => {
  run.see(`node: ${kind}`)
  return answer
}

const refusalOfRange = (call: string): Response | undefined => {
  const { id, method, params } = JSON.parse(call) as {
    readonly id: number
    readonly method: string
    readonly params: readonly { readonly fromBlock?: string; readonly toBlock?: string }[]
  }
  const { fromBlock = '0x0', toBlock = '0x0' } = params[0] ?? {}
  const isLong = method === 'eth_getLogs' && Number(toBlock) - Number(fromBlock) >= RANGE_BLOCKS_MAX
  const error = { code: -32_602, message: 'block range is too large' }
  return isLong ? Response.json({ jsonrpc: '2.0', id, error }) : undefined
}

/** Connections through it break in the middle of an answer. */
const openBadWire = async (port: number, run: Run) => {
  const random = run.random.fork('wire')
  const open = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    near.pipe(far)
    far.on('data', (bytes: Buffer) => {
      if (random.int(1, 100) > CHANCE.cut) return void near.write(bytes)
      run.see('node: cut off')
      near.write(bytes.subarray(0, bytes.length / 2))
      near.destroy()
    })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        open.delete(one)
        other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}
