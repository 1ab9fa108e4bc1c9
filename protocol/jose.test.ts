import { joseSuite } from '../test/jose-suite.ts'
import { createJose } from './jose.ts'

joseSuite(createJose)
