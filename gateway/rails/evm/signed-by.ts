/** Who signed a voucher, in the words of the gateway. */
import type { CompactJws } from '../../../protocol/compact-jws.ts'
import { ProtocolError } from '../../../protocol/errors.ts'
import { GatewayError } from '../../errors.ts'

/**
 * @param signerOf tells whose key it is, or throws ProtocolError
 * @throws ERR_VOUCHER_SIGNATURE
 */
export const signedBy = async <Signer>(
  jws: CompactJws,
  signerOf: (jws: CompactJws) => Signer | Promise<Signer>,
): Promise<Signer> => {
  try {
    return await signerOf(jws)
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause
    throw new GatewayError('ERR_VOUCHER_SIGNATURE', 'this voucher is not signed by the key in its header', { cause })
  }
}
