import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRandom } from '../effects/random.ts'
import { createNativeRsa } from '../effects/rsa-node.ts'
import { utf8 } from '../protocol/bytes.ts'
import { rsaKeyPair } from '../sim/rsa-keys.ts'
import { joseSuite } from '../test/jose-suite.ts'
import { refusedAs } from '../test/refusal.ts'
import { createNativeJose } from './native-jose.ts'

joseSuite(() => createNativeJose(createNativeRsa(), createRandom()))

describe('base64url that Node reads too', () => {
  const jose = createNativeJose(createNativeRsa(), createRandom())
  const { privateKey, publicKey } = rsaKeyPair(0)
  const respellings: Readonly<Record<string, (text: string) => string>> = {
    padded: (text) => `${text}==`,
    spaced: (text) => `${text} `,
    'in two lines': (text) => `${text.slice(0, 8)}\n${text.slice(8)}`,
    // 256 and 16 bytes leave four bits unused in the last character, which are zero in the one right spelling.
    'with stray low bits': (text) => text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) + 1),
  }
  for (const [name, respell] of Object.entries(respellings)) {
    it(`is refused: ${name}`, async () => {
      const parts = (await jose.encrypt(utf8('1'), publicKey)).split('.')
      for (const part of [1, 4]) {
        const jwe = parts.with(part, respell(parts[part] ?? '')).join('.')
        await assert.rejects(jose.decrypt(jwe, privateKey), refusedAs('ERR_JWE_INVALID'))
      }
      const jws = await jose.sign(utf8('1'), privateKey)
      const signature = respell(jws.signature)
      await assert.rejects(jose.verify({ ...jws, signature }, publicKey), refusedAs('ERR_JWS_INVALID'))
    })
  }
})
