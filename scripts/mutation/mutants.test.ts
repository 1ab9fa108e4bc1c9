import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Compiler, errorsOf, openCompiler } from './compiler.ts'
import { type Mutant, mutantsOf } from './mutants.ts'
import { toBytes } from './tree.ts'

/** A contract with one statement or more in a function, and whatever they need. */
const inFunction = (statements: string): string => `// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;
interface Oracle { function isGood(bytes32 hash) external returns (bool); }
contract Sample {
    enum Kind { First, Second, Third }
    struct Pair { uint128 left; uint128 right; }
    event Moved(address from, address to, uint256 amount);
    error Sample_Bad(uint256 given, uint256 wanted);
    uint256 public total;
    mapping(bytes32 key => Pair pair) private _pairs;
    bool private _isOpen;
    Kind private _kind;
    modifier guarded() { _; }
    function sample(uint256 a, uint256 b, bytes32 key, bool flag, address to, Oracle oracle) external returns (uint256) {
        ${statements}
    }
    function noted(uint256, uint256, address) private {}
}
`

describe('mutants', () => {
  let compiler: Compiler
  before(() => void (compiler = openCompiler()))
  after(() => compiler.close())

  const mutantsIn = async (content: string): Promise<readonly Mutant[]> => {
    const settings = { outputSelection: { '*': { '': ['ast'] } } }
    const output = await compiler.compile(() => ({
      language: 'Solidity',
      sources: { 'Sample.sol': { content } },
      settings,
    }))
    assert.deepEqual(errorsOf(output), [])
    const tree = output.sources?.['Sample.sol']?.ast ?? assert.fail()
    return mutantsOf('Sample.sol', tree, toBytes(content))
  }

  /** What the statements' line becomes in each mutant. */
  const changes = async (statement: string): Promise<readonly string[]> => {
    const mutants = await mutantsIn(inFunction(statement))
    return mutants.filter(({ was }) => was === statement).map(({ becomes }) => becomes)
  }

  const cases: readonly (readonly [title: string, statement: string, becomes: readonly string[]])[] = [
    [
      'a check never bites, always bites, is off by one, or lets one side pass',
      'if (a != b) revert Sample_Bad(a, b);',
      [
        'if (false) revert Sample_Bad(a, b);',
        'if (true) revert Sample_Bad(a, b);',
        'if (a < b) revert Sample_Bad(a, b);',
        'if (a > b) revert Sample_Bad(a, b);',
        'if (a != b) revert Sample_Bad(0, b);',
        'if (a != b) revert Sample_Bad(b, a);',
        'if (a != b) revert Sample_Bad(a, 0);',
      ],
    ],
    [
      'a bound moves by one, in comparison and in number',
      'if (a > 10) total = a;',
      [
        'if (false) total = a;',
        'if (true) total = a;',
        'if (a >= 10) total = a;',
        'if (a > 11) total = a;',
        'if (a > 9) total = a;',
      ],
    ],
    [
      'each part of a joined condition is left out',
      'if (flag && a == 0) total = a;',
      [
        'if (true && a == 0) total = a;',
        'if (false) total = a;',
        'if (true) total = a;',
        'if (flag && true) total = a;',
        'if (flag && a == 1) total = a;',
      ],
    ],
    [
      'a signature is always good, or never',
      'if (!oracle.isGood(key)) revert();',
      ['if (false) revert();', 'if (true) revert();'],
    ],
    [
      'a requirement is dropped or cannot be met',
      'require(flag, "closed");',
      ['require(false, "closed");', 'require(true, "closed");', 'require(flag, "");'],
    ],
    [
      'a quotient is rounded up instead of down',
      'total = a / b;',
      ['', 'total = (a + b - 1) / b;', 'total = a * b;', 'total = a;'],
    ],
    [
      'a quotient is rounded down instead of up',
      'total = (a + b - 1) / b;',
      [
        '',
        'total = a / b;',
        'total = (b - 1) / b;',
        'total = (a - b - 1) / b;',
        'total = (a - 1) / b;',
        'total = (a + b + 1) / b;',
        'total = (a + b) / b;',
        'total = (a + b - 0) / b;',
        'total = (a + b - 2) / b;',
        'total = (a + b - 1) * b;',
        'total = (a + b - 1);',
      ],
    ],
    ['a state update is gone, turned or an overwriting', 'total += a;', ['', 'total -= a;', 'total = a;']],
    ['a count goes the other way, or stays', 'total = ++a;', ['', 'total = --a;', 'total = a;']],
    ['a deletion is deleted', 'delete _pairs[key];', ['']],
    [
      'an event is not told, or tells something else',
      'emit Moved(msg.sender, to, total);',
      [
        '',
        'emit Moved(address(0), to, total);',
        'emit Moved(to, msg.sender, total);',
        'emit Moved(msg.sender, address(0), total);',
        'emit Moved(msg.sender, to, 0);',
      ],
    ],
    ['a call is not made, or with arguments swapped', 'noted(a, b, to);', ['', 'noted(b, a, to);']],
    ['what is returned is nothing', 'return total;', ['return 0;']],
    ['a new variable holds nothing', 'uint256 given = total;', ['uint256 given = 0;']],
    [
      'a struct lacks a value, or has values swapped',
      '_pairs[key] = Pair({left: uint128(a), right: uint128(b)});',
      [
        '',
        '_pairs[key] = Pair({left: 0, right: uint128(b)});',
        '_pairs[key] = Pair({left: uint128(b), right: uint128(a)});',
        '_pairs[key] = Pair({left: uint128(a), right: 0});',
      ],
    ],
    [
      'what is hashed is in another order',
      'total = uint256(keccak256(abi.encode(a, key)));',
      ['', 'total = uint256(keccak256(abi.encode(key, a)));'],
    ],
    ['a truth is the opposite', '_isOpen = true;', ['', '_isOpen = false;']],
    [
      'a member of an enumeration is another',
      '_kind = Kind.Second;',
      ['', '_kind = type(Sample.Kind).max;', '_kind = type(Sample.Kind).min;'],
    ],
    ['a bound of a type is one less', 'total = type(uint128).max;', ['', 'total = (type(uint128).max - 1);']],
    [
      'a hexadecimal number keeps its length, which is its type',
      'bytes2 tag = 0x00ff;',
      ['bytes2 tag = 0x00fe;', 'bytes2 tag = 0x0100;'],
    ],
    ['a duration keeps its unit', 'total = 2 days;', ['', 'total = 1 days;', 'total = 3 days;']],
    [
      'a loop starts late, never runs, never ends, or runs once too often; it is never without a step',
      'for (uint256 i = 0; i < a; ++i) noted(i, b, to);',
      [
        'for (uint256 i = 1; i < a; ++i) noted(i, b, to);',
        'for (uint256 i = 0; false; ++i) noted(i, b, to);',
        'for (uint256 i = 0; true; ++i) noted(i, b, to);',
        'for (uint256 i = 0; i <= a; ++i) noted(i, b, to);',
        'for (uint256 i = 0; i < a; ++i) {}',
        'for (uint256 i = 0; i < a; ++i) noted(b, i, to);',
      ],
    ],
    [
      'inline assembly forgets, forces and miscounts',
      'assembly { a := add(b, 1) }',
      [
        'assembly { }',
        'assembly { a := 0 }',
        'assembly { a := 1 }',
        'assembly { a := sub(b, 1) }',
        'assembly { a := add(b, 0) }',
        'assembly { a := add(b, 2) }',
      ],
    ],
  ]
  for (const [title, statement, becomes] of cases) {
    it(title, async () => {
      assert.deepEqual((await changes(statement)).toSorted(), becomes.toSorted())
    })
  }

  it('take guards off functions', async () => {
    const mutants = await mutantsIn(inFunction('return a;').replace('Oracle oracle) external', '$& guarded'))
    const [without] = mutants.filter(({ operator }) => operator === 'modifier')
    assert.match(without?.becomes ?? '', /external returns/)
  })

  it('leave interfaces and declarations alone', async () => {
    const mutants = await mutantsIn('interface Sample { function f(uint256[2] calldata) external; }')
    assert.deepEqual(mutants, [])
  })

  it('keep their names when lines move', async () => {
    const source = inFunction('total += a;')
    const names = (mutants: readonly Mutant[]) =>
      mutants.map(({ contract, member, was, becomes, nth }) => [contract, member, was, becomes, nth])
    const moved = await mutantsIn(source.replace('contract Sample', '// A comment, with an ü.\n\ncontract Sample'))
    assert.deepEqual(names(moved), names(await mutantsIn(source)))
  })

  it('are numbered where lines repeat', async () => {
    const mutants = await mutantsIn(inFunction('total += a;\n        total += a;'))
    const deletions = mutants.filter(({ operator, was }) => operator === 'deletion' && was === 'total += a;')
    assert.deepEqual(
      deletions.map(({ nth }) => nth),
      [1, 2],
    )
  })
})
