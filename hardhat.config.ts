import { globSync } from 'node:fs'
import { createRequire } from 'node:module'
import hardhatToolboxMochaEthers from '@nomicfoundation/hardhat-toolbox-mocha-ethers'
import { defineConfig } from 'hardhat/config'

// The compiler comes with the dependencies, so that a build downloads nothing.
const solc = { version: '0.8.28', path: createRequire(import.meta.url).resolve('solc/soljson.js') }

// What ships. Without the metadata hash, equal code is equal bytecode, on any machine and in any build profile.
const shipped = {
  ...solc,
  settings: {
    evmVersion: 'cancun',
    viaIR: true,
    optimizer: { enabled: true, runs: 1_000_000 },
    metadata: { bytecodeHash: 'none' },
    // Compared with the committed one by `npm run check`.
    outputSelection: { '*': { '*': ['storageLayout'] } },
  },
}

// Tests deploy the artifacts above and know only interfaces, so they themselves may compile the fast way.
const tests = { ...solc, settings: { evmVersion: 'cancun' } }
const testFiles = globSync('contracts/**/*.t.sol', { cwd: import.meta.dirname })

const build = {
  isolated: false,
  compilers: [shipped],
  overrides: Object.fromEntries(testFiles.map((file) => [file, tests])),
}

export default defineConfig({
  plugins: [hardhatToolboxMochaEthers],
  // Deployment uses the production profile by itself: it gives the same bytecode as the one that tests ran on.
  solidity: { profiles: { default: build, production: build }, splitTestsCompilation: true },
  paths: { sources: 'contracts' },
  // TypeChain writes namespaces, which `erasableSyntaxOnly` refuses; nothing of it but types is imported.
  typechain: { tsNocheck: true },
  test: {
    solidity: {
      fuzz: { runs: 256 },
      invariant: { runs: 256, depth: 100, failOnRevert: true },
    },
  },
})
