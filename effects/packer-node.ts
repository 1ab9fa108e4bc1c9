/** Compression of single blocks by the platform's zstd, beside the program and not in its way. */
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import type { Packer } from './packer.ts'

/** The fastest that still finds what text and tables repeat. */
const LEVEL = 1

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

export const createPacker = (): Packer => ({
  pack: (bytes) => compress(bytes, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } }),
  async unpack(packed, length) {
    const bytes = await decompress(packed, { maxOutputLength: length }).catch(() => undefined)
    return bytes?.length === length ? bytes : undefined
  },
})
