/** A small project with a test that leaves gaps, mutated for real. */
import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createHardhatRuntimeEnvironment } from 'hardhat/hre'
import type { HardhatRuntimeEnvironment } from 'hardhat/types/hre'
import { openCompiler } from './compiler.ts'
import type { Judged } from './explanations.ts'
import { compileTogether, listMutants, separate, ship } from './judge.ts'
import type { MutantName } from './mutants.ts'
import { loadProject } from './project.ts'
import type { Described, Summary } from './report.ts'
import { EXPLANATIONS, type Options, RECORD, run } from './run.ts'
import { openSuite } from './suite.ts'
import { isSwitchable } from './switches.ts'

const till = `// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

contract Till {
    error Till_Nothing();

    uint256 public constant SHARES = 3;
    uint256 public total;
    bytes32 public tag;
    bool private _isPaying;

    modifier once() {
        if (_isPaying) revert Till_Nothing();
        _isPaying = true;
        _;
        _isPaying = false;
    }

    function pay(uint256 amount) external once {
        if (amount == 0) revert Till_Nothing();
        total += amount;
        (bool answered, ) = msg.sender.call("");
        if (!answered) revert Till_Nothing();
    }

    function mark(bytes32 given) external {
        if (given == 0) revert Till_Nothing();
        tag = given;
    }

    function share() external view returns (uint256 rounded) {
        uint256 unused = 7;
        assembly ("memory-safe") {
            pop(unused)
        }
        (uint256 sum, uint256 parts) = (total, SHARES);
        unchecked {
            rounded = (sum + parts - 1) / parts;
        }
    }

    function countTo(uint256 end) external pure returns (uint256 sum) {
        for (uint256 i = 0; i < end; ++i) sum += i;
    }

    function half() external view returns (uint256 result) {
        assembly ("memory-safe") {
            result := shr(1, sload(0))
        }
    }
}
`

const tests = `// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

interface Vm { function getCode(string calldata artifact) external view returns (bytes memory); }

interface Till {
    function pay(uint256 amount) external;
    function mark(bytes32 given) external;
    function total() external view returns (uint256);
    function tag() external view returns (bytes32);
    function share() external view returns (uint256);
    function half() external view returns (uint256);
    function countTo(uint256 end) external view returns (uint256);
}

contract TillTest {
    Till private till;
    bool private reenters;
    bool private succeeded;

    function setUp() external {
        bytes memory code = Vm(address(uint160(uint256(keccak256("hevm cheat code"))))).getCode("Till.sol:Till");
        address made;
        assembly { made := create(0, add(code, 32), mload(code)) }
        till = Till(made);
    }

    fallback() external {
        if (reenters) (succeeded, ) = address(till).call(abi.encodeCall(Till.pay, (1)));
        reenters = false;
    }

    function test_Pay() external {
        till.pay(5);
        till.pay(2);
        require(till.total() == 7 && till.share() == 3 && till.half() == 3);
        (bool accepted, ) = address(till).call(abi.encodeCall(Till.pay, (0)));
        require(!accepted);
        till.mark(bytes32(uint256(9)));
        require(till.tag() == bytes32(uint256(9)));
    }

    function test_Pay_CannotBeReentered() external {
        reenters = true;
        till.pay(1);
        require(!succeeded && till.total() == 1);
    }

    function testFuzz_CountTo(uint8 end) external view {
        uint256 limit = end;
        require(till.countTo(limit) == (limit * limit - limit) / 2 + (limit == 0 ? 0 : 0));
    }

    function testFuzz_Share(uint64 amount) external {
        if (amount == 0) return;
        till.pay(amount);
        uint256 share = till.share();
        require(share * 3 >= amount && share * 3 < uint256(amount) + 3);
    }
}
`

const everything: Options = { only: [], functions: [], commands: [], resume: false }

/** A command that fails where the artifact is not as it was built; the project keeps a copy. */
const sameBytecode = `${process.execPath} -e "
  const read = (path) => JSON.parse(require('fs').readFileSync(path, 'utf8')).bytecode
  process.exitCode = read('artifacts/contracts/Till.sol/Till.json') === read('built.json') ? 0 : 1"`

const TIMEOUT_MS = 600_000

describe('mutation of a small project', { timeout: TIMEOUT_MS }, () => {
  let root: string
  let hre: HardhatRuntimeEnvironment
  let judged: readonly Judged[] = []
  let knownBefore = 0
  let summary: Summary

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'chrove-mutation-'))
    await mkdir(join(root, 'contracts'))
    await writeFile(join(root, 'package.json'), '{ "type": "module" }')
    await writeFile(join(root, 'contracts/Till.sol'), till)
    await writeFile(join(root, 'contracts/Till.t.sol'), tests)
    const path = createRequire(import.meta.url).resolve('solc/soljson.js')
    const settings = { viaIR: true, optimizer: { enabled: true } }
    hre = await createHardhatRuntimeEnvironment(
      { solidity: { version: '0.8.28', path, settings, splitTestsCompilation: true } },
      {},
      root,
    )
    summary = await mutate()
    await cp(join(root, 'artifacts/contracts/Till.sol/Till.json'), join(root, 'built.json'))
  })
  after(() => rm(root, { recursive: true }))

  const mutate = (options: Partial<Options> = {}) =>
    run(hre, { ...everything, ...options }, (soFar, _, known) => {
      judged = soFar
      knownBefore = known
    })

  const fatesOf = (was: string): Readonly<Record<string, string>> =>
    Object.fromEntries(
      judged.filter(({ mutant }) => mutant.was === was).map(({ mutant, fate }) => [mutant.becomes, fate.kind]),
    )

  const explain = (explanations: readonly object[]) =>
    writeFile(join(root, EXPLANATIONS), JSON.stringify(explanations.map((each) => ({ ...each, reason: 'as a test' }))))

  it('kills what a test notices', () => {
    assert.deepEqual(fatesOf('total += amount;'), {
      '': 'killed',
      'total -= amount;': 'killed',
      'total = amount;': 'killed',
    })
    assert.deepEqual(fatesOf('rounded = (sum + parts - 1) / parts;')['rounded = sum / parts;'], 'killed')
    assert.deepEqual(fatesOf('result := shr(1, sload(0))')['result := 1'], 'killed')
  })

  it('sees the same of a mutant at run time as of one compiled by itself', async () => {
    const project = await loadProject(hre)
    await using resources = new AsyncDisposableStack()
    const compiler = resources.adopt(openCompiler(), (each) => each.close())
    const bench = { project, compiler, suite: await openSuite(project) }
    const [together] = await separate(bench, (await listMutants(bench)).filter(isSwitchable))
    const artifactsOf = (await compileTogether(bench, together)) ?? assert.fail()
    assert.deepEqual(await bench.suite.failing(artifactsOf(0), 'full'), [])
    const some = [...together.entries()].filter(([at]) => at % 3 === 0)
    for (const [at, mutant] of some) {
      const switchedOn = await bench.suite.failing(artifactsOf(at + 1), 'quick')
      const alone = await bench.suite.failing((await ship(bench, mutant)).artifacts, 'quick')
      assert.deepEqual(switchedOn, alone, `${mutant.was} becomes ${mutant.becomes}`)
    }
    assert.ok(some.length > 12)
  })

  it('kills what cannot be switched at run time', () => {
    assert.deepEqual(fatesOf('function pay(uint256 amount) external once {'), {
      'function pay(uint256 amount) external {': 'killed',
    })
    assert.deepEqual(new Set(Object.values(fatesOf('uint256 public constant SHARES = 3;'))), new Set(['killed']))
  })

  it('kills what never ends', () => {
    const fates = fatesOf('for (uint256 i = 0; i < end; ++i) sum += i;')
    assert.equal(fates['for (uint256 i = 0; true; ++i) sum += i;'], 'killed')
  })

  it('lets survive what no test notices, and tells it from what does not compile', () => {
    assert.deepEqual(fatesOf('if (given == 0) revert Till_Nothing();'), {
      'if (false) revert Till_Nothing();': 'survived',
      'if (true) revert Till_Nothing();': 'killed',
      'if (given == 1) revert Till_Nothing();': 'uncompilable',
    })
  })

  it('finds what makes no difference to the bytecode', () => {
    assert.deepEqual(new Set(Object.values(fatesOf('uint256 unused = 7;'))), new Set(['equivalent']))
  })

  it('counts all of it', () => {
    const { mutants, killed, survived, equivalent, uncompilable, score } = summary.total
    assert.equal(mutants, killed + survived + equivalent + uncompilable)
    assert.deepEqual([survived, equivalent, uncompilable, score], [3, 3, 1, killed / (killed + 3)])
    assert.deepEqual(
      summary.survivors.map(({ was }) => was),
      summary.unexplained.map(({ was }) => was),
    )
  })

  it('goes on where an interrupted run stopped', async () => {
    const uninterrupted = judged
    await cutRecord(join(root, RECORD), 5)
    const resumed = await mutate({ resume: true })
    assert.equal(knownBefore, uninterrupted.length - 5)
    assert.deepEqual(judged, uninterrupted)
    assert.deepEqual(resumed, summary)
  })

  it('asks commands about survivors without explanation', async () => {
    const [unanswered, unmarked, shortcut] = summary.survivors
    await explain([unanswered, shortcut].map((each) => nameFieldsOf(each ?? assert.fail())))
    const { unexplained, stale } = await mutate({ resume: true, commands: [sameBytecode] })
    assert.deepEqual([unexplained, stale], [[], []])
    const fates = judged.filter(({ mutant }) => mutant.was === unmarked?.was).map(({ fate }) => fate)
    assert.deepEqual(fates[0], { kind: 'killed', by: sameBytecode })
    assert.deepEqual(fatesOf(unanswered?.was ?? '')['if (false) revert Till_Nothing();'], 'survived')
  })

  it('judges chosen functions only, and no explanation of others', async () => {
    const { total, unexplained, stale } = await mutate({ resume: true, functions: ['Till.mark'], only: ['Till.sol'] })
    assert.equal(total.mutants, 4)
    assert.deepEqual([unexplained.length, stale.length], [1, 0])
  })

  it('refuses to begin where tests fail on the original', async () => {
    await writeFile(join(root, 'contracts/Till.sol'), till.replace('SHARES = 3', 'SHARES = 2'))
    await assert.rejects(mutate(), /tests fail without any mutant: TillTest\.testFuzz_Share/)
  })
})

const nameFieldsOf = ({ contract, member, was, becomes, nth }: Described): MutantName => ({
  ...{ contract, member, was, becomes, nth },
})

/** As a kill would leave it: without the last lines, and half of one. */
const cutRecord = async (path: string, lines: number): Promise<void> => {
  const text = await readFile(path, 'utf8')
  const kept = text.split('\n').slice(0, -lines)
  await writeFile(path, [...kept, '["half'].join('\n'))
}
