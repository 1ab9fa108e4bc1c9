/** The set-up, run for real in a folder of its own; npx and the Node it installs are scripts that write down calls. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const scripts = fileURLToPath(new URL('.', import.meta.url))

/** Installs a Node that builds contracts; `busy` is there only while it works, so that two at once fall over it. */
const npxThatInstalls = `#!/bin/sh
cd "\${CHROVE_ROOT:-.}"
case "$*" in --version) echo 1; exit 0;; esac
echo "npx $*" >> calls
env > environment
mkdir busy || echo 'two at once' >> calls
mkdir -p node_modules/.bin
cat > node_modules/.bin/node <<'NODE'
#!/bin/sh
cd "\${CHROVE_ROOT:-.}"
case "$*" in
  *build*) echo 'hardhat build' >> calls; echo 'Compiled'; mkdir -p artifacts types/ethers-contracts;;
  *) echo 'native parts' >> calls;;
esac
NODE
chmod +x node_modules/.bin/node
echo 'added packages'
rmdir busy
`
const npxThatFails = (says: string) => `#!/bin/sh
cd "\${CHROVE_ROOT:-.}"
case "$*" in --version) exit 0;; esac
echo "npx $*" >> calls
echo '${says}' >&2
exit 1
`
/** Begins to write, says so, and never ends. */
const npxThatHangs = `#!/bin/sh
cd "\${CHROVE_ROOT:-.}"
case "$*" in --version) exit 0;; esac
mkdir -p node_modules/.bin
touch node_modules/.bin/node
echo started
exec tail -f /dev/null
`

const firstSetUp = ['npx', 'native parts', 'hardhat build']

describe('set-up', () => {
  let folder: string
  let root: string
  let children: ChildProcess[]

  const write = (path: string, text: string, mode = 0o644) => writeFile(join(root, path), text, { mode })
  const installNpx = (source: string) => write('bin/npx', source, 0o755)

  /** The programs called so far, without their parameters. */
  const calls = async () => {
    const text = await readFile(join(root, 'calls'), 'utf8').catch(() => '')
    return text.split('\n').flatMap((line) => (line === '' ? [] : [line.replace(/^npx .*/, 'npx')]))
  }

  const locks = async () => (await readdir(root)).filter((name) => name.startsWith('.setup-lock'))

  const start = (environment: Readonly<Record<string, string>> = {}) => {
    const child = spawn(process.execPath, ['scripts/bootstrap.mjs'], {
      cwd: root,
      detached: true,
      env: {
        PATH: [join(root, 'bin'), '/usr/bin', '/bin'].join(delimiter),
        TMPDIR: join(folder, 'tmp'),
        ...environment,
      },
    })
    children.push(child)
    return child
  }

  /** A set-up in the midst of installing. */
  const startAndHang = async () => {
    await installNpx(npxThatHangs)
    const child = start()
    await new Promise<void>((resolve) => {
      child.stderr.on('data', (chunk) => String(chunk).includes('started') && resolve())
    })
    return child
  }

  const setUp = async (environment?: Readonly<Record<string, string>>) => {
    const child = start(environment)
    const said = { output: '', errors: '' }
    child.stdout.on('data', (chunk) => (said.output += String(chunk)))
    child.stderr.on('data', (chunk) => (said.errors += String(chunk)))
    const [status] = (await once(child, 'close')) as [number | null]
    return { status, ...said }
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chrove-set-up-test-'))
    root = join(folder, 'project')
    await mkdir(root)
    await mkdir(join(folder, 'tmp'))
    children = []
    for (const name of ['bin', 'contracts', 'scripts']) await mkdir(join(root, name))
    await cp(join(scripts, 'bootstrap.mjs'), join(root, 'scripts/bootstrap.mjs'))
    await cp(join(scripts, 'bootstrap'), join(root, 'scripts/bootstrap'), { recursive: true })
    await write('package-lock.json', '{}')
    await write('hardhat.config.ts', '')
    await write('contracts/Shop.sol', 'contract Shop {}')
    await installNpx(npxThatInstalls)
  })

  afterEach(async () => {
    for (const { pid } of children) {
      try {
        if (pid !== undefined) process.kill(-pid, 'SIGKILL')
      } catch {
        // The whole group has ended by itself.
      }
    }
    await rm(folder, { recursive: true, force: true })
  })

  it('installs with npm under Node 24, tries the native parts, and builds the contracts', async () => {
    const { status } = await setUp()
    assert.equal(status, 0)
    assert.deepEqual(await calls(), firstSetUp)
    const [npx] = (await readFile(join(root, 'calls'), 'utf8')).split('\n')
    assert.match(npx ?? '', /--yes .*--package=node@24 --call cd "\$CHROVE_ROOT" && npm install --no-save/)
  })

  it('leaves standard output to the command that follows', async () => {
    const { output, errors } = await setUp()
    assert.equal(output, '')
    assert.match(errors, /installing dependencies[^]*added packages[^]*Compiled/)
  })

  it('does nothing the second time', async () => {
    await setUp()
    const { status, output, errors } = await setUp()
    assert.deepEqual({ status, output, errors }, { status: 0, output: '', errors: '' })
    assert.deepEqual(await calls(), firstSetUp)
  })

  it('installs again when the lockfile changes', async () => {
    await setUp()
    await write('package-lock.json', '{ }')
    await setUp()
    assert.deepEqual(await calls(), [...firstSetUp, ...firstSetUp])
  })

  for (const path of ['contracts/Shop.sol', 'contracts/Bank.sol', 'hardhat.config.ts']) {
    it(`builds the contracts again, and nothing else, when ${path} changes`, async () => {
      await setUp()
      await write(path, 'changed')
      await setUp()
      assert.deepEqual(await calls(), [...firstSetUp, 'hardhat build'])
    })
  }

  for (const path of ['artifacts', 'types']) {
    it(`builds the contracts again when ${path} was deleted`, async () => {
      await setUp()
      await rm(join(root, path), { recursive: true })
      await setUp()
      assert.deepEqual(await calls(), [...firstSetUp, 'hardhat build'])
    })
  }

  it('happens once when many begin at once', async () => {
    const ends = await Promise.all(Array.from({ length: 4 }, () => setUp()))
    assert.deepEqual(
      ends.map(({ status }) => status),
      [0, 0, 0, 0],
    )
    assert.deepEqual(await calls(), firstSetUp)
  })

  it('starts over after it was killed in the middle', async () => {
    const killed = await startAndHang()
    process.kill(-(killed.pid ?? assert.fail()), 'SIGKILL')
    await once(killed, 'close')
    await installNpx(npxThatInstalls)
    const { status } = await setUp()
    assert.equal(status, 0)
    assert.deepEqual(await calls(), firstSetUp)
  })

  it('waits for the npm of a set-up that was killed', async () => {
    const killed = await startAndHang()
    killed.kill('SIGKILL')
    await installNpx(npxThatInstalls)
    const next = start()
    const [chunk] = (await once(next.stderr, 'data')) as [Buffer]
    assert.match(chunk.toString(), /waiting for another set-up/)
    assert.deepEqual(await calls(), [])
    process.kill(-(killed.pid ?? assert.fail()), 'SIGKILL')
    const [status] = (await once(next, 'close')) as [number]
    assert.equal(status, 0)
    assert.deepEqual(await calls(), firstSetUp)
  })

  it('clears away what a set-up left that was killed while it waited', async () => {
    await mkdir(join(root, '.setup-lock.999999999-1'))
    await setUp()
    assert.deepEqual(await locks(), [])
  })

  it('gives the lock up on Ctrl-C, with nothing left running', async () => {
    const stopped = await startAndHang()
    stopped.kill('SIGINT')
    const [status] = (await once(stopped, 'close')) as [number]
    assert.equal(status, 130)
    assert.deepEqual(await locks(), [])
    assert.deepEqual(await readdir(join(folder, 'tmp')), [])
  })

  it('asks npx from a folder without a node package, which it would take for Node 24', async () => {
    await installNpx(npxThatInstalls.replace('cd ', '[ -z "$CHROVE_ROOT" ] || pwd > "$CHROVE_ROOT/askedFrom"\ncd '))
    await setUp()
    const askedFrom = (await readFile(join(root, 'askedFrom'), 'utf8')).trim()
    assert.ok(askedFrom.startsWith(join(folder, 'tmp')), askedFrom)
  })

  it('leaves what is installed alone when npm refuses the lockfile', async () => {
    await setUp()
    await write('node_modules/kept', '')
    await write('package-lock.json', '{ }')
    await installNpx(npxThatFails('npm error code EUSAGE'))
    assert.equal((await setUp()).status, 1)
    assert.ok((await readdir(join(root, 'node_modules'))).includes('kept'))
  })

  it('is not finished, and says so, when a step fails', async () => {
    await setUp()
    await write('package-lock.json', '{ }')
    await installNpx(npxThatFails('npm error code ENOTFOUND'))
    assert.equal((await setUp()).status, 1)
    await installNpx(npxThatInstalls)
    assert.equal((await setUp()).status, 0)
    assert.deepEqual(await calls(), [...firstSetUp, 'npx', ...firstSetUp])
  })

  const failures: readonly (readonly [string, RegExp])[] = [
    ['npm error code EAI_AGAIN', /registry is not reachable/],
    ['npm error code ENOSPC', /disk is full/],
    ['npm error code EACCES', /may not be written/],
    ['npm error code EINTEGRITY', /npm cache clean/],
    ['npm error code E404', /lacks a package/],
    ['something else', /npx ended with 1/],
  ]
  for (const [says, advice] of failures) {
    it(`gives advice on “${says}”`, async () => {
      await installNpx(npxThatFails(says))
      const { status, errors } = await setUp()
      assert.equal(status, 1)
      assert.match(errors.trimEnd().split('\n').at(-1) ?? '', advice)
    })
  }

  it('says when there is no npm', async () => {
    await rm(join(root, 'bin/npx'))
    const { status, errors } = await setUp({ PATH: join(root, 'bin') })
    assert.equal(status, 1)
    assert.match(errors, /npm is not installed/)
  })

  it('says when npm brought no Node', async () => {
    await installNpx('#!/bin/sh\n')
    const { status, errors } = await setUp()
    assert.equal(status, 1)
    assert.match(errors, /npm left Node 24 out/)
  })

  it('says when a native part does not load', async () => {
    await installNpx(npxThatInstalls.replace("*) echo 'native parts' >> calls;;", '*) exit 1;;'))
    const { status, errors } = await setUp()
    assert.equal(status, 1)
    assert.match(errors, /native part does not load/)
  })

  it('keeps the user’s registry and drops what the npm around it says of itself', async () => {
    await setUp({
      npm_config_registry: 'https://registry.example/',
      npm_config_loglevel: 'silent',
      npm_config_json: 'true',
      npm_config_yes: '',
      npm_execpath: '/old/npm-cli.js',
      npm_lifecycle_event: 'prestart',
    })
    const environment = await readFile(join(root, 'environment'), 'utf8')
    assert.match(environment, /^npm_config_registry=/m)
    assert.doesNotMatch(environment, /^npm_(config_(loglevel|json|yes)|execpath|lifecycle_event)=/m)
  })
})
