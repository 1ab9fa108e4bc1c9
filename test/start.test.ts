/** `npm start -- --once --json`: what scripts that look whether Chrove works here read. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { z } from 'zod'
import { serverSchema } from '../protocol/credentials.ts'
import { startChild } from './child.ts'

const milliseconds = z.number().min(0)
const seconds = z.int().positive()
const hash = z.string().regex(/^0x[0-9a-f]{64}$/)

const resultShape = z.strictObject({
  ok: z.literal(true),
  vendors: z
    .array(
      z.strictObject({
        title: z.string().min(1),
        uri: z.string().regex(/^chrove:eip155:\d+:0x[0-9a-f]{40}\/\d+$/),
        endpoint: z.url(),
        plans: z.array(z.int()).min(1),
      }),
    )
    .min(3),
  order: z.strictObject({
    orderId: hash,
    endsAtSeconds: seconds,
    transactionHash: hash,
    feeWei: z.string().regex(/^\d+$/),
  }),
  credentials: z.strictObject({
    ok: z.literal(true),
    orderId: hash,
    servers: z.array(serverSchema).min(1),
    expiresSeconds: seconds,
    collectedAtSeconds: seconds,
  }),
  proxied: z.strictObject({ status: z.literal(200), bytes: z.int().positive() }),
  timingsMs: z.record(z.string(), milliseconds),
})

it('prints one JSON object with all that happened, and exits 0', async () => {
  const { exitCode, said } = await startChild('scripts/start.ts', ['--once', '--json']).ended
  const [line = '', ...more] = said.split('\n')
  assert.deepEqual(more, [''], 'one line and nothing else')
  const { vendors, order, credentials } = resultShape.parse(JSON.parse(line))
  assert.equal(new Set(vendors.map(({ uri }) => uri)).size, vendors.length)
  assert.equal(credentials.orderId, order.orderId)
  assert.equal(exitCode, 0)
})
