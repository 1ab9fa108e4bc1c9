/** What a person sees of a transfer, and is asked. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandError } from '../../../effects/command-error.ts'
import type { Terminal } from '../../../effects/terminal.ts'
import { createTestTime } from '../../../effects/testing.ts'
import type { Proposal } from '../receive.ts'
import { accept, type AcceptOptions } from './accept.ts'
import { createMeter } from './meter.ts'
import { createProgressBar } from './progress-bar.ts'
import { proposalText } from './proposal.ts'
import { durationText, sizeText, totalsText } from './sizes.ts'

const MIB = 1024 * 1024

describe('sizes and times', () => {
  it('are short', () => {
    const sizes = [0, 1023, 1024, 1536, 1024 * 1024 - 1, 5.25 * 1024 ** 3, 3 * 1024 ** 5, 2000 * 1024 ** 5].map(
      sizeText,
    )
    assert.deepEqual(sizes, ['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '1.0 MiB', '5.3 GiB', '3.0 PiB', '2000.0 PiB'])
    const times = [0.2, 59, 60, 599, 600, 3599, 3600, 90_000].map(durationText)
    assert.deepEqual(times, ['1 s', '59 s', '1 min 0 s', '9 min 59 s', '10 min', '59 min', '1 h 0 min', '25 h 0 min'])
    assert.equal(totalsText({ files: 1, folders: 0, bytes: 5 }), '1 file, 5 B')
    assert.equal(totalsText({ files: 2, folders: 1, bytes: 5 }), '2 files, 1 folder, 5 B')
  })
})

describe('the meter', () => {
  const moving = (length: number, total = 100 * MIB) => ({ phase: 'moving', length, total }) as const

  it('tells how far it is, how fast, and how long it will take', () => {
    const meter = createMeter()
    assert.equal(meter.show(moving(0), 0), '-------------------- 0%  0 B of 100.0 MiB')
    assert.equal(
      meter.show(moving(25 * MIB), 5000),
      '#####--------------- 25%  25.0 MiB of 100.0 MiB  5.0 MiB/s  15 s left',
    )
    assert.equal(meter.show(moving(100 * MIB), 9000), '#################### 100%  100.0 MiB of 100.0 MiB')
  })

  it('measures the last ten seconds, and only since the connection stands', () => {
    const meter = createMeter()
    for (let second = 0; second <= 60; second++) meter.show(moving(second * 1000), second * 1000)
    for (let second = 61; second <= 72; second++) meter.show(moving(60_000 + (second - 60) * MIB), second * 1000)
    assert.match(meter.show(moving(60_000 + 13 * MIB), 73_000), / 1\.0 MiB\/s /)
    meter.restart()
    assert.doesNotMatch(meter.show(moving(14 * MIB), 500_000), /\/s/)
    assert.match(meter.show(moving(15 * MIB), 501_000), / 1\.0 MiB\/s /)
  })

  it('fits a terminal', () => {
    const meter = createMeter()
    const total = 1023 * 1024 ** 4
    meter.show({ phase: 'checking', length: 0, total }, 0)
    const line = meter.show({ phase: 'checking', length: total - 1023 * 1024 ** 3, total }, 1000)
    assert.match(line, /^comparing 99%/)
    assert.ok(line.length < 80)
    assert.ok(meter.show(moving(total - 1023 * 1024 ** 3, total), 2000).length < 80)
  })
})

describe('the progress bar', () => {
  const show = (interactive: boolean) => {
    const time = createTestTime()
    let seen = ''
    const terminal = { interactive, err: (text: string) => (seen += text) } as unknown as Terminal
    return { time, bar: createProgressBar(time.clock, terminal, (text) => (seen += `${text}\n`)), seen: () => seen }
  }

  it('is drawn five times a second, and at the end', async () => {
    const { time, bar, seen } = show(true)
    for (let length = 0; length < 100; length++) {
      bar.show({ phase: 'moving', length, total: 100 })
      await time.pass(10)
    }
    bar.show({ phase: 'moving', length: 100, total: 100 })
    bar.say('done')
    const pictures = seen().split('\r\u001b[K')
    assert.equal(pictures.length, 1 + 6 + 1)
    assert.match(pictures.at(-2) ?? '', /100%/)
    assert.equal(pictures.at(-1), 'done\n')
  })

  it('is nowhere where nobody looks', () => {
    const { bar, seen } = show(false)
    bar.show({ phase: 'moving', length: 1, total: 2 })
    bar.clear()
    assert.equal(seen(), '')
  })
})

const proposal: Proposal = {
  kind: 'files',
  names: ['a', 'b'],
  files: 2,
  folders: 0,
  bytes: 10,
  existing: [],
  kept: false,
}

describe('an offer', () => {
  it('shows what would come, first of all what would be hidden where it goes', () => {
    assert.equal(proposalText(proposal), 'a, b: 2 files, 10 B')
    const many = [...Array.from({ length: 30 }, (_each, at) => `file${at}`), '.profile']
    const text = proposalText({ ...proposal, names: many })
    assert.match(text, /^\.profile, file0, file1, .*, file19, and 10 more: /)
    assert.equal(proposalText({ ...proposal, names: ['a\u200fb'] }), 'ab: 2 files, 10 B')
    assert.equal(proposalText({ ...proposal, kind: 'text' }), 'A text of 10 B')
  })
})

describe('a person', () => {
  /** @param answers yes or no to each question; undefined when nobody is there */
  const ask = async (change: Partial<Proposal>, options: AcceptOptions, answers?: readonly boolean[]) => {
    const questions: string[] = []
    const left = [...(answers ?? [])]
    const confirm = async (question: string) => {
      questions.push(question)
      return left.shift() ?? assert.fail(`asked too much: ${question}`)
    }
    const session = {
      terminal: { interactive: answers !== undefined, confirm } as unknown as Terminal,
      say: () => {},
      async confirm(question: string) {
        if (answers === undefined || !(await confirm(question))) throw new CommandError('ERR_NOT_CONFIRMED', 'no')
      },
    }
    const decision = await accept(session, { ...proposal, ...change }, options).catch(
      (fault: { code: string }) => fault.code,
    )
    return { decision, questions }
  }
  const yes = { mayReplace: false, resume: true }

  it('is asked once where nothing is in the way', async () => {
    assert.deepEqual(await ask({}, {}, [true]), { decision: yes, questions: ['Receive it?'] })
    assert.deepEqual((await ask({ kind: 'text' }, {}, [true])).questions, ['Show it?'])
    assert.equal((await ask({}, {}, [false])).decision, 'ERR_NOT_CONFIRMED')
  })

  it('is asked before anything is replaced', async () => {
    const existing = ['a']
    const { decision, questions } = await ask({ existing }, {}, [true, true])
    assert.deepEqual(decision, { mayReplace: true, resume: true })
    assert.match(questions[1] ?? '', /^There is already: a\. /)
    assert.equal((await ask({ existing }, {}, [true, false])).decision, 'ERR_TRANSFER_EXISTS')
    assert.deepEqual((await ask({ existing }, { overwrite: true }, [true])).decision, {
      mayReplace: true,
      resume: true,
    })
  })

  it('may begin anew', async () => {
    assert.deepEqual((await ask({ kept: true }, {}, [true, true])).decision, yes)
    assert.deepEqual((await ask({ kept: true }, {}, [true, false])).decision, { mayReplace: false, resume: false })
    assert.deepEqual((await ask({ kept: true }, { resume: true }, [true])).decision, yes)
  })

  it('who is not there agrees to nothing but what the options say', async () => {
    assert.equal((await ask({}, {})).decision, 'ERR_NOT_CONFIRMED')
    assert.deepEqual((await ask({ kept: true }, { yes: true })).decision, yes)
    assert.equal((await ask({ existing: ['a'] }, { yes: true })).decision, 'ERR_TRANSFER_EXISTS')
    const decision = { mayReplace: true, resume: true }
    assert.deepEqual((await ask({ existing: ['a'] }, { yes: true, overwrite: true })).decision, decision)
  })
})
