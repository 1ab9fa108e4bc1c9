import { globSync } from 'node:fs'
import { createRequire } from 'node:module'
import hardhatToolboxMochaEthers from '@nomicfoundation/hardhat-toolbox-mocha-ethers'
import { configVariable, defineConfig } from 'hardhat/config'

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

/**
 * A public chain. The node and the account come from Hardhat's keystore or the environment, and only when this network
 * is used: `npm run deploy -- --network NAME` says what is missing and how to set it.
 */
const publicChain = (chainId: number, rpc: string) => ({
  type: 'http' as const,
  chainId,
  url: configVariable(rpc),
  accounts: [configVariable('DEPLOYER_PRIVATE_KEY')],
})

export default defineConfig({
  plugins: [hardhatToolboxMochaEthers],
  // Deployment uses the production profile by itself: it gives the same bytecode as the one that tests ran on.
  solidity: { profiles: { default: build, production: build }, splitTestsCompilation: true },
  paths: { sources: 'contracts' },
  networks: {
    // A node of this machine, such as anvil, with accounts of its own.
    localhost: { type: 'http', url: configVariable('LOCALHOST_RPC_URL', { default: 'http://127.0.0.1:8545' }) },
    sepolia: { chainType: 'l1', ...publicChain(11_155_111, 'SEPOLIA_RPC_URL') },
    base: { chainType: 'op', ...publicChain(8453, 'BASE_RPC_URL') },
    gnosis: { chainType: 'generic', ...publicChain(100, 'GNOSIS_RPC_URL') },
  },
  // "chrove" in ASCII. With the bytecode it decides the address of the registry, on every chain (decision 7).
  ignition: { strategyConfig: { create2: { salt: `0x${Buffer.from('chrove').toString('hex').padEnd(64, '0')}` } } },
  verify: { etherscan: { apiKey: configVariable('ETHERSCAN_API_KEY') } },
  // TypeChain writes namespaces, which `erasableSyntaxOnly` refuses; nothing of it but types is imported.
  typechain: { tsNocheck: true },
  test: {
    solidity: {
      fsPermissions: { readFile: ['protocol/vectors/payments-typed-data.json'] },
      fuzz: { runs: 256 },
      invariant: { runs: 24, depth: 64, failOnRevert: true },
    },
  },
})
