import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Check, runCheck, runChecks } from './run.ts'

const script = (name: string, source: string, fix?: string): Check => ({
  name,
  command: [process.execPath, '--eval', source],
  ...(fix !== undefined && { fix: [process.execPath, '--eval', fix] }),
})

describe('a check', () => {
  it('is ok when its program ends with 0', async () => {
    const { ok } = await runCheck(script('good', ''), tmpdir(), false)
    assert.equal(ok, true)
  })

  it('fails with all that its program said', async () => {
    const check = script('bad', "process.stdout.write('a rule'); process.stderr.write('a file'); process.exitCode = 1")
    const { ok, output } = await runCheck(check, tmpdir(), false)
    assert.equal(ok, false)
    assert.match(output, /a rule/)
    assert.match(output, /a file/)
  })

  it('fails when its program is killed', async () => {
    const { ok } = await runCheck(script('killed', "process.kill(process.pid, 'SIGKILL')"), tmpdir(), false)
    assert.equal(ok, false)
  })

  it('fails with the reason when there is no such program', async () => {
    const { ok, output } = await runCheck({ name: 'absent', command: ['no-such-program'] }, tmpdir(), false)
    assert.equal(ok, false)
    assert.match(output, /no-such-program/)
  })

  it('runs its fix when asked to, if it has one', async () => {
    const fixing = script('fixing', "process.stdout.write('checked')", "process.stdout.write('fixed')")
    assert.equal((await runCheck(fixing, tmpdir(), true)).output, 'fixed')
    assert.equal((await runCheck(fixing, tmpdir(), false)).output, 'checked')
    const other = script('other', "process.stdout.write('checked')")
    assert.equal((await runCheck(other, tmpdir(), true)).output, 'checked')
  })
})

describe('all checks', () => {
  it('come back in their own order, whichever ends first', async () => {
    const slow = script('slow', 'for (let at = 0; at < 1e8; at++);')
    const checks = [slow, script('failing', 'process.exitCode = 1'), script('quick', '')]
    const told: string[] = []
    const results = await runChecks(checks, tmpdir(), false, ({ name }) => void told.push(name))
    assert.deepEqual(
      results.map(({ name, ok }) => [name, ok]),
      [
        ['slow', true],
        ['failing', false],
        ['quick', true],
      ],
    )
    assert.deepEqual(told.toSorted(), ['failing', 'quick', 'slow'])
  })

  it('wait for those that write', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'chrove-check-'))
    const reader = script('reader', "fs.readFileSync('generated')")
    const writer = script('writer', "setTimeout(() => fs.writeFileSync('generated', ''), 50)")
    const results = await runChecks([reader, { ...writer, writes: true }], folder, false, () => {})
    await rm(folder, { recursive: true })
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [true, true],
    )
  })
})
