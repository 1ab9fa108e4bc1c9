/** `npm run deploy -- --network NAME`: puts a registry on a chain, at the address that it has on every chain. */
import { Console } from 'node:console'
import { parseArgs } from 'node:util'
import { CommandError, EXIT_CODES, failureOf } from '../effects/command-error.ts'
import { jsonLine, terminalSafe } from '../effects/command-output.ts'
import { createTerminal } from '../effects/terminal-node.ts'
import { runDeploy } from './deploy/command.ts'

const usage = `Usage: npm run deploy -- --network NAME [--dry-run] [--verify] [--yes] [--json]

Deploys VendorRegistry and its Payments, at the same address on every chain, or
says that they are there. A run that was cut off goes on when it is run again.

  --network NAME  a network of hardhat.config.ts: localhost, sepolia, base, gnosis
  --dry-run       say where they will be and what it costs; send nothing
  --verify        publish the sources on Sourcify, Blockscout and Etherscan
  --yes           do not ask before spending
  --json          print one JSON object on standard output

Examples:
  npm run deploy -- --network sepolia --dry-run
  npm run deploy -- --network sepolia --verify
`

const flag = { type: 'boolean', default: false } as const
const options = {
  network: { type: 'string' },
  'dry-run': flag,
  verify: flag,
  yes: flag,
  json: flag,
  help: flag,
} as const

const main = async (): Promise<number> => {
  const terminal = createTerminal()
  const wantsJson = process.argv.includes('--json')
  process.once('SIGINT', () => {
    terminal.err('interrupted; run the same command to go on\n')
    process.exit(EXIT_CODES.interrupted)
  })
  try {
    const { values } = parse()
    if (values.help) {
      await terminal.out(usage)
      return EXIT_CODES.ok
    }
    const { network, verify, yes, 'dry-run': dryRun } = values
    if (network === undefined)
      throw new CommandError('ERR_USAGE', 'name a network, such as --network localhost: see --help')
    const { ok = true, json, text } = await runDeploy({ network, dryRun, verify, yes }, terminal)
    await terminal.out(wantsJson ? `${jsonLine({ ok, ...json })}\n` : `${terminalSafe(text)}\n`)
    return ok ? EXIT_CODES.ok : EXIT_CODES.refused
  } catch (error) {
    const { code, message, exitCode } = failureOf(error)
    if (exitCode === EXIT_CODES.bug) terminal.err(`${terminalSafe((error as Error).stack ?? '')}\n`)
    if (wantsJson) await terminal.out(`${jsonLine({ ok: false, error: { code, message } })}\n`)
    else terminal.err(`npm run deploy: ${terminalSafe(message)} (${code})\n`)
    return exitCode
  }
}

const parse = () => {
  try {
    return parseArgs({ options })
  } catch (error) {
    throw new CommandError('ERR_USAGE', (error as Error).message)
  }
}

// Hardhat's plugins say things, and standard output is for the result.
globalThis.console = new Console(process.stderr)
process.exit(await main())
