/** `chrove send` and `chrove receive` through a relay, all in processes of their own. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, it } from 'node:test'
import { eventually } from './eventually.ts'
import { arrivedIn, codeOf, gatherPeople, type People } from './transfer/people.ts'
import { sendWithKills } from './transfer/resumed.ts'

let people: People
before(async () => {
  people = await gatherPeople()
})
after(() => people.close())

const freshFolder = () => mkdtemp(join(people.folder, 'folder-'))

describe('chrove send and receive', () => {
  it('bring files and folders, and what they were', async () => {
    const [source, target] = [await freshFolder(), await freshFolder()]
    await mkdir(join(source, 'photos/old'), { recursive: true })
    await writeFile(join(source, 'photos/old/1.txt'), 'x'.repeat(200_000))
    await writeFile(join(source, 'photos/empty'), '')
    await writeFile(join(source, 'run'), '#!/bin/sh', { mode: 0o755 })
    await symlink('/etc/passwd', join(source, 'photos/link'))
    const sender = people.send(join(source, 'photos'), join(source, 'run'))
    const recipient = people.receive(await codeOf(sender), '--yes', '--json', '--out', target)
    const [sent, received] = await Promise.all([sender.ended, recipient.ended])
    assert.deepEqual([sent.exitCode, received.exitCode], [0, 0], sent.complained + received.complained)

    const [offered, outcome] = sent.said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.match(String(offered?.code), /^\w+-[a-z]+-[a-z]+$/)
    assert.deepEqual([offered?.ok, offered?.files, offered?.folders, offered?.bytes], [true, 3, 2, 200_009])
    assert.deepEqual([outcome?.ok, outcome?.sent, outcome?.leftOut], [true, true, { links: 1, others: 0 }])
    const told = JSON.parse(received.said) as Record<string, unknown>
    assert.deepEqual([told.names, told.files, told.confirmed], [['photos', 'run'], 3, true])

    assert.deepEqual((await readdir(target, { recursive: true })).toSorted(), [
      'photos',
      'photos/empty',
      'photos/old',
      'photos/old/1.txt',
      'run',
    ])
    assert.equal(await readFile(join(target, 'photos/old/1.txt'), 'utf8'), 'x'.repeat(200_000))
    const [then, now] = await Promise.all([stat(join(source, 'run')), stat(join(target, 'run'))])
    assert.deepEqual([now.mode & 0o111, Math.floor(now.mtimeMs)], [then.mode & 0o111, Math.floor(then.mtimeMs)])
  })

  it('bring a text, which drives no terminal', async () => {
    const sender = people.send('--text', 'the key\u001b[2J is under\nthe mat')
    const recipient = people.receive(await codeOf(sender), '--yes')
    assert.equal((await recipient.ended).said, 'the key[2J is under\nthe mat\n')
    assert.equal((await sender.ended).exitCode, 0)
  })

  it('bring one file to standard output, and nothing else', async () => {
    const folder = await freshFolder()
    const file = join(folder, 'bytes')
    await writeFile(file, 'all of it, without an end of line')
    const sender = people.send(file)
    const { said, exitCode } = await people.receive(await codeOf(sender), '--yes', '--stdout').ended
    assert.deepEqual([said, exitCode], ['all of it, without an end of line', 0])
    assert.equal((await sender.ended).exitCode, 0)
  })

  it('keep what is there, unless they are told otherwise', async () => {
    const [source, target] = [await freshFolder(), await freshFolder()]
    await writeFile(join(source, 'file'), 'new')
    await writeFile(join(target, 'file'), 'old')
    const first = people.send(join(source, 'file'))
    const refused = await people.receive(await codeOf(first), '--yes', '--json', '--out', target).ended
    assert.equal(refused.exitCode, 1)
    assert.match(
      refused.said,
      /"ERR_TRANSFER_EXISTS","message":"there is already: file; to replace it add --overwrite"/,
    )
    const told = await first.ended
    assert.equal(told.exitCode, 1)
    assert.match(told.complained, /the recipient has something of that name and keeps it \(ERR_TRANSFER_EXISTS\)/)
    assert.equal(await readFile(join(target, 'file'), 'utf8'), 'old')

    const second = people.send(join(source, 'file'))
    const replaced = people.receive(await codeOf(second), '--yes', '--overwrite', '--out', target)
    assert.equal((await replaced.ended).exitCode, 0)
    assert.equal(await readFile(join(target, 'file'), 'utf8'), 'new')
    await second.ended
  })

  it('take nothing that nobody agreed to', async () => {
    const sender = people.send('--text', 'x')
    const refused = await people.receive(await codeOf(sender), '--json').ended
    assert.deepEqual([refused.exitCode, JSON.parse(refused.said).error.code], [1, 'ERR_NOT_CONFIRMED'])
    assert.match((await sender.ended).complained, /does not want it \(ERR_TRANSFER_DECLINED\)/)
  })

  it('refuse a wrong code, at both ends', async () => {
    const sender = people.send('--text', 'x')
    const [channel] = (await codeOf(sender)).split('-')
    const refused = await people.receive(`${channel}-abacus-abdomen`, '--yes', '--json').ended
    assert.equal(JSON.parse(refused.said).error.code, 'ERR_WRONG_CODE')
    assert.match((await sender.ended).complained, /\(ERR_WRONG_CODE\)/)
  })

  it('say how to go on when they are interrupted', async () => {
    const [source, target] = [await freshFolder(), await freshFolder()]
    const file = join(source, 'file')
    await writeFile(file, Buffer.alloc(300_000_000, 'no two lines of it need to differ'))
    const sender = people.send(file, '--no-compress')
    const recipient = people.receive(await codeOf(sender), '--yes', '--out', target)
    await eventually('some of it has arrived', async () => (await arrivedIn(target, 'file')) || undefined)
    process.kill(recipient.pid ?? 0, 'SIGINT')
    const { exitCode, complained } = await recipient.ended
    assert.equal(exitCode, 130)
    assert.match(complained, /what has arrived is kept: let the same be sent again/)
    const told = await sender.ended
    assert.equal(told.exitCode, 3)
    assert.match(told.complained, /sending the same again goes on from there \(ERR_TRANSFER_STOPPED\)/)
  })

  it('go on after kill -9 at any place of either side', async () => {
    const others = await gatherPeople()
    try {
      await sendWithKills(others, 50_000_000, 3, 1)
    } finally {
      await others.close()
    }
  })

  it('explain themselves', async () => {
    for (const command of ['send', 'receive'] as const) {
      const { said } = await people[command]('--help').ended
      assert.match(said, /Examples:\n {2}\$ chrove /)
      assert.ok(said.split('\n').every((line) => line.length <= 80))
    }
    const { exitCode, complained } = await people.receive('--relay', 'ftp://x').ended
    assert.equal(exitCode, 2)
    assert.match(complained, /relay: must be an http or https URL/)
  })
})
