/** EVM accounts of a keyring. */
import { computeAddress, isAddress } from 'ethers'
import { parseAddress, parseHash, ZERO_ADDRESS, type Address } from '../../chain/types.ts'
import type { Random } from '../../effects/random.ts'
import { toHex } from '../../protocol/bytes.ts'
import { BuyerError } from '../errors.ts'
import type { KeyringAccount } from './keyring-content.ts'

/** @throws ERR_ACCOUNT_INVALID unless the text is 32 bytes of hex that make a private key */
export const importAccount = (privateKeyHex: string): KeyringAccount => {
  const text = privateKeyHex.trim()
  const privateKey = parseHash(text.startsWith('0x') ? text : `0x${text}`)
  try {
    if (privateKey) return { address: parseAddress(computeAddress(privateKey)) as Address, privateKey }
  } catch {
    // Reported below; the library's message would hold the key.
  }
  throw new BuyerError('ERR_ACCOUNT_INVALID', 'a private key is 64 hex digits, below the order of secp256k1')
}

/** A fresh account. */
export const generateAccount = (random: Random): KeyringAccount => {
  for (;;) {
    try {
      return importAccount(toHex(random.bytes(32)))
    } catch {
      // One in 2^128 draws is no key.
    }
  }
}

/**
 * An address that money may be sent to, as a person typed it.
 * @throws ERR_ADDRESS_INVALID for what is none, the zero address, and mixed case whose checksum (EIP-55) is wrong
 */
export const parseRecipient = (text: string): Address => {
  const address = isAddress(text) ? parseAddress(text) : undefined
  if (address && address !== ZERO_ADDRESS) return address
  throw new BuyerError('ERR_ADDRESS_INVALID', 'this is no address to send money to: check each character')
}
