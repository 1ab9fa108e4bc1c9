/**
 * Writes `protocol/vectors/payments-typed-data.json`: a signed message of each type, for tests in TypeScript and in
 * Solidity. They tell one story, which a contract at that address and time can carry out: a purchase by permit and its
 * cancellation; a channel with a deposit by authorisation, a voucher, a refund and a withdrawal. The last are the
 * largest that fit.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AbiCoder, computeAddress, keccak256, TypedDataEncoder } from 'ethers'
import { fromHex } from '../protocol/bytes.ts'
import { digestOf, type Message, type MessageName, signMessage } from '../protocol/typed-data.ts'

type Hex = `0x${string}`

const path = join(import.meta.dirname, '../protocol/vectors/payments-typed-data.json')

const bytes = (byte: string, length: number): Hex => `0x${byte.repeat(length)}`
const greatest = (bits: bigint): bigint => 2n ** bits - 1n
const addressOf = (privateKey: Hex): Hex => computeAddress(privateKey).toLowerCase() as Hex

const buyerKey = bytes('11', 32)
const signerKey = bytes('22', 32)
const vendorKey = bytes('33', 32)
const refundTo = bytes('ef', 20)
const buyer = addressOf(buyerKey)
const payments = { name: 'Chrove Payments', version: '1', chainId: 8453, verifyingContract: bytes('5a', 20) }
const token = { ...payments, name: 'Chrove Test Dollar', verifyingContract: bytes('7c', 20) }
const startedAt = 1_900_000_000n
const deadline = startedAt + 86_400n

/** What EIP-712 calls the encoding of a type, as the contracts word it. */
const types: Record<MessageName, string> = {
  Purchase:
    'Purchase(uint64 vendorId,uint32 planId,bytes32 keyHash,uint16 periods,address controller,address payer,uint128 amount,bytes32 salt,uint256 deadline)',
  Cancellation: 'Cancellation(bytes32 orderId,uint40 startedAt,address refundTo,uint256 deadline)',
  Channel: 'Channel(uint64 vendorId,address payer,address signer,address token,uint32 withdrawDelay,bytes32 salt)',
  Deposit: 'Deposit(bytes32 channelId,uint128 amount,bytes32 salt,uint256 deadline)',
  Voucher: 'Voucher(bytes32 channelId,uint128 cumulative)',
  RefundRequest: 'RefundRequest(bytes32 channelId,address to,uint16 refunds)',
  RefundApproval: 'RefundApproval(bytes32 channelId,address to,uint128 amount,uint16 refunds,uint256 deadline)',
  WithdrawalRequest: 'WithdrawalRequest(bytes32 channelId,address to,uint256 deadline)',
  Permit: 'Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)',
  ReceiveWithAuthorization:
    'ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)',
}

const vector = <Name extends MessageName>(name: Name, privateKey: Hex, message: Message<Name>, domain = payments) => {
  const separator = TypedDataEncoder.hashDomain(domain) as Hex
  return {
    name,
    type: types[name],
    domain,
    message,
    digest: digestOf(separator, name, message),
    privateKey,
    signer: addressOf(privateKey),
    signature: signMessage(separator, name, message, fromHex(privateKey)),
  }
}

const purchase = vector('Purchase', buyerKey, {
  vendorId: 1n,
  planId: 1n,
  keyHash: bytes('a1', 32),
  periods: 3n,
  controller: buyer,
  payer: buyer,
  amount: 3_000_009n,
  salt: bytes('b1', 32),
  deadline,
})
const orderId = keccak256(
  AbiCoder.defaultAbiCoder().encode(['uint64', 'uint32', 'bytes32'], [1, 1, purchase.message.keyHash]),
) as Hex
const channel = vector('Channel', signerKey, {
  vendorId: 1n,
  payer: buyer,
  signer: addressOf(signerKey),
  token: token.verifyingContract,
  withdrawDelay: 3600n,
  salt: bytes('b2', 32),
})
const channelId = channel.digest
const deposit = vector('Deposit', buyerKey, { channelId, amount: 1_000_000n, salt: bytes('b3', 32), deadline })

const vectors = {
  purchase,
  permit: vector(
    'Permit',
    buyerKey,
    { owner: buyer, spender: payments.verifyingContract, value: purchase.message.amount, nonce: 0n, deadline },
    token,
  ),
  cancellation: vector('Cancellation', buyerKey, { orderId, startedAt, refundTo, deadline }),
  channel,
  deposit,
  authorization: vector(
    'ReceiveWithAuthorization',
    buyerKey,
    {
      from: buyer,
      to: payments.verifyingContract,
      value: deposit.message.amount,
      validAfter: 0n,
      validBefore: deadline,
      nonce: deposit.digest,
    },
    token,
  ),
  voucher: vector('Voucher', signerKey, { channelId, cumulative: 400_000n }),
  refundRequest: vector('RefundRequest', signerKey, { channelId, to: refundTo, refunds: 0n }),
  refundApproval: vector('RefundApproval', vendorKey, {
    channelId,
    to: refundTo,
    amount: 100_000n,
    refunds: 0n,
    deadline,
  }),
  withdrawalRequest: vector('WithdrawalRequest', buyerKey, { channelId, to: refundTo, deadline }),
  largestChannel: vector('Channel', signerKey, {
    vendorId: greatest(64n),
    payer: bytes('ff', 20),
    signer: bytes('ff', 20),
    token: bytes('ff', 20),
    withdrawDelay: greatest(32n),
    salt: bytes('ff', 32),
  }),
  largestPurchase: vector('Purchase', buyerKey, {
    vendorId: greatest(64n),
    planId: greatest(32n),
    keyHash: bytes('ff', 32),
    periods: greatest(16n),
    controller: bytes('ff', 20),
    payer: buyer,
    amount: greatest(128n),
    salt: bytes('ff', 32),
    deadline: greatest(256n),
  }),
}

const text = JSON.stringify(vectors, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value), 2)
await mkdir(dirname(path), { recursive: true })
await writeFile(path, `${text}\n`)
