/** Which states of interest a run has reached: a simulator that never gets there proves nothing about them. */

export const REACHABLE = [
  'order paid',
  'order extended',
  'order bought again after its end',
  'order cancelled',
  'order ended by itself',
  'withdraw paid',
  'arrears withdrawn',
  'instant plan bought',
  'credentials collected',
  'credentials refused before payment',
  'page fetched through a bought proxy',
  'proxy refused a login',
  'access revoked by a cancellation',
  'vendor changed its keys',
  'vendor moved to another endpoint',
  'vendor inactive while asked to sell',
  'plan taken from sale',
  'reorg undid a payment',
  'reorg undid a cancellation',
  'reorg changed the order of transactions',
  'dropped transaction restored',
  'vendor crashed',
  'vendor crashed while answering',
  'buyer crashed',
  'buyer crashed while buying',
  'output of a purchase lost',
  'purchase told by a later command',
  'indexer crashed',
  'indexer rolled back',
  'clock jumped',
  'hosts partitioned',
  'nodes stormed with faults',
  'code replayed and refused',
  'code for another vendor refused',
  'garbage refused',
  'stranger could not read an answer',
  'directory searched',
  'directory answered while behind',
] as const

export type Reachable = (typeof REACHABLE)[number]

/** How often each was reached. */
export type Reached = Partial<Record<Reachable, number>>

export const addReached = (sum: Reached, more: Reached): Reached => {
  const total = { ...sum }
  for (const name of REACHABLE) {
    const count = (sum[name] ?? 0) + (more[name] ?? 0)
    if (count > 0) total[name] = count
  }
  return total
}
