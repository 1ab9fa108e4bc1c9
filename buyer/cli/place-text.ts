/** What a service asks for, as a dry run tells it. */
import type { Output } from '../../effects/command-output.ts'
import { amountText, type CheckedOffer } from '../lib/paying/asset.ts'
import type { Place } from '../lib/paying/place.ts'
import { costOfBytes, parsePrice } from '../lib/paying/price.ts'
import { oneLine } from './text.ts'

const MEBIBYTE = 1024 * 1024

export const placeOutput = ({ vendor, offers, choices }: Place, end: string): Output => ({
  json: {
    dryRun: true,
    vendor: vendor.name,
    vendorIsDoubtful: vendor.isDoubtful,
    route: offers.route,
    per: offers.per,
    donation: offers.donation ?? false,
    offers: choices.map(({ offer, asset }) => ({ scheme: offer.scheme, asset: asset.name, price: offer.price })),
  },
  text: [
    `Vendor:  ${vendor.name}`,
    ...(vendor.isDoubtful ? ['         only the host itself says so: give --vendor if it is right'] : []),
    `Route:   ${oneLine(offers.route)}`,
    ...choices.map((choice) => `Price:   ${priceText(choice, offers)}`),
    ...(choices.length === 0 ? ['Nothing that is offered can be paid from here'] : []),
    end,
  ].join('\n'),
})

const priceText = ({ offer, asset }: CheckedOffer, { per, donation }: Place['offers']): string => {
  const price = parsePrice(offer.price, per)
  if (!price) return 'none that can be read'
  if (per === 'bit') return `${amountText(costOfBytes(price, MEBIBYTE), asset)} per MiB, by ${offer.scheme}`
  const how = donation ? 'or more, as you like' : per === 'once' ? 'once' : 'each answer'
  return `${amountText(price.units, asset)}, ${how}, by ${offer.scheme}`
}
