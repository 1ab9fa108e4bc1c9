/** Runs `buyer.py`, a buyer that has no code of ours. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { base64url } from '../../protocol/bytes.ts'
import { thumbprintOf, type RsaPrivateKey, type RsaPublicKey } from '../../protocol/keys.ts'

/** Debian's Python, which has Debian's python3-jwcrypto. */
const PYTHON = '/usr/bin/python3'
const SCRIPT = fileURLToPath(new URL('buyer.py', import.meta.url))

/** Why it cannot run on this machine, for a test's `skip`; false when it can. */
export const pythonBuyerMissing: string | false =
  spawnSync(PYTHON, ['-c', 'import jwcrypto']).status === 0
    ? false
    : `${PYTHON} with jwcrypto is missing (apt-get install python3-jwcrypto)`

export interface PythonPurchase {
  readonly url: string
  readonly vendor: string
  readonly signingKey: RsaPublicKey
  readonly encryptionKey: RsaPublicKey
  readonly buyerKey: RsaPrivateKey
  readonly planId?: number
}

/** Exit status 0 comes with JSON on standard output, 1 with the reason on standard error. */
export interface PythonResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Collects credentials from a running vendor. */
export const runPythonBuyer = async (purchase: PythonPurchase): Promise<PythonResult> => {
  const folder = await mkdtemp(join(tmpdir(), 'chrove-buyer-'))
  try {
    const keyFile = join(folder, 'key.json')
    await writeFile(keyFile, JSON.stringify(purchase.buyerKey), { mode: 0o600 })
    const options = {
      '--vendor': purchase.vendor,
      '--signing-key': base64url.encode(thumbprintOf(purchase.signingKey)),
      '--encryption-key': base64url.encode(thumbprintOf(purchase.encryptionKey)),
      '--key': keyFile,
      ...(purchase.planId === undefined ? {} : { '--plan': String(purchase.planId) }),
    }
    // `--name=value`, for a thumbprint may start with a dash.
    const words = Object.entries(options).map(([name, value]) => `${name}=${value}`)
    return await new Promise((resolve) => {
      execFile(PYTHON, [SCRIPT, purchase.url, ...words], { timeout: 60_000 }, (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
      })
    })
  } finally {
    await rm(folder, { recursive: true })
  }
}
