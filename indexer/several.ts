/**
 * Several registries of one chain in one process: each is a directory of its own, with its own rows, and is asked under
 * its address. The first is also asked at the root, as if it were alone.
 */
import type { Address } from '../chain/types.ts'
import { problemResponse } from '../protocol/problem.ts'
import type { Indexer } from './index.ts'

/** What serving takes. */
export type Directories = Pick<Indexer, 'fetch' | 'run' | 'close'>

/** `/0x…/graphql`, `/0x…/ready` and so on. */
const OF_REGISTRY = /^\/(0x[0-9a-fA-F]{40})(\/.*)$/

const UNKNOWN = {
  ...{ status: 404, code: 'ERR_REGISTRY_UNKNOWN' },
  ...{ title: 'Registry unknown', detail: 'this directory does not follow that registry' },
}

/** @param indexers by registry, at least one */
export const createDirectories = (indexers: ReadonlyMap<Address, Indexer>): Directories => {
  const all = [...indexers.values()]
  const [first] = all
  if (!first) throw new RangeError('there is no registry')
  return {
    async fetch(request) {
      const url = new URL(request.url)
      const [, registry, path] = OF_REGISTRY.exec(url.pathname) ?? []
      if (registry === undefined || path === undefined) return first.fetch(request)
      const indexer = indexers.get(registry.toLowerCase() as Address)
      if (!indexer) return problemResponse(UNKNOWN)
      url.pathname = path
      return indexer.fetch(new Request(url, request))
    },

    async run(signal) {
      const ending = new AbortController()
      const until = AbortSignal.any([signal, ending.signal])
      // One that fails ends the others, so that nothing goes on half alive.
      await Promise.all(all.map((indexer) => indexer.run(until).finally(() => ending.abort())))
    },

    async close() {
      await Promise.all(all.map((indexer) => indexer.close()))
    },
  }
}
