/** Where Chrove's contracts are on every chain, and what is there: both follow from the bytecode and the salt alone. */
import { getCreate2Address, getCreateAddress, keccak256 } from 'ethers'
import type { Artifact } from 'hardhat/types/artifacts'
import type { HardhatRuntimeEnvironment } from 'hardhat/types/hre'
import { parseAddress, type Address } from '../../chain/types.ts'

/** The factory that Ignition's `create2` strategy deploys through; whoever calls it, the address is the same. */
export const FACTORY = '0xba5Ed099633D3B313e4D5F7bdc1305d3c28ba5Ed'

export interface ExpectedContract {
  readonly address: Address
  /** Name with its source file, as explorers want it. */
  readonly name: string
  /** Whether code found at the address is this contract's. */
  isCode(code: string): boolean
}

export interface ExpectedContracts {
  readonly registry: ExpectedContract
  readonly payments: ExpectedContract
  /** What creates both: runs the registry's constructor. `0x` hex. */
  readonly initCode: string
}

/** @param hre with the contracts built */
export const expectContracts = async ({ artifacts, config }: HardhatRuntimeEnvironment): Promise<ExpectedContracts> => {
  const registry = await artifacts.readArtifact('VendorRegistry')
  const payments = await artifacts.readArtifact('Payments')
  const salt = config.ignition.strategyConfig?.create2?.salt ?? ''
  // CreateX hashes salts that are no one's own.
  const registryAddress = getCreate2Address(FACTORY, keccak256(salt), keccak256(registry.bytecode))
  return {
    registry: expected(registry, registryAddress),
    // The first and only contract that the registry's constructor creates.
    payments: expected(payments, getCreateAddress({ from: registryAddress, nonce: 1 })),
    initCode: registry.bytecode,
  }
}

const expected = (artifact: Artifact, address: string): ExpectedContract => ({
  address: parseAddress(address) as Address,
  name: `${artifact.sourceName}:${artifact.contractName}`,
  isCode: (code) => withoutImmutables(code, artifact) === artifact.deployedBytecode,
})

/** Zeros where the constructor filled in values that no compiler knows. */
const withoutImmutables = (code: string, { immutableReferences = {} }: Artifact): string =>
  Object.values(immutableReferences)
    .flat()
    .reduce((text, { start, length }) => {
      const [from, to] = [2 + 2 * start, 2 + 2 * (start + length)]
      return `${text.slice(0, from)}${'0'.repeat(to - from)}${text.slice(to)}`
    }, code)
