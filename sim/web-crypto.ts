/**
 * WebCrypto in virtual time: some of what runs names it itself and not by a door, and its real threads finish when they
 * like. While the gate is up each of its operations is an external one of the loop.
 */
import type { Loop } from './loop.ts'

const METHODS = ['importKey', 'sign', 'verify', 'encrypt', 'decrypt', 'digest'] as const

/** @returns takes the gate down */
export const gateWebCrypto = (loop: Loop): (() => void) => {
  const { subtle } = crypto
  for (const name of METHODS) {
    const real = Reflect.get(Object.getPrototypeOf(subtle) as object, name) as (...all: unknown[]) => Promise<unknown>
    const gated = (...parameters: unknown[]): Promise<unknown> => {
      const work = () => real.apply(subtle, parameters)
      return loop.isInsideExternal() ? work() : loop.external(work)
    }
    Object.defineProperty(subtle, name, { value: gated, configurable: true })
  }
  return () => {
    for (const name of METHODS) Reflect.deleteProperty(subtle, name)
  }
}
