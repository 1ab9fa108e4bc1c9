/** `npm run bench -- NAME [--json]`: measures one part against the limit or the peer named in `docs/benchmarks.md`. */
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { benchContracts } from './bench/contracts.ts'
import { benchGateway } from './bench/gateway.ts'
import { benchGraphql } from './bench/graphql.ts'
import { benchIndexer } from './bench/indexer.ts'
import { benchRelay } from './bench/relay.ts'
import { benchRendezvous } from './bench/rendezvous.ts'
import { benchVendor } from './bench/vendor.ts'

export interface Measured {
  readonly metrics: Readonly<Record<string, number>>
  /** What the metrics are to be held against, of the same run or as published. */
  readonly baselines: Readonly<Record<string, number>>
}

const benches: Readonly<Record<string, () => Promise<Measured>>> = {
  contracts: benchContracts,
  vendor: benchVendor,
  indexer: benchIndexer,
  graphql: benchGraphql,
  gateway: benchGateway,
  rendezvous: benchRendezvous,
  relay: benchRelay,
}

const usage = `Usage: npm run bench -- NAME [--json]

Names: ${Object.keys(benches).join(', ')}

Example: npm run bench -- vendor --json
`

const table = (rows: Readonly<Record<string, number>>): string =>
  Object.entries(rows)
    .map(([name, value]) => `  ${name.padEnd(32)} ${Number(value.toPrecision(5)).toLocaleString('en')}`)
    .join('\n')

const main = async (): Promise<number> => {
  const options = { json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const [name = ''] = positionals
  const bench = benches[name]
  if (values.help || !bench) {
    process.stderr.write(values.help || name === '' ? usage : `There is no benchmark "${name}".\n\n${usage}`)
    return values.help ? 0 : 2
  }
  const { metrics, baselines } = await bench()
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ name, machine, metrics, baselines })}\n`)
  else
    process.stdout.write(
      `${name} on ${machine.cores} × ${machine.cpu}\n${table(metrics)}\nheld against\n${table(baselines)}\n`,
    )
  return 0
}

process.exit(await main())
