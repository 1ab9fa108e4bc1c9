/**
 * As many RSA keys as a run needs, the same in every run and at no cost: every two primes of the pool in `rsa-keys.ts`
 * make another key. That such keys share primes would be the end of them in life; nobody here looks for it.
 */
import { base64url } from '../protocol/bytes.ts'
import { publicKeyOf, type RsaKeyPair, type RsaPrivateKey } from '../protocol/keys.ts'
import { rsaKeys } from './rsa-keys.ts'

const EXPONENT = 65_537n

const toNumber = (text: string): bigint => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`)

const toText = (value: bigint): string => {
  const hex = value.toString(16)
  return base64url.encode(Uint8Array.from(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')))
}

/** The x with a·x ≡ 1 (mod m). */
const inverse = (a: bigint, m: bigint): bigint => {
  let [previous, remainder] = [m, a % m]
  let [before, coefficient] = [0n, 1n]
  while (remainder !== 0n) {
    const quotient = previous / remainder
    ;[previous, remainder] = [remainder, previous - quotient * remainder]
    ;[before, coefficient] = [coefficient, before - quotient * coefficient]
  }
  return ((before % m) + m) % m
}

const keyOf = (p: bigint, q: bigint): RsaPrivateKey => {
  const d = inverse(EXPONENT, (p - 1n) * (q - 1n))
  const numbers = { n: p * q, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) }
  const texts = Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, toText(value)]))
  return { kty: 'RSA', e: 'AQAB', ...(texts as Record<keyof typeof numbers, string>) }
}

const primes = rsaKeys.flatMap(({ p, q }) => [toNumber(p), toNumber(q)])

/** How many keys there are. */
export const POOL_KEYS = (primes.length * (primes.length - 1)) / 2

const made = new Map<number, RsaKeyPair>()

/** The key of this number, from 0. */
export const poolKey = (index: number): RsaKeyPair => {
  const known = made.get(index)
  if (known) return known
  // Pairs in the order (0,1), (0,2), (1,2), (0,3) …: the larger index is the triangular root.
  const high = Math.floor((1 + Math.sqrt(1 + 8 * index)) / 2)
  const [p, q] = [primes[index - (high * (high - 1)) / 2], primes[high]]
  if (p === undefined || q === undefined) throw new RangeError(`there are ${POOL_KEYS} keys`)
  const privateKey = keyOf(p, q)
  const pair = { privateKey, publicKey: publicKeyOf(privateKey) }
  made.set(index, pair)
  return pair
}

export interface KeyPool {
  /** A key that nobody else of this run has. */
  take(): RsaKeyPair
}

export const createKeyPool = (): KeyPool => {
  let taken = 0
  return { take: () => poolKey(taken++) }
}
