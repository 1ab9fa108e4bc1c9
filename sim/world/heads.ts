/** What a service of the world hears of new blocks, in the runs whose nodes tell. */
import { type Heads, noHeads } from '../../effects/heads.ts'
import type { Life } from '../life.ts'
import type { World } from './world.ts'

export const openHeads = ({ knobs, chain, reach }: World, name: string, life: Life): Heads => {
  if (!knobs.tellsHeads) return noHeads
  const heads = chain.heads(name, life)
  return {
    listen: (tell, signal) =>
      heads.listen(() => {
        reach('service told of a block')
        tell()
      }, signal),
  }
}
