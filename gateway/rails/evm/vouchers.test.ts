/** Whose vouchers the rails on EVM chains believe. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { paymentsCall } from '../../../chain/contracts.ts'
import { parseCompactJws, signCompactJws } from '../../../protocol/compact-jws.ts'
import { canonicalJson } from '../../../protocol/json.ts'
import { formatKeyId, keyIdOf } from '../../../protocol/keys.ts'
import { signMessage } from '../../../protocol/typed-data.ts'
import { channelVoucherSigner, rsaVoucherSigner } from '../../../protocol/voucher-keys.ts'
import type { VoucherClaims, VoucherSigner } from '../../../protocol/voucher.ts'
import { rsaKeyPair } from '../../../sim/rsa-keys.ts'
import type { Rail, SignedVoucher } from '../../rail.ts'
import type { KnownSettings } from './channel-view.ts'
import { openEvmRails } from './index.ts'
import { catchUp, createTestBook, createTestDisk, createTestLedger, openTestWorld, type TestWorld } from './testing.ts'
import { readEvidence } from './vouchers.ts'

let world: TestWorld
before(async () => {
  world = await openTestWorld()
})
after(() => world.close())

const signed = async (account: string, claims: VoucherClaims, signer: VoucherSigner): Promise<SignedVoucher> => ({
  account,
  claims,
  jws: parseCompactJws(await signCompactJws(signer.header, canonicalJson(claims), signer.sign)),
})

const asJson = (settings: KnownSettings) => ({ ...settings, vendorId: settings.vendorId.toString() })
const CLAIMS = { host: 'api.example', exp: 2_000_000_000 }

describe('vouchers of payment channels', () => {
  let rail: Rail
  let channel: KnownSettings
  let account: string
  const disk = createTestDisk()
  const openRail = async (): Promise<Rail> => {
    const effects = { ...world.effects, sql: disk.mount() }
    const { rails } = await openEvmRails(effects, world.settings, world.vendor, createTestBook().book)
    return rails[0] as Rail
  }
  before(async () => {
    channel = world.channel(1)
    account = world.channelId(channel)
    await world.deposit(channel, 100n)
    await catchUp(world, disk.mount(), createTestLedger().deposits)
    rail = await openRail()
  })

  const voucherOf = (
    settings: KnownSettings,
    cumulative: bigint,
    more: Partial<VoucherClaims> = {},
    key = world.signerKey,
  ) => {
    const claims = {
      ...CLAIMS,
      cumulative: cumulative.toString(),
      signature: world.voucher(settings, cumulative),
      ...more,
    }
    return signed(world.channelId(settings), claims, channelVoucherSigner(key))
  }

  it('let the vendor charge what they say, and hold all that cashing them needs', async () => {
    const { limit, evidence = '' } = await rail.verify(await voucherOf(channel, 60n))
    assert.equal(limit, 60n)
    const claimable = readEvidence(world.domain, evidence)
    assert.deepEqual(claimable?.settings, channel)
    const { settings, cumulative, signature } = claimable as NonNullable<typeof claimable>
    await world.send(world.stranger, paymentsCall(world.evm.payments, 'claim', [{ settings, cumulative, signature }]))
  })

  it('are refused for more than the channel holds', async () => {
    await assert.rejects(rail.verify(await voucherOf(channel, 101n)), {
      code: 'ERR_BALANCE_SHORT',
      more: { channelBalance: '100' },
    })
  })

  it('are refused when another key signed the voucher, or its cumulative', async () => {
    const stranger = world.evm.key(4)
    await assert.rejects(rail.verify(await voucherOf(channel, 60n, {}, stranger)), { code: 'ERR_VOUCHER_SIGNATURE' })
    const signature = signMessage(world.domain, 'Voucher', { channelId: account as never, cumulative: 60n }, stranger)
    await assert.rejects(rail.verify(await voucherOf(channel, 60n, { signature })), { code: 'ERR_VOUCHER_SIGNATURE' })
    const lower = world.voucher(channel, 59n)
    await assert.rejects(rail.verify(await voucherOf(channel, 60n, { signature: lower })), {
      code: 'ERR_VOUCHER_SIGNATURE',
    })
  })

  it('are refused without a cumulative, and without its signature', async () => {
    const bare = await signed(account, CLAIMS, channelVoucherSigner(world.signerKey))
    await assert.rejects(rail.verify(bare), { code: 'ERR_VOUCHER_SHAPE' })
    const half = await signed(account, { ...CLAIMS, cumulative: '60' }, channelVoucherSigner(world.signerKey))
    await assert.rejects(rail.verify(half), { code: 'ERR_VOUCHER_SHAPE' })
  })

  it('of a channel that nobody knows yet tell its settings, which make its id; nothing can be charged', async () => {
    const unknown = world.channel(2)
    await assert.rejects(rail.verify(await voucherOf(unknown, 0n)), { code: 'ERR_VOUCHER_ACCOUNT' })
    const { limit } = await rail.verify(await voucherOf(unknown, 0n, { channel: asJson(unknown) }))
    assert.equal(limit, 0n)
    await assert.rejects(rail.verify(await voucherOf(unknown, 1n, { channel: asJson(unknown) })), {
      code: 'ERR_BALANCE_SHORT',
    })
    const other = asJson(world.channel(3))
    await assert.rejects(rail.verify(await voucherOf(unknown, 0n, { channel: other })), { code: 'ERR_VOUCHER_ACCOUNT' })
  })

  it('of channels of other vendors, in other currencies, or that can be emptied too soon are refused', async () => {
    for (const wrong of [
      { ...world.channel(4), vendorId: world.vendorId + 1n },
      world.channel(4, world.dollar.address),
      { ...world.channel(4), withdrawDelay: 900 },
    ]) {
      await assert.rejects(rail.verify(await voucherOf(wrong, 0n, { channel: asJson(wrong) })), {
        code: 'ERR_VOUCHER_ACCOUNT',
      })
    }
  })

  it('of a channel whose rest is asked for are refused, and its account is suspended; once it is paid out, both end', async () => {
    const leaving = world.channel(5)
    const ledger = createTestLedger()
    const { payments } = world.evm
    await world.deposit(leaving, 100n)
    await catchUp(world, disk.mount(), ledger.deposits)
    assert.equal((await (await openRail()).verify(await voucherOf(leaving, 10n))).limit, 10n)
    await world.send(world.payer, paymentsCall(payments, 'requestWithdrawal', leaving, world.stranger.address))
    await catchUp(world, disk.mount(), ledger.deposits)
    assert.equal(ledger.isSuspended(world.channelId(leaving)), true)
    await assert.rejects((await openRail()).verify(await voucherOf(leaving, 20n)), { code: 'ERR_ACCOUNT_SUSPENDED' })
    await world.evm.request('evm_increaseTime', [3600])
    await world.evm.mine()
    await world.send(world.payer, paymentsCall(payments, 'finalizeWithdrawal', leaving))
    await catchUp(world, disk.mount(), ledger.deposits)
    assert.equal(ledger.isSuspended(world.channelId(leaving)), false)
    assert.equal(ledger.balance(world.channelId(leaving)), 0n)
    await assert.rejects((await openRail()).verify(await voucherOf(leaving, 1n)), { code: 'ERR_BALANCE_SHORT' })
  })

  it('ask for refunds: to the payer at its own word, to others where the signer signed it for this very refund', async () => {
    const to = world.stranger.address
    const refundOf = (claims: Partial<VoucherClaims>) => voucherOf(channel, 60n, { purpose: 'refund', ...claims })
    const { payer } = channel
    const { limit, evidence, authorization } = await rail.verifyRefund(await refundOf({ to: payer }))
    assert.ok(limit === 60n && evidence !== undefined && authorization !== '')
    const request = { channelId: account as never, to, refunds: 0 }
    const refundSignature = signMessage(world.domain, 'RefundRequest', request, world.signerKey)
    await rail.verifyRefund(await refundOf({ to, refunds: 0, refundSignature }))
    await assert.rejects(rail.verifyRefund(await refundOf({ to })), { code: 'ERR_VOUCHER_SHAPE' })
    await assert.rejects(rail.verifyRefund(await refundOf({ to, refunds: 1, refundSignature })), {
      code: 'ERR_VOUCHER_SIGNATURE',
    })
    const later = signMessage(world.domain, 'RefundRequest', { ...request, refunds: 1 }, world.signerKey)
    await assert.rejects(rail.verifyRefund(await refundOf({ to, refunds: 1, refundSignature: later })), {
      code: 'ERR_VOUCHER_SHAPE',
    })
    for (const nowhere of ['nano_1', `0x${'00'.repeat(20)}`]) {
      await assert.rejects(rail.verifyRefund(await refundOf({ to: nowhere })), { code: 'ERR_REFUND_ADDRESS' })
    }
    assert.equal(rail.home(account), payer)
  })
})

describe('vouchers of RSA keys', () => {
  const key = rsaKeyPair(0)
  const account = formatKeyId(keyIdOf(key.publicKey))
  const signer = rsaVoucherSigner(key.privateKey)
  const withHeader = (change: object): VoucherSigner => ({ ...signer, header: { ...signer.header, ...change } })
  let rail: Rail
  before(async () => {
    const effects = { ...world.effects, sql: createTestDisk().mount() }
    const { rails } = await openEvmRails(effects, world.settings, world.vendor, createTestBook().book)
    rail = rails[2] as Rail
  })

  it('are believed when the key of the account signed, with SEED 004’s own claims too', async () => {
    assert.deepEqual(await rail.verify(await signed(account, CLAIMS, signer)), {})
  })

  it('are refused of another key, of another algorithm, and when anything was changed', async () => {
    const good = await signed(account, CLAIMS, signer)
    const other = rsaKeyPair(1).publicKey
    for (const wrong of [
      await signed(account, CLAIMS, withHeader({ jwk: other })),
      await signed(formatKeyId(keyIdOf(other)), CLAIMS, withHeader({ jwk: other })),
      await signed(account, CLAIMS, withHeader({ alg: 'PS256' })),
      await signed(account, CLAIMS, rsaVoucherSigner(rsaKeyPair(1).privateKey)),
      await signed(account, CLAIMS, withHeader({ jwk: undefined })),
      { ...good, jws: { ...good.jws, signature: good.jws.signature.with(5, (good.jws.signature[5] ?? 0) ^ 1) } },
    ]) {
      await assert.rejects(rail.verify(wrong), { code: 'ERR_VOUCHER_SIGNATURE' })
    }
  })

  it('know one spelling of an account', () => {
    assert.equal(rail.account(account), account)
    for (const none of ['', '0x12', 'l', account.slice(0, 30), `1${account}`])
      assert.equal(rail.account(none), undefined)
  })
})
