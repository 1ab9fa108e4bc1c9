import { createRandom } from '../effects/random.ts'
import { createNativeRsa } from '../effects/rsa-node.ts'
import { joseSuite } from '../test/jose-suite.ts'
import { createNativeJose } from './native-jose.ts'

joseSuite(() => createNativeJose(createNativeRsa(), createRandom()))
