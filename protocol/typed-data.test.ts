import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { computeAddress, TypedDataEncoder, verifyTypedData } from 'ethers'
import fc from 'fast-check'
import { fromHex, toHex } from './bytes.ts'
import {
  channelIdOf,
  digestOf,
  type Message,
  type MessageName,
  paymentsDomain,
  signerOf,
  signMessage,
} from './typed-data.ts'
import vectors from './vectors/payments-typed-data.json' with { type: 'json' }

type Hex = `0x${string}`

const payments: Hex = `0x${'5a'.repeat(20)}`
const domain = paymentsDomain(8453n, payments)
const privateKey = new Uint8Array(32).fill(7)
const address = computeAddress(toHex(privateKey)).toLowerCase()
const voucher = { channelId: `0x${'22'.repeat(32)}` as Hex, cumulative: 5n }
/** Order of secp256k1. */
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

describe('typed data', () => {
  it('EIP-712: a wallet that is shown the message signs the same digest', () => {
    const shown = { name: 'Chrove Payments', version: '1', chainId: 8453n, verifyingContract: payments }
    const types = {
      Voucher: [
        { name: 'channelId', type: 'bytes32' },
        { name: 'cumulative', type: 'uint128' },
      ],
    }
    assert.equal(digestOf(domain, 'Voucher', voucher), TypedDataEncoder.hash(shown, types, voucher))
    const signature = signMessage(domain, 'Voucher', voucher, privateKey)
    assert.equal(verifyTypedData(shown, types, voucher, signature).toLowerCase(), address)
  })

  it('tells who signed, and only for that message, contract and chain', () => {
    const signature = signMessage(domain, 'Voucher', voucher, privateKey)
    assert.equal(signerOf(domain, 'Voucher', voucher, signature), address)
    for (const other of [paymentsDomain(1n, payments), paymentsDomain(8453n, `0x${'5b'.repeat(20)}`)])
      assert.notEqual(signerOf(other, 'Voucher', voucher, signature), address)
    assert.notEqual(signerOf(domain, 'Voucher', { ...voucher, cumulative: 6n }, signature), address)
  })

  it('knows one signature of a message only: no high s (EIP-2), no short form (EIP-2098)', () => {
    const signature = signMessage(domain, 'Voucher', voucher, privateKey)
    const [r, s, v] = [signature.slice(2, 66), BigInt(`0x${signature.slice(66, 130)}`), signature.slice(130)]
    const high: Hex = `0x${r}${(ORDER - s).toString(16).padStart(64, '0')}${v === '1b' ? '1c' : '1b'}`
    assert.equal(signerOf(domain, 'Voucher', voucher, high), undefined)
    const short = (s | (v === '1c' ? 1n << 255n : 0n)).toString(16).padStart(64, '0')
    assert.equal(signerOf(domain, 'Voucher', voucher, `0x${r}${short}`), undefined)
  })

  it('never throws at what is no signature', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        const signer = signerOf(domain, 'Voucher', voucher, toHex(bytes))
        assert.ok(signer === undefined || fromHex(signer).length === 20)
      }),
    )
  })

  it('gives each channel an id of its own: every setting counts', () => {
    const settings = {
      ...{ vendorId: 1n, payer: `0x${'11'.repeat(20)}` as Hex, signer: `0x${'12'.repeat(20)}` as Hex },
      ...{ token: `0x${'13'.repeat(20)}` as Hex, withdrawDelay: 900, salt: `0x${'14'.repeat(32)}` as Hex },
    }
    const changes = [
      { vendorId: 2n },
      { payer: settings.signer },
      { signer: settings.payer },
      { token: `0x${'00'.repeat(20)}` as Hex },
      { withdrawDelay: 901 },
      { salt: `0x${'15'.repeat(32)}` as Hex },
    ]
    const ids = [{}, ...changes].map((change) => channelIdOf(domain, { ...settings, ...change }))
    assert.equal(new Set([...ids, channelIdOf(paymentsDomain(1n, payments), settings)]).size, ids.length + 1)
  })

  it('refuses values that do not fit, and tells no key that is none', () => {
    assert.throws(() => digestOf(domain, 'Voucher', { ...voucher, cumulative: 2n ** 128n }))
    assert.throws(() => signMessage(domain, 'Voucher', voucher, new Uint8Array(32)), {
      name: 'TypeError',
      message: /^a private key is 32 bytes/,
    })
  })

  describe('vectors, which Payments is tested with too', () => {
    for (const [title, vector] of Object.entries(vectors)) {
      it(title, () => {
        const { type, domain: shown, message, digest, signer, signature } = vector
        const name = vector.name as MessageName
        const types = typesOf(type)
        assert.equal(TypedDataEncoder.from(types).encodeType(name), type)
        assert.equal(TypedDataEncoder.hash(shown, types, message), digest, 'digest by ethers')

        const separator = TypedDataEncoder.hashDomain(shown) as Hex
        if (shown.name === 'Chrove Payments')
          assert.equal(paymentsDomain(BigInt(shown.chainId), shown.verifyingContract as Hex), separator)
        const values = valuesOf(types, name, message)
        assert.equal(digestOf(separator, name, values), digest)
        if (name === 'Channel') assert.equal(channelIdOf(separator, values as Message<'Channel'>), digest)

        assert.equal(computeAddress(vector.privateKey).toLowerCase(), signer)
        assert.equal(signMessage(separator, name, values, fromHex(vector.privateKey)), signature)
        assert.equal(signerOf(separator, name, values, signature as Hex), signer)
      })
    }

    it('are of each type', () => {
      const all: Record<MessageName, true> = {
        ...{ Purchase: true, Cancellation: true, Channel: true, Deposit: true, Voucher: true, RefundRequest: true },
        ...{ RefundApproval: true, WithdrawalRequest: true, Permit: true, ReceiveWithAuthorization: true },
      }
      assert.deepEqual(new Set(Object.values(vectors).map(({ name }) => name)), new Set(Object.keys(all)))
    })
  })
})

type Types = Record<string, { type: string; name: string }[]>

/** The types that an EIP-712 type encoding of one struct states. */
function typesOf(encoding: string): Types {
  const [name = '', members = ''] = encoding.slice(0, -1).split('(')
  return {
    [name]: members.split(',').map((member) => {
      const [type = '', memberName = ''] = member.split(' ')
      return { type, name: memberName }
    }),
  }
}

/** A message as JSON has it, with its integers as bigint. */
function valuesOf(types: Types, name: string, message: Readonly<Record<string, string>>): Message<MessageName> {
  const values = (types[name] ?? []).map(({ type, name: member }) => {
    const value = message[member] ?? ''
    return [member, type.startsWith('uint') ? BigInt(value) : value] as const
  })
  return Object.fromEntries(values) as Message<MessageName>
}
