/** Rules for TypeScript. The bans are tables in `scripts/check/bans.ts`; here they become rules for folders. */
import { defineConfig } from 'oxlint'
import {
  type Ban,
  globalBans,
  glueFolders,
  imports,
  moduleBans,
  type PropertyBan,
  propertyBans,
  unseededImports,
} from './scripts/check/bans.ts'

const globals = (bans: readonly Ban[]): ['error', ...{ name: string; message: string }[]] => [
  'error',
  ...bans.flatMap(({ names, use }) => names.map((name) => ({ name, message: use }))),
]

const properties = (
  bans: readonly PropertyBan[],
): ['error', ...{ object?: string; property: string; message: string }[]] => [
  'error',
  ...bans.map(({ use, ...where }) => ({ ...where, message: use })),
]

interface ImportPattern {
  readonly regex: string
  readonly message: string
  readonly importNames?: string[]
}

interface RestrictedImports {
  paths: { name: string; message: string; allowTypeImports: boolean }[]
  patterns: ImportPattern[]
}

const modules = (bans: readonly Ban[], patterns: readonly ImportPattern[]): ['error', RestrictedImports] => [
  'error',
  {
    paths: bans.flatMap(({ names, use }) => names.map((name) => ({ name, message: use, allowTypeImports: true }))),
    patterns: [...patterns],
  },
]

const drawing: ImportPattern = { regex: '^[^.]', importNames: [...unseededImports.names], message: unseededImports.use }

const testHelpers: ImportPattern = {
  regex: '/(testing|test-[^/]+)\\.ts$',
  message: 'Only tests may use what helps tests.',
}

const common = [drawing, testHelpers]

const nodeModules: ImportPattern = {
  regex: '^node:',
  message:
    'A browser runs this code unchanged: use Web APIs, and keep what needs Node in a command or behind an effect.',
}

/** Forbids a folder all others of ours but those it may import. */
const direction = (folder: string, mayImport: readonly string[]): readonly ImportPattern[] => {
  const forbidden = [...Object.keys(imports), 'types', ...glueFolders].filter(
    (other) => other !== folder && !mayImport.includes(other),
  )
  const rule = mayImport.length === 0 ? 'nothing of ours' : `only ${mayImport.join(', ')}`
  return [
    { regex: `^(\\./)?(\\.\\./)+(${forbidden.join('|')})/`, message: `${folder}/ imports ${rule}: see DESIGN 2.` },
    { regex: '[^./]/\\.\\.?(/|$)', message: 'Write the shortest path, so that the direction of imports shows.' },
  ]
}

const webFiles: Readonly<Record<string, readonly string[]>> = { protocol: ['protocol/**'], buyer: ['buyer/lib/**'] }

/** Rules of the categories above that speak against how this project is written, or find what tsc finds better. */
const notForUs = [
  'consistent-return',
  'no-control-regex',
  'no-misleading-character-class',
  'no-underscore-dangle',
  'import/no-named-as-default-member',
  'promise/always-return',
  'promise/no-callback-in-promise',
  'typescript/no-misused-spread',
  'typescript/no-unnecessary-type-assertion',
  'typescript/no-unnecessary-boolean-literal-compare',
  'typescript/no-unnecessary-type-parameters',
  'typescript/no-unsafe-type-assertion',
  'typescript/unbound-method',
  'unicorn/consistent-function-scoping',
  'unicorn/no-array-fill-with-reference-type',
  'unicorn/no-array-reverse',
  'unicorn/no-array-sort',
  'unicorn/no-useless-spread',
]

/** Tests, and what helps those of one folder. */
const testFiles = ['**/*.test.ts', '**/testing.ts', '**/test-*.ts']

const folders = Object.entries(imports)

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise'],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  ignorePatterns: ['node_modules', 'artifacts', 'cache', 'types', 'coverage', 'protocol/abi', '**/generated'],
  categories: { correctness: 'error', suspicious: 'error' },
  rules: {
    'no-restricted-globals': globals(globalBans.product),
    'no-restricted-properties': properties(propertyBans.product),
    'no-restricted-imports': modules(moduleBans.product, common),
    'import/no-cycle': 'error',
    'import/no-default-export': 'error',
    'typescript/ban-ts-comment': ['error', { 'ts-expect-error': 'allow-with-description' }],
    'typescript/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
    'typescript/no-explicit-any': 'error',
    'typescript/no-namespace': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'typescript/return-await': ['error', 'error-handling-correctness-only'],
    'unicorn/prefer-node-protocol': 'error',
    eqeqeq: ['error', 'always', { null: 'ignore' }],
    'typescript/no-floating-promises': [
      'error',
      {
        allowForKnownSafeCalls: [{ from: 'package', package: 'node:test', name: ['describe', 'it', 'suite', 'test'] }],
      },
    ],
    'no-var': 'error',
    'prefer-const': 'error',
    // Good advice elsewhere, noise here.
    ...Object.fromEntries(notForUs.map((rule) => [rule, 'off' as const])),
  },
  overrides: [
    ...folders.map(([folder, mayImport]) => ({
      files: [`${folder}/**`],
      rules: { 'no-restricted-imports': modules(moduleBans.product, [...common, ...direction(folder, mayImport)]) },
    })),
    ...Object.entries(webFiles).map(([folder, files]) => ({
      files: [...files],
      rules: {
        'no-restricted-globals': globals(globalBans.web),
        'no-restricted-imports': modules(moduleBans.product, [
          ...common,
          nodeModules,
          ...direction(folder, imports[folder] ?? []),
        ]),
      },
    })),
    {
      files: ['sim/**'],
      rules: {
        'no-restricted-globals': globals(globalBans.simulator),
        'no-restricted-properties': properties(propertyBans.simulator),
        'no-restricted-imports': modules(moduleBans.simulator, common),
      },
    },
    // Where virtual time lets real turns of the event loop pass.
    { files: ['sim/quiet.ts'], rules: { 'no-restricted-globals': globals(globalBans.simulatorTurns) } },
    // Hardhat takes the time of the first block as a Date.
    { files: ['sim/edr.ts'], rules: { 'no-restricted-globals': globals(globalBans.simulatorGenesis) } },
    {
      files: ['effects/**', '**/main.ts', ...testFiles, 'scripts/**', 'test/**', 'ignition/**', '*.config.ts'],
      rules: {
        'no-restricted-globals': globals(globalBans.everywhere),
        'no-restricted-properties': properties(propertyBans.everywhere),
        'no-restricted-imports': 'off',
      },
    },
    // What acts still keeps the direction.
    ...folders.map(([folder, mayImport]) => ({
      files: folder === 'effects' ? ['effects/**'] : [`${folder}/**/main.ts`],
      rules: { 'no-restricted-imports': modules([], direction(folder, mayImport)) },
    })),
    // Tests of a service may use the simulator and the shared helpers, but no other service.
    ...folders.map(([folder, mayImport]) => ({
      files: testFiles.map((pattern) => `${folder}/${pattern}`),
      rules: { 'no-restricted-imports': modules([], direction(folder, [...mayImport, ...glueFolders])) },
    })),
    // The command `chrove` joins what buyers and vendors type.
    {
      files: ['buyer/main.ts'],
      rules: {
        'no-restricted-imports': modules([], direction('buyer', Object.keys(imports))),
      },
    },
    // Their readers ask for a default export.
    { files: ['*.config.ts', 'ignition/**'], rules: { 'import/no-default-export': 'off' } },
  ],
})
