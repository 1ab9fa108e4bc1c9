/** Metered access in front of a service that is not touched: each request is decided, then handed on. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Duplex, pipeline } from 'node:stream'
import type { HttpProxy, UpgradeAnswer } from '../effects/http-proxy.ts'
import { endToEnd } from '../effects/http-proxy.ts'
import type { HeaderLines, Use } from './admission.ts'
import type { Sha256 } from './body-digest.ts'
import type { OwnAnswer } from './endpoints.ts'
import { GatewayError } from './errors.ts'
import { isCharged } from './fetch.ts'
import type { Gateway } from './index.ts'
import { REQUESTS_AT_ONCE_MAX } from './limits.ts'
import type { Metrics } from './metrics.ts'
import { incomingOf, meterNode, send } from './node.ts'

/** Headers of which the service learns nothing: those between payer and gateway, and those that would change the price. */
export const withheldHeaders: ReadonlySet<string> = new Set([
  'payment-voucher',
  'payment-proof',
  // Some services take a free OPTIONS for a GET by these, or one path for another.
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-original-method',
  'x-forwarded-method',
  'x-original-url',
  'x-rewrite-url',
])

export interface ProxyParts {
  readonly gateway: Gateway
  readonly proxy: HttpProxy
  readonly metrics: Metrics
  createSha256(): Sha256
}

export interface MeteredProxy {
  request(request: IncomingMessage, response: ServerResponse): void
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

export const createMeteredProxy = ({ gateway, proxy, metrics, createSha256 }: ProxyParts): MeteredProxy => {
  const meter = meterNode(gateway, createSha256)
  let underWay = 0

  const forward = (request: IncomingMessage, response: ServerResponse): void =>
    proxy.forward(request, response, () => {
      const error = new GatewayError('ERR_UPSTREAM', 'the service behind this gateway does not answer: try again')
      void gateway.refusal(error, incomingOf(request, gateway.scheme)).then((answer) => send(response, answer))
    })

  const tell = async (response: ServerResponse, path: '/health' | '/metrics'): Promise<void> => {
    if (path === '/metrics') {
      const text = await metrics.text({ ready: gateway.ready(), underWay })
      return void response.writeHead(200, { 'content-type': metrics.contentType }).end(text)
    }
    const ready = gateway.ready()
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
    response.writeHead(ready ? 200 : 503, headers).end(JSON.stringify({ ready }))
  }

  const upgrade = async (request: IncomingMessage, socket: Duplex): Promise<void> => {
    const incoming = incomingOf(request, gateway.scheme)
    let use: Use | undefined
    let answer: UpgradeAnswer | undefined
    const hangUp = (): void => {
      answer?.response.destroy()
      answer?.socket?.destroy()
    }
    try {
      // Through a connection in any other protocol requests would pass that nobody pays for, HTTP/2 in the clear above all.
      if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
        throw new GatewayError('ERR_UPGRADE', 'leave the header Upgrade out')
      }
      const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers
      // HEAD and OPTIONS are free, and what a service agrees to is not (RFC 6455 §4.1).
      if (request.method !== 'GET' || coding !== undefined || Number(length) !== 0) {
        throw new GatewayError('ERR_UPGRADE', 'a WebSocket begins with GET, without a body')
      }
      use = await gateway.admit(incoming)
      answer = await proxy.upgrade(request).catch(() => {
        throw new GatewayError('ERR_UPSTREAM', 'the service behind this gateway does not answer: try again')
      })
      const { response, socket: other } = answer
      if (socket.destroyed) {
        hangUp()
        await use?.release()
        return
      }
      if (!other) {
        socket.write(headOf(response, await paidLines(response, use)))
        // Who reads a part must not take it for the whole.
        return void pipeline(response, socket, () => {})
      }
      const lines = use === undefined ? [] : use.meter ? use.headers() : await use.commit()
      socket.write(headOf(response, lines))
      join(socket, other, use)
    } catch (error) {
      hangUp()
      await use?.release().catch(() => {})
      socket.end(rawAnswer(await gateway.refusal(error, incoming)))
    }
  }

  return {
    request(request, response) {
      const path = request.url?.split('?', 1)[0]
      // Before all prices, for those who watch over it.
      if (path === '/health' || path === '/metrics') {
        return void tell(response, path).catch(() => response.destroy())
      }
      if (underWay >= REQUESTS_AT_ONCE_MAX) {
        const busy = new GatewayError('ERR_BUSY', 'ask again in a second')
        return void gateway.refusal(busy, incomingOf(request, gateway.scheme)).then((answer) => send(response, answer))
      }
      underWay++
      response.once('close', () => {
        underWay--
        metrics.ended(response.statusCode)
      })
      meter(request, response, () => forward(request, response))
    },

    upgrade(request, socket, head) {
      socket.on('error', () => socket.destroy())
      if (head.length > 0) socket.unshift(head)
      upgrade(request, socket).catch(() => socket.destroy())
    },
  }
}

/**
 * Pays for an answer that goes on in HTTP, from a service that does not listen to Upgrade: it costs what it does elsewhere.
 * @returns what it says about the cost
 * @throws ERR_UPGRADE for a body by the bit, which only an answer of Node's can measure
 */
const paidLines = async (response: IncomingMessage, use: Use | undefined): Promise<HeaderLines> => {
  if (!use) return []
  if (!isCharged(response.statusCode ?? 502)) {
    await use.release()
    return use.headers()
  }
  if (!use.meter) return use.commit()
  throw new GatewayError('ERR_UPGRADE', 'this is no WebSocket: ask without Upgrade')
}

/** Both directions of an upgraded connection; what comes from the service is metered where it costs by the bit. */
const join = (client: Duplex, service: Duplex, use: Use | undefined): void => {
  const meter = use?.meter
  client.pipe(service)
  if (!meter) service.pipe(client)
  else {
    service.on('data', (piece: Buffer) => {
      service.pause()
      void Promise.resolve(meter.pay(piece.length)).then(
        (paid) => {
          const goesOn = client.write(piece.subarray(0, paid))
          if (paid < piece.length) return client.end()
          if (goesOn) service.resume()
          else client.once('drain', () => service.resume())
        },
        () => client.destroy(),
      )
    })
    service.once('end', () => client.end())
  }
  const close = (): void => {
    client.destroy()
    service.destroy()
    void use?.release().catch(() => {})
  }
  client.once('close', close)
  service.once('close', close)
}

const headOf = (response: IncomingMessage, lines: HeaderLines): string => {
  const { statusCode = 502, statusMessage = '' } = response
  const ways = ['connection', 'upgrade'].flatMap((name) => {
    const value = response.headers[name]
    return statusCode === 101 && typeof value === 'string' ? [[name, value] as const] : []
  })
  const fields = Object.entries(endToEnd(response)).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value] as const),
  )
  const closing = statusCode === 101 ? [] : [['connection', 'close'] as const]
  const all = [...ways, ...fields, ...lines, ...closing]
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

const rawAnswer = ({ status, headers, body }: OwnAnswer): string => {
  const text = JSON.stringify(body)
  const fields = { ...headers, 'content-length': String(Buffer.byteLength(text)), connection: 'close' }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} -\r\n${lines.join('')}\r\n${text}`
}
