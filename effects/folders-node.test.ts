import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { link, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createFolders } from './folders-node.ts'
import type { HeldFolder } from './folders.ts'

const folders = createFolders()
let path: string
let held: HeldFolder
beforeEach(async () => {
  path = await realpath(await mkdtemp(join(tmpdir(), 'chrove-folders-')))
  held = await folders.open(path)
})
afterEach(async () => {
  await held.close()
  await rm(path, { recursive: true })
})

const write = (name: string, content = name) => writeFile(join(path, name), content)
const read = (name: string) => readFile(join(path, name), 'utf8')
const kind = { code: 'ERR_FOLDER_KIND' }
const exists = { code: 'ERR_FOLDER_EXISTS' }

describe('a held folder', () => {
  it('tells what is in it, links as links', async () => {
    await write('file', 'abc')
    await mkdir(join(path, 'folder'))
    await symlink('file', join(path, 'link'))
    execFileSync('mkfifo', [join(path, 'pipe')])
    assert.deepEqual((await held.names()).toSorted(), ['file', 'folder', 'link', 'pipe'])
    const kinds = await Promise.all(['file', 'folder', 'link', 'pipe', 'none'].map((name) => held.facts(name)))
    assert.deepEqual(
      kinds.map((facts) => facts?.kind),
      ['file', 'folder', 'link', 'other', undefined],
    )
    assert.equal(kinds[0]?.size, 3)
  })

  it('opens nothing through a link, and waits for no pipe', async () => {
    await mkdir(join(path, 'folder'))
    await write('file')
    await symlink('folder', join(path, 'to-folder'))
    await symlink('file', join(path, 'to-file'))
    await symlink('nowhere', join(path, 'to-nothing'))
    execFileSync('mkfifo', [join(path, 'pipe')])
    await assert.rejects(held.folder('to-folder'), kind)
    await assert.rejects(held.makeFolder('to-folder'), kind)
    await assert.rejects(held.folder('file'), kind)
    for (const name of ['to-file', 'to-nothing', 'pipe', 'folder']) {
      await assert.rejects(held.makeFile(name), kind, name)
    }
    for (const name of ['to-file', 'pipe', 'folder']) await assert.rejects(held.file(name), kind, name)
    assert.equal(await read('file'), 'file')
    assert.deepEqual((await readdir(path)).includes('nowhere'), false)
  })

  it('takes no name that leads out of it', async () => {
    for (const name of ['', '.', '..', '../x', 'a/b', '/etc', 'a\0']) {
      await assert.rejects(held.makeFile(name), { code: 'ERR_FOLDER_NAME' }, name)
      await assert.rejects(held.remove(name), { code: 'ERR_FOLDER_NAME' }, name)
    }
  })

  it(
    'stays the folder it was when its path is turned elsewhere',
    { skip: process.platform !== 'linux' && 'Linux only' },
    async () => {
      const inner = await held.makeFolder('inner')
      await mkdir(join(path, 'elsewhere'))
      execFileSync('mv', [join(path, 'inner'), join(path, 'moved')])
      await symlink('elsewhere', join(path, 'inner'))
      await (await inner.makeFile('file')).close()
      await inner.close()
      assert.deepEqual(await readdir(join(path, 'moved')), ['file'])
      assert.deepEqual(await readdir(join(path, 'elsewhere')), [])
    },
  )

  it('moves a file where there is none, and replaces one only if it may', async () => {
    const to = await held.makeFolder('to')
    await write('a', 'new')
    await writeFile(join(path, 'to/a'), 'old')
    await assert.rejects(held.move('a', to, false), exists)
    assert.deepEqual([await read('a'), await read('to/a')], ['new', 'old'])
    await held.move('a', to, true)
    assert.equal(await read('to/a'), 'new')
    await write('b')
    await held.move('b', to, false)
    assert.equal(await read('to/b'), 'b')
    assert.deepEqual((await readdir(path)).toSorted(), ['to'])
    await to.close()
  })

  it('replaces a link and not what it leads to, and never a folder', async () => {
    const to = await held.makeFolder('to')
    await write('victim', 'precious')
    await symlink('../victim', join(path, 'to/a'))
    await write('a', 'new')
    await assert.rejects(held.move('a', to, false), exists)
    await held.move('a', to, true)
    assert.deepEqual([await read('victim'), await read('to/a')], ['precious', 'new'])
    await mkdir(join(path, 'to/b'))
    await write('b')
    await assert.rejects(held.move('b', to, true), exists)
    await mkdir(join(path, 'c'))
    await symlink('..', join(path, 'to/c'))
    await assert.rejects(held.move('c', to, true), exists)
    await to.close()
  })

  it('ends a move of a file that was cut off half way', async () => {
    const to = await held.makeFolder('to')
    await write('a')
    await link(join(path, 'a'), join(path, 'to/a'))
    await held.move('a', to, false)
    assert.deepEqual([await readdir(path), await read('to/a')], [['to'], 'a'])
    await to.close()
  })

  it('removes links without following them', async () => {
    await mkdir(join(path, 'precious'))
    await write('precious/file')
    await mkdir(join(path, 'tree'))
    await symlink('../precious', join(path, 'tree/link'))
    await held.remove('tree')
    await held.remove('not there')
    assert.deepEqual(await readdir(path), ['precious'])
    assert.deepEqual(await readdir(join(path, 'precious')), ['file'])
  })

  it('is locked for other processes and for this one', async () => {
    const unlock = await held.lock()
    await assert.rejects(held.lock(), { code: 'ERR_FOLDER_BUSY' })
    unlock()
    ;(await held.lock())()
  })

  it(
    'knows whether this user has made it',
    { skip: process.getuid?.() !== 0 && 'only root gives folders away' },
    async () => {
      const mine = await held.makeFolder('mine', true)
      assert.equal(await mine.isOwn(), true)
      assert.equal((await stat(join(path, 'mine'))).mode & 0o777, 0o700)
      execFileSync('chown', ['1', join(path, 'mine')])
      assert.equal(await mine.isOwn(), false)
      await mine.close()
    },
  )

  it('refuses names that are no Unicode text', { skip: process.platform !== 'linux' && 'Linux only' }, async () => {
    await writeFile(Buffer.concat([Buffer.from(`${path}/`), Buffer.of(0xff)]), '')
    await assert.rejects(held.names(), { code: 'ERR_FOLDER_NAME' })
  })
})

describe('a held file', () => {
  it('is read and written anywhere, cut, and stamped', async () => {
    const file = await held.makeFile('file')
    await file.write(2, new TextEncoder().encode('cdef'))
    await file.cut(5)
    await file.stamp(true, 1_234_567_890_123)
    const buffer = new Uint8Array(10)
    assert.equal(await file.read(1, buffer), 4)
    assert.deepEqual(buffer.subarray(0, 4), Uint8Array.of(0, 99, 100, 101))
    assert.deepEqual(await file.facts(), { kind: 'file', size: 5, modifiedMs: 1_234_567_890_123, executable: true })
    await file.sync()
    await file.close()
    const again = await held.makeFile('file')
    assert.equal((await again.facts()).size, 5)
    await again.close()
  })

  it('keeps what a stream gives, under no name', async () => {
    const file = await folders.spool(
      (async function* () {
        yield Uint8Array.of(1, 2)
        yield Uint8Array.of(3)
      })(),
    )
    const buffer = new Uint8Array(10)
    assert.equal(await file.read(0, buffer), 3)
    await file.close()
  })
})

describe('where a thing is', () => {
  it('is where a link leads, under the name that a person gave', async () => {
    await write('file')
    await symlink('file', join(path, 'link'))
    const { folder, name, shown } = await folders.locate(join(path, 'link'))
    assert.deepEqual([name, shown, (await folder.facts(name))?.kind], ['file', 'link', 'file'])
    await folder.close()
    const here = await folders.locate(join(path, '.'))
    assert.equal(join(path, '..', here.shown), path)
    await here.folder.close()
  })

  it('is nowhere for a whole disk, and for what is not there', async () => {
    await assert.rejects(folders.locate('/'), { code: 'ERR_FOLDER_NAME' })
    await assert.rejects(folders.locate(join(path, 'none')), { code: 'ENOENT' })
    await write('file')
    await assert.rejects(folders.open(join(path, 'file')), kind)
  })
})
