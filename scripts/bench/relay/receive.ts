/** The other end of a transfer: takes all that comes with a code, and says how much it was. */
import { createNativeAead } from '../../../effects/aead-node.ts'
import { createSocketReader } from '../../../effects/byte-reader-node.ts'
import { createNodeEffects } from '../../../effects/node.ts'
import { joinRelay } from '../../../relay/client/index.ts'
import type { SecureStream } from '../../../relay/client/secure-stream.ts'

const [relay = '', code = '', home = ''] = process.argv.slice(2)

const effects = { ...createNodeEffects({ service: 'bench', home }), aead: createNativeAead, reader: createSocketReader }
const link = await joinRelay(effects, { relay, role: 'recipient', code, streams: 8 })
process.stdout.write('{}\n')

const take = async (stream: SecureStream): Promise<number> => {
  let bytes = 0
  for (let record = await stream.receive(); record; record = await stream.receive()) bytes += record.length
  await stream.end()
  return bytes
}

const taken = await Promise.all(link.streams.map(take))
process.stdout.write(`${JSON.stringify({ bytes: taken.reduce((sum, bytes) => sum + bytes, 0) })}\n`)
