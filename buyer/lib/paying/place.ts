/** Where a vendor asks for money: a URL that somebody named, or an endpoint that the registry lists. */
import { NetworkError } from '../../../effects/network.ts'
import { BuyerError } from '../../errors.ts'
import { readListing, vendorIn } from '../market.ts'
import { readRequest, send, type Asked } from './asked.ts'
import type { PayingKit } from './kit.ts'
import { readRefusal } from './refusal.ts'
import { readChoices, type Choices } from './ways.ts'

export interface Place extends Choices {
  readonly asked: Asked
}

/**
 * Asks for offers, without paying.
 * @param target a URL, or a vendor: its URI or number
 * @throws ERR_NOTHING_TO_PAY when nothing there costs anything; what `readChoices` throws
 */
export const findPlace = async (kit: PayingKit, target: string, signal?: AbortSignal): Promise<Place> => {
  if (/^https?:\/\//i.test(target)) {
    const place = await askAt(kit, new URL(target), signal)
    if (place) return place
    throw nothing('this address asks for no payment')
  }
  const vendor = vendorIn(kit.market, target)
  const named: PayingKit = { ...kit, settings: { ...kit.settings, vendor: target } }
  const { vendor: listed } = await readListing(kit.market, vendor, signal)
  let fault: unknown
  for (const { text } of listed.endpoints) {
    const url = urlOf(text)
    if (!url) continue
    try {
      const place = await askAt(named, url, signal)
      if (place) return place
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      fault = error
    }
  }
  throw (fault as Error | undefined) ?? nothing('no endpoint of this vendor asks for payment: name the URL that does')
}

const askAt = async (kit: PayingKit, url: URL, signal?: AbortSignal): Promise<Place | undefined> => {
  const asked = await readRequest(kit.effects.random, new Request(url), signal)
  const read = await readRefusal(await send(kit, asked, {}))
  if ('answer' in read) {
    await read.answer.body?.cancel()
    return undefined
  }
  if (!read.refusal.offers) return undefined
  return { asked, ...(await readChoices(kit, asked, read.refusal.offers)) }
}

const urlOf = (text: string): URL | undefined => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url && /^https?:$/.test(url.protocol) ? url : undefined
}

const nothing = (text: string) => new BuyerError('ERR_NOTHING_TO_PAY', text)
