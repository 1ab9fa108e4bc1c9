/** `npm run mutation`: breaks the contracts in every small way, one at a time, and tells which breaks no test notices. */
import { parseArgs } from 'node:util'
import hre from 'hardhat'
import { countOf, progressLine, textOf } from './mutation/report.ts'
import { EXPLANATIONS, type OnProgress, run } from './mutation/run.ts'

const PROGRESS_MS = 10_000
const PROGRESS_ON_TERMINAL_MS = 100

const usage = `Usage: npm run mutation -- [options]

Breaks the contracts in every small way, one at a time, and runs their Solidity tests. Fails when a break goes unnoticed
that ${EXPLANATIONS} does not explain, or when an explanation there is of no survivor.

  --only FILE       mutants of this source only; may be repeated
  --function NAME   mutants of this function (or Contract.function) only; may be repeated
  --also COMMAND    what survives the Solidity tests and is not explained must also survive this command, run in a copy
                    of the project whose sources and artifacts are the mutant's; may be repeated
  --resume          go on where an interrupted run of the same sources, tests and commands stopped
  --json            one JSON object on standard output

Example: npm run mutation -- --only Payments.sol --function cancel
`

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    function: { type: 'string', multiple: true, default: [] },
    also: { type: 'string', multiple: true, default: [] },
    resume: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

/** A line that replaces the last one on a terminal, and comes now and then elsewhere. */
const progress = (): OnProgress => {
  const startedAtMs = performance.now()
  const { isTTY } = process.stderr
  let shownAtMs = startedAtMs
  return (judged, all, known) => {
    const nowMs = performance.now()
    const isLast = judged.length === all
    if (!isLast && nowMs - shownAtMs < (isTTY ? PROGRESS_ON_TERMINAL_MS : PROGRESS_MS)) return
    shownAtMs = nowMs
    const line = progressLine(countOf(judged), all, known, nowMs - startedAtMs)
    process.stderr.write(isTTY ? `\r\x1b[2K${line}${isLast ? '\n' : ''}` : `${line}\n`)
  }
}

const main = async (): Promise<number> => {
  if (options.help) {
    process.stdout.write(usage)
    return 0
  }
  const { only, function: functions, also: commands, resume } = options
  const summary = await run(hre, { only, functions, commands, resume }, progress())
  if (summary.total.mutants === 0) {
    process.stderr.write('There are no such mutants.\n')
    return 2
  }
  process.stdout.write(options.json ? `${JSON.stringify(summary)}\n` : textOf(summary))
  return summary.unexplained.length + summary.stale.length === 0 ? 0 : 1
}

process.exitCode = await main()
