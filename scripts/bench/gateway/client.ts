/**
 * Asks over plain sockets, as fast as answers come. Requests, with their vouchers and proofs, are made before the time is
 * taken, and of an answer no more is looked at than its status and its length.
 */
import { connect } from 'node:net'
import { base64url } from '../../../protocol/bytes.ts'
import { createJose } from '../../../protocol/jose.ts'
import { formatProof, UNPROVED_BODY } from '../../../protocol/payment-proof.ts'
import { sealVoucher, type VoucherClaims } from '../../../protocol/voucher.ts'
import { serviceKeys, type TestPayer } from '../../../gateway/testing.ts'
import { BENCH_HOST, payers, type Measurement, type Order } from './common.ts'

const jose = createJose()
const random = (length: number) => base64url.encode(crypto.getRandomValues(new Uint8Array(length)))

interface Purse {
  readonly payer: TestPayer
  readonly key: Uint8Array
  readonly voucher: string
  counter: number
}

const openPurse = async (payer: TestPayer): Promise<Purse> => {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const claims: VoucherClaims = {
    ...{ host: BENCH_HOST, iat: nowSeconds, exp: nowSeconds + 3600, jti: random(16), key: random(32) },
    ...{ account: payer.account, currency: payer.currency },
  }
  const voucher = await sealVoucher(jose, claims, payer.signer, serviceKeys.encryption.publicKey)
  return { payer, key: base64url.decode(claims.key ?? ''), voucher, counter: 0 }
}

const purses = await Promise.all(payers.map(openPurse))

const requestText = (target: string, purse?: Purse): Buffer => {
  const lines = [`GET ${target} HTTP/1.1`, `Host: ${BENCH_HOST}`, 'Accept: */*']
  if (purse) {
    const about = {
      counter: ++purse.counter,
      method: 'GET',
      target,
      idempotencyKey: '',
      amount: '',
      bodyDigest: UNPROVED_BODY,
    }
    lines.push(
      `Payment-Account-Currency: ${purse.payer.currency}`,
      `Payment-Account-Address: ${purse.payer.account}`,
      `Payment-Voucher: ${purse.voucher}`,
      `Payment-Proof: ${formatProof(purse.key, about)}`,
    )
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
}

const prepare = async ({ kind, requests }: Order): Promise<Buffer[]> => {
  const all: Buffer[] = []
  for (let index = 0; index < requests; index++) {
    const payer = payers[index % payers.length] as TestPayer
    const target = kind.startsWith('stream') ? '/stream' : '/answer'
    if (kind === 'bare' || kind === 'stream-bare') all.push(requestText(target))
    else all.push(requestText(target, kind === 'cold' ? await openPurse(payer) : purses[index % purses.length]))
  }
  return all
}

const END_OF_HEAD = '\r\n\r\n'

const measure = async (order: Order): Promise<Measurement> => {
  const requests = await prepare(order)
  const latenciesMs: number[] = []
  let next = 0
  const worker = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(order.port, '127.0.0.1').setNoDelay()
      let sentAt = 0
      let head = ''
      let awaited = Number.POSITIVE_INFINITY
      let length = 0
      const ask = (): void => {
        const request = requests[next++]
        if (!request) return void socket.end(resolve)
        head = ''
        length = 0
        awaited = Number.POSITIVE_INFINITY
        sentAt = performance.now()
        socket.write(request)
      }
      socket.on('connect', ask)
      socket.on('error', reject)
      socket.on('data', (piece) => {
        length += piece.length
        if (awaited === Number.POSITIVE_INFINITY) {
          head += piece.toString('latin1')
          awaited = lengthOf(head)
        }
        if (length < awaited) return
        latenciesMs.push(performance.now() - sentAt)
        ask()
      })
    })
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: order.connections }, worker))
  return { seconds: (performance.now() - startedAt) / 1000, latenciesMs }
}

/** Bytes of the whole answer, once its head is there. */
const lengthOf = (received: string): number => {
  const headLength = received.indexOf(END_OF_HEAD)
  if (headLength < 0) return Number.POSITIVE_INFINITY
  const [, length] = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, headLength + 2)) ?? []
  if (!received.startsWith('HTTP/1.1 200') || length === undefined) throw new Error(`not an answer: ${received}`)
  return headLength + END_OF_HEAD.length + Number(length)
}

process.on('message', (order: Order) => {
  measure(order).then(
    (measurement) => process.send?.(measurement),
    (error: unknown) => {
      throw error
    },
  )
})
