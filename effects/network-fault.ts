/** Turns what the system and its libraries throw into the network door's errors, and bounds work in time. */
import { NetworkError, type NetworkErrorCode } from './network.ts'

const codes: Readonly<Record<string, NetworkErrorCode>> = {
  EADDRINUSE: 'ERR_NETWORK_ADDRESS_IN_USE',
  ETIMEDOUT: 'ERR_NETWORK_TIMEOUT',
  UND_ERR_BODY_TIMEOUT: 'ERR_NETWORK_TIMEOUT',
  HTTPParserError: 'ERR_NETWORK_PROTOCOL',
  UND_ERR_HEADERS_OVERFLOW: 'ERR_NETWORK_PROTOCOL',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'ERR_NETWORK_PROTOCOL',
}

/** The fault as a NetworkError; the system's code is kept, its text, which holds addresses, is not. */
export const toNetworkError = (fault: unknown): NetworkError => {
  if (fault instanceof NetworkError) return fault
  const { code, name } = fault as { code?: unknown; name?: unknown }
  // Some faults have a code, others are told by their class alone.
  const known = String(code ?? name)
  return new NetworkError(codes[known] ?? 'ERR_NETWORK_UNREACHABLE', `the exchange failed (${known})`)
}

/**
 * Runs work and waits for it no longer than its signal allows: libraries notice an abort late, or never.
 * @throws the reason of the first of `signals` that aborted; ERR_NETWORK_TIMEOUT after `timeoutMs`; else the fault as
 * NetworkError
 */
export const underDeadline = async <Result>(
  timeoutMs: number,
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> => {
  const deadline = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([deadline, ...signals])
  try {
    signal.throwIfAborted()
    return await Promise.race([aborted(signal), work(signal)])
  } catch (fault) {
    for (const given of signals) given.throwIfAborted()
    if (deadline.aborted) throw new NetworkError('ERR_NETWORK_TIMEOUT', 'the exchange took longer than it may')
    throw toNetworkError(fault)
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
