import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createRandom } from '../effects/random.ts'
import { fromUtf8 } from '../protocol/bytes.ts'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { sealVendorKeys, unsealVendorKeys, type VendorKeys } from './keys.ts'

const keys: VendorKeys = {
  signing: rsaKeyPair(0),
  encryption: rsaKeyPair(1),
  provisioningSecret: new Uint8Array(32).fill(3),
  accountKey: `0x${'5a'.repeat(32)}`,
}

it('keeps keys in a file that shows none of them and opens with its passphrase only', () => {
  const file = sealVendorKeys(keys, 'correct horse', createRandom())
  const text = fromUtf8(file)
  for (const secret of [keys.signing.privateKey.d, keys.accountKey, keys.signing.publicKey.n]) {
    assert.ok(!text.includes(secret))
  }
  assert.deepEqual(unsealVendorKeys(file, 'correct horse'), keys)
  assert.throws(() => unsealVendorKeys(file, 'Correct horse'), { code: 'ERR_SEALED_FILE' })
})
