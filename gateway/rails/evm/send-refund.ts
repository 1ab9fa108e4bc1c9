/** Refunds as transactions: which of their failures pass, and which give the amount back to the account. */
import { ContractRevert, TransactionError } from '../../../chain/errors.ts'
import type { Call, Receipt } from '../../../chain/rpc.ts'
import { ChainError } from '../../../effects/chain.ts'
import { GatewayError } from '../../errors.ts'
import type { Outbox, Sending } from './outbox.ts'

/**
 * @throws GatewayError, `retryable` unless nothing was signed and the call can do nothing as things stand
 */
export const sendRefund = async (
  outbox: Outbox,
  row: string,
  call: Omit<Call, 'from'>,
  sending: Sending,
): Promise<Receipt> => {
  try {
    return await outbox.send(row, call, sending)
  } catch (cause) {
    if (cause instanceof ContractRevert && !(await outbox.knows(row))) {
      throw new GatewayError('ERR_REFUND_ADDRESS', 'the refund is refused where it should go', { cause })
    }
    if (cause instanceof ContractRevert || cause instanceof TransactionError || cause instanceof ChainError) {
      throw new GatewayError('ERR_UPSTREAM', 'the chain does not take the refund now', { cause, retryable: true })
    }
    throw cause
  }
}
