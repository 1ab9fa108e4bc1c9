/** The dollars of `npm start`: play money in a token as the large stablecoins are, for everyone on the chain. */
import { computeAddress } from 'ethers'
import { type Address, parseAddress } from '../../chain/types.ts'
import type { EmbeddedChain } from '../embedded-chain.ts'
import { deployToken } from '../tokens.ts'

/** Where it is on a new chain, so that the documents can name it. */
export const DOLLAR = '0xe7f1725e7734ce288f8367e1bb143e90bb3f0512' as Address
/** The first account of the chain's mnemonic that has no coin. */
const PENNILESS = '0x09db0a93b389bef724429898f539aeb7ac2dd55f' as Address
/** A thousand, of six decimals. */
const AMOUNT = 1_000_000_000n

/** Makes the token, and money in it for each account with coin and for one without; before any vendor registers. */
export const mintDollars = async ({ accounts, request }: EmbeddedChain): Promise<void> => {
  const { address, mint } = await deployToken(request, 'Stablecoin')
  if (address !== DOLLAR) throw new Error(`the dollar is at ${address}: something else was deployed before`)
  const owners = accounts.map((key) => parseAddress(computeAddress(key)) as Address)
  for (const owner of [...owners, PENNILESS]) await mint(owner, AMOUNT)
}
