/** What is in a code, for checkers that know the vendor's key: who asks, about which plan, with which nonce. */
import { fromUtf8 } from '../../protocol/bytes.ts'
import type { Jose } from '../../protocol/jose.ts'
import { parseJson } from '../../protocol/json.ts'
import type { Exchange } from './vendor.ts'

export interface ReadCode {
  readonly key: { readonly n: string }
  readonly nonce: string
  readonly plan: number | undefined
}

/** @param exchange one that the vendor answered with credentials, so that its code is whole */
export const readCode = async (
  jose: Jose,
  { code, decryptionKey }: Pick<Exchange, 'code' | 'decryptionKey'>,
): Promise<ReadCode> => {
  const { key, signature } = parseJson(await jose.decrypt(code, decryptionKey)) as {
    key: { n: string }
    signature: { payload: string }
  }
  const claims = parseJson(fromUtf8(Buffer.from(signature.payload, 'base64url'))) as { nonce: string; plan?: number }
  return { key, nonce: claims.nonce, plan: claims.plan }
}
