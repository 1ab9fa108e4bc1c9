/** Errors that clients of a relay are meant to be told; all others fail a run. */
import { NetworkError } from '../../effects/network.ts'
import { RelayClientError } from '../../relay/client/errors.ts'

export const isFailure = (error: unknown): error is RelayClientError | NetworkError =>
  error instanceof RelayClientError || error instanceof NetworkError
