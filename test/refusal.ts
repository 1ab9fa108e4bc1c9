/** How tests say that a message is refused. */
import assert from 'node:assert/strict'
import { ProtocolError, type ProtocolErrorCode } from '../protocol/errors.ts'

/** For `assert.throws` and `assert.rejects`: a refusal with one of these codes, which another try cannot help. */
export const refusedAs =
  (...codes: readonly ProtocolErrorCode[]) =>
  (error: unknown): true => {
    assert.ok(error instanceof ProtocolError, `not a refusal: ${String(error)}`)
    assert.ok(codes.includes(error.code), `refused as ${error.code}, not ${codes.join(' or ')}`)
    assert.equal(error.retryable, false)
    return true
  }

/**
 * Runs a reader on hostile input.
 * @returns what was read, or undefined when it was refused; anything else thrown is thrown on
 */
export const readOrRefused = async <T>(read: () => T | Promise<T>): Promise<T | undefined> => {
  try {
    return await read()
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}
