/** A page for the buyer to fetch: the machine may have no other network than its own. */
import { serveHttp } from '../../effects/http-server.ts'

export interface Page {
  readonly url: string
  /** Length of its content. */
  readonly bytes: number
  close(): Promise<void>
}

const HTML = `<!doctype html>
<title>Hello from the other side</title>
<p>If you can read this, it came through the proxy that was just bought.</p>
`

export const startPage = async (): Promise<Page> => {
  const answer = () => new Response(HTML, { headers: { 'content-type': 'text/html; charset=utf-8' } })
  const listener = await serveHttp(answer, { host: '127.0.0.1', port: 0 })
  return {
    url: `http://127.0.0.1:${listener.address.port}/`,
    bytes: new TextEncoder().encode(HTML).length,
    close: () => listener.close(),
  }
}
