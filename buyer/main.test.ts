/** The real command in a real process. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, it } from 'node:test'

interface Result {
  readonly exitCode: number | null
  readonly out: string
  readonly err: string
}

let home: string
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'chrove-buyer-'))
})
after(() => rm(home, { recursive: true }))

const chrove = (args: readonly string[], environment: Record<string, string> = {}): Promise<Result> =>
  new Promise((resolve, reject) => {
    const { PATH = '' } = process.env
    const child = spawn(process.execPath, ['buyer/main.ts', ...args], {
      env: { PATH, HOME: home, CHROVE_PASSPHRASE: 'test', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    child.once('error', reject)
    child.once('close', (exitCode) => resolve({ exitCode, out, err }))
  })

const VECTOR = 'test/vectors/chrove-price-2019.json'

interface Verdict {
  readonly ok: boolean
  readonly legacy: boolean
  readonly acceptable: boolean
  readonly findings: readonly { readonly check: string; readonly holds: boolean }[]
}

const holding = ({ findings }: Verdict) => Object.fromEntries(findings.map(({ check, holds }) => [check, holds]))

describe('chrove', { concurrency: 2 }, () => {
  it('explains itself, with an example for each command', async () => {
    const { exitCode, out } = await chrove(['--help'])
    assert.equal(exitCode, 0)
    const commands = ['init', 'account', 'search', 'show', 'buy', 'credentials', 'orders', 'cancel', 'proxy', 'price']
    for (const command of [...commands, 'send-signed', 'backup', 'restore', 'vendor'])
      assert.match(out, new RegExp(`^  ${command}\\b`, 'm'))
    assert.match(out, /Exit codes: 0 done, 1 refused, 2 wrong usage, 3 passing fault/)
    assert.ok(out.split('\n').every((line) => line.length <= 80))
    const helps = await Promise.all(
      ['search', 'show', 'buy', 'credentials', 'price', 'send-signed'].map((command) => chrove([command, '--help'])),
    )
    for (const help of helps) {
      assert.match(help.out, /Examples?:\n {2}\$ chrove /)
      assert.ok(help.out.split('\n').every((line) => line.length <= 80))
    }
  })

  it('ends wrong usage with 2 and a sentence with its code', async () => {
    const { exitCode, out, err } = await chrove(['buy'])
    assert.deepEqual([exitCode, out], [2, ''])
    assert.equal(err, 'chrove: give a vendor and the number of a plan, or --extend ORDER (ERR_USAGE)\n')
  })

  it('sends nothing that is no signed purchase or cancellation', async () => {
    const { exitCode, out } = await chrove(['send-signed', 'package.json', '--json'])
    assert.deepEqual([exitCode, JSON.parse(out).error.code], [1, 'ERR_SIGNED_ORDER_SHAPE'])
    const long = join(home, 'long.json')
    await writeFile(long, ' '.repeat(9000))
    assert.match((await chrove(['send-signed', long])).err, /longer than 8192 bytes \(ERR_USAGE\)/)
  })

  it('with --json prints one object on standard output, for errors too', async () => {
    const { exitCode, out, err } = await chrove(['orders', '--json', '--rpc', 'http://127.0.0.1:1/'])
    assert.deepEqual([exitCode, err], [1, ''])
    assert.equal(JSON.parse(out).error.code, 'ERR_REGISTRY_MISSING')
    assert.equal(out.split('\n').length, 2)
  })

  it('ends with 3 when the node cannot be reached', async () => {
    const registry = `0x${'ab'.repeat(20)}`
    const { exitCode, out } = await chrove([
      'show',
      '1',
      '--json',
      '--rpc',
      'http://127.0.0.1:1/',
      '--registry',
      registry,
    ])
    assert.equal(exitCode, 3)
    assert.equal(JSON.parse(out).error.code, 'ERR_CHAIN_UNREACHABLE')
  })

  it('finds the document of 2019 whole, says that it is legacy, and would accept none of it', async () => {
    const { exitCode, out } = await chrove(['price', VECTOR, '--json'])
    const verdict = JSON.parse(out) as Verdict
    assert.deepEqual([exitCode, verdict.ok, verdict.legacy, verdict.acceptable], [0, true, true, false])
    assert.deepEqual(holding(verdict), {
      shape: true,
      keys: true,
      ts_signature: true,
      content_signature: false,
      fresh: false,
    })
    assert.match((await chrove(['price', VECTOR])).out, /^LEGACY: /m)
  })

  it('finds a changed time in it, and what is no price document at all', async () => {
    const { readFile } = await import('node:fs/promises')
    const document = JSON.parse(await readFile(VECTOR, 'utf8')) as { content: { ts: number } }
    const changed = join(home, 'changed.json')
    await writeFile(changed, JSON.stringify({ ...document, content: { ...document.content, ts: 1 } }))
    const { exitCode, out } = await chrove(['price', changed, '--json'])
    assert.equal(exitCode, 1)
    assert.equal(holding(JSON.parse(out) as Verdict).ts_signature, false)
    assert.equal((await chrove(['price', 'package.json', '--json'])).exitCode, 1)
    assert.match((await chrove(['price', join(home, 'none.json')])).err, /ERR_SYSTEM_ENOENT/)
  })

  it('makes a keyring that only its owner reads, remembers settings, and moves it by backup', async () => {
    const folder = join(home, 'one')
    const backup = join(home, 'keyring.backup')
    const made = JSON.parse((await chrove(['init', '--home', folder, '--max-spend', '0.5', '--json'])).out)
    assert.match(made.address, /^0x[0-9a-f]{40}$/)
    assert.equal((await stat(join(folder, 'keyring.json'))).mode & 0o777, 0o600)
    const again = JSON.parse((await chrove(['init', '--home', folder, '--json'])).out)
    assert.deepEqual([again.created, again.address, again.settings], [false, made.address, ['maxSpend']])

    assert.equal((await chrove(['backup', backup, '--home', folder])).exitCode, 0)
    assert.match((await chrove(['backup', backup, '--home', folder])).err, /ERR_SYSTEM_EEXIST/)
    const other = join(home, 'two')
    assert.equal((await chrove(['restore', backup, '--home', other])).exitCode, 0)
    assert.equal(JSON.parse((await chrove(['account', '--home', other, '--json'])).out).address, made.address)
    const wrong = await chrove(['account', '--home', other], { CHROVE_PASSPHRASE: 'wrong' })
    assert.deepEqual([wrong.exitCode, wrong.out], [1, ''])
    assert.match(wrong.err, /ERR_SEALED_FILE/)
  })
})
