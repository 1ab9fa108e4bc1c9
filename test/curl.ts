/** The `curl` command as a user of bought proxies. */
import { execFile, spawnSync } from 'node:child_process'

/** Why it cannot run on this machine, for a test's `skip`; false when it can. */
export const curlMissing: string | false =
  spawnSync('curl', ['--version']).status === 0 ? false : 'the curl command is missing (apt-get install curl)'

/** Of the SOCKS handshake: the proxy lets nobody in with these words. */
const REFUSED_BY_PROXY = 97

export interface CurlProxy {
  readonly address: string
  readonly port: number
  readonly username?: string
  readonly password?: string
}

/** Fetches a page, names resolved by the proxy: `refused` by it, or the page; all else is an error. */
export const curlThrough = (
  { address, port, username, password }: CurlProxy,
  url: string,
): Promise<{ readonly page: string } | 'refused'> =>
  new Promise((resolve, reject) => {
    const login = username === undefined ? [] : ['--proxy-user', `${username}:${password}`]
    const proxy = ['--noproxy', '', '--socks5-hostname', `${address}:${port}`, ...login]
    const args = ['--disable', '--silent', '--show-error', '--fail', '--max-time', '20', ...proxy, url]
    execFile('curl', args, (fault, page) => {
      if (!fault) resolve({ page })
      else if (fault.code === REFUSED_BY_PROXY) resolve('refused')
      else reject(fault)
    })
  })
