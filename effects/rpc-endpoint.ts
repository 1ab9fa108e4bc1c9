/** What a URL of `--rpc` is for, and how a node at it is reached. Such URLs often hold an access key: no error has one. */

export interface RpcRoles {
  /** Questions go there, by HTTP. */
  readonly ask: readonly string[]
  /** WebSockets, over which nodes tell that there is a new block. */
  readonly heads: readonly string[]
}

const schemes = {
  ask: ['http:', 'https:'],
  heads: ['ws:', 'wss:'],
} as const satisfies Record<keyof RpcRoles, readonly string[]>

const isForHeads = (url: string): boolean => schemes.heads.some((scheme) => url.toLowerCase().startsWith(scheme))

/** Parts URLs by their schemes; their order stays. */
export const rpcRoles = (urls: readonly string[]): RpcRoles => ({
  ask: urls.filter((url) => !isForHeads(url)),
  heads: urls.filter(isForHeads),
})

export interface RpcEndpoint {
  /** Without user and password, which neither `Request` nor `WebSocket` takes. */
  readonly url: string
  /** Authorization, where the URL had a user and password. */
  readonly headers: Readonly<Record<string, string>>
}

/** @throws TypeError when it is no URL for this role, without repeating it */
export const parseRpcEndpoint = (text: string, role: keyof RpcRoles): RpcEndpoint => {
  const url = URL.parse(text)
  const [plain, secure] = schemes[role]
  if (!url || ![plain, secure].some((scheme) => scheme === url.protocol)) {
    throw new TypeError(`a JSON-RPC endpoint is a URL with ${plain} or ${secure}`)
  }
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  url.username = url.password = ''
  const headers = login === ':' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` }
  return { url: url.href, headers }
}
