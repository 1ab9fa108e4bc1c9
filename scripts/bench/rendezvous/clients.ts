/** Clients of the benchmark: each has a UUID of its own, and one of a few keys, for keys are slow to make. */
import { createHash } from 'node:crypto'
import { uuidOf } from '../../../protocol/rendezvous/uuid.ts'
import { rsaKeyPair } from '../../../sim/rsa-keys.ts'

export const BENCH_SERVER = 'http://rendezvous.example'
const KEYS = 8

const pairs = Array.from({ length: KEYS }, (_, index) => rsaKeyPair(index))

export const benchClient = (index: number) => {
  const keys = pairs[index % KEYS]
  if (!keys) throw new RangeError('no such client')
  return { uuid: uuidOf(createHash('sha256').update(`client ${index}`).digest(), 4), keys }
}
