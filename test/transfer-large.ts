/** `npm run transfer-large`: gigabytes from one process to another, killed on the way again and again. */
import { parseArgs } from 'node:util'
import { gatherPeople } from './transfer/people.ts'
import { sendWithKills } from './transfer/resumed.ts'

const MIB = 1024 * 1024

const usage = `Usage: npm run transfer-large -- [options]

Sends a file through a relay of its own, kills sender or recipient (kill -9) somewhere in each part of it, and goes on;
at the end the file has the hash that it had. Needs twice its size on the disk of the system's temporary files.

  --mib N      size of the file, MiB (5120)
  --kills N    how often (10)
  --seed S     where and whom (1)
  --json       one JSON object on standard output
  --help       this text

Example: npm run transfer-large -- --mib 1024 --kills 5
`

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '5120' },
    kills: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const numbers = [values.mib, values.kills, values.seed].map(Number)
const [mib = 0, kills = 0, seed = 0] = numbers

if (values.help) process.stdout.write(usage)
else if (!numbers.every((number) => Number.isSafeInteger(number) && number >= 0) || mib < 1) {
  process.stderr.write('--mib, --kills and --seed are whole numbers: see --help\n')
  process.exitCode = 2
} else {
  const people = await gatherPeople()
  const began = performance.now()
  try {
    await sendWithKills(people, mib * MIB, kills, seed, ({ victim, arrived }) => {
      if (!values.json) process.stdout.write(`killed the ${victim} after ${Math.floor(arrived / MIB)} MiB\n`)
    })
    const seconds = Math.round((performance.now() - began) / 1000)
    const text = `${mib} MiB arrived as they were, after ${kills} kills and ${seconds} s\n`
    process.stdout.write(values.json ? `${JSON.stringify({ ok: true, mib, kills, seconds })}\n` : text)
  } finally {
    await people.close()
  }
}
