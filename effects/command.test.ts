import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CommandError, failureOf } from './command-error.ts'
import { jsonLine, terminalSafe, type Output } from './command-output.ts'
import { runCommandLine, type Session } from './command.ts'
import type { NodeEffects, NodeEffectsOptions } from './node.ts'
import type { FileStore } from './store.ts'

interface Run {
  readonly exitCode: number
  readonly out: string
  readonly err: string
  readonly opened: NodeEffectsOptions | undefined
}

interface World {
  readonly environment?: Record<string, string>
  readonly config?: string
  readonly signal?: AbortSignal
}

/** Runs `chrove try <word>`, which does `act`. */
const run = async (
  args: readonly string[],
  act: (session: Session, word: string) => Promise<Output | undefined>,
  { environment = {}, config, signal = new AbortController().signal }: World = {},
): Promise<Run> => {
  let out = ''
  let err = ''
  let opened: NodeEffectsOptions | undefined
  const files = {
    read: async () => (config === undefined ? undefined : new TextEncoder().encode(config)),
  } as unknown as FileStore
  const exitCode = await runCommandLine(
    {
      arguments: args,
      environment,
      signal,
      userHome: '/home/somebody',
      userFiles: {
        read: () => Promise.reject(new Error('unused')),
        list: () => Promise.reject(new Error('unused')),
        create: () => Promise.reject(new Error('unused')),
      },
      terminal: {
        out: async (text) => void (out += text),
        err: (text) => (err += text),
        interactive: false,
        input: () => {
          throw new Error('not interactive')
        },
        ask: () => Promise.reject(new Error('not interactive')),
        askSecret: () => Promise.reject(new Error('not interactive')),
        confirm: () => Promise.reject(new Error('not interactive')),
      } as Session['terminal'],
      createEffects: (options) => {
        opened = options
        return { files } as unknown as NodeEffects
      },
    },
    (program, context) => {
      program.command('try').argument('<word>').action(context.action(act))
      const own = { ownOptions: ['maxSpend'] }
      program.command('own').argument('<word>').option('--max-spend <amount>').action(context.action(act, own))
    },
  )
  return { exitCode, out, err, opened }
}

const say = (text: string): Output => ({ json: { text, amountWei: 10n ** 30n }, text })

describe('a command line', () => {
  it('prints text for people, and with --json one object with amounts as decimal text', async () => {
    assert.equal((await run(['try', 'a'], async () => say('done'))).out, 'done\n')
    const { out, exitCode } = await run(['try', 'a', '--json'], async () => say('done'))
    assert.deepEqual(JSON.parse(out), { ok: true, text: 'done', amountWei: String(10n ** 30n) })
    assert.equal(exitCode, 0)
  })

  it('takes options before and after the command', async () => {
    const seen = async (session: Session) => say((session.settings.rpc ?? []).join())
    const expected = 'http://node.example/\n'
    assert.equal((await run(['--rpc', 'http://node.example/', 'try', 'a'], seen)).out, expected)
    assert.equal((await run(['try', 'a', '--rpc', 'http://node.example/'], seen)).out, expected)
  })

  it('takes several nodes of the chain, wherever they are set', async () => {
    const seen = async ({ settings }: Session) => say((settings.rpc ?? []).join(' | '))
    const several = ['--rpc', 'http://a/', 'try', 'a', '--rpc', 'http://b/']
    const { out, opened } = await run(several, seen)
    assert.equal(out, 'http://a/ | http://b/\n')
    assert.deepEqual(opened?.rpc, ['http://a/', 'http://b/'])
    const environment = { CHROVE_RPC: 'http://c/ http://d/' }
    assert.equal((await run(['try', 'a'], seen, { environment })).out, 'http://c/ | http://d/\n')
    const { err } = await run(['--rpc', 'http://a/', '--rpc', 'node', 'try', 'a'], seen)
    assert.match(err, /rpc\.1: must be an http, https, ws or wss URL/)
    const config = JSON.stringify({ rpc: ['http://e/', 'http://f/'] })
    assert.equal((await run(['try', 'a'], seen, { config })).out, 'http://e/ | http://f/\n')
  })

  it('takes WebSockets of nodes beside others, and not alone', async () => {
    const seen = async ({ settings }: Session) => say((settings.rpc ?? []).join(' | '))
    const { opened } = await run(['try', 'a', '--rpc', 'wss://a/', '--rpc', 'http://b/'], seen)
    assert.deepEqual(opened?.rpc, ['wss://a/', 'http://b/'])
    const environment = { CHROVE_RPC: 'ws://a/ wss://b/' }
    const { err, exitCode } = await run(['try', 'a'], seen, { environment })
    assert.match(err, /rpc: needs an http or https URL too/)
    assert.equal(exitCode, 2)
  })

  it('prefers options to the environment, and the environment to config.json', async () => {
    const seen = async ({ settings }: Session) =>
      say(`${settings.rpc?.join()} ${settings.directory} ${settings.maxSpend}`)
    const environment = { CHROVE_RPC: 'http://environment/', CHROVE_DIRECTORY: 'http://environment/' }
    const config = JSON.stringify({ rpc: 'http://config/', directory: 'http://config/', maxSpend: '0.5' })
    const { out } = await run(['try', 'a', '--rpc', 'http://option/'], seen, { environment, config })
    assert.equal(out, 'http://option/ http://environment/ 0.5\n')
  })

  it('gives an option that a command keeps for itself to the command, and not to the settings', async () => {
    const seen = async ({ settings }: Session, word: string, options?: { readonly maxSpend?: string }) =>
      say(`${word} ${options?.maxSpend} ${settings.maxSpend}`)
    const config = JSON.stringify({ maxSpend: '0.5' })
    assert.equal((await run(['own', 'a', '--max-spend', '7'], seen, { config })).out, 'a 7 0.5\n')
    assert.equal((await run(['own', 'a'], seen, { config })).out, 'a undefined 0.5\n')
  })

  it('opens its doors in the home folder that is given, through the proxy that is set', async () => {
    const args = ['try', 'a', '--home', '/there', '--proxy', 'socks5h://127.0.0.1:9050']
    const { opened } = await run(args, async () => undefined)
    assert.equal(opened?.home, '/there')
    assert.equal(opened?.proxy, 'socks5h://127.0.0.1:9050')
    assert.equal((await run(['try', 'a'], async () => undefined)).opened?.home, '/home/somebody/.chrove')
  })

  const wrong: [what: string, args: string[], world: World, exitCode: number, code: string][] = [
    ['an unknown command', ['tri'], {}, 2, 'ERR_USAGE'],
    ['an unknown option', ['try', 'a', '--what'], {}, 2, 'ERR_USAGE'],
    ['a missing argument', ['try'], {}, 2, 'ERR_USAGE'],
    ['a setting of the wrong form', ['try', 'a', '--rpc', 'node'], {}, 2, 'ERR_SETTINGS_INVALID'],
    ['a proxy that would resolve names here', ['try', 'a', '--proxy', 'socks5://h'], {}, 2, 'ERR_SETTINGS_INVALID'],
    ['a broken config.json', ['try', 'a'], { config: '{' }, 2, 'ERR_SETTINGS_INVALID'],
    ['an unknown setting in config.json', ['try', 'a'], { config: '{"rcp":"http://a/"}' }, 2, 'ERR_SETTINGS_INVALID'],
  ]
  for (const [what, args, world, exitCode, code] of wrong) {
    it(`refuses ${what} with exit code ${exitCode}`, async () => {
      const result = await run([...args, '--json'], async () => say('done'), world)
      assert.equal(result.exitCode, exitCode)
      const { ok, error } = JSON.parse(result.out) as { ok: boolean; error: { code: string; message: string } }
      assert.deepEqual([ok, error.code], [false, code])
      assert.match((await run(args, async () => say('done'), world)).err, new RegExp(`^chrove: .+ \\(${code}\\)\n$`))
    })
  }

  it('says with its exit code whether another try may help', async () => {
    const failing = (retryable: boolean) => () =>
      Promise.reject(Object.assign(new Error('no'), { code: 'ERR_NO', retryable }))
    assert.equal((await run(['try', 'a'], failing(false))).exitCode, 1)
    assert.equal((await run(['try', 'a'], failing(true))).exitCode, 3)
    assert.equal((await run(['try', 'a'], async () => ({ ...say('no'), ok: false }))).exitCode, 1)
  })

  it('with --json prints no second object when it fails after its result', async () => {
    const act = async (session: Session) => {
      await session.print(say('done'))
      throw Object.assign(new Error('no'), { code: 'ERR_NO', retryable: false })
    }
    const { exitCode, out, err } = await run(['try', 'a', '--json'], act)
    assert.deepEqual([exitCode, err], [1, 'chrove: no (ERR_NO)\n'])
    assert.equal((JSON.parse(out) as { text: string }).text, 'done')
  })

  it('ends with 130 when interrupted, whatever the command then throws', async () => {
    const controller = new AbortController()
    const act = async () => {
      controller.abort()
      throw new TypeError('torn down')
    }
    assert.equal((await run(['try', 'a'], act, { signal: controller.signal })).exitCode, 130)
  })

  it('agrees to nothing, and knows no passphrase, where nobody can be asked', async () => {
    const { out, exitCode } = await run(['try', 'a', '--json'], async (session) => {
      await session.confirm('Pay?')
      return undefined
    })
    assert.match(out, /ERR_NOT_CONFIRMED/)
    assert.equal(exitCode, 1)
    const act = async (session: Session) => say(await session.passphrase(false))
    assert.match((await run(['try', 'a'], act)).err, /ERR_PASSPHRASE_MISSING/)
    assert.equal((await run(['try', 'a'], act, { environment: { CHROVE_PASSPHRASE: 'x' } })).out, 'x\n')
  })

  it('lets no control character of any text through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.doesNotMatch(terminalSafe(text), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
        const line = jsonLine({ text })
        assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
        assert.deepEqual(JSON.parse(line), { text })
      }),
    )
  })
})

describe('a failure', () => {
  it('is a bug unless it has a code of ours or of the system', () => {
    assert.equal(failureOf(new TypeError('undefined is not a function')).exitCode, 70)
    assert.equal(failureOf('thrown text').exitCode, 70)
    assert.equal(failureOf(undefined).exitCode, 70)
    assert.deepEqual(failureOf(Object.assign(new Error('no such file'), { code: 'ENOENT' })), {
      code: 'ERR_SYSTEM_ENOENT',
      message: 'no such file',
      exitCode: 1,
    })
    assert.equal(failureOf(new CommandError('ERR_INTERRUPTED', 'stop')).exitCode, 130)
  })
})
