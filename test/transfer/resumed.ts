/** One file, sent again and again while one of the two processes is killed at some place, until it has arrived. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Child } from '../child.ts'
import { eventually } from '../eventually.ts'
import { createSimRandom } from '../../sim/random.ts'
import { arrivedIn, codeOf, type People } from './people.ts'

const PIECE_BYTES = 65_536
const NAME = 'large'
/** For one part of the file, after what is before it has been compared. */
const PATIENCE_MS = 10 * 60_000

export interface Kill {
  readonly victim: 'sender' | 'recipient'
  /** Bytes that had arrived when the victim was killed, or just before. */
  readonly arrived: number
}

/** Different from piece to piece; nothing in it repeats. */
const writeNoise = async (path: string, bytes: number, seed: number): Promise<void> => {
  const piece = Buffer.alloc(Math.min(64 * PIECE_BYTES, bytes))
  const random = createSimRandom(seed)
  for (let at = 0; at < piece.length; at += PIECE_BYTES)
    piece.set(random.bytes(Math.min(PIECE_BYTES, piece.length - at)), at)
  const file = await open(path, 'wx')
  try {
    for (let at = 0; at < bytes; at += piece.length) {
      piece.writeUInt32BE(at / piece.length)
      await file.write(piece.subarray(0, Math.min(piece.length, bytes - at)))
    }
  } finally {
    await file.close()
  }
}

const hashOf = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash)
  return hash.digest('hex')
}

/**
 * Asserts that a file of so many bytes arrives as it is, though there is a kill in each part of it.
 * @param kills how often
 */
export const sendWithKills = async (
  people: People,
  bytes: number,
  kills: number,
  seed: number,
  onKill: (kill: Kill) => void = () => {},
): Promise<void> => {
  const random = createSimRandom(seed)
  const source = join(people.folder, NAME)
  const target = join(people.folder, 'target')
  await mkdir(target)
  await writeNoise(source, bytes, seed)

  const begin = async (): Promise<{ readonly sender: Child; readonly recipient: Child }> => {
    const sender = people.send(source)
    return { sender, recipient: people.receive(await codeOf(sender), '--yes', '--json', '--out', target) }
  }
  for (let kill = 0; kill < kills; kill++) {
    const { sender, recipient } = await begin()
    const [first = 0, second = 0] = random.bytes(2)
    // Somewhere in this part of the file.
    const place = Math.floor(((kill + first / 256) / kills) * bytes)
    const arrived = await eventually(
      `${place} bytes have arrived`,
      async () => {
        const bytesNow = await arrivedIn(target, NAME)
        return bytesNow >= place ? bytesNow : undefined
      },
      PATIENCE_MS,
    )
    const victim = second % 2 === 0 ? 'sender' : 'recipient'
    await (victim === 'sender' ? sender : recipient).kill()
    await Promise.all([sender.kill(), recipient.kill()])
    onKill({ victim, arrived })
  }
  const { sender, recipient } = await begin()
  const [sent, received] = await Promise.all([sender.ended, recipient.ended])
  assert.deepEqual([sent.exitCode, received.exitCode], [0, 0], sent.complained + received.complained)
  assert.equal(await hashOf(join(target, NAME)), await hashOf(source))
  assert.deepEqual(await readdir(target), [NAME])
}
