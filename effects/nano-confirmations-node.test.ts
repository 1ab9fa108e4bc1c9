import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createNanoWallet, nanoAccount, nanoKey } from '../sim/nano/wallet.ts'
import { serveWebSocket } from '../sim/nano/web-socket.ts'
import { startNanoServer } from '../test/nano-server.ts'
import { type LogFields, silentLog } from './log.ts'
import { createNanoConfirmations } from './nano-confirmations-node.ts'
import { createDial } from './network-node.ts'
import { SILENCE_MS_MAX, SUBSCRIBE_MS_MAX } from './subscription-node.ts'
import { createTestTime, frame, listening, type WebSocketPeer, webSocketServer } from './testing.ts'

const ACCOUNT = nanoAccount(nanoKey(2))
const ACK = JSON.stringify({ ack: 'subscribe', time: '1', id: 'chrove' })
const OPEN = 'nano.confirmations-open {"node":1}'

const listenTo = (t: TestContext, url: string) => {
  const time = createTestTime()
  const happened: string[] = []
  let wake = () => {}
  const note = (what: string) => {
    happened.push(what)
    wake()
  }
  const line = (event: string, fields?: LogFields) => note(`${event} ${JSON.stringify(fields)}`)
  const stop = new AbortController()
  t.after(() => stop.abort())
  const effects = {
    clock: time.clock,
    random: { bytes: () => Uint8Array.of(255) },
    log: { ...silentLog, info: line, warn: line },
  }
  createNanoConfirmations(effects, createDial({}), [url], ACCOUNT).listen(() => note('told'), stop.signal)
  return {
    ...time,
    async next() {
      while (happened.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      return happened.shift()
    },
  }
}

const node = async (t: TestContext, serve: (peer: WebSocketPeer) => unknown): Promise<string> =>
  `ws://127.0.0.1:${await listening(t, webSocketServer(serve))}/`

describe('confirmations of a Nano node', () => {
  it('of sends to the account are told, those of others are not', async (t) => {
    const { nano, socket } = await startNanoServer(t, nanoKey(1))
    const { next } = listenTo(t, socket)
    assert.deepEqual([await next(), await next()], [OPEN, 'told'])
    const payer = createNanoWallet(nano, nanoKey(1))
    payer.send(nanoAccount(nanoKey(3)), 1n)
    payer.send(ACCOUNT, 1n)
    payer.send(ACCOUNT, 2n)
    assert.deepEqual([await next(), await next()], ['told', 'told'])
  })

  it('a silence is no fault while the node answers pings, and is one once it does not', async (t) => {
    const pings = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let count = 0
    const server = createServer({ allowHalfOpen: true }, (stream) =>
      serveWebSocket(stream, (send) => ({
        receive(text) {
          const { action } = JSON.parse(text) as { action: string }
          if (action === 'subscribe') return send(ACK)
          const ping = pings[count++]
          if (count > 1) return ping?.resolve()
          send('{"ack":"pong","time":"1"}')
          // Answered by the protocol itself, once what came before was heard (RFC 6455 §5.5.2).
          stream.write(frame('', 9))
          stream.once('data', () => ping?.resolve())
        },
        close: () => {},
      })),
    )
    const { next, pass } = listenTo(t, `ws://127.0.0.1:${await listening(t, server)}/`)
    assert.deepEqual([await next(), await next()], [OPEN, 'told'])
    await pass(SUBSCRIBE_MS_MAX)
    await pings[0]?.promise
    await pass(SILENCE_MS_MAX)
    await pings[1]?.promise
    await pass(SILENCE_MS_MAX)
    assert.equal(await next(), 'nano.confirmations-closed {"node":1,"code":"ERR_CHAIN_TIMEOUT"}')
  })

  const wrong: [what: string, code: string, message: string][] = [
    ['a refusal', 'ERR_CHAIN_REFUSED', '{"error":"no"}'],
    ['an acknowledgement of something else', 'ERR_CHAIN_MALFORMED', '{"ack":"subscribe","id":"other"}'],
    ['a confirmation without a hash', 'ERR_CHAIN_MALFORMED', '{"topic":"confirmation","message":{}}'],
  ]
  for (const [what, code, message] of wrong) {
    it(`${what} ends the connection`, async (t) => {
      const { next } = listenTo(
        t,
        await node(t, ({ socket, handshake }) => {
          socket.write(Buffer.concat([Buffer.from(handshake), frame(message)]))
          socket.resume()
        }),
      )
      assert.equal(await next(), `nano.confirmations-closed {"node":1,"code":"${code}"}`)
    })
  }
})
