/** Names of refunds among the transactions of the vendor's account. */

const PREFIX = 'refund '

export const refundRow = (refundId: string): string => `${PREFIX}${refundId}`

/** Id of the refund that a transaction was signed for; undefined if it is for something else. */
export const refundOfRow = (row: string | undefined): string | undefined =>
  row?.startsWith(PREFIX) ? row.slice(PREFIX.length) : undefined
