/**
 * What payers and vendors sign for the chain (EIP-712): the messages of our Payments contract, and those of tokens
 * that move money by signature. Nothing here holds a key or draws randomness: ECDSA is deterministic (RFC 6979).
 */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { recoverAddress, SigningKey, TypedDataEncoder } from 'ethers'
import { fromHex, toHex } from './bytes.ts'

type Hex = `0x${string}`

/** Members of a message, name to Solidity type, in the order that is signed. All are of fixed size. */
type Members = Readonly<Record<string, 'address' | 'bytes32' | `uint${number}`>>

/** Values of a message; integers may be bigint or number. */
type ValuesOf<M extends Members> = {
  readonly [Name in keyof M]: M[Name] extends `uint${number}` ? bigint | number : Hex
}

/** Messages of Payments. @see contracts/IOrders.sol, contracts/IPaymentChannels.sol */
const paymentsMessages = {
  Purchase: {
    vendorId: 'uint64',
    planId: 'uint32',
    keyHash: 'bytes32',
    periods: 'uint16',
    controller: 'address',
    payer: 'address',
    amount: 'uint128',
    salt: 'bytes32',
    deadline: 'uint256',
  },
  Cancellation: { orderId: 'bytes32', startedAt: 'uint40', refundTo: 'address', deadline: 'uint256' },
  Channel: {
    vendorId: 'uint64',
    payer: 'address',
    signer: 'address',
    token: 'address',
    withdrawDelay: 'uint32',
    salt: 'bytes32',
  },
  Deposit: { channelId: 'bytes32', amount: 'uint128', salt: 'bytes32', deadline: 'uint256' },
  Voucher: { channelId: 'bytes32', cumulative: 'uint128' },
  RefundRequest: { channelId: 'bytes32', to: 'address', refunds: 'uint16' },
  RefundApproval: {
    channelId: 'bytes32',
    to: 'address',
    amount: 'uint128',
    refunds: 'uint16',
    deadline: 'uint256',
  },
  WithdrawalRequest: { channelId: 'bytes32', to: 'address', deadline: 'uint256' },
} as const satisfies Record<string, Members>

/** Messages of tokens. @see EIP-2612 (Permit), EIP-3009 (ReceiveWithAuthorization) */
const tokenMessages = {
  Permit: { owner: 'address', spender: 'address', value: 'uint256', nonce: 'uint256', deadline: 'uint256' },
  ReceiveWithAuthorization: {
    from: 'address',
    to: 'address',
    value: 'uint256',
    validAfter: 'uint256',
    validBefore: 'uint256',
    nonce: 'bytes32',
  },
} as const satisfies Record<string, Members>

const messages = { ...paymentsMessages, ...tokenMessages }
type Messages = typeof messages

/** A message's name. */
export type MessageName = keyof Messages

/** What a message of a name says. */
export type Message<Name extends MessageName> = ValuesOf<Messages[Name]>

/** A channel's immutable settings, in the order of the contract. */
export type ChannelSettings = Message<'Channel'>

const encoders = new Map<MessageName, TypedDataEncoder>()
const encoderOf = (name: MessageName): TypedDataEncoder => {
  const encoder =
    encoders.get(name) ??
    TypedDataEncoder.from({ [name]: Object.entries(messages[name]).map(([member, type]) => ({ name: member, type })) })
  encoders.set(name, encoder)
  return encoder
}

/**
 * The domain of a Payments contract: a signature for one contract or chain is worth nothing on another.
 * @returns its separator, 32 bytes
 */
export const paymentsDomain = (chainId: bigint, payments: Hex): Hex =>
  TypedDataEncoder.hashDomain({ name: 'Chrove Payments', version: '1', chainId, verifyingContract: payments }) as Hex

/**
 * The domain of a token that has EIP-2612 or EIP-3009 as they are usually built.
 * @returns its separator, 32 bytes
 */
export const tokenDomain = (name: string, version: string, chainId: bigint, token: Hex): Hex =>
  TypedDataEncoder.hashDomain({ name, version, chainId, verifyingContract: token }) as Hex

/**
 * What is signed: keccak256(0x1901 ‖ domain ‖ hash of the message).
 * @param domain separator of the contract that the message is for: `paymentsDomain`, or a token's `DOMAIN_SEPARATOR()`
 * @throws Error when a value does not fit its type
 * @see EIP-712
 */
export const digestOf = <Name extends MessageName>(domain: Hex, name: Name, message: Message<Name>): Hex => {
  const structHash = encoderOf(name).hash(message)
  return toHex(keccak_256(fromHex(`0x1901${domain.slice(2)}${structHash.slice(2)}`)))
}

/** The id of a payment channel: the digest of its settings. @param domain of Payments */
export const channelIdOf = (domain: Hex, settings: ChannelSettings): Hex => digestOf(domain, 'Channel', settings)

/**
 * Signs a message with a plain key.
 * @param privateKey 32 bytes, secp256k1
 * @returns r ‖ s ‖ v, 65 bytes, with s in the lower half (EIP-2)
 */
export const signMessage = <Name extends MessageName>(
  domain: Hex,
  name: Name,
  message: Message<Name>,
  privateKey: Uint8Array,
): Hex => {
  const digest = digestOf(domain, name, message)
  try {
    return new SigningKey(privateKey).sign(digest).serialized as Hex
  } catch {
    // ethers puts the value that it refuses into its message; a key must not be there.
    throw new TypeError('a private key is 32 bytes that make a number below the order of secp256k1')
  }
}

/**
 * Whose plain key signed a message.
 * @returns an address in lower case, or undefined where the signature is none, or has its s in the upper half
 */
export const signerOf = <Name extends MessageName>(
  domain: Hex,
  name: Name,
  message: Message<Name>,
  signature: Hex,
): Hex | undefined => {
  if (signature.length !== SIGNATURE_HEX_LENGTH) return undefined
  try {
    return recoverAddress(digestOf(domain, name, message), signature).toLowerCase() as Hex
  } catch {
    return undefined
  }
}

/** A signature as functions take it that are older than signatures of any form. */
export const partsOf = (signature: Hex): { readonly r: Hex; readonly s: Hex; readonly v: number } => ({
  r: signature.slice(0, 66) as Hex,
  s: `0x${signature.slice(66, 130)}`,
  v: Number(`0x${signature.slice(130)}`),
})

/** `0x` and 65 bytes: the short form of EIP-2098 would be a second signature of the same message. */
const SIGNATURE_HEX_LENGTH = 2 + 2 * 65
