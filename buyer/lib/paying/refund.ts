/** Asking for what is left of an account: one request, good once, by the account's own key, to any address. */
import { z } from 'zod'
import type { Address } from '../../../chain/types.ts'
import { formatNanoAccount, parseNanoAccount } from '../../../protocol/nano/account.ts'
import { parseRecipient } from '../account.ts'
import { nowSeconds } from '../../../effects/clock.ts'
import { base64url, utf8 } from '../../../protocol/bytes.ts'
import { parseJson } from '../../../protocol/json.ts'
import { sealVoucher, type VoucherClaims } from '../../../protocol/voucher.ts'
import { BuyerError } from '../../errors.ts'
import { REFUND_WAIT_MS, RETRY_MS_MAX, RETRY_MS_MIN } from '../limits.ts'
import type { Asset, CheckedOffer } from './asset.ts'
import { readRequest, send, type Asked } from './asked.ts'
import { changePayer, findPayer, type Payer } from './book.ts'
import { channelState, settingsOf, signRefund, signTotal } from './channel.ts'
import { readBook, updateBook, type PayingKit } from './kit.ts'
import type { Place } from './place.ts'
import { readRefusal } from './refusal.ts'
import { createTab, signerOf } from './tab.ts'
import { askUsage } from './usage.ts'
import { payerName } from './ways.ts'

/** A refund request lives so long, seconds; the server takes none of more than ten minutes. */
const REFUND_SECONDS = 300
const JTI_BYTES = 16

const answerSchema = z.object({
  refund: z.string().regex(/^[\w-]{22}$/),
  state: z.enum(['pending', 'paid', 'failed']),
  amount: z
    .string()
    .regex(/^(0|[1-9]\d{0,38})$/)
    .transform(BigInt),
  reference: z.string().max(256).optional(),
})

export interface Refunded {
  readonly account: string
  readonly asset: Asset
  /** As the vendor says; smallest unit. */
  readonly amount: bigint
  readonly to: string
  readonly state: 'pending' | 'paid' | 'failed'
  /** Of a transaction or block. */
  readonly reference: string | undefined
}

/** The account that pays this place in this way. @throws ERR_CHANNEL_UNKNOWN */
const accountAt = async (kit: PayingKit, place: Place, checked: CheckedOffer): Promise<Payer> => {
  const payer = findPayer(await readBook(kit), payerName(place.vendor.name, checked))
  if (payer) return payer
  throw new BuyerError('ERR_CHANNEL_UNKNOWN', 'this keyring has no account there')
}

/**
 * Asks for what is left, and waits until it is paid.
 * @param to an address; the account that paid when it is left out
 * @throws ERR_ADDRESS_INVALID | ERR_PAYMENT_REFUSED | ERR_REFUND_PENDING
 */
export const refund = async (
  kit: PayingKit,
  place: Place,
  checked: CheckedOffer,
  to: string | undefined,
  signal?: AbortSignal,
): Promise<Refunded> => {
  const payer = await accountAt(kit, place, checked)
  const { asked, offers } = place
  const recipient = to === undefined ? await homeOf(kit, payer) : recipientOf(payer, to)
  const used = await usedOf(kit, place, checked, payer)
  const { random, clock, jose } = kit.effects
  const iat = nowSeconds(clock)
  const claims: VoucherClaims = {
    ...{ host: asked.host, iat, exp: iat + REFUND_SECONDS, jti: base64url.encode(random.bytes(JTI_BYTES)) },
    ...{ account: payer.account, currency: checked.offer.currency, purpose: 'refund', to: recipient },
    ...(await channelPart(kit, payer, used, recipient, signal)),
  }
  const signer = await signerOf(kit, payer)
  const text = await sealVoucher(jose, claims, signer, offers.encryptTo)
  const answer = await post(kit, asked, offers.refundEndpoint, text)
  await takeNote(kit, payer, used, answer.amount)
  const told = await untilPaid(kit, asked, offers.refundEndpoint, answer, signal)
  const { asset } = checked
  return {
    account: payer.account,
    asset,
    to: recipient,
    amount: told.amount,
    state: told.state,
    reference: told.reference,
  }
}

/** Where money goes that nobody says anything about. */
const homeOf = async (kit: PayingKit, { scheme, account, channel }: Payer): Promise<string> => {
  if (scheme === 'nano') return account
  return channel?.payer ?? (await kit.accounts.payer(kit.market)).address
}

const recipientOf = ({ scheme }: Payer, to: string): string => {
  if (scheme !== 'nano') return parseRecipient(to)
  const key = parseNanoAccount(to)
  if (key) return formatNanoAccount(key)
  throw new BuyerError('ERR_ADDRESS_INVALID', 'this is no Nano account: check each character')
}

/** What was charged to a channel: by the vendor's word, but never more than is signed, nor less than it is believed on. */
const usedOf = async (
  kit: PayingKit,
  { asked, offers }: Place,
  checked: CheckedOffer,
  payer: Payer,
): Promise<bigint> => {
  if (payer.scheme !== 'channel') return 0n
  const tab = createTab(kit, checked, payer)
  const { encryptTo, host } = { ...offers, host: asked.host }
  const cover = { host, currency: checked.offer.currency, encryptTo, ahead: 0n, deposit: 0n, demanded: 0n }
  const usage = await askUsage(kit, asked, { offers, tab }, await tab.voucher(cover))
  return usage !== undefined && usage < payer.signed ? usage : payer.signed
}

const channelPart = async (
  kit: PayingKit,
  payer: Payer,
  used: bigint,
  to: string,
  signal?: AbortSignal,
): Promise<Partial<VoucherClaims>> => {
  if (!payer.channel) return {}
  const settings = settingsOf(payer)
  const { refunds } = await channelState(kit, payer, signal)
  return {
    cumulative: String(used),
    signature: signTotal(kit, payer, used),
    channel: { ...settings, vendorId: String(settings.vendorId) },
    ...(to === payer.channel.payer ? {} : { refunds, refundSignature: signRefund(kit, payer, to as Address, refunds) }),
  }
}

/** A channel of which more was signed than was used is not paid by again: the vendor has that signature still. */
const takeNote = async (kit: PayingKit, { id, scheme }: Payer, used: bigint, amount: bigint): Promise<void> => {
  await updateBook(kit, (book) =>
    changePayer(book, id, (payer) =>
      scheme === 'channel'
        ? { ...payer, ...(payer.signed > used && { closed: true }) }
        : { ...payer, agreed: payer.agreed + amount },
    ),
  )
}

type Answer = z.infer<typeof answerSchema>

const ANSWER_BYTES_MAX = 16 * 1024

const post = async (kit: PayingKit, { url, signal }: Asked, endpoint: string, text: string): Promise<Answer> => {
  const request = new Request(new URL(endpoint, url), { method: 'POST', body: utf8(text) as Uint8Array<ArrayBuffer> })
  return answerOf(await send(kit, await readRequest(kit.effects.random, request, signal), {}))
}

const answerOf = async (response: Response): Promise<Answer> => {
  const read = await readRefusal(response)
  if ('refusal' in read) {
    const { code, detail } = read.refusal
    throw new BuyerError('ERR_PAYMENT_REFUSED', `the gateway refuses (${code}): ${detail}`)
  }
  const text = await read.answer.text()
  const parsed = text.length > ANSWER_BYTES_MAX ? undefined : answerSchema.safeParse(jsonOf(text))
  if (parsed?.success) return parsed.data
  throw new BuyerError('ERR_PAYMENT_REFUSED', 'the answer to the refund request is none')
}

const jsonOf = (text: string): unknown => {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

const untilPaid = async (
  kit: PayingKit,
  { url }: Asked,
  endpoint: string,
  first: Answer,
  signal?: AbortSignal,
): Promise<Answer> => {
  const { clock, random } = kit.effects
  const began = clock.nowMs()
  let answer = first
  for (let pause = RETRY_MS_MIN; answer.state === 'pending'; pause = Math.min(2 * pause, RETRY_MS_MAX)) {
    if (clock.nowMs() - began > REFUND_WAIT_MS) {
      const text = `the vendor took up refund ${answer.refund}, and has not paid it yet: it is owed all the same`
      throw new BuyerError('ERR_REFUND_PENDING', text)
    }
    await clock.sleep(pause, signal)
    const state = new URL(endpoint, url)
    state.searchParams.set('id', answer.refund)
    answer = await answerOf(await send(kit, await readRequest(random, new Request(state), signal), {}))
  }
  return answer
}
